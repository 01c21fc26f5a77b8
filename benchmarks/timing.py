"""Contenders that run side by side, each in a process of its own, and what a race between them found."""

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median
from types import TracebackType
from typing import Any

Run = Callable[[], object]


class AnswerDiffersError(Exception):
    """A contender computes something else than we do, so that its time says nothing."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What a contender's set-up returns: its answer was compared, and `run` does the work once."""

    run: Run
    note: str = ""
    covered: Sequence[str] = ()
    """The features it computes, where it need not compute all."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`setup`, "module:function", is called with `arguments` in a fresh process that sees `environment` from its start:
    some libraries fix their number of threads when they are imported."""

    who: str
    setup: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    has_children: bool = False
    """Whether it starts processes of its own, which a daemon may not."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Seconds of each round; none if it could not run, and `note` says why."""

    who: str
    seconds: tuple[float, ...] = ()
    cores: float = 0.0
    """Processor time over wall time, median of the rounds."""
    note: str = ""
    covered: Sequence[str] = ()

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return median(self.seconds)


def _serve(connection: Connection, contender: Contender) -> None:
    os.environ.update(contender.environment)
    module, function = contender.setup.split(":")
    try:
        ready: Ready = getattr(importlib.import_module(module), function)(**contender.arguments)
    except ModuleNotFoundError as missing:
        connection.send(("refused", f"{missing.name} is not installed", ()))
        return
    except AnswerDiffersError as difference:
        connection.send(("refused", str(difference), ()))
        return
    connection.send(("ready", ready.note, tuple(ready.covered)))
    while connection.recv():
        processor, began = time.process_time(), time.perf_counter()
        ready.run()
        seconds = time.perf_counter() - began
        connection.send((seconds, time.process_time() - processor))


class Started:
    """A contender in its process: set up, and idle until it is asked to run. A context, at whose end it is gone."""

    def __init__(self, contender: Contender) -> None:
        self.who = contender.who
        # A fork would inherit the libraries and threads that are here already.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, contender), daemon=not contender.has_children)
        self._process.start()
        theirs.close()
        try:
            state, self.note, self.covered = self._connection.recv()
        except EOFError:
            raise RuntimeError(f"{contender.who} ended during its set-up; its message is above") from None
        self.ready = state == "ready"

    def __enter__(self) -> "Started":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ready and self._process.is_alive():
            self._connection.send(False)
        self._process.join(timeout=10)

    def run(self) -> tuple[float, float]:
        """Wall and processor seconds."""
        self._connection.send(True)
        seconds: tuple[float, float] = self._connection.recv()
        return seconds


def take_turns(started: Sequence[Started], *, rounds: int) -> list[Result]:
    """Runs each once to warm it up, and then once a round, one after the other and from another one on in each round: a
    slow moment of the machine, or a busy neighbour, meets them all. In the order of `started`."""
    able = [contender for contender in started if contender.ready]
    for contender in able:
        contender.run()
    times: dict[Started, list[tuple[float, float]]] = {contender: [] for contender in able}
    for i in range(rounds):
        for k in range(len(able)):
            contender = able[(i + k) % len(able)]
            times[contender].append(contender.run())
    return [
        Result(
            who=contender.who,
            seconds=tuple(wall for wall, _ in times[contender]),
            cores=median(processor / wall for wall, processor in times[contender]),
            note=contender.note,
            covered=contender.covered,
        )
        if contender.ready
        else Result(who=contender.who, note=contender.note)
        for contender in started
    ]


def race(contenders: Sequence[Contender], *, rounds: int) -> list[Result]:
    with ExitStack() as stack:
        return take_turns([stack.enter_context(Started(contender)) for contender in contenders], rounds=rounds)


def like_for_like(
    peer: Contender, ours: Callable[[Sequence[str]], Contender], *, rounds: int
) -> tuple[Result, Result | None]:
    """A race against `ours`, made for the features that the peer covers; None where the peer cannot run."""
    with Started(peer) as theirs:
        if not theirs.ready:
            return Result(who=theirs.who, note=theirs.note), None
        with Started(ours(theirs.covered)) as same:
            found = take_turns([theirs, same], rounds=rounds)
            return found[0], found[1]


def ratios(theirs: Result, ours: Result) -> tuple[float, float]:
    """How often their time holds ours: between the best rounds of both, and the median over the rounds."""
    return theirs.best / ours.best, median(a / b for a, b in zip(theirs.seconds, ours.seconds, strict=True))
