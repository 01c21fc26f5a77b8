"""All bars of a run and their features: one symbol after another, in columns of one length that stay on disk.

Shapes: n rows, one a bar; F features.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from sentio_features import ENGINE_VERSION, Bars, FeatureBuilder, FeatureSpec, InputError, synthetic_mark

from sentio_trainer.bars import Float64, Int64, iter_bars, require_enough, require_file
from sentio_trainer.cache import CHUNK_ROWS, ColumnType, Entry, EntryWriter, Float32, Layout, cached, check_whole
from sentio_trainer.errors import DataError
from sentio_trainer.paths import shown_path
from sentio_trainer.sources import Source, look_at, remember

# Changes when the columns of equal sources would change for a reason that is not the engine's.
_FORMAT = "data set 1"
_PRICES: Final = ("open", "high", "low", "close", "volume")
_HASHES = "hashes"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One symbol's place in a data set."""

    symbol: str
    path: Path
    rows: slice
    interval_s: float  # the usual distance of two bars
    file_hash: str
    synthetic: dict[str, Any] | None  # the mark of a generated market; None for recorded bars
    skipped: tuple[Mapping[str, object], ...]  # bad bars that were left out: kind, count, first

    def __len__(self) -> int:
        return len(range(self.rows.start, self.rows.stop))

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[slice]:
        """Its rows in order, at most `size` at a time."""
        for begin in range(self.rows.start, self.rows.stop, size):
            yield slice(begin, min(begin + size, self.rows.stop))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    folder: Path  # where the columns lie; what is derived from them may be kept beside it
    content_hash: str  # of all that the columns depend on
    series: tuple[Series, ...]
    spec: FeatureSpec
    time_ns: Int64  # [n]; this column and the others are memory-mapped
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    x: Float32  # [n, F]

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def interval_s(self) -> float:
        """The usual distance of two bars, the same for all symbols."""
        return self.series[0].interval_s

    @property
    def synthetic(self) -> dict[str, Any] | None:
        """The mark of the first generated series; None where all bars are recorded ones."""
        return next((each.synthetic for each in self.series if each.synthetic is not None), None)

    @property
    def file_hashes(self) -> dict[str, str]:
        """Each symbol and the hash of its file."""
        return {each.symbol: each.file_hash for each in self.series}

    def series_of(self, rows: slice) -> Series:
        """The series that a range of rows lies within.

        Raises:
            ValueError: it does not lie within one.
        """
        for each in self.series:
            if each.rows.start <= rows.start <= rows.stop <= each.rows.stop:
                return each
        raise ValueError(f"rows must lie within one series, found {rows.start} to {rows.stop}")

    def bars(self, rows: slice) -> Bars:
        """A copy of the bars of a range of rows.

        Raises:
            ValueError: it does not lie within one series.
        """
        self.series_of(rows)
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Bars(self.time_ns[rows], *(column[rows] for column in columns))


def open_data_set(
    sources: Mapping[str, Path],
    spec: FeatureSpec,
    *,
    on_bad_bar: Literal["refuse", "skip"],
    cache_dir: Path,
    say: Callable[[str], None],
) -> DataSet:
    """The bars of each symbol and their features, out of the cache; built first where they are not there.

    A file that was touched but not changed gives the same data set; a changed one gives another. What is in the cache
    is found by the hashes of the files, and a file is hashed again only when its size or its times have changed.

    Args:
        sources: each symbol and its bars, CSV or Parquet.
        spec: which features; each symbol's are computed from its own first bar on.
        on_bad_bar: what a bar that is not valid does.
        cache_dir: where columns are kept.
        say: told in a line what happened.

    Raises:
        DataError: a file is absent or wrong, or two are equal, or the symbols' bars have different intervals.
    """
    found = _looked_at(sources, cache_dir)
    identity = _identity(found, spec, on_bad_bar)

    def build(writer: EntryWriter) -> Mapping[str, Any]:
        series = _build(writer, found, spec, on_bad_bar, say)
        for source in found.values():  # which have come of age meanwhile, if there was much to do
            remember(source, memory=cache_dir / _HASHES)
        return {"series": series}

    entry = cached(cache_dir, identity, _layout(spec), build, what=f"{spec.width} features", say=say)
    return _as_data_set(entry, identity, found, spec)


def check_cached(
    sources: Mapping[str, Path],
    spec: FeatureSpec,
    *,
    on_bad_bar: Literal["refuse", "skip"],
    cache_dir: Path,
    say: Callable[[str], None],
) -> None:
    """Reads every byte that the cache holds of these bars and their features, and drops what is damaged.

    Raises:
        DataError: a file is absent, or two are equal.
    """
    found = _looked_at(sources, cache_dir)
    check_whole(cache_dir, _identity(found, spec, on_bad_bar), _layout(spec), say=say)


def source_of(path: Path, cache_dir: Path) -> Source:
    """A bars file and its hash, which is read anew only where the file may have changed.

    Raises:
        DataError: there is no such file.
    """
    require_file(path)
    return look_at(path, memory=cache_dir / _HASHES)


def _looked_at(sources: Mapping[str, Path], cache_dir: Path) -> dict[str, Source]:
    found = {symbol: source_of(path, cache_dir) for symbol, path in sources.items()}
    first: dict[str, str] = {}
    for symbol, source in found.items():
        if (other := first.setdefault(source.hash, symbol)) != symbol:
            # A copy under another name is a slip, and would make every figure look twice as sure.
            raise DataError(f"{shown_path(source.path)}: the bars of {symbol} are those of {other}, byte for byte")
    return found


def _identity(sources: Mapping[str, Source], spec: FeatureSpec, on_bad_bar: str) -> str:
    files = [f"{symbol!r} {source.hash}" for symbol, source in sources.items()]
    return "\n".join([_FORMAT, ENGINE_VERSION, spec.hash, on_bad_bar, *files])


def _layout(spec: FeatureSpec) -> Layout:
    number = ColumnType(dtype="<f8")
    return {
        "time_ns": ColumnType(dtype="<i8"),
        **dict.fromkeys(_PRICES, number),
        "X": ColumnType(dtype="<f4", width=spec.width),
    }


def _build(
    writer: EntryWriter,
    sources: Mapping[str, Source],
    spec: FeatureSpec,
    on_bad_bar: Literal["refuse", "skip"],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Writes the columns and returns what is to be known of each series."""
    features = np.empty((CHUNK_ROWS, spec.width), dtype=np.float32)
    known: list[dict[str, Any]] = []
    for symbol, source in sources.items():
        say(f"{symbol}: reading {shown_path(source.path)}")
        begin = writer.rows("time_ns")
        builder = FeatureBuilder(spec)
        try:
            chunks = iter_bars(source.path, on_bad_bar=on_bad_bar, chunk_bars=CHUNK_ROWS)
            for bars in chunks:
                writer.append("time_ns", bars.ts)
                for name in _PRICES:
                    writer.append(name, bars[name])
                writer.append("X", builder.build(bars, out=features[: len(bars)]))
        except InputError as error:
            raise DataError(str(error)) from error
        source.require_unchanged()
        count = writer.rows("time_ns") - begin
        require_enough(source.path, count)
        interval_s = median_interval_ns(writer.written("time_ns")[begin:]) / 1e9
        if known and interval_s != known[0]["interval_s"]:
            first = next(iter(sources))
            raise DataError(
                f"{shown_path(source.path)}: bars of {interval_s:g} s, but those of {first} are of "
                f"{known[0]['interval_s']:g} s; one model learns from bars of one interval"
            )
        # Without the path: equal files may lie elsewhere when the columns are used again.
        skipped = [{**kind, "first": kind["first"].removeprefix(str(source.path))} for kind in chunks.skipped]
        known.append({"rows": count, "interval_s": interval_s, "skipped": skipped})
    return known


def _as_data_set(entry: Entry, identity: str, sources: Mapping[str, Source], spec: FeatureSpec) -> DataSet:
    series: list[Series] = []
    begin = 0
    for (symbol, source), known in zip(sources.items(), entry.facts["series"], strict=True):
        try:
            mark = synthetic_mark(source.path)
        except InputError as error:
            raise DataError(str(error)) from error
        series.append(
            Series(
                symbol=symbol,
                path=source.path,
                rows=slice(begin, begin + known["rows"]),
                interval_s=known["interval_s"],
                file_hash=source.hash,
                synthetic=mark,
                skipped=tuple({**kind, "first": f"{source.path}{kind['first']}"} for kind in known["skipped"]),
            )
        )
        begin = series[-1].rows.stop
    columns = dict(entry.columns)
    return DataSet(
        folder=entry.folder,
        content_hash=f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}",
        series=tuple(series),
        spec=spec,
        x=columns.pop("X"),
        **columns,
    )


def median_interval_ns(time_ns: Int64, *, chunk: int = CHUNK_ROWS) -> int:
    """The median distance of neighbouring times, the upper one of two, exactly and in little memory.

    Found 16 bits at a time: how many distances begin with which bits tells which bits the median begins with.

    Args:
        time_ns: at least 2, ascending.
        chunk: times looked at together.
    """
    rank, found = (len(time_ns) - 1) // 2, 0
    for shift in (48, 32, 16, 0):
        counts = np.zeros(1 << 16, dtype=np.int64)
        for begin in range(0, len(time_ns) - 1, chunk):
            # Two times of int64 can be further apart than int64 reaches.
            gaps = np.diff(time_ns[begin : begin + chunk + 1].view(np.uint64))
            gaps = np.minimum(gaps, np.uint64(np.iinfo(np.int64).max)).astype(np.int64)
            if shift < 48:
                gaps = gaps[gaps >> (shift + 16) == found]
            counts += np.bincount((gaps >> shift) & 0xFFFF, minlength=1 << 16)
        below = np.cumsum(counts) - counts
        bits = int(np.searchsorted(below + counts, rank, side="right"))
        rank -= int(below[bits])
        found = found << 16 | bits
    return found
