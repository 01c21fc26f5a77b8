"""Runs several models over the same bars of several symbols, with one cost model: the C++ backtest, each with each."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentio_features import Bars, InputError, session_days
from sentio_inference import Artifact, backtest, trade
from sentio_inference import ArtifactError as LoadError

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.errors import ArtifactError, ConfigError, DataError, SentioError
from sentio_trainer.model_list import ArtifactModel, ListedModel, RuleModel
from sentio_trainer.named_bars import NamedBars

CALENDAR = "us_equity"


@dataclass(frozen=True, kw_only=True)
class Trader:
    """A listed model that can trade."""

    model: ListedModel
    artifact: Artifact | None
    trials: int | None  # models that this one was picked from, by its ledger; None: a rule, or no ledger
    notes: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.model.label

    def run(self, bars: NamedBars, **settings: Any) -> dict[str, Any]:
        """The backtest of these bars."""
        if self.trials is not None:
            settings["trials"] = self.trials
        if isinstance(self.model, RuleModel):
            return backtest(bars.bars, self.model.rule, params=self.model.params, symbol=bars.symbol, **settings)
        return backtest(bars.bars, "tfa", artifact=self.artifact, symbol=bars.symbol, **settings)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The measured bars of a symbol: from the first of the common sessions to the last."""

    begin: int
    end: int  # one past the last
    closes: Int64  # the last bar of each common session, shape [n], counted from `begin`
    opens: Int64  # the first one
    uncommon: int  # sessions between them that not all symbols have


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model over the measured bars of one symbol."""

    model: str
    symbol: str
    report: Mapping[str, Any]  # of the backtest, without its columns
    session_returns: Float64  # simple returns of the common sessions, shape [n]
    session_equity: Float64  # at their ends, shape [n]

    @property
    def samples(self) -> Mapping[str, int]:
        samples: Mapping[str, int] = self.report["measured"]["samples"]
        return samples

    @property
    def seen_bars(self) -> int:
        """Measured bars that the model was fitted or tuned to."""
        return self.samples["in-sample"] + self.samples["validation"]

    @property
    def sample(self) -> str:
        """What the measured bars are to the model, in a word or two, loud where they prove nothing."""
        bars = sum(self.samples.values())
        if self.seen_bars:
            return "IN-SAMPLE" if self.seen_bars == bars else f"IN-SAMPLE {self.seen_bars / bars:.0%}"
        if self.samples["unknown"]:
            return "UNKNOWN SAMPLE"
        return "untrained" if self.samples["untrained"] == bars else "out-of-sample"

    @property
    def proves_something(self) -> bool:
        return not self.seen_bars and not self.samples["unknown"]


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Every model over every symbol."""

    traders: tuple[Trader, ...]
    symbols: tuple[NamedBars, ...]
    calendar: str
    sessions: Int64  # common sessions, days since 1970, shape [n]
    rows: tuple[Row, ...]  # symbol after symbol, the models in their order

    def row(self, model: str, symbol: str) -> Row:
        return next(row for row in self.rows if (row.model, row.symbol) == (model, symbol))


def open_traders(models: Sequence[ListedModel]) -> list[Trader]:
    """Loads and verifies the artifacts.

    Raises:
        ArtifactError: one is wrong, or its ledger is.
    """
    return [_open(model) for model in models]


def _open(model: ListedModel) -> Trader:
    if not isinstance(model, ArtifactModel):
        return Trader(model=model, artifact=None, trials=None, notes=())
    try:
        artifact = Artifact.load(model.folder)
        trials = artifact.trials
    except LoadError as error:
        raise ArtifactError(f"{model.label}: {error}") from error
    alone = f"{model.label}: no ledger of trials beside the artifact; it counts as the only model tried"
    return Trader(model=model, artifact=artifact, trials=trials["count"] if trials else None,
                  notes=() if trials else (alone,))  # fmt: skip


def choose_calendar(traders: Sequence[Trader], asked: str | None) -> str:
    """The session calendar: the one asked for, else the one that the models were trained with, else us_equity.

    Raises:
        ConfigError: models were trained with different ones, and none is asked for; or there is no such calendar.
    """
    if asked is not None:
        try:
            session_days(np.zeros(0, dtype=np.int64), asked)
        except ValueError as error:
            raise ConfigError(f"--session: {error}") from error
        return asked
    trained = {
        trader.label: session
        for trader in traders
        if trader.artifact is not None and (session := trader.artifact.metadata.get("data", {}).get("session"))
    }
    if len(set(trained.values())) > 1:
        listed = ", ".join(f"{label} {session}" for label, session in trained.items())
        raise ConfigError(f"the models were trained with different session calendars ({listed}); choose one, --session")
    return next(iter(trained.values()), CALENDAR)


def check_costs(costs: str) -> None:
    """Reads a cost model, before any work.

    Raises:
        ConfigError: there is no such shipped model.
        DataError: the file is wrong.
    """
    two = np.ones(2)
    try:
        trade(Bars(np.array([0, 60_000_000_000]), two, two, two, two, two), np.zeros(2), costs)
    except InputError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise ConfigError(f"--costs: {error}") from error


def common_sessions(symbols: Sequence[NamedBars], *, days: int, calendar: str) -> Int64:
    """The last `days` sessions that every symbol has bars of, as days since 1970, shape [days].

    Raises:
        DataError: there are fewer.
    """
    each = {named.symbol: np.unique(session_days(named.bars.ts, calendar)).astype(np.int64) for named in symbols}
    common = next(iter(each.values()))
    for sessions in each.values():
        common = np.intersect1d(common, sessions)
    if len(common) < days:
        listed = ", ".join(f"{symbol} has {len(sessions):,}" for symbol, sessions in each.items())
        together = f"{len(common):,} sessions are common to all symbols" if len(each) > 1 else "too few sessions"
        raise DataError(f"--test-days {days}: {together}; {listed}")
    return common[-days:]


def stretch_of(named: NamedBars, sessions: Int64, *, calendar: str) -> Stretch:
    """Where the sessions lie in the bars of a symbol."""
    day = session_days(named.bars.ts, calendar).astype(np.int64)
    begin = int(np.searchsorted(day, sessions[0], side="left"))
    end = int(np.searchsorted(day, sessions[-1], side="right"))
    measured = day[begin:end]
    return Stretch(
        begin=begin,
        end=end,
        opens=np.searchsorted(measured, sessions, side="left"),
        closes=np.searchsorted(measured, sessions, side="right") - 1,
        uncommon=len(np.unique(measured)) - len(sessions),
    )


def session_returns(equity: Float64, stretch: Stretch, *, capital: float) -> Float64:
    """Equity at the end of each common session over that at the end of the bar before the session, less 1, shape [n].

    Args:
        equity: at the close of each measured bar.
        stretch: where the sessions are.
        capital: before the first bar.
    """
    before = np.concatenate([[capital], equity])[stretch.opens]
    returns: Float64 = equity[stretch.closes] / before - 1.0
    return returns


def run_models(
    traders: Sequence[Trader],
    symbols: Sequence[NamedBars],
    *,
    days: int,
    calendar: str,
    costs: str,
    jobs: int,
    advance: Callable[[], None],
) -> Runs:
    """Every model over every symbol's last `days` common sessions; all earlier bars warm it up.

    Args:
        costs: a shipped cost model or a file.
        jobs: backtests at a time.
        advance: called after each.

    Raises:
        DataError: the common sessions are fewer, or the cost file is wrong.
        ArtifactError: a model fails.
        SentioError: a backtest fails.
    """
    sessions = common_sessions(symbols, days=days, calendar=calendar)
    stretches = {named.symbol: stretch_of(named, sessions, calendar=calendar) for named in symbols}

    def run(trader: Trader, named: NamedBars) -> Row:
        stretch = stretches[named.symbol]
        place = f"{trader.label} on {named.symbol}"
        try:
            report = trader.run(named, begin=stretch.begin, end=stretch.end, session=calendar, costs=costs)
        except LoadError as error:
            raise ArtifactError(f"{place}: {error}") from error
        except InputError as error:
            raise DataError(f"{place}: {error}") from error
        except ValueError as error:
            raise SentioError(f"{place}: {error}") from error
        equity = report.pop("series")["equity"]
        del report["fills"]
        if not (equity > 0.0).all():
            raise SentioError(f"{place}: lost all its capital; session returns have no meaning then")
        returns = session_returns(equity, stretch, capital=report["broker"]["capital"])
        return Row(
            model=trader.label,
            symbol=named.symbol,
            report=report,
            session_returns=returns,
            session_equity=equity[stretch.closes],
        )

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(run, trader, named) for named in symbols for trader in traders]
        try:
            for done in as_completed(waiting):
                done.result()
                advance()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return Runs(
        traders=tuple(traders),
        symbols=tuple(symbols),
        calendar=calendar,
        sessions=sessions,
        rows=tuple(each.result() for each in waiting),
    )


def notes_of(runs: Runs) -> list[str]:
    """What a reader must know of the models and the bars, one line each."""
    notes = [note for trader in runs.traders for note in trader.notes]
    for named in runs.symbols:
        stretch = stretch_of(named, runs.sessions, calendar=runs.calendar)
        if stretch.uncommon:
            notes.append(
                f"{named.symbol}: {stretch.uncommon} sessions that not all symbols have lie between the measured ones; "
                "they are traded, and left out of the comparison"
            )
        for trader in runs.traders:
            notes += _notes_of(trader, named, runs.row(trader.label, named.symbol))
    return list(dict.fromkeys(notes))


def _notes_of(trader: Trader, named: NamedBars, row: Row) -> list[str]:
    notes = [f"{trader.label} on {named.symbol}: {note}" for note in row.report["notes"]]
    data = {} if trader.artifact is None else trader.artifact.metadata.get("data", {})
    interval_s, symbols = data.get("bar_interval_s"), data.get("symbols")
    if interval_s is not None and interval_s != named.bars.interval_s:
        notes.append(
            f"{trader.label}: was trained on bars of {interval_s:g} s, and those of {named.symbol} are of "
            f"{named.bars.interval_s:g} s"
        )
    if symbols and named.symbol not in symbols:
        notes.append(f"{trader.label}: was trained on {', '.join(symbols)}, not on {named.symbol}")
    return notes


def artifact_folder(trader: Trader) -> Path | None:
    """Where the model lies; None for a rule."""
    return trader.model.folder if isinstance(trader.model, ArtifactModel) else None
