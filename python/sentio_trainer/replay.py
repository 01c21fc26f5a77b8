"""Compares a live log with a fresh run over the bars: the same decisions, bit for bit, or the first that differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sentio_features import Bars, InputError, read_csv
from sentio_inference import Artifact, Stream, rule_stream

from sentio_trainer.errors import ArtifactError, ConfigError, DataError, SentioError
from sentio_trainer.live_log import FIELDS, LiveLog, LoggedDecision, read_live_log, same
from sentio_trainer.paths import shown_path
from sentio_trainer.tables import plain_table

_EXPOSURE, _REASON = FIELDS.index("exposure"), FIELDS.index("reason")
_SIGNAL = tuple(i for i, name in enumerate(FIELDS) if name in ("probability", "logit"))


@dataclass(kw_only=True)
class Replay:
    """What was compared, and the first difference."""

    log: LiveLog
    in_full: int = 0  # decisions with every field compared
    signal_only: int = 0  # with probability and logit alone: the positions had not met yet
    unsettled: int = 0  # not compared: the shorter history still showed
    warmed: int = 0  # bars without a decision, taken as history when a run started
    settled_ns: int | None = None  # from this bar on features are the same whatever came before; None: throughout
    difference: str | None = None


def replay(log_path: Path, bars_path: Path, artifact: Path | None) -> Replay:
    """Runs the strategy of a log over bars again and compares.

    Raises:
        DataError: the log or the bars are wrong, or have no bar in common.
        ArtifactError: the artifact is wrong.
        ConfigError: `artifact` is missing for a model, or given for a rule.
    """
    log = read_live_log(log_path)
    try:
        bars = read_csv(bars_path)
    except InputError as error:
        raise DataError(str(error)) from error
    stream = _fresh_stream(log, artifact)
    result = Replay(log=log)
    result.difference = next(_differences(result, bars, stream), None)
    return result


def print_replay(result: Replay) -> None:
    """A table of what was compared."""
    log = result.log
    table = plain_table(f"replay of {shown_path(log.path)}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows: list[tuple[str, object]] = [
        ("runs in the log", len(log.starts)),
        ("bars decided", len(log.decisions)),
        ("  compared in every field", result.in_full),
        ("  compared in probability and logit", result.signal_only),
        ("  not compared, history not settled", result.unsettled),
        ("decisions made again after a restart", log.fed_again),
        ("bars taken as history by a restart", result.warmed),
        ("lines cut off by a kill", log.cut_off),
        ("gaps", log.gaps),
        *((f"errors: {kind}", count) for kind, count in sorted(log.errors.items())),
    ]
    for name, value in rows:
        if value or not name.startswith(("  not", "  compared in p", "lines", "bars taken", "gaps")):
            table.add_row(name, f"{value:,}")
    console = Console(highlight=False)
    console.print(table)
    if result.settled_ns is not None:
        console.print(f"Another history came before; features are settled from {_shown(result.settled_ns)} on.")
    if result.difference is None:
        console.print("The same, bit for bit.")


def require_same(result: Replay) -> None:
    """Raises:
    SentioError: there is a difference; its text names the first.
    """
    if result.difference is not None:
        raise SentioError(f"{shown_path(result.log.path)}:{result.difference}")


def _fresh_stream(log: LiveLog, artifact: Path | None) -> Stream:
    strategy = log.starts[0].strategy
    name = str(strategy.get("name"))
    if name == "tfa":
        if artifact is None:
            raise ConfigError("--artifact is needed: the log was made by a model")
        backend = strategy.get("backend")
        if backend not in ("native", "torch"):
            raise DataError(
                f"{shown_path(log.path)}:{log.starts[0].line}: strategy.backend: "
                f"must be native or torch, found {backend!r}"
            )
        try:
            return Artifact.load(artifact, backend=backend).stream()
        except InputError as error:
            raise ArtifactError(str(error)) from error
    if artifact is not None:
        raise ConfigError(f"--artifact goes with a model, the log was made by the rule {name!r}")
    try:
        return rule_stream(name, strategy.get("params", {}))
    except ValueError as error:
        raise DataError(f"{shown_path(log.path)}:{log.starts[0].line}: {error}") from error


def _differences(result: Replay, bars: Bars, stream: Stream) -> Iterator[str]:
    """Differences in the order of the log's first lines, then of the bars; `result` counts along."""
    log = result.log
    for start in log.starts:
        for place, logged, here in _unequal(start.strategy, stream.identity, "strategy"):
            yield f"{start.line}: {place}: the log has {logged!r}, this run {here!r}"
    if log.unlike is not None:
        time_ns, one, other = log.unlike
        field = next(i for i in range(len(FIELDS)) if not same(one.values[i], other.values[i]))
        yield (
            f"{other.line}: {_shown(time_ns)}: {FIELDS[field]}: the log has {other.values[field]!r}, "
            f"but {one.values[field]!r} in line {one.line}"
        )
    yield from _unequal_decisions(result, bars, stream)


def _unequal_decisions(result: Replay, bars: Bars, stream: Stream) -> Iterator[str]:
    log = result.log
    first, last = min(log.decisions), max(log.decisions)
    ts: list[int] = bars.ts.tolist()
    absent = sorted(set(log.decisions).difference(ts))
    if len(absent) == len(log.decisions):
        raise DataError(f"{shown_path(log.path)}: none of its bars is in the bars file, which covers "
                        f"{_shown(ts[0])} to {_shown(ts[-1])}")  # fmt: skip
    if absent:
        yield f"{log.decisions[absent[0]].line}: {_shown(absent[0])}: the bar is not in the bars file"
    columns = [bars[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    position_known = False
    for row in zip(ts, *columns, strict=True):
        if row[0] > last:
            break
        decision = stream.push(*row)
        logged = log.decisions.get(row[0])
        if logged is None:
            if row[0] >= first and not _was_history(log, row[0]):
                yield f"{log.starts[0].line}: {_shown(row[0])}: the log has no decision for this bar"
            result.warmed += row[0] >= first
            position_known = False
            continue
        fresh = (decision.exposure, decision.probability, decision.logit, decision.reason)
        fields = _comparable(result, stream, logged, fresh, row[0], position_known)
        position_known = len(fields) == len(FIELDS)
        for i in fields:
            if not same(logged.values[i], fresh[i]):
                yield (
                    f"{logged.line}: {_shown(row[0])}: {FIELDS[i]}: the log has {logged.values[i]!r}, "
                    f"a fresh run {fresh[i]!r}"
                )


def _comparable(
    result: Replay,
    stream: Stream,
    logged: LoggedDecision,
    fresh: tuple[float | str | None, ...],
    time_ns: int,
    position_known: bool,
) -> tuple[int, ...]:
    """Which of FIELDS must be equal: all, where both runs have seen as many bars; else what a start cannot show in."""
    if logged.bar == stream.bars_seen:
        result.in_full += 1
        return tuple(range(len(FIELDS)))
    if stream.settle is None or min(logged.bar, stream.bars_seen) <= stream.settle:
        result.unsettled += 1
        return ()
    if result.settled_ns is None:
        result.settled_ns = time_ns
    # Two runs that enter at one bar, or are flat and free to enter, hold the same position from there on.
    reason = fresh[_REASON]
    meet = same(logged.values[_REASON], reason) and same(logged.values[_EXPOSURE], fresh[_EXPOSURE])
    if position_known or (meet and reason in ("flat", "enter long", "enter short", "scaled")):
        result.in_full += 1
        return tuple(range(len(FIELDS)))
    result.signal_only += 1
    return _SIGNAL


def _was_history(log: LiveLog, time_ns: int) -> bool:
    """Whether a later run took the bar as history when it started."""
    return any(
        start.last_ns is not None and start.decided_ns is not None and start.decided_ns < time_ns <= start.last_ns
        for start in log.starts
    )


def _unequal(one: Any, other: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """The places at which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _unequal(one.get(key), other.get(key), f"{place}.{key}")
    elif one != other:
        yield place, one, other


def _shown(time_ns: int) -> str:
    text = str(np.datetime64(time_ns, "ns"))
    return f"{text.rstrip('0').rstrip('.')}Z" if "." in text else f"{text}Z"
