"""Bars out of a Parquet file, a piece at a time: the same bars that the same table gives as CSV. Needs pyarrow.

Shapes: n rows of a piece.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from sentio_features import Bars, InputError, bar_column, epoch_units_ns, valid_bars

from sentio_trainer.errors import DataError
from sentio_trainer.paths import shown_path

if TYPE_CHECKING:
    from sentio_features import SkippedBars  # a type of the stub, not of the module

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

COLUMNS: Final = ("ts", "open", "high", "low", "close", "volume")
_MAGIC = b"PAR1"
_UNIT_NS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_UNIT_NAME: Final = {scale: name for name, scale in _UNIT_NS.items()}
_LARGEST = np.iinfo(np.int64).max
# Compressed bytes held of a column at a time; without this, a row group's columns are read whole.
_BUFFER_BYTES = 1 << 20
# row, kind, what is wrong
_Complaint = tuple[int, str, str]


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet files do."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class ParquetChunks:
    """The bars of a Parquet file in pieces; to be gone through once.

    Columns are named as in CSV. `ts` is a timestamp of any unit and zone (none means UTC), a date, or whole epoch
    numbers in s, ms, us or ns, one unit per file; the others are numbers of any type. Rows are counted from 0.
    """

    def __init__(self, path: Path, *, on_bad_bar: Literal["refuse", "skip"], chunk_bars: int) -> None:
        """Raises:
        DataError: pyarrow is missing.
        InputError: the file is damaged, or lacks a column, or one has a type that is not understood.
        """
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f"{shown_path(path)}: a Parquet file needs pyarrow: pip install 'sentio[parquet]'"
            ) from error
        self._path, self._on_bad_bar, self._chunk_bars = path, on_bad_bar, chunk_bars
        self._skipped: dict[str, SkippedBars] = {}
        self._epoch_unit_ns: int | None = None  # of the bars so far; a bar that is dropped does not decide it
        self._previous_ns: int | None = None
        self._row = 0
        with self._readable():
            self._file = parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            self._names = self._find_columns(self._file.schema_arrow)

    def __iter__(self) -> Iterator[Bars]:
        names = list(self._names.values())
        with self._readable(), self._file:
            for batch in self._file.iter_batches(batch_size=self._chunk_bars, columns=names, use_threads=False):
                bars = self._bars({role: batch.column(name) for role, name in self._names.items()})
                self._row += batch.num_rows
                if len(bars):
                    yield bars
        if self._previous_ns is None:
            first = next((f"; first bad one: {kind['first']}" for kind in self._skipped.values()), "")
            raise InputError(f"{self._path}: has no valid bars{first}")

    @property
    def skipped(self) -> "list[SkippedBars]":
        """Bad bars that were left out so far."""
        return list(self._skipped.values())

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self._path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error

    def _find_columns(self, schema: Any) -> dict[str, str]:
        """The name of the file's column for each of COLUMNS."""
        from pyarrow import types

        names: dict[str, str] = {}
        for name in schema.names:
            role = bar_column(name)
            if role in names:
                raise InputError(f"{self._path}: two columns give {role}, found {names[role]!r} and {name!r}")
            if role is not None:
                names[role] = name
        for role in COLUMNS:
            if role not in names:
                raise InputError(f"{self._path}: has no column {role}, found {', '.join(schema.names)[:200]!r}")
            kind = schema.field(names[role]).type
            is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
            is_time = types.is_timestamp(kind) or types.is_date(kind) or types.is_integer(kind)
            if not (is_time if role == "ts" else is_number):
                wanted = "times, dates or whole epoch numbers" if role == "ts" else "numbers"
                raise InputError(f"{self._path}: {role} must be {wanted}, found a column of {kind}")
        return names

    def _bars(self, columns: dict[str, Any]) -> Bars:
        """The good bars of a batch; complains of the others."""
        import pyarrow as pa

        times, units = self._times(columns["ts"])
        limit = _LARGEST // units - 1
        too_far = (times > limit) | (times < -limit)
        ts = np.where(too_far, 0, times) * units
        missing = {role: columns[role].is_null().to_numpy(zero_copy_only=False) for role in COLUMNS}
        values = {}
        for role in COLUMNS[1:]:
            column = columns[role].cast(pa.float64(), safe=False)
            values[role] = column.fill_null(np.nan).to_numpy(zero_copy_only=False)

        def valid(good: Bool) -> tuple[Bars, list[_Complaint]]:
            rows = np.flatnonzero(good)
            chosen = {role: column[rows] for role, column in values.items()}
            bars, bad = valid_bars(ts[rows], after=self._previous_ns, **chosen)
            return bars, [(int(rows[each["index"]]), each["kind"], each["what"]) for each in bad]

        good = ~too_far & ~np.any(list(missing.values()), axis=0)
        unit_from = 0  # row from which on the unit is known
        if self._epoch_unit_ns is None:
            _, bad = valid(good)
            kept = np.setdiff1d(np.flatnonzero(good), [row for row, _, _ in bad])
            unit_from = int(kept[0]) if len(kept) else len(good)
            self._epoch_unit_ns = int(units[unit_from]) if len(kept) else None
        unit_ns = self._epoch_unit_ns
        other_unit = (units != unit_ns) & (np.arange(len(good)) >= unit_from)
        change = f"ts changes its unit from {_UNIT_NAME.get(unit_ns)}" if unit_ns else ""

        # The first that is wrong with a row is what counts.
        complaints: list[_Complaint] = []
        good = np.ones(len(good), dtype=np.bool_)

        def complain(wrong: Bool, kind: str, what: Callable[[int], str]) -> None:
            complaints.extend((row, kind, what(row)) for row in np.flatnonzero(wrong & good).tolist())
            good[wrong] = False

        not_a_time = "ts is not a time"
        complain(missing["ts"], "ts is missing", _found_null("ts"))
        complain(too_far, not_a_time, lambda row: f"{not_a_time} of 64-bit nanoseconds: {times[row]}")
        complain(other_unit, not_a_time, lambda row: f"{change} to {_UNIT_NAME[int(units[row])]}: {times[row]}")
        for role in COLUMNS[1:]:
            complain(missing[role], f"{role} is missing", _found_null(role))
        bars, bad = valid(good)
        for complaint in sorted([*complaints, *bad]):
            self._complain(complaint)
        if len(bars):
            self._previous_ns = int(bars.ts[-1])
        return bars

    def _times(self, column: Any) -> tuple[Int64, Int64]:
        """Whole numbers and the nanoseconds of their units, shape [n] each; any numbers where there is no time."""
        import pyarrow as pa

        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ms"))
        times = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        if pa.types.is_timestamp(column.type):
            return times, np.full(len(times), _UNIT_NS[column.type.unit], dtype=np.int64)
        return times, epoch_units_ns(times)

    def _complain(self, complaint: _Complaint) -> None:
        row, kind, what = complaint
        message = f"{self._path}: row {self._row + row}: {what}"
        if self._on_bad_bar == "refuse":
            raise InputError(message)
        self._skipped.setdefault(kind, {"kind": kind, "count": 0, "first": message})["count"] += 1


def _found_null(role: str) -> Callable[[int], str]:
    return lambda _: f"{role} is missing, found null"
