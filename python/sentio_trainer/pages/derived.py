"""What the charts show beyond the columns of a report: drawdown, months, trades, costs, calibration."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.pages.folder import Fills, ReportFolder
from sentio_trainer.reliability import reliability_table

_Z95 = 1.959964  # of the normal distribution, for 95 % intervals
_LOT = 1e-12  # a position below this share of the largest is rounding


def drawdown(equity: Float64, capital: float) -> Float64:
    """Fraction below the highest equity so far, the capital at the start among it; shape of `equity`, at least 0."""
    peak = np.maximum.accumulate(np.maximum(equity, capital))
    return 1.0 - equity / peak


@dataclass(frozen=True, kw_only=True)
class Months:
    """Returns of calendar months in UTC, oldest first."""

    month: list[str]  # "2024-03"
    value: list[float | None]  # None after a ruin: equity at the start was 0 or below


def monthly_returns(ts: Int64, equity: Float64, capital: float) -> Months:
    """From the last equity of the month before, or the capital, to the last of the month."""
    months = ts.astype("datetime64[ns]").astype("datetime64[M]")
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    ends = equity[last]
    starts = np.concatenate([[capital], ends[:-1]])
    values = [float(end / start - 1.0) if start > 0.0 else None for start, end in zip(starts, ends, strict=True)]
    return Months(month=[str(month) for month in months[last]], value=values)


@dataclass(frozen=True, kw_only=True)
class Trades:
    """Round trips from flat to flat or to the other side, oldest first; shapes [k]."""

    entry_ts: Int64
    exit_ts: Int64
    profit: Float64  # after costs, in the currency of the prices

    def __len__(self) -> int:
        return len(self.profit)


def round_trips(fills: Fills) -> Trades:
    """The trades that `fills` complete; a position that is open at the end is none yet.

    A fill that turns a position round ends one trade and begins the next; its commission is shared by quantity.
    """
    done: list[tuple[int, int, float]] = []
    position, entered, profit = 0.0, 0, 0.0
    columns = (fills.ts, fills.quantity, fills.price, fills.commission, fills.borrow, fills.position)
    for ts, quantity, price, commission, borrow, after in zip(*(each.tolist() for each in columns), strict=True):
        leaves = position != 0.0 and position * after <= 0.0
        closing = -position if leaves else quantity if position != 0.0 else 0.0
        opening = quantity - closing
        a_unit = commission / abs(quantity)
        if position != 0.0:
            profit -= closing * price + a_unit * abs(closing) + borrow
        if leaves:
            done.append((entered, ts, profit))
        if abs(opening) > _LOT * abs(quantity):
            if leaves or position == 0.0:
                entered, profit = ts, 0.0
            profit -= opening * price + a_unit * abs(opening)
        position = after
    entry, exit_, profits = zip(*done, strict=True) if done else ((), (), ())
    return Trades(
        entry_ts=np.array(entry, dtype=np.int64),
        exit_ts=np.array(exit_, dtype=np.int64),
        profit=np.array(profits, dtype=np.float64),
    )


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Means over groups of bars of equal count; shapes [g]."""

    ts: Int64  # of each group's first bar
    bars: int  # of a group; the last may have fewer
    exposure: Float64  # signed position x close / equity; NaN where equity was gone
    turnover: Float64  # |quantity x price| of the group's fills over its mean equity; NaN where that was gone


def activity(run: ReportFolder, *, groups: int) -> Activity:
    """Exposure and turnover over time, in at most `groups` groups."""
    size = max(1, math.ceil(len(run.ts) / groups))
    begins = np.arange(0, len(run.ts), size)
    lengths = np.diff(np.append(begins, len(run.ts)))
    worth = np.where(run.equity > 0.0, run.equity, np.nan)
    exposure = run.position * run.close / worth
    group = np.searchsorted(run.ts, run.fills.ts, side="right").clip(1) - 1
    traded = np.bincount(group // size, weights=np.abs(run.fills.quantity * run.fills.price), minlength=len(begins))
    mean_equity = np.add.reduceat(worth, begins) / lengths
    return Activity(
        ts=run.ts[begins],
        bars=size,
        exposure=np.add.reduceat(exposure, begins) / lengths,
        turnover=traded / mean_equity,
    )


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Decisions of similar probability."""

    predicted: float  # their mean probability
    observed: float  # the share that came true
    low: float  # 95 % interval of the share
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Whether the probabilities mean what they say; without bins, `missing` says why."""

    event: str
    bins: list[CalibrationBin]
    missing: str = ""


def calibration(run: ReportFolder) -> Calibration:
    """Probabilities of the decisions against what the price then did, within the measured bars.

    The event is that of the model's label: for `open_to_open`, the open `horizon` + 1 bars later above the next open;
    for other returns, the close `horizon` bars later above that of the decision. Without a label it is the move that a
    decision can earn, from the next open to the one after. Moves of exactly nothing are left out. The intervals are
    Wilson's (1927) for independent samples; overlapping moves, one in `horizon` of which is independent, count as one.
    """
    label = run.at("strategy.label")
    kind, horizon = ("open_to_open", 1) if not isinstance(label, dict) else (label.get("kind"), label.get("horizon"))
    probability = run.probability[-len(run.ts) :]
    if not np.any(np.isfinite(probability)):
        return Calibration(event="", bins=[], missing="The strategy is a rule: it gives no probability.")
    if not isinstance(horizon, int) or horizon < 1 or kind == "triple_barrier" or not isinstance(kind, str):
        return Calibration(event="", bins=[], missing=f"Not drawn for a label of kind {kind}.")
    if kind == "open_to_open":
        event = f"the open {horizon + 1} bars after the decision is above the next open"
        before, after = run.open[1:-horizon], run.open[horizon + 1 :]
    else:
        event = f"the close {horizon} bar{'s' * (horizon > 1)} after the decision is above its own"
        before, after = run.close[:-horizon], run.close[horizon:]
    forecast = probability[: len(after)]
    known = np.isfinite(forecast) & (after != before)
    if not np.any(known):
        return Calibration(event=event, bins=[], missing="The measured bars end before a forecast's horizon.")
    rose = after[known] > before[known]
    bins = []
    for each in reliability_table(forecast[known], rose):
        low, high = wilson(each.observed, each.count / horizon)
        bins.append(CalibrationBin(predicted=each.predicted, observed=each.observed, low=low, high=high,
                                   count=each.count))  # fmt: skip
    return Calibration(event=event, bins=bins)


def wilson(share: float, count: float) -> tuple[float, float]:
    """95 % interval of a share seen in `count` independent samples. Wilson, JASA 22, 1927."""
    z = _Z95
    centre = (share + z * z / (2.0 * count)) / (1.0 + z * z / count)
    half = z / (1.0 + z * z / count) * math.sqrt(share * (1.0 - share) / count + z * z / (4.0 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def cumulative_costs(fills: Fills) -> dict[str, Float64]:
    """Costs paid up to each fill, by kind; shapes [f], in the currency of the prices."""
    kinds: dict[str, npt.NDArray[np.float64]] = {
        "commission": fills.commission,
        "half-spread": fills.spread,
        "slippage": fills.slippage,
        "borrow": fills.borrow,
    }
    return {kind: np.cumsum(paid) for kind, paid in kinds.items()}
