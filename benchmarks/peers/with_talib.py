"""TA-Lib, and NumPy for what it lacks. Legend: o h l c v, the bar's values."""

from collections.abc import Collection
from typing import Any

import numpy as np
import talib
from sentio_features import Bars

from benchmarks.bars import Float64
from benchmarks.peers.groups import Group, computed
from benchmarks.peers.handles import Handle, Handles

LN2 = float(np.log(2.0))
SMA: Any = talib.MA_Type.SMA  # type: ignore[attr-defined]  # the stub forgets to export it


def log_returns(c: Float64) -> Float64:
    r: Float64 = np.zeros_like(c)
    np.log(c[1:] / c[:-1], out=r[1:])
    return r


def talib_groups(bars: Bars) -> list[Group]:
    """The 42 that TA-Lib has."""
    h, l, c, v = bars.high, bars.low, bars.close, bars.volume  # noqa: E741
    r = log_returns(c)
    return [
        *[([f"momentum_{n}"], lambda n=n: talib.ROCP(c, n)) for n in (5, 10, 20)],
        *[([f"volatility_{n}"], lambda n=n: talib.STDDEV(r, n)) for n in (10, 20, 30)],
        *[([f"atr_{n}"], lambda n=n: talib.ATR(h, l, c, n)) for n in (14, 21)],
        *[([f"rsi_{n}"], lambda n=n: talib.RSI(c, n)) for n in (14, 21, 30)],
        *[([f"sma_{n}"], lambda n=n: talib.SMA(c, n)) for n in (5, 10, 20, 50, 200)],
        *[([f"ema_{n}"], lambda n=n: talib.EMA(c, n)) for n in (5, 10, 20, 50, 200)],
        *[
            ([f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"], lambda n=n: talib.BBANDS(c, n, 2.0, 2.0, SMA))
            for n in (20, 50)
        ],
        (["macd_line", "macd_signal", "macd_histogram"], lambda: talib.MACD(c, 12, 26, 9)),
        (["stoch_k", "stoch_d"], lambda: talib.STOCHF(h, l, c, 14, 3, SMA)),
        (["williams_r"], lambda: talib.WILLR(h, l, c, 14)),
        (["cci_20"], lambda: talib.CCI(h, l, c, 20)),
        (["adx_14"], lambda: talib.ADX(h, l, c, 14)),
        *[([f"volume_sma_{n}"], lambda n=n: talib.SMA(v, n)) for n in (10, 20, 50)],
        (["volume_roc"], lambda: talib.ROCP(v, 10)),
        (["obv"], lambda: talib.OBV(c, v)),
        (["ad_line"], lambda: talib.AD(h, l, c, v)),
        (["mfi_14"], lambda: talib.MFI(h, l, c, v, 14)),
    ]


def numpy_groups(bars: Bars) -> list[Group]:
    """The other 13; the rolling means in two are TA-Lib's."""
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume  # noqa: E741
    simple = np.zeros_like(c)
    simple[1:] = c[1:] / c[:-1] - 1
    squared_range = np.log(h / l) ** 2
    moved = h > l
    width = np.where(moved, h - l, 1.0)
    spread = 1e4 * (h - l) / ((h + l) / 2)

    def log_return(k: int) -> Float64:
        x: Float64 = np.full_like(c, np.nan)
        np.log(c[k:] / c[:-k], out=x[k:])
        return x

    def garman_klass() -> Float64:
        mean = talib.SMA(0.5 * squared_range - (2 * LN2 - 1) * np.log(c / o) ** 2, 20)
        found: Float64 = np.sqrt(np.maximum(0.0, mean))
        return found

    return [
        *[
            ([name], lambda k=k: log_return(k))
            for name, k in (("ret_1m", 1), ("ret_5m", 5), ("ret_15m", 15), ("ret_30m", 30), ("ret_1h", 60))
        ],
        (["parkinson_vol"], lambda: np.sqrt(talib.SMA(squared_range, 20) / (4 * LN2))),
        (["garman_klass_vol"], garman_klass),
        (["vpt"], lambda: np.cumsum(v * simple)),
        (["spread_bp"], lambda: spread),
        (["price_impact"], lambda: 1e6 * np.abs(simple) / np.sqrt(v)),
        (["order_flow_imbalance"], lambda: np.where(moved, ((c - l) - (h - c)) / width, 0.0) * v),
        (["market_depth"], lambda: v / (1 + spread)),
        (["bid_ask_ratio"], lambda: np.where(moved, (c - l) / width, 0.5)),
    ]


def columns(bars: Bars, names: Collection[str]) -> dict[str, Float64]:
    return computed(talib_groups(bars), names)


def all_columns(bars: Bars, names: Collection[str]) -> dict[str, Float64]:
    return computed([*talib_groups(bars), *numpy_groups(bars)], names)


class Stream(Handles):
    """Handles of talib.stream."""

    def __init__(self, history: Bars, names: Collection[str]) -> None:
        s = talib.stream
        h, l, c, v = history.high, history.low, history.close, history.volume  # noqa: E741
        r = log_returns(c)
        bands = [[f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"] for n in (20, 50)]
        handles: list[Handle] = [
            *[([f"momentum_{n}"], "c", lambda n=n: s.ROCP(c, n).update) for n in (5, 10, 20)],
            *[([f"volatility_{n}"], "r", lambda n=n: s.STDDEV(r, n).update) for n in (10, 20, 30)],
            *[([f"atr_{n}"], "h, l, c", lambda n=n: s.ATR(h, l, c, n).update) for n in (14, 21)],
            *[([f"rsi_{n}"], "c", lambda n=n: s.RSI(c, n).update) for n in (14, 21, 30)],
            *[([f"sma_{n}"], "c", lambda n=n: s.SMA(c, n).update) for n in (5, 10, 20, 50, 200)],
            *[([f"ema_{n}"], "c", lambda n=n: s.EMA(c, n).update) for n in (5, 10, 20, 50, 200)],
            (bands[0], "c", lambda: s.BBANDS(c, 20, 2.0, 2.0, SMA).update),
            (bands[1], "c", lambda: s.BBANDS(c, 50, 2.0, 2.0, SMA).update),
            (["macd_line", "macd_signal", "macd_histogram"], "c", lambda: s.MACD(c, 12, 26, 9).update),
            (["stoch_k", "stoch_d"], "h, l, c", lambda: s.STOCHF(h, l, c, 14, 3, SMA).update),
            (["williams_r"], "h, l, c", lambda: s.WILLR(h, l, c, 14).update),
            (["cci_20"], "h, l, c", lambda: s.CCI(h, l, c, 20).update),
            (["adx_14"], "h, l, c", lambda: s.ADX(h, l, c, 14).update),
            *[([f"volume_sma_{n}"], "v", lambda n=n: s.SMA(v, n).update) for n in (10, 20, 50)],
            (["volume_roc"], "v", lambda: s.ROCP(v, 10).update),
            (["obv"], "c, v", lambda: s.OBV(c, v).update),
            (["ad_line"], "h, l, c, v", lambda: s.AD(h, l, c, v).update),
            (["mfi_14"], "h, l, c, v", lambda: s.MFI(h, l, c, v, 14).update),
        ]
        super().__init__(handles, names, last_close=float(c[-1]))
