"""vectorbt: whole columns through compiled loops.

Unlike its defaults: the target of a close is given to the next bar, and the price is that bar's open; by default orders
are filled at the close that they were decided on.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import vectorbt as vbt
from sentio_features import Bars

from benchmarks.backtest_orders import CAPITAL, FEE, Traded
from benchmarks.bars import Float64


def prepare(bars: Bars, units: Float64) -> Callable[[], Traded]:
    index = pd.to_datetime(bars.ts)
    close, open_ = pd.Series(bars.close, index=index), pd.Series(bars.open, index=index)
    changed = np.diff(units, prepend=0.0) != 0.0
    target = np.full(len(units), np.nan)
    target[1:] = np.where(changed, units, np.nan)[:-1]
    wanted = pd.Series(target, index=index)

    def run() -> Traded:
        portfolio = vbt.Portfolio.from_orders(
            close, size=wanted, size_type="targetamount", price=open_, fees=FEE, init_cash=CAPITAL
        )
        orders = portfolio.order_records
        return Traded(
            bar=orders["idx"].astype(np.int64),
            quantity=np.where(orders["side"] == 0, orders["size"], -orders["size"]),
            price=orders["price"],
            equity=float(portfolio.value().iloc[-1]),
        )

    return run
