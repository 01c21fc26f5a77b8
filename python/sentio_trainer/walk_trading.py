"""What the frozen models of a walk-forward decide, put together and traded once: one position, one equity curve.

Shapes: n bars of one symbol, m of them tested.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentio_inference
from sentio_features import Bars, read_csv

from sentio_trainer.artifact import to_json
from sentio_trainer.bars import Float64
from sentio_trainer.data_set import DataSet, Series
from sentio_trainer.files import write_atomic
from sentio_trainer.pages.folder import REPORT
from sentio_trainer.parquet import is_parquet
from sentio_trainer.thresholds import Venue


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What is wanted and said at the close of each of one symbol's bars, shape [n]."""

    exposure: Float64  # 0 where no model decides
    probability: Float64  # of a rise; NaN where nothing is said

    @staticmethod
    def none(n: int) -> "Decisions":
        """Of nobody, for n bars."""
        return Decisions(exposure=np.zeros(n), probability=np.full(n, np.nan))


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One window's part of a symbol's equity curve; None where undefined."""

    bars: int
    total_return: float  # after costs
    buy_and_hold_return: float
    sharpe: float | None  # mean / std · √bars of the returns of bars: beyond 1 either way one time in three by chance
    fills: int


@dataclass(frozen=True, kw_only=True)
class Stitched:
    """One symbol, traded over all tests."""

    symbol: str
    report: dict[str, Any]  # of C++
    stretches: tuple[Stretch | None, ...]  # of each window; None where the symbol has no bar in its test
    folder: Path  # of the report


def bars_of(data: DataSet, series: Series, *, on_bad_bar: Any) -> Bars:
    """The bars of a symbol; generated ones of a CSV file carry their mark into the report."""
    if series.synthetic is None or is_parquet(series.path):
        return data.bars(series.rows)
    return read_csv(series.path, on_bad_bar=on_bad_bar)


def decide(artifact: sentio_inference.Artifact, bars: Bars, tested: slice, venue: Venue, decisions: Decisions) -> None:
    """Writes what a frozen model decides at the bars of `tested`; it sees those before, and none behind."""
    found = sentio_inference.backtest(
        bars[: tested.stop],
        "tfa",
        artifact=artifact,
        begin=tested.start,
        costs=venue.costs,
        session=venue.calendar,
    )
    decisions.exposure[tested] = found["series"]["exposure"]
    decisions.probability[tested] = found["series"]["probability"]


def trade_stitched(
    bars: Bars,
    decisions: Decisions,
    tests: Sequence[slice],
    venue: Venue,
    *,
    symbol: str,
    strategy: str,
    trials: int,
    origin: Series,
    folder: Path,
) -> Stitched:
    """Trades what all models decided, from the first test to the end of the last, and writes the report's folder.

    Args:
        bars: n.
        decisions: of the n bars; those outside of `tests` are not traded by.
        tests: rows of each window, ascending, one behind the other; some may be empty, but not all.
        trials: how many walk-forwards this one was picked from.
        origin: where the bars come from.
        folder: taken in one rename.
    """
    begin, end = min(each.start for each in tests if _length(each)), max(each.stop for each in tests)
    settings: dict[str, Any] = {"begin": begin, "symbol": symbol, "session": venue.calendar}
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = sentio_inference.trade(
        bars[:end],
        decisions.exposure[:end],
        venue.costs,
        probability=decisions.probability[:end],
        strategy=strategy,
        trials=trials,
        out=folder,
        **settings,
    )
    _say_origin(folder / REPORT, origin)
    hold = sentio_inference.backtest(bars[:end], "buy_and_hold", costs=venue.costs, **settings)
    equity = np.concatenate([[report["metrics"]["start_equity"]], report["series"]["equity"]])
    held = np.concatenate([[hold["metrics"]["start_equity"]], hold["series"]["equity"]])
    filled = np.searchsorted(bars.ts[begin:end], report["fills"]["ts"])
    stretches: list[Stretch | None] = []
    for each in tests:
        first, stop = each.start - begin, each.stop - begin
        if not _length(each):
            stretches.append(None)
            continue
        # From the close before the stretch to its last one.
        own = equity[first : stop + 1]
        stretches.append(
            Stretch(
                bars=stop - first,
                total_return=float(own[-1] / own[0] - 1.0),
                buy_and_hold_return=float(held[stop] / held[first] - 1.0),
                sharpe=sharpe_of_stretch(own),
                fills=int(np.count_nonzero((filled >= first) & (filled < stop))),
            )
        )
    return Stitched(symbol=symbol, report=report, stretches=tuple(stretches), folder=folder)


def _say_origin(path: Path, origin: Series) -> None:
    """Writes into a report what C++ was not told: the file of the bars, and that models decided that had not seen them.

    No label of a window's training or validation reaches into its test, see `walk_windows`.
    """
    document = json.loads(path.read_bytes())
    document["bars"].update(file=origin.path.name, sha256=origin.file_hash)
    samples = document["measured"]["samples"]
    samples.update({"untrained": 0, "out-of-sample": sum(samples.values())})
    document["evidence"]["trials"]["from"] = "walk-forwards over these bars, by the ledger, trials.csv"
    write_atomic(path, to_json(document))


def sharpe_of_stretch(equity: Float64) -> float | None:
    """Mean over sample standard deviation times √m of the m returns between m + 1 values; None where not defined."""
    if len(equity) < 3 or (equity <= 0.0).any():
        return None
    returns = equity[1:] / equity[:-1] - 1.0
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation * math.sqrt(len(returns)) if deviation > 0.0 else None


def _length(rows: slice) -> int:
    return len(range(rows.start, rows.stop))
