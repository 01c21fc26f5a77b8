"""polars: one lazy query with one expression a feature, so that it may share and run them side by side. Its exponential
means start from the first value, so that the early bars differ; it has no rolling mean deviation, so no cci_20."""

from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl
from sentio_features import Bars

from benchmarks.bars import FIELDS

LN2 = float(np.log(2.0))


def expressions() -> dict[str, pl.Expr]:
    o, h, l, c, v = (pl.col(name) for name in FIELDS)  # noqa: E741
    before = c.shift(1)
    change = c - before
    simple = c / before - 1
    r = (c / before).log()
    squared_range = (h / l).log().pow(2)
    flow_place = pl.when(h > l).then(((c - l) - (h - c)) / (h - l)).otherwise(0.0)
    spread = 1e4 * (h - l) / ((h + l) / 2)
    highest, lowest = h.rolling_max(14), l.rolling_min(14)
    true_range = pl.max_horizontal(h, before) - pl.min_horizontal(l, before)

    def wilder(x: pl.Expr, n: int) -> pl.Expr:
        return x.ewm_mean(alpha=1 / n, adjust=False)

    def ema(x: pl.Expr, n: int) -> pl.Expr:
        return x.ewm_mean(span=n, adjust=False)

    def rsi(n: int) -> pl.Expr:
        gain, loss = wilder(change.clip(lower_bound=0), n), wilder((-change).clip(lower_bound=0), n)
        return 100 * gain / (gain + loss)

    def positive(x: pl.Expr, than: pl.Expr) -> pl.Expr:
        return pl.when((x > than) & (x > 0)).then(x).otherwise(0.0)

    up, down = h - h.shift(1), l.shift(1) - l
    plus, minus = wilder(positive(up, down), 14), wilder(positive(down, up), 14)
    typical = (h + l + c) / 3
    moved, flow = typical - typical.shift(1), typical * v
    tie = 1e-10 * typical  # less is a rounding and no move
    rose = pl.when(moved > tie).then(flow).otherwise(0.0).rolling_sum(14)
    fell = pl.when(moved < -tie).then(flow).otherwise(0.0).rolling_sum(14)
    line = ema(c, 12) - ema(c, 26)
    signal = ema(line, 9)
    stoch_k = 100 * (c - lowest) / (highest - lowest)
    garman_klass = (0.5 * squared_range - (2 * LN2 - 1) * (c / o).log().pow(2)).rolling_mean(20)

    found = {
        name: (c / c.shift(k)).log()
        for name, k in (("ret_1m", 1), ("ret_5m", 5), ("ret_15m", 15), ("ret_30m", 30), ("ret_1h", 60))
    }
    found |= {f"momentum_{n}": c / c.shift(n) - 1 for n in (5, 10, 20)}
    found |= {f"volatility_{n}": r.rolling_std(n, ddof=0) for n in (10, 20, 30)}
    found |= {f"atr_{n}": wilder(true_range, n) for n in (14, 21)}
    found["parkinson_vol"] = (squared_range.rolling_mean(20) / (4 * LN2)).sqrt()
    found["garman_klass_vol"] = garman_klass.clip(lower_bound=0).sqrt()
    found |= {f"rsi_{n}": rsi(n) for n in (14, 21, 30)}
    found |= {f"sma_{n}": c.rolling_mean(n) for n in (5, 10, 20, 50, 200)}
    found |= {f"ema_{n}": ema(c, n) for n in (5, 10, 20, 50, 200)}
    for n in (20, 50):
        middle, deviation = c.rolling_mean(n), c.rolling_std(n, ddof=0)
        found |= {
            f"bb_upper_{n}": middle + 2 * deviation,
            f"bb_middle_{n}": middle,
            f"bb_lower_{n}": middle - 2 * deviation,
        }
    found |= {"macd_line": line, "macd_signal": signal, "macd_histogram": line - signal}
    found |= {"stoch_k": stoch_k, "stoch_d": stoch_k.rolling_mean(3)}
    found["williams_r"] = 100 * (c - highest) / (highest - lowest)
    # The first bar has no move, and 0/0 would stay in the mean for ever.
    found["adx_14"] = wilder((100 * (plus - minus).abs() / (plus + minus)).fill_nan(None), 14)
    found |= {f"volume_sma_{n}": v.rolling_mean(n) for n in (10, 20, 50)}
    return found | {
        "volume_roc": v / v.shift(10) - 1,
        "obv": (change.sign().fill_null(1.0) * v).cum_sum(),
        "vpt": (v * simple.fill_null(0.0)).cum_sum(),
        "ad_line": (flow_place * v).cum_sum(),
        "mfi_14": 100 * rose / (rose + fell),
        "spread_bp": spread,
        "price_impact": 1e6 * simple.abs() / v.sqrt(),
        "order_flow_imbalance": flow_place * v,
        "market_depth": v / (1 + spread),
        "bid_ask_ratio": pl.when(h > l).then((c - l) / (h - l)).otherwise(0.5),
    }


def columns(bars: Bars, names: Collection[str]) -> dict[str, Any]:
    frame = pl.LazyFrame({name: getattr(bars, name) for name in FIELDS})
    wanted = [expression.alias(name) for name, expression in expressions().items() if name in names]
    found = frame.select(wanted).collect()
    return {name: found[name] for name in found.columns}
