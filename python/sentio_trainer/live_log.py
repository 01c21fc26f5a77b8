"""The recorded output of `sentio_cli stream`: what it decided, run by run."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sentio_trainer.errors import DataError
from sentio_trainer.paths import shown_path

FIELDS = ("exposure", "probability", "logit", "reason")
_START = '{"type":"start"'


@dataclass(frozen=True, kw_only=True)
class Start:
    """A run's first line."""

    line: int
    strategy: dict[str, Any]  # what decides every bit of its decisions
    last_ns: int | None  # the last bar it had taken by then, from its state or its history
    decided_ns: int | None  # the last bar that the log had a decision for by then


@dataclass(frozen=True, kw_only=True)
class LoggedDecision:
    """A decision line."""

    line: int
    bar: int  # bars that the strategy had seen by then, this one among them
    values: tuple[float | str | None, ...]  # of FIELDS


@dataclass(kw_only=True)
class LiveLog:
    """All runs of a log, a decision once for each bar."""

    path: Path
    starts: list[Start] = field(default_factory=list)
    decisions: dict[int, LoggedDecision] = field(default_factory=dict)  # by bar time in nanoseconds, as they came
    fed_again: int = 0  # decisions that a later run made once more
    unlike: tuple[int, LoggedDecision, LoggedDecision] | None = None  # the first bar that two runs decided differently
    errors: Counter[str] = field(default_factory=Counter)  # refused lines by kind
    gaps: int = 0
    cut_off: int = 0  # lines that a killed run left unfinished


def nanoseconds(time: str) -> int:
    """Of a time as reports write it, 2024-03-26T13:30:00Z."""
    return int(np.datetime64(time.removesuffix("Z"), "ns").astype(np.int64))


def same(a: float | str | None, b: float | str | None) -> bool:
    """Whether two values have the same bits."""
    return repr(a) == repr(b)


def read_live_log(path: Path) -> LiveLog:
    """Reads what one or more runs have written to standard output, one after the other.

    Raises:
        DataError: the file is absent, holds a line that no stream writes, or no decision.
    """
    if not path.is_file():
        raise DataError(f"{shown_path(path)}: no such log; record one: sentio_cli stream ... | tee -a LOG")
    log = LiveLog(path=path)
    lines = path.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        text = line
        cut = text.find(_START, 1)
        if cut > 0:  # a killed run's last line, and behind it the next run's first
            log.cut_off += 1
            text = text[cut:]
        try:
            _take(log, number, json.loads(text))
        except json.JSONDecodeError as error:
            if number != len(lines):
                raise _wrong(log, number, "is not a JSON object") from error
            log.cut_off += 1
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong(log, number, f"is not a line of sentio_cli stream: {error!r}") from error
    if not log.decisions:
        raise DataError(f"{shown_path(path)}: holds no decision")
    return log


def _wrong(log: LiveLog, number: int, what: str) -> DataError:
    return DataError(f"{shown_path(log.path)}:{number}: {what}")


def _take(log: LiveLog, number: int, line: dict[str, Any]) -> None:
    kind = line["type"]
    if kind == "start":
        last = None if line["last"] is None else nanoseconds(line["last"])
        decided = next(reversed(log.decisions), None)
        log.starts.append(Start(line=number, strategy=dict(line["strategy"]), last_ns=last, decided_ns=decided))
    elif not log.starts:
        raise _wrong(log, number, "comes before any start line, so nobody can tell what decided")
    elif kind == "decision":
        time_ns = nanoseconds(line["time"])
        decision = LoggedDecision(line=number, bar=int(line["bar"]), values=tuple(line[name] for name in FIELDS))
        earlier = log.decisions.setdefault(time_ns, decision)
        if earlier is not decision:
            log.fed_again += 1
            if log.unlike is None and not all(map(same, earlier.values, decision.values)):
                log.unlike = (time_ns, earlier, decision)
    elif kind == "error":
        log.errors[str(line["kind"])] += 1
    elif kind == "gap":
        log.gaps += 1
    elif kind != "end":
        raise _wrong(log, number, f"has the unknown type {kind!r}")
