"""pandas: rolling and exponential windows. Its exponential means start from the first value, so that the early bars
differ. It has no rolling mean deviation but through a Python function a window, so cci_20 is left out."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from sentio_features import Bars

from benchmarks.peers.groups import Group, computed

LN2 = float(np.log(2.0))


def columns(bars: Bars, names: Collection[str]) -> dict[str, Any]:
    o, h, l, c, v = (pd.Series(getattr(bars, name)) for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    before = c.shift()
    change = c - before
    simple = c / before - 1
    r = np.log(c / before)
    squared_range = np.log(h / l) ** 2
    flow_place = (((c - l) - (h - c)) / (h - l)).fillna(0.0)
    spread = 1e4 * (h - l) / ((h + l) / 2)
    highest, lowest = h.rolling(14).max(), l.rolling(14).min()
    true_range = np.maximum(h, before) - np.minimum(l, before)

    def wilder(x: Any, n: int) -> Any:
        return x.ewm(alpha=1 / n, adjust=False).mean()

    def ema(x: Any, n: int) -> Any:
        return x.ewm(span=n, adjust=False).mean()

    def rsi(n: int) -> Any:
        gain, loss = wilder(change.clip(lower=0), n), wilder((-change).clip(lower=0), n)
        return 100 * gain / (gain + loss)

    def bands(n: int) -> tuple[Any, Any, Any]:
        window = c.rolling(n)
        middle, deviation = window.mean(), window.std(ddof=0)
        return middle + 2 * deviation, middle, middle - 2 * deviation

    def macd() -> tuple[Any, Any, Any]:
        line = ema(c, 12) - ema(c, 26)
        signal = ema(line, 9)
        return line, signal, line - signal

    def stochastic() -> tuple[Any, Any]:
        k = 100 * (c - lowest) / (highest - lowest)
        return k, k.rolling(3).mean()

    def adx() -> Any:
        up, down = h.diff(), -l.diff()
        plus = wilder(up.where((up > down) & (up > 0), 0.0), 14)
        minus = wilder(down.where((down > up) & (down > 0), 0.0), 14)
        return wilder(100 * (plus - minus).abs() / (plus + minus), 14)

    def mfi() -> Any:
        typical = (h + l + c) / 3
        moved, flow = typical.diff(), typical * v
        tie = 1e-10 * typical  # less is a rounding and no move
        rose, fell = flow.where(moved > tie, 0.0).rolling(14).sum(), flow.where(moved < -tie, 0.0).rolling(14).sum()
        return 100 * rose / (rose + fell)

    def garman_klass() -> Any:
        return np.sqrt((0.5 * squared_range - (2 * LN2 - 1) * np.log(c / o) ** 2).rolling(20).mean().clip(lower=0))

    groups: list[Group] = [
        *[
            ([name], lambda k=k: np.log(c / c.shift(k)))
            for name, k in (("ret_1m", 1), ("ret_5m", 5), ("ret_15m", 15), ("ret_30m", 30), ("ret_1h", 60))
        ],
        *[([f"momentum_{n}"], lambda n=n: c.pct_change(n)) for n in (5, 10, 20)],
        *[([f"volatility_{n}"], lambda n=n: r.rolling(n).std(ddof=0)) for n in (10, 20, 30)],
        *[([f"atr_{n}"], lambda n=n: wilder(true_range, n)) for n in (14, 21)],
        (["parkinson_vol"], lambda: np.sqrt(squared_range.rolling(20).mean() / (4 * LN2))),
        (["garman_klass_vol"], garman_klass),
        *[([f"rsi_{n}"], lambda n=n: rsi(n)) for n in (14, 21, 30)],
        *[([f"sma_{n}"], lambda n=n: c.rolling(n).mean()) for n in (5, 10, 20, 50, 200)],
        *[([f"ema_{n}"], lambda n=n: ema(c, n)) for n in (5, 10, 20, 50, 200)],
        *[([f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"], lambda n=n: bands(n)) for n in (20, 50)],
        (["macd_line", "macd_signal", "macd_histogram"], macd),
        (["stoch_k", "stoch_d"], stochastic),
        (["williams_r"], lambda: 100 * (c - highest) / (highest - lowest)),
        (["adx_14"], adx),
        *[([f"volume_sma_{n}"], lambda n=n: v.rolling(n).mean()) for n in (10, 20, 50)],
        (["volume_roc"], lambda: v.pct_change(10)),
        (["obv"], lambda: (np.sign(change).fillna(1.0) * v).cumsum()),
        (["vpt"], lambda: (v * simple.fillna(0.0)).cumsum()),
        (["ad_line"], lambda: (flow_place * v).cumsum()),
        (["mfi_14"], mfi),
        (["spread_bp"], lambda: spread),
        (["price_impact"], lambda: 1e6 * simple.abs() / np.sqrt(v)),
        (["order_flow_imbalance"], lambda: flow_place * v),
        (["market_depth"], lambda: v / (1 + spread)),
        (["bid_ask_ratio"], lambda: ((c - l) / (h - l)).fillna(0.5)),
    ]
    return computed(groups, names)
