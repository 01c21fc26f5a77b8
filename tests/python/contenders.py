"""Set-ups that the benchmarks' tests call in other processes. This module imports little, for their sake."""

from collections.abc import Sequence

from benchmarks.timing import AnswerDiffersError, Ready


def sound(features: Sequence[str] = ("a", "b")) -> Ready:
    return Ready(run=lambda: sum(range(1000)), covered=features)


def wrong() -> Ready:
    raise AnswerDiffersError("other values in a")


def absent() -> Ready:
    raise ModuleNotFoundError(name="nowhere")
