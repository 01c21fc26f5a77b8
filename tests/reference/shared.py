"""Formulas that several ops share, docs/numerics.md, "Shared formulas"."""

import sys

from .column import Bars, Column, bar_by_bar, from_bar
from .logarithm import log

LIMIT = 1e100
FADED = 1e-250
SMALLEST_NORMAL = 2.0**-1022
LARGEST = sys.float_info.max


def ratio(a: float, b: float) -> float:
    if b == 0.0:  # infinite or not a number, where Python refuses to divide
        return 0.0
    q = a / b
    return q if abs(q) <= LIMIT else 0.0


def limited(x: float) -> float:
    return LIMIT if x > LIMIT else -LIMIT if x < -LIMIT else x


def relative(x: float, base: float) -> float:
    return ratio(x, base) - 1.0 if base != 0.0 else 0.0


def simple_return(x: Column, k: int) -> Column:
    return from_bar(x.first + k, x.end, lambda t: relative(x[t], x[t - k]))


def log_of_ratio(a: float, b: float) -> float:
    q = a / b if a > 0.0 and b > 0.0 else 1.0
    return log(min(max(q, SMALLEST_NORMAL), LARGEST))


def log_return(x: Column, k: int, offset: float) -> Column:
    return from_bar(x.first + k, x.end, lambda t: log_of_ratio(x[t] + offset, x[t - k] + offset))


def typical_price(bars: Bars) -> Column:
    return bar_by_bar(lambda h, l, c: (h + l + c) / 3.0, bars.high, bars.low, bars.close)


def true_range(bars: Bars) -> Column:
    def of(h: float, l: float, before: float) -> float:
        return (h if h > before else before) - (l if l < before else before)

    return from_bar(1, bars.end, lambda t: of(bars.high[t], bars.low[t], bars.close[t - 1]))


def close_location(h: float, l: float, c: float) -> float:
    return ((c - l) - (h - c)) / (h - l) if h > l else 0.0


def money_flow(bars: Bars) -> Column:
    """clv v"""
    return bar_by_bar(lambda h, l, c, v: close_location(h, l, c) * v, bars.high, bars.low, bars.close, bars.volume)


def spread(h: float, l: float) -> float:
    return 1e4 * ((h - l) / ((h + l) / 2.0))
