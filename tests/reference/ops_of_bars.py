"""Ops that read whole bars, docs/numerics.md, "Ops". The defaults are those of docs/ops.md."""

import math
from collections.abc import Callable

from .column import Bars, Column, bar_by_bar, from_bar
from .logarithm import LN2, log
from .recursive import directional, running_total, wilder
from .shared import FADED, money_flow, ratio, relative, spread, true_range, typical_price
from .windows import largest, mean, smallest, total


def atr(bars: Bars, *, window: int = 14) -> Column:
    return wilder(true_range(bars), window)


def upward_movement(bars: Bars) -> Column:
    return directional_movement(bars, lambda up, down: up if up > down and up > 0.0 else 0.0)


def downward_movement(bars: Bars) -> Column:
    return directional_movement(bars, lambda up, down: down if down > up and down > 0.0 else 0.0)


def directional_movement(bars: Bars, choose: Callable[[float, float], float]) -> Column:
    h, l = bars.high, bars.low
    return from_bar(1, bars.end, lambda t: choose(h[t] - h[t - 1], l[t - 1] - l[t]))


def directional_indicator(bars: Bars, movement: Column, n: int) -> Column:
    def share(moved: float, ranged: float) -> float:
        return 100.0 * (moved / ranged) if ranged > FADED else 0.0

    return bar_by_bar(share, directional(movement, n), directional(true_range(bars), n))


def plus_di(bars: Bars, *, window: int = 14) -> Column:
    return directional_indicator(bars, upward_movement(bars), window)


def minus_di(bars: Bars, *, window: int = 14) -> Column:
    return directional_indicator(bars, downward_movement(bars), window)


def adx(bars: Bars, *, window: int = 14) -> Column:
    plus, minus = plus_di(bars, window=window), minus_di(bars, window=window)
    return wilder(bar_by_bar(lambda p, m: 100.0 * ratio(abs(p - m), p + m), plus, minus), window)


def cci(bars: Bars, *, window: int = 20) -> Column:
    price = typical_price(bars)
    middle = mean(price, window)

    def value(t: int) -> float:
        distances = 0.0
        for i in range(t - window + 1, t + 1):
            distances = distances + abs(price[i] - middle[t])
        return ratio(price[t] - middle[t], 0.015 * (distances / window))

    return from_bar(middle.first, bars.end, value)


def stochastic_k(bars: Bars, *, window: int = 14) -> Column:
    def value(c: float, top: float, bottom: float) -> float:
        return 100.0 * ((c - bottom) / (top - bottom)) if top > bottom else 50.0

    return bar_by_bar(value, bars.close, largest(bars.high, window), smallest(bars.low, window))


def stochastic_d(bars: Bars, *, window: int = 14, smooth: int = 3) -> Column:
    return mean(stochastic_k(bars, window=window), smooth)


def williams_r(bars: Bars, *, window: int = 14) -> Column:
    def value(c: float, top: float, bottom: float) -> float:
        return -100.0 * ((top - c) / (top - bottom)) if top > bottom else -50.0

    return bar_by_bar(value, bars.close, largest(bars.high, window), smallest(bars.low, window))


def mfi(bars: Bars, *, window: int = 14) -> Column:
    p, v = typical_price(bars), bars.volume
    up = from_bar(1, bars.end, lambda t: p[t] * v[t] if p[t] - p[t - 1] >= 1e-10 * p[t - 1] else 0.0)
    down = from_bar(1, bars.end, lambda t: p[t] * v[t] if p[t - 1] - p[t] >= 1e-10 * p[t - 1] else 0.0)

    def share(u: float, d: float) -> float:
        s = u + d
        return 100.0 * (u / s) if s > 0.0 else 50.0

    return bar_by_bar(share, total(up, window), total(down, window))


def parkinson(bars: Bars, *, window: int = 20) -> Column:
    m = mean(bar_by_bar(squared_log, bars.high, bars.low), window)
    return bar_by_bar(lambda m: math.sqrt(m / (4.0 * LN2) if m > 0.0 else 0.0), m)


def garman_klass(bars: Bars, *, window: int = 20) -> Column:
    def of_bar(o: float, h: float, l: float, c: float) -> float:
        return 0.5 * squared_log(h, l) - (2.0 * LN2 - 1.0) * squared_log(c, o)

    m = mean(bar_by_bar(of_bar, bars.open, bars.high, bars.low, bars.close), window)
    return bar_by_bar(lambda m: math.sqrt(m if m > 0.0 else 0.0), m)


def squared_log(a: float, b: float) -> float:
    x = log(a / b)
    return x * x


def obv(bars: Bars, *, window: int = 0) -> Column:
    c, v = bars.close, bars.volume

    def signed(t: int) -> float:
        return v[t] if c[t] > c[t - 1] else -v[t] if c[t] < c[t - 1] else 0.0

    if window > 0:
        return share_of_volume(from_bar(1, bars.end, signed), bars, window)
    return running_total(from_bar(0, bars.end, lambda t: signed(t) if t > 0 else v[t]))


def vpt(bars: Bars, *, window: int = 0) -> Column:
    c, v = bars.close, bars.volume
    y = from_bar(1, bars.end, lambda t: v[t] * (c[t] / c[t - 1] - 1.0))
    return share_of_volume(y, bars, window) if window > 0 else running_total(y)


def ad_line(bars: Bars, *, window: int = 0) -> Column:
    y = money_flow(bars)
    return share_of_volume(y, bars, window) if window > 0 else running_total(y)


def share_of_volume(y: Column, bars: Bars, n: int) -> Column:
    return bar_by_bar(ratio, total(y, n), total(bars.volume, n))


def spread_bp(bars: Bars) -> Column:
    return bar_by_bar(spread, bars.high, bars.low)


def price_impact(bars: Bars) -> Column:
    c, v = bars.close, bars.volume
    return from_bar(1, bars.end, lambda t: ratio(1e6 * abs(c[t] / c[t - 1] - 1.0), math.sqrt(v[t])))


def order_flow(bars: Bars, *, window: int = 0) -> Column:
    y = money_flow(bars)
    return bar_by_bar(ratio, y, mean(bars.volume, window)) if window > 0 else y


def market_depth(bars: Bars, *, window: int = 0) -> Column:
    y = bar_by_bar(lambda h, l, v: v / (1.0 + spread(h, l)), bars.high, bars.low, bars.volume)
    return bar_by_bar(relative, y, mean(y, window)) if window > 0 else y


def bid_ask_ratio(bars: Bars) -> Column:
    return bar_by_bar(lambda h, l, c: (c - l) / (h - l) if h > l else 0.5, bars.high, bars.low, bars.close)


OPS: dict[str, Callable[..., Column]] = {
    "ATR": atr,
    "PLUS_DI": plus_di,
    "MINUS_DI": minus_di,
    "ADX": adx,
    "CCI": cci,
    "STOCHASTIC_K": stochastic_k,
    "STOCHASTIC_D": stochastic_d,
    "WILLIAMS_R": williams_r,
    "MFI": mfi,
    "PARKINSON": parkinson,
    "GARMAN_KLASS": garman_klass,
    "OBV": obv,
    "VPT": vpt,
    "AD_LINE": ad_line,
    "SPREAD_BP": spread_bp,
    "PRICE_IMPACT": price_impact,
    "ORDER_FLOW": order_flow,
    "MARKET_DEPTH": market_depth,
    "BID_ASK_RATIO": bid_ask_ratio,
}
