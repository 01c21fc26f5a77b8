"""Rule strategies at work: params under which each trades often, and bars made from integers."""

import random
from typing import Any

import numpy as np
from market_bars import MINUTE_NS
from sentio_features import Bars, session_hours

FIRST_DAY = 20_035  # 2024-11-08; the half day of 2024-11-29 comes in the weeks after it
SESSIONS = 25

# Params apart from the defaults, so that every rule trades often, on both sides.
LIVELY: dict[str, dict[str, Any]] = {
    "sma_cross": {"fast": 5, "slow": 12, "allow_short": True},
    "rsi_reversion": {"window": 6, "low": 20, "high": 80, "exit": 45, "allow_short": True},
    "bollinger_squeeze": {"window": 8, "lookback": 25, "patience": 4, "width": 1.3, "allow_short": True},
    "opening_range_breakout": {"range": 20, "flat_before": 17.5, "allow_short": True},
    "vwap_reversion": {"entry": 1.5, "exit": 0.25, "after": 10, "allow_short": True},
    "momentum_volume": {"momentum": 7, "volume_fast": 2, "volume_slow": 9, "ratio": 1.2, "allow_short": True},
}


def minutes_of_sessions() -> list[int]:
    """Open times of all minutes of 25 sessions, in nanoseconds."""
    days = np.arange(FIRST_DAY, FIRST_DAY + 60, dtype=np.int32)
    opens, lengths = session_hours(days)
    times = [
        int(open_ns) + minute * MINUTE_NS
        for open_ns, length in [(o, n) for o, n in zip(opens, lengths, strict=True) if n][:SESSIONS]
        for minute in range(int(length))
    ]
    assert 210 in lengths, "a half day lies among them"
    return times


def made_bars(*, seed: int = 5, step: int = 1, every: int = 1) -> Bars:
    """A market in whole cents, from integers alone: the same bytes on every machine.

    Args:
        seed: of the random walk.
        step: largest move of a minute, in cents.
        every: keeps one minute of so many.
    """
    draw = random.Random(seed)
    times, rows = minutes_of_sessions()[::every], []
    close = 10_000
    for _ in times:
        open_ = close + draw.randrange(-step, step + 1)
        close = open_ + draw.randrange(-9 * step, 9 * step + 1)
        high, low = max(open_, close) + draw.randrange(4 * step), min(open_, close) - draw.randrange(4 * step)
        rows.append((open_ / 100, high / 100, low / 100, close / 100, float(draw.randrange(1, 2000) ** 2 // 100)))
    columns = np.array(rows).T
    return Bars(np.array(times), *columns)
