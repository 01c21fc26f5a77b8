"""Folders of small runs, as C++ writes them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cli_support import run_cli
from market_bars import MINUTE_NS
from sentio_features import Bars
from sentio_inference import trade

DAY_NS = 86_400_000_000_000
FIRST_NS = 1_704_205_800_000_000_000  # 2024-01-02 14:30 UTC, a Tuesday, when New York opens


def session_bars(sessions: int, bars_each: int = 60, *, seed: int = 1, drift: float = 0.0) -> Bars:
    """Minutes of consecutive days that follow a random walk; every close is the next open."""
    n = sessions * bars_each
    ts = FIRST_NS + DAY_NS * (np.arange(n) // bars_each) + MINUTE_NS * (np.arange(n) % bars_each)
    walk = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(drift, 0.002, n + 1)))
    open_, close = walk[:-1], walk[1:]
    return Bars(ts, open_, np.maximum(open_, close), np.minimum(open_, close), close, np.full(n, 1e6))


def write_bars(path: Path, bars: Bars) -> Path:
    columns = [bars[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    rows = zip(bars.ts.tolist(), *columns, strict=True)
    path.write_text("ts,open,high,low,close,volume\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    return path


def traded(folder: Path, bars: Bars, **settings: Any) -> dict[str, Any]:
    """A run on random exposures, some of them short, written to `folder`; gives the report."""
    random = np.random.default_rng(5)
    held = np.repeat(random.choice([-1.0, -0.5, 0.0, 0.5, 1.0], len(bars) // 7 + 1), 7)[: len(bars)]
    settings = {"exposure": held, "costs": "us_equity", "strategy": "given", "symbol": "XYZ", **settings}
    exposure, costs = settings.pop("exposure"), settings.pop("costs")
    report: dict[str, Any] = trade(bars, exposure, costs, out=str(folder), **settings)
    return report


def judge(folder: Path, bars: Path, *options: str | Path) -> None:
    """A tpa_test of a rule, written to `folder`."""
    done = run_cli(
        "tpa_test", "XYZ", "--bars", bars, "--strategy", "sma_cross", *options, "--out", folder, cwd=bars.parent
    )
    assert done.returncode == 0, done.stderr


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """`folder`, its report.json after `change`."""
    path = folder / "report.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return folder
