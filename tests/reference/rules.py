"""Rule strategies, written from their descriptions in `sentio_cli list strategies`: bars in, wanted exposures out.

Whole columns at a time where the engine goes bar by bar. Means are sums of the window, oldest first, over its length:
prices in cents make ties, and the last bit decides them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .session import MINUTE_NS, moment_of

Column = Sequence[float]
Params = Mapping[str, float | str]


@dataclass(frozen=True, kw_only=True)
class History:
    """Bars as lists; `ts` are nanoseconds since 1970."""

    ts: Sequence[int]
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


def buy_and_hold(bars: History, params: Params) -> list[float]:
    del params
    return [1.0] * len(bars.ts)


def sma_cross(bars: History, params: Params) -> list[float]:
    fast, slow = means(bars.close, int(params["fast"])), means(bars.close, int(params["slow"]))
    below = -1.0 if params["allow_short"] else 0.0
    return [
        0.0 if s is None or f is None or f == s else 1.0 if f > s else below for f, s in zip(fast, slow, strict=True)
    ]


def rsi_reversion(bars: History, params: Params) -> list[float]:
    window = int(params["window"])
    changes = [b - a for a, b in zip(bars.close, bars.close[1:], strict=False)]
    values: list[float | None] = [None] * window
    for end in range(window, len(changes) + 1):
        recent = changes[end - window : end]
        gains = total(c for c in recent if c > 0)
        losses = -total(c for c in recent if c < 0)
        values.append(100 * gains / (gains + losses) if gains + losses else 50.0)

    low, middle, high = (float(params[name]) for name in ("low", "exit", "high"))

    def step(t: int, side: int) -> int:
        value = values[t]
        if value is None:
            return 0
        if value <= low:
            return 1
        if value >= high and params["allow_short"]:
            return -1
        back = value >= middle if side == 1 else value <= middle
        return 0 if back else side

    return sides(len(bars.ts), step)


def bollinger_squeeze(bars: History, params: Params) -> list[float]:
    window, lookback, patience = (int(params[name]) for name in ("window", "lookback", "patience"))
    middles = means(bars.close, window)
    half_widths = [
        None
        if middle is None
        else float(params["width"])
        * math.sqrt(total((c - middle) ** 2 for c in bars.close[t - window + 1 : t + 1]) / window)
        for t, middle in enumerate(middles)
    ]
    bandwidths = [
        None if half is None or middle is None else 2 * half / middle
        for half, middle in zip(half_widths, middles, strict=True)
    ]
    squeezes = [
        t >= window + lookback - 2
        and bandwidths[t] == min(b for b in bandwidths[t - lookback + 1 : t + 1] if b is not None)
        for t in range(len(bars.ts))
    ]

    def step(t: int, side: int) -> int:
        middle, half = middles[t], half_widths[t]
        if middle is None or half is None or t < window + lookback - 2:
            return 0
        close = bars.close[t]
        if side:
            return side if side * (close - middle) >= 0 else 0
        if any(squeezes[max(0, t - patience + 1) : t + 1]):
            if close > middle + half:
                return 1
            if close < middle - half and params["allow_short"]:
                return -1
        return 0

    return sides(len(bars.ts), step)


def momentum_volume(bars: History, params: Params) -> list[float]:
    span = int(params["momentum"])
    fast, slow = means(bars.volume, int(params["volume_fast"])), means(bars.volume, int(params["volume_slow"]))

    def step(t: int, side: int) -> int:
        f, s = fast[t], slow[t]
        if t < span or f is None or s is None:
            return 0
        change = bars.close[t] - bars.close[t - span]
        if side:
            return side if side * change > 0 else 0
        if f > float(params["ratio"]) * s and change != 0:
            return 1 if change > 0 else -1 if params["allow_short"] else 0
        return 0

    return sides(len(bars.ts), step)


def opening_range_breakout(bars: History, params: Params) -> list[float]:
    wanted = [0.0] * len(bars.ts)
    for session in sessions(bars, str(params["session"])):
        opening = [bar for bar in session if bar.minute < float(params["range"])]
        if not opening:
            continue
        high, low = max(bars.high[bar.at] for bar in opening), min(bars.low[bar.at] for bar in opening)
        side, traded = 0, False
        for bar in session[len(opening) :]:
            close = bars.close[bar.at]
            if bar.remaining < float(params["flat_before"]):
                side = 0
            elif side:
                side = side if side * (close - (high + low) / 2) >= 0 else 0
            elif not traded:
                side = 1 if close > high else -1 if close < low and params["allow_short"] else 0
                traded = side != 0
            wanted[bar.at] = float(side)
    return wanted


def vwap_reversion(bars: History, params: Params) -> list[float]:
    wanted = [0.0] * len(bars.ts)
    entry, leave = float(params["entry"]), float(params["exit"])
    for session in sessions(bars, str(params["session"])):
        side = 0
        volume = turnover = squares = Fraction(0)  # exact, so that one price has no spread
        for bar in session:
            price = Fraction((bars.high[bar.at] + bars.low[bar.at] + bars.close[bar.at]) / 3)
            traded = Fraction(bars.volume[bar.at])
            volume += traded
            turnover += traded * price
            squares += traded * price * price
            distance = 0.0
            if volume:
                vwap = turnover / volume
                variance = squares / volume - vwap * vwap
                distance = float(Fraction(bars.close[bar.at]) - vwap) / math.sqrt(variance) if variance else 0.0
            if bar.minute < float(params["after"]) or bar.remaining < float(params["flat_before"]):
                side = 0
            elif distance <= -entry:
                side = 1
            elif distance >= entry and params["allow_short"]:
                side = -1
            elif side and side * distance >= -leave:
                side = 0
            wanted[bar.at] = float(side)
    return wanted


@dataclass(frozen=True)
class SessionBar:
    """A bar in the regular hours of a session that is known from its beginning."""

    at: int
    minute: float
    remaining: float  # minutes from the fill of the next bar's decision to the session's end


def sessions(bars: History, calendar: str) -> Iterator[list[SessionBar]]:
    """The bars of each session."""
    moments = [moment_of(ts, calendar) for ts in bars.ts]
    days = sorted({moment.date for moment in moments})
    for day in days:
        of_day = [t for t, moment in enumerate(moments) if moment.date == day]
        if of_day[0] == 0 and moments[0].since_open_ns > 0:
            continue
        found = []
        for i, t in enumerate(of_day):
            minute = moments[t].since_open_ns / MINUTE_NS
            gap = minute - moments[of_day[i - 1]].since_open_ns / MINUTE_NS if i else 0.0
            if moments[t].regular:
                found.append(SessionBar(t, minute, moments[t].length - minute - 2 * gap))
        yield found


def total(values: Iterable[float]) -> float:
    """One after another; `sum` compensates for roundings since Python 3.12."""
    found = 0.0
    for value in values:
        found += value
    return found


def means(values: Column, n: int) -> list[float | None]:
    """Of the newest n, None before there are so many."""
    return [None if t + 1 < n else total(values[t + 1 - n : t + 1]) / n for t in range(len(values))]


def sides(count: int, step: Callable[[int, int], int]) -> list[float]:
    """`step` gives the side after bar t from the side before it."""
    side, found = 0, []
    for t in range(count):
        side = step(t, side)
        found.append(float(side))
    return found


RULES: dict[str, Callable[[History, Params], list[float]]] = {
    rule.__name__: rule
    for rule in (
        buy_and_hold,
        sma_cross,
        rsi_reversion,
        bollinger_squeeze,
        opening_range_breakout,
        vwap_reversion,
        momentum_volume,
    )
}
