"""talipp, incremental indicators in pure Python."""

from collections.abc import Callable, Collection
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
from sentio_features import Bars
from talipp import indicators
from talipp.ohlcv import OHLCV

from benchmarks.peers.handles import Handle, Handles


def _ohlcv(_: int, o: float, h: float, l: float, c: float, v: float) -> OHLCV:  # noqa: E741
    return OHLCV(o, h, l, c, v)


class Stream(Handles):
    """`add`, and then the indicator's last element."""

    def __init__(self, history: Bars, names: Collection[str]) -> None:
        close, volume = history.close.tolist(), history.volume.tolist()
        log_returns = np.diff(np.log(history.close), prepend=np.log(history.close[0])).tolist()
        columns = (history[name].tolist() for name in ("open", "high", "low", "close", "volume"))
        bars = [_ohlcv(*row) for row in zip(history.ts.tolist(), *columns, strict=True)]

        def fed(make: Callable[[], Any], values: list[Any], *fields: str) -> Callable[..., Any]:
            indicator = make()
            for value in values:
                indicator.add(value)

            if not fields:

                def update(value: Any) -> Any:
                    indicator.add(value)
                    return indicator[-1]

                return update

            pick = attrgetter(*fields)

            def update_and_pick(value: Any) -> Any:
                indicator.add(value)
                return pick(indicator[-1])

            return update_and_pick

        def on_close(name: str, make: Callable[[], Any]) -> Handle:
            return [name], "c", lambda: fed(make, close)

        def on_log_return(name: str, make: Callable[[], Any]) -> Handle:
            return [name], "r", lambda: fed(make, log_returns)

        def on_volume(name: str, make: Callable[[], Any]) -> Handle:
            return [name], "v", lambda: fed(make, volume)

        def on_bar(name: str, make: Callable[[], Any], *fields: str) -> Handle:
            return [name], "bar", lambda: fed(make, bars, *fields)

        def bands(n: int) -> Handle:
            made = [f"bb_upper_{n}", f"bb_middle_{n}", f"bb_lower_{n}"]
            return made, "c", lambda: fed(partial(indicators.BB, n, 2.0), close, "ub", "cb", "lb")

        macd = ["macd_line", "macd_signal", "macd_histogram"]
        handles: list[Handle] = [
            *[on_log_return(f"volatility_{n}", partial(indicators.StdDev, n)) for n in (10, 20, 30)],
            *[on_bar(f"atr_{n}", partial(indicators.ATR, n)) for n in (14, 21)],
            *[on_close(f"rsi_{n}", partial(indicators.RSI, n)) for n in (14, 21, 30)],
            *[on_close(f"sma_{n}", partial(indicators.SMA, n)) for n in (5, 10, 20, 50, 200)],
            *[on_close(f"ema_{n}", partial(indicators.EMA, n)) for n in (5, 10, 20, 50, 200)],
            bands(20),
            bands(50),
            (macd, "c", lambda: fed(partial(indicators.MACD, 12, 26, 9), close, "macd", "signal", "histogram")),
            (["stoch_k", "stoch_d"], "bar", lambda: fed(partial(indicators.Stoch, 14, 3), bars, "k", "d")),
            on_bar("williams_r", partial(indicators.Williams, 14)),
            on_bar("cci_20", partial(indicators.CCI, 20)),
            on_bar("adx_14", partial(indicators.ADX, 14, 14), "adx"),
            *[on_volume(f"volume_sma_{n}", partial(indicators.SMA, n)) for n in (10, 20, 50)],
            on_bar("obv", indicators.OBV),
            on_bar("ad_line", indicators.AccuDist),
        ]
        super().__init__(handles, names, last_close=close[-1], bar=_ohlcv)
