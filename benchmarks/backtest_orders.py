"""Target positions that every simulator of the race is given, and what it must make of them. Legend: n bars.

Decisions are made at a bar's close and filled at the next open, with a commission in proportion to the notional and no
other cost. All simulators get whole units, but for Sentio, which is given the exposures that they come from and sizes
its orders itself.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sentio_features import Bars

from benchmarks.bars import COLUMNS, Float64
from benchmarks.timing import AnswerDiffersError

CAPITAL = 1_000_000.0
FEE = 0.0005
LONG, FLAT, SHORT = 1.0, 0.0, -0.5
CENT = 0.01


@dataclass(frozen=True, kw_only=True)
class Traded:
    """What a simulator did: one row a fill, and what was left."""

    bar: npt.NDArray[np.int64]
    quantity: Float64
    price: Float64
    equity: float  # at the last close


@dataclass(frozen=True)
class Orders:
    """A folder with the bars and both kinds of targets, shape [n] each: wanted at the bar's close."""

    folder: Path

    def load(self) -> tuple[Bars, Float64, Float64]:
        """Bars, exposures, units."""
        columns = [np.load(self.folder / f"{name}.npy") for name in (*COLUMNS, "exposure", "units")]
        return Bars(*columns[: len(COLUMNS)]), columns[-2], columns[-1]

    @property
    def costs(self) -> Path:
        return self.folder / "costs.json"


def exposures(close: Float64, *, fast: int = 20, slow: int = 50) -> Float64:
    """Long above the slow mean, half short below it; flat where they touch, and before there are enough bars."""
    sums = np.cumsum(np.concatenate([[0.0], close]))
    fast_mean, slow_mean = np.full(len(close), np.nan), np.full(len(close), np.nan)
    fast_mean[fast - 1 :] = (sums[fast:] - sums[:-fast]) / fast
    slow_mean[slow - 1 :] = (sums[slow:] - sums[:-slow]) / slow
    difference = np.nan_to_num(fast_mean - slow_mean)
    return np.where(difference > 0, LONG, np.where(difference < 0, SHORT, FLAT))


def write_orders(folder: Path, bars: Bars) -> Orders:
    folder.mkdir(parents=True)
    wanted = exposures(bars.close)
    for name in COLUMNS:
        np.save(folder / f"{name}.npy", bars.ts if name == "ts" else getattr(bars, name))
    np.save(folder / "exposure.npy", wanted)
    np.save(folder / "units.npy", simulate(bars.open, bars.close, wanted)[0])
    costs = {
        "schema_version": "1.0",
        "name": "commission alone",
        "description": "A commission in proportion to the notional, as every simulator has it.",
        "commission_bps": FEE * 1e4,
    }
    (folder / "costs.json").write_text(json.dumps(costs))
    return Orders(folder)


def simulate(open_: Float64, close: Float64, wanted: Float64) -> tuple[Float64, Traded]:
    """The plain simulator: units wanted at each close, shape [n], and the trades.

    The size is the largest whole number of units whose value is at most |exposure| of the equity that remains after the
    commission of trading there; a held exposure is not traded.
    """
    changes = np.flatnonzero(np.diff(wanted[:-1], prepend=FLAT))
    units = np.zeros(len(wanted))
    bars, quantities, prices = [], [], []
    cash, position = CAPITAL, 0.0
    for t, following in zip(changes.tolist(), [*changes[1:].tolist(), len(wanted)], strict=True):
        exposure, price = float(wanted[t]), float(open_[t + 1])
        side = 1.0 if exposure > 0 else -1.0
        share, start = abs(exposure), side * position
        equity = cash + position * price
        grown = share * (equity + FEE * price * start) / (price + share * FEE * price)
        shrunk = share * (equity - FEE * price * start) / (price - share * FEE * price)
        target = side * float(np.trunc(grown if grown >= start else max(shrunk, 0.0)))
        units[t:following] = target
        quantity = target - position
        if quantity == 0.0:
            continue
        cash -= quantity * price + abs(quantity) * price * FEE
        position = target
        bars.append(t + 1)
        quantities.append(quantity)
        prices.append(price)
    traded = Traded(
        bar=np.array(bars, dtype=np.int64),
        quantity=np.array(quantities),
        price=np.array(prices),
        equity=cash + position * float(close[-1]),
    )
    return units, traded


def require_same(found: Traded, expected: Traded) -> None:
    """The same fills at the same prices, and the same equity to a cent."""
    if len(found.bar) != len(expected.bar):
        raise AnswerDiffersError(f"{len(found.bar):,} fills, expected {len(expected.bar):,}")
    # backtrader averages the price of an order that closes a position and opens another, which rounds.
    for name, tolerance in (("bar", 0.0), ("quantity", 0.0), ("price", 1e-14)):
        ours: Any = getattr(expected, name)
        different = np.flatnonzero(np.abs(getattr(found, name) - ours) > tolerance * np.abs(ours))
        if len(different):
            i = int(different[0])
            raise AnswerDiffersError(f"fill {i} has {name} {getattr(found, name)[i]}, expected {ours[i]}")
    if not abs(found.equity - expected.equity) < CENT / 2:
        raise AnswerDiffersError(f"equity {found.equity:,.4f}, expected {expected.equity:,.4f}")
