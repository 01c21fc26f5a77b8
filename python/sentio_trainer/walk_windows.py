"""How a walk-forward cuts history: windows to learn from, each with the stretch behind it that its model is tested on.

Times are counted in ticks of a clock of bars: it ticks at each time at which any symbol has a bar.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from sentio_features import session_days

from sentio_trainer.bars import Int64
from sentio_trainer.errors import ConfigError, DataError

_LENGTH = re.compile(r"([1-9]\d{0,8})([db])")
UNITS: Final = {"d": "sessions", "b": "bars"}


@dataclass(frozen=True, kw_only=True)
class Length:
    """A stretch of history."""

    count: int
    unit: Literal["d", "b"]  # sessions or bars

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def parse_length(text: str, *, flag: str) -> Length:
    """`120d`, sessions, or `500b`, bars.

    Raises:
        ConfigError: it is neither.
    """
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{flag}: must be sessions or bars, such as 120d or 500b, found '{text}'")
    return Length(count=int(found.group(1)), unit="d" if found.group(2) == "d" else "b")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How history is cut. All lengths have one unit."""

    train: Length  # learned from and chosen by; anchored: in the first window
    test: Length
    step: Length  # from one window to the next
    windows: int | None  # the last so many, each of them whole; None: all, from the first bar on
    anchored: bool  # whether each window begins with the first one

    def __str__(self) -> str:
        windows = "" if self.windows is None else f" windows={self.windows}"
        return f"train={self.train} test={self.test} step={self.step}{windows}{' anchored' if self.anchored else ''}"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "train": str(self.train),
            "test": str(self.test),
            "step": str(self.step),
            "windows": self.windows,
            "anchored": self.anchored,
        }


def make_cut(*, train: str, test: str, step: str | None, windows: int | None, anchored: bool) -> Cut:
    """From what the command line says; without a step, one test follows the other.

    Raises:
        ConfigError: a length is wrong, or two of them do not go together.
    """
    lengths = {"--train": parse_length(train, flag="--train"), "--test": parse_length(test, flag="--test")}
    lengths["--step"] = lengths["--test"] if step is None else parse_length(step, flag="--step")
    unit = lengths["--train"].unit
    for flag, length in lengths.items():
        if length.unit != unit:
            raise ConfigError(f"{flag}: must be in {UNITS[unit]} as --train is, found {length}")
    if lengths["--step"].count > lengths["--test"].count:
        raise ConfigError(
            f"--step: must be at most --test, {lengths['--test']}, or no model trades what lies between two tests; "
            f"found {lengths['--step']}"
        )
    if windows is not None and windows < 1:
        raise ConfigError(f"--windows: must be at least 1, found {windows}")
    return Cut(
        train=lengths["--train"],
        test=lengths["--test"],
        step=lengths["--step"],
        windows=windows,
        anchored=anchored,
    )


@dataclass(frozen=True, kw_only=True)
class Window:
    """Ticks of one model: it learns from those before `test_begin`, and trades until the next one takes over."""

    number: int  # from 1
    train_begin: int
    test_begin: int
    test_end: int  # excluded; the next window's `test_begin`, or the end of the last test

    @property
    def name(self) -> str:
        """The version of its artifact."""
        return f"w{self.number:02d}"


def cut_windows(clock: Int64, cut: Cut, *, first: int, calendar: str) -> tuple[Window, ...]:
    """The windows, oldest first; their tests follow each other without a gap.

    Args:
        clock: times, ascending.
        cut: how to cut.
        first: the first tick with a sample to learn from; history begins with the session, or the bar, of it.
        calendar: what a session is.

    Raises:
        DataError: history is too short.
    """
    edges = _edges(clock, cut.train.unit, calendar)
    end = len(edges) - 1  # units
    origin = int(np.searchsorted(edges, first, side="right")) - 1
    train, test, step = cut.train.count, cut.test.count, cut.step.count
    wanted = train + (1 if cut.windows is None else test + step * (cut.windows - 1))
    if end - origin < wanted:
        tested = "a test" if cut.windows is None else f"{cut.windows} tests of {cut.test}"
        raise DataError(
            f"{end - origin} {UNITS[cut.train.unit]} with features and labels are too few for --train {cut.train} and "
            f"{tested}, {wanted}; give more bars, or lower --train, --test or --windows"
        )
    if cut.windows is None:
        begins = list(range(origin + train, end, step))
    else:
        begins = [end - test - step * k for k in reversed(range(cut.windows))]
    anchor = begins[0] - train
    ends = [*begins[1:], min(begins[-1] + test, end)]
    return tuple(
        Window(
            number=number,
            train_begin=int(edges[anchor if cut.anchored else begin - train]),
            test_begin=int(edges[begin]),
            test_end=int(edges[stop]),
        )
        for number, (begin, stop) in enumerate(zip(begins, ends, strict=True), start=1)
    )


def _edges(clock: Int64, unit: Literal["d", "b"], calendar: str) -> Int64:
    """The tick that each unit begins with, and the end of the last one."""
    if unit == "b":
        return np.arange(len(clock) + 1)
    days = session_days(clock, calendar)
    changes = np.flatnonzero(np.diff(days)) + 1
    return np.concatenate([[0], changes, [len(clock)]])
