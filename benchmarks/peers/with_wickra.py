"""wickra, a Rust library of streaming indicators: its `batch` and, where there is one, its faster `batch_fast`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import wickra
from sentio_features import Bars

from benchmarks.peers.groups import Group, computed
from benchmarks.peers.handles import Handle, Handles


@dataclass(frozen=True)
class MatrixColumn:
    """One column of a wickra matrix, which lends no memory: becoming an array costs more than the indicator, and is
    left to who needs it."""

    matrix: Any
    index: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.matrix.tolist(), dtype=dtype)[:, self.index]


def _split(matrix: Any, *indices: int) -> list[MatrixColumn]:
    return [MatrixColumn(matrix, index) for index in indices]


def columns(bars: Bars, names: Collection[str]) -> dict[str, Any]:
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume  # noqa: E741

    r = np.asarray(wickra.LogReturn(1).batch_fast(c)).copy()
    r[0] = 0.0

    def bands(n: int) -> list[MatrixColumn]:
        return _split(wickra.BollingerBands(n, 2.0).batch_fast(c), 0, 1, 2)

    groups: list[Group] = [
        *[
            ([name], lambda k=k: wickra.LogReturn(k).batch_fast(c))
            for name, k in (("ret_1m", 1), ("ret_5m", 5), ("ret_15m", 15), ("ret_30m", 30), ("ret_1h", 60))
        ],
        *[([f"momentum_{n}"], lambda n=n: wickra.ROCP(n).batch_fast(c)) for n in (5, 10, 20)],
        *[([f"volatility_{n}"], lambda n=n: wickra.StdDev(n).batch_fast(r)) for n in (10, 20, 30)],
        # In percent a "year" of one bar.
        (["parkinson_vol"], lambda: np.divide(wickra.ParkinsonVolatility(20, 1).batch(h, l), 100)),
        (["garman_klass_vol"], lambda: np.divide(wickra.GarmanKlassVolatility(20, 1).batch(o, h, l, c), 100)),
        *[([f"atr_{n}"], lambda n=n: wickra.ATR(n).batch_fast(h, l, c)) for n in (14, 21)],
        *[([f"rsi_{n}"], lambda n=n: wickra.RSI(n).batch_fast(c)) for n in (14, 21, 30)],
        *[([f"sma_{n}"], lambda n=n: wickra.SMA(n).batch_fast(c)) for n in (5, 10, 20, 50, 200)],
        *[([f"ema_{n}"], lambda n=n: wickra.EMA(n).batch_fast(c)) for n in (5, 10, 20, 50, 200)],
        *[([f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"], lambda n=n: bands(n)) for n in (20, 50)],
        (["macd_line", "macd_signal", "macd_histogram"], lambda: _split(wickra.MACD(12, 26, 9).batch_fast(c), 0, 1, 2)),
        (["stoch_k", "stoch_d"], lambda: _split(wickra.Stochastic(14, 3).batch(h, l, c), 0, 1)),
        (["williams_r"], lambda: wickra.WilliamsR(14).batch(h, l, c)),
        (["cci_20"], lambda: wickra.CCI(20).batch(h, l, c)),
        (["adx_14"], lambda: MatrixColumn(wickra.ADX(14).batch(h, l, c), 2)),
        *[([f"volume_sma_{n}"], lambda n=n: wickra.SMA(n).batch_fast(v)) for n in (10, 20, 50)],
        (["volume_roc"], lambda: wickra.ROCP(10).batch_fast(v)),
        (["obv"], lambda: wickra.OBV().batch(c, v)),
        (["vpt"], lambda: wickra.VolumePriceTrend().batch(c, v)),
        (["ad_line"], lambda: wickra.ADL().batch(h, l, c, v)),
        (["mfi_14"], lambda: wickra.MFI(14).batch(h, l, c, v)),
    ]
    return computed(groups, names)


def _candle(ts: int, o: float, h: float, l: float, c: float, v: float) -> tuple[float, float, float, float, float, int]:  # noqa: E741
    return o, h, l, c, v, ts


class Stream(Handles):
    """`update`, one indicator at a time; those of whole bars take wickra's candle."""

    def __init__(self, history: Bars, names: Collection[str]) -> None:
        close = history.close.tolist()
        log_returns = np.diff(np.log(history.close), prepend=np.log(history.close[0])).tolist()
        columns = (history[name].tolist() for name in ("open", "high", "low", "close", "volume"))
        candles = [_candle(*row) for row in zip(history.ts.tolist(), *columns, strict=True)]
        volume = history.volume.tolist()

        def fed(indicator: Any, values: list[Any]) -> Callable[..., Any]:
            for value in values:
                indicator.update(value)
            return indicator.update  # type: ignore[no-any-return]

        def on_close(name: str, indicator: Any) -> Handle:
            return [name], "c", lambda: fed(indicator, close)

        def bands(n: int) -> Callable[..., Any]:
            update = fed(wickra.BollingerBands(n, 2.0), close)
            return lambda c: update(c)[:3]

        def adx() -> Callable[..., Any]:
            update = fed(wickra.ADX(14), candles)
            return lambda bar: update(bar)[2]

        def on_bar(names: list[str], indicator: Any) -> Handle:
            return names, "bar", lambda: fed(indicator, candles)

        def percent(indicator: Any) -> Callable[..., Any]:
            update = fed(indicator, candles)
            return lambda bar: update(bar) / 100

        hours = (("ret_1m", 1), ("ret_5m", 5), ("ret_15m", 15), ("ret_30m", 30), ("ret_1h", 60))
        handles: list[Handle] = [
            *[on_close(name, wickra.LogReturn(k)) for name, k in hours],
            *[on_close(f"momentum_{n}", wickra.ROCP(n)) for n in (5, 10, 20)],
            *[([f"volatility_{n}"], "r", lambda n=n: fed(wickra.StdDev(n), log_returns)) for n in (10, 20, 30)],
            *[on_bar([f"atr_{n}"], wickra.ATR(n)) for n in (14, 21)],
            (["parkinson_vol"], "bar", lambda: percent(wickra.ParkinsonVolatility(20, 1))),
            (["garman_klass_vol"], "bar", lambda: percent(wickra.GarmanKlassVolatility(20, 1))),
            *[on_close(f"rsi_{n}", wickra.RSI(n)) for n in (14, 21, 30)],
            *[on_close(f"sma_{n}", wickra.SMA(n)) for n in (5, 10, 20, 50, 200)],
            *[on_close(f"ema_{n}", wickra.EMA(n)) for n in (5, 10, 20, 50, 200)],
            *[([f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"], "c", lambda n=n: bands(n)) for n in (20, 50)],
            (["macd_line", "macd_signal", "macd_histogram"], "c", lambda: fed(wickra.MACD(12, 26, 9), close)),
            on_bar(["stoch_k", "stoch_d"], wickra.Stochastic(14, 3)),
            on_bar(["williams_r"], wickra.WilliamsR(14)),
            on_bar(["cci_20"], wickra.CCI(20)),
            (["adx_14"], "bar", adx),
            *[([f"volume_sma_{n}"], "v", lambda n=n: fed(wickra.SMA(n), volume)) for n in (10, 20, 50)],
            (["volume_roc"], "v", lambda: fed(wickra.ROCP(10), volume)),
            on_bar(["obv"], wickra.OBV()),
            on_bar(["vpt"], wickra.VolumePriceTrend()),
            on_bar(["ad_line"], wickra.ADL()),
            on_bar(["mfi_14"], wickra.MFI(14)),
        ]
        super().__init__(handles, names, last_close=close[-1], bar=_candle)
