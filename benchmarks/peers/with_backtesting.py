"""backtesting.py: a strategy class that is called at every bar.

Unlike its defaults: orders of whole units instead of shares of the equity, which it would size by the last close and
not by the open that fills them; and no warning for each trade that is still open at the end.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sentio_features import Bars

from benchmarks.backtest_orders import CAPITAL, FEE, Traded
from benchmarks.bars import Float64

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about notebooks
    import backtesting
    from backtesting import Backtest, Strategy

backtesting.set_bokeh_output(notebook=False)


def prepare(bars: Bars, units: Float64) -> Callable[[], Traded]:
    frame = pd.DataFrame(
        {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume},
        index=pd.to_datetime(bars.ts),
    )
    targets = [int(u) for u in units]
    fills: list[tuple[int, int]] = []

    class Given(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            fills.clear()

        def next(self) -> None:
            t = len(self.data) - 1
            change = targets[t] - self.position.size
            if change and t + 1 < len(targets):
                fills.append((t + 1, change))
                (self.buy if change > 0 else self.sell)(size=abs(change))

    def run() -> Traded:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = Backtest(frame, Given, cash=CAPITAL, commission=FEE, finalize_trades=False)
            found: Any = test.run()
        # It keeps trades and no fills: each order is checked by the position that the next bar finds.
        bar = np.array([t for t, _ in fills], dtype=np.int64)
        return Traded(
            bar=bar,
            quantity=np.array([float(q) for _, q in fills]),
            price=bars.open[bar],
            equity=float(found["_equity_curve"]["Equity"].iloc[-1]),
        )

    return run
