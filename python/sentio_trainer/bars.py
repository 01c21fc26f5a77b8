"""Bars as the trainer reads them: CSV or Parquet, a piece at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt
from sentio_features import Bars, InputError, iter_csv

from sentio_trainer.errors import DataError
from sentio_trainer.parquet import ParquetChunks, is_parquet
from sentio_trainer.paths import shown_path

if TYPE_CHECKING:
    from sentio_features import SkippedBars  # a type of the stub, not of the module

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

SYNTHETIC_SUFFIX = ".synthetic.json"


class BarChunks(Protocol):
    """The bars of a file in pieces, in order; raises InputError at the first bad one unless they are skipped."""

    def __iter__(self) -> Iterator[Bars]: ...

    @property
    def skipped(self) -> "list[SkippedBars]":
        """Bad bars that were left out so far."""


def iter_bars(path: Path, *, on_bad_bar: Literal["refuse", "skip"], chunk_bars: int) -> BarChunks:
    """The bars of a CSV, CSV.gz or Parquet file, told apart by content, at most `chunk_bars` at a time.

    Raises:
        DataError: the file is absent, or is Parquet and pyarrow is missing.
        InputError: it lacks a column.
    """
    require_file(path)
    if is_parquet(path):
        return ParquetChunks(path, on_bad_bar=on_bad_bar, chunk_bars=chunk_bars)
    return iter_csv(path, chunk_bars=chunk_bars, on_bad_bar=on_bad_bar)


@dataclass(frozen=True, kw_only=True)
class BarsFound:
    """What a file holds."""

    count: int  # of good bars
    first_ns: int  # open times of the first and the last of them
    last_ns: int


def read_through(path: Path, *, on_bad_bar: Literal["refuse", "skip"], chunk_bars: int = 65_536) -> BarsFound:
    """Reads a whole file, in little memory.

    Raises:
        DataError: the file is absent, or holds a bar that is not valid and `on_bad_bar` is "refuse", or too few bars.
    """
    count, ends = 0, [0, 0]
    try:
        for chunk in iter_bars(path, on_bad_bar=on_bad_bar, chunk_bars=chunk_bars):
            ends = [ends[0] if count else int(chunk.ts[0]), int(chunk.ts[-1])]
            count += len(chunk)
    except InputError as error:
        raise DataError(str(error)) from error
    require_enough(path, count)
    return BarsFound(count=count, first_ns=ends[0], last_ns=ends[1])


def require_file(path: Path) -> None:
    """Raises:
    DataError: there is no such file.
    """
    if not path.is_file():
        raise DataError(
            f"{shown_path(path)}: no such bars file; give your own as data.bars_csv or data.files, or make a "
            f"synthetic one: sentio data synth --out {shown_path(path)}"
        )


def require_enough(path: Path, count: int) -> None:
    """Raises:
    DataError: the bars are too few to have an interval.
    """
    if count < 2:
        raise DataError(f"{shown_path(path)}: too few bars: at least 2 are needed, found {count}")


def synthetic_mark(bars_path: Path) -> Path:
    """The sidecar that marks a bars file as synthetic."""
    return bars_path.with_name(bars_path.name + SYNTHETIC_SUFFIX)


def iso_time(time_ns: int) -> str:
    """`2024-03-26T13:30:00Z`; the sub-second part, if there is one, as nine digits."""
    seconds, nanoseconds = divmod(int(time_ns), 1_000_000_000)
    text = datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanoseconds:09d}Z" if nanoseconds else f"{text}Z"
