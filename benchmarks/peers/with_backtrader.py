"""backtrader: an engine of events, bar by bar.

Unlike its defaults: the broker does not check cash when an order is sent, where it would take the close for the price
and refuse orders that the next open can pay; and no observers for plots.
"""

from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
from sentio_features import Bars

from benchmarks.backtest_orders import CAPITAL, FEE, Traded
from benchmarks.bars import Float64


class Given(bt.Strategy):  # type: ignore[misc]
    params = (("targets", ()), ("fills", None))

    def next(self) -> None:
        t = len(self) - 1
        change = self.p.targets[t] - self.position.size
        if change > 0:
            self.buy(size=change)
        elif change < 0:
            self.sell(size=-change)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.p.fills.append((len(self) - 1, order.executed.size, order.executed.price))


def prepare(bars: Bars, units: Float64) -> Callable[[], Traded]:
    frame = pd.DataFrame(
        {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume},
        index=pd.to_datetime(bars.ts),
    )
    targets = [int(u) for u in units]

    def run() -> Traded:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        fills: list[tuple[int, float, float]] = []
        cerebro.addstrategy(Given, targets=targets, fills=fills)
        cerebro.broker.setcash(CAPITAL)
        cerebro.broker.setcommission(commission=FEE)
        cerebro.broker.set_checksubmit(False)
        cerebro.run()
        bar, quantity, price = zip(*fills, strict=True)
        return Traded(
            bar=np.array(bar, dtype=np.int64),
            quantity=np.array(quantity, dtype=np.float64),
            price=np.array(price),
            equity=float(cerebro.broker.getvalue()),
        )

    return run
