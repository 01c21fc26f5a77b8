"""What a run tells while it runs. The library speaks through this interface; only the command line draws."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Report(Protocol):
    """A listener."""

    def say(self, text: str) -> None:
        """One line for the reader."""

    def warn(self, text: str) -> None:
        """One line that the reader should not miss."""

    def steps(self, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A progress display of `total` steps; call what it yields after each."""


class Silence:
    """Tells nobody."""

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[], None]]:
        del total
        yield lambda: None


class WarningsOnly(Silence):
    """Of many trainings only what should not be missed."""

    def __init__(self, report: Report) -> None:
        self.warn = report.warn  # type: ignore[method-assign]
