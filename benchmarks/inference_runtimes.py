"""A runtime as a program that answers requests: asked for logits, and for times, in turns with others."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.bars import PROJECT
from benchmarks.timing import AnswerDiffersError, Result

TOLERANCE = 1e-5
"""Of max(1, |logit|): what is farther from float64 computes something else, and is not timed."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Runtime:
    who: str
    command: Sequence[object]
    """Of a program that answers as benchmarks/cpp/answering.hpp says."""
    files: Sequence[Path]
    """What it reads."""
    rival: str
    """Who of ours is called as it is."""
    note: str = ""

    @property
    def kilobytes(self) -> float | None:
        """Of its files; None where one is missing."""
        there = all(file.exists() for file in self.files)
        return sum(file.stat().st_size for file in self.files) / 1e3 if there else None


class Running:
    """A runtime in a process of its own, idle until it is asked. A context, at whose end it is gone."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._process = subprocess.Popen(
            [str(word) for word in runtime.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=os.environ | ONE_THREAD,
        )
        self.refused: str = self._read().get("refused", "")

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.runtime.who} ended; its message is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ask(self, request: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        return self._read()

    def logits(self, batch: int) -> Float64:
        """Of all rows, [n], in passes of `batch`."""
        return np.array(self._ask(f"logits {batch}")["logits"], dtype=np.float64)

    def time(self, batch: int, seconds: float) -> dict[str, float]:
        """Nanoseconds of a pass: p50 and p99."""
        return self._ask(f"time {batch} {seconds}")


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far logits are from float64, and whether a row's bits depend on the rows beside it."""

    ulp_median: float
    """In units of the last place of the reference, as a float32."""
    ulp_largest: float
    """Large where a logit is near zero, the sum of large terms."""
    error: float
    """The largest, as a part of max(1, |logit|)."""
    same_bits: int


def agreement(at_once: Float64, alone: Float64, reference: Float64) -> Agreement:
    """Args: logits of all rows in one batch and of each alone, and those of float64; [n] each.

    Raises:
        AnswerDiffersError: the error is above TOLERANCE.
    """
    distance = np.abs(at_once - reference)
    ulp = distance / np.spacing(np.abs(reference).astype(np.float32))
    error = float((distance / np.maximum(1.0, np.abs(reference))).max())
    if not error <= TOLERANCE:
        raise AnswerDiffersError(f"differs from float64 by {error:.2g}")
    return Agreement(
        ulp_median=float(np.median(ulp)),
        ulp_largest=float(ulp.max()),
        error=error,
        same_bits=int((at_once == alone).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds a row, from the median pass of each round; and the p99 of the best round."""

    result: Result
    p99: float


def take_turns(running: Sequence[Running], batch: int, *, rounds: int, seconds: float) -> dict[str, Timed]:
    """As timing.take_turns: each round begins with another one."""
    found: dict[str, list[dict[str, float]]] = {each.runtime.who: [] for each in running}
    for i in range(rounds):
        for k in range(len(running)):
            each = running[(i + k) % len(running)]
            found[each.runtime.who].append(each.time(batch, seconds))
    return {
        who: Timed(
            result=Result(who=who, seconds=tuple(one["p50"] / batch * 1e-9 for one in passes)),
            p99=min(passes, key=lambda one: one["p50"])["p99"] / batch * 1e-9,
        )
        for who, passes in found.items()
    }


def compare(running: Sequence[Running], reference: Float64) -> tuple[dict[str, Agreement], dict[str, str]]:
    """Agreements of those that agree, and why others do not take part."""
    agreed: dict[str, Agreement] = {}
    refused: dict[str, str] = {}
    for each in running:
        who = each.runtime.who
        if each.refused:
            refused[who] = each.refused
            continue
        try:
            agreed[who] = agreement(each.logits(len(reference)), each.logits(1), reference)
        except AnswerDiffersError as difference:
            refused[who] = str(difference)
    return agreed, refused
