"""Columns on disk: computed once, then memory-mapped.

An entry is `<cache>/<key>/` with a `.npy` file a column and `entry.json`; the key is a hash of all that its content
depends on. Entries are written beside their place and renamed; one process builds while others wait, and a process that
dies leaves nothing that another one would use. Entries are never removed: delete the cache folder, or a folder in it,
whenever no run uses it.

Opening checks what can be checked in no time, however long the columns are: the files' sizes and types, and the
checksums of the first, the last and a few random pieces of each. `check_whole` looks at every byte.
"""

import hashlib
import json
import random
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from sentio_trainer.files import exclusive_lock, remove_folder, sync_folder
from sentio_trainer.paths import shown_path

Float32 = npt.NDArray[np.float32]
Column = npt.NDArray[Any]
Checksums = npt.NDArray[np.uint32]

ENTRY = "entry.json"
# Rows computed at a time: 15 MB of 55 columns.
CHUNK_ROWS = 65_536
# Bytes of a piece with a checksum of its own, rounded down to whole rows.
_PIECE_BYTES = 1 << 17
# What opening may cost in looking at random pieces: how many a column, and for how long altogether.
_RANDOM_PIECES, _RANDOM_SECONDS = 2, 0.02
_HEADER_BYTES: Final = 128
_CHECKSUM: Final = "<u4"


@dataclass(frozen=True, kw_only=True)
class ColumnType:
    """What a row of a column is made of."""

    dtype: str  # as NumPy spells it, with the byte order: "<f4"
    width: int | None = None  # None for a column of shape [n], F for one of shape [n, F]

    def shape(self, rows: int) -> tuple[int, ...]:
        return (rows,) if self.width is None else (rows, self.width)

    @property
    def row_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize * (self.width or 1)

    @property
    def piece_rows(self) -> int:
        return max(1, _PIECE_BYTES // self.row_bytes)


Layout = Mapping[str, ColumnType]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Columns that were found or built."""

    folder: Path
    columns: dict[str, Column]  # read-only memory maps of one length
    facts: dict[str, Any]  # what the builder wished to be kept beside them


class EntryWriter:
    """Columns that grow piece by piece, each at its own pace."""

    def __init__(self, folder: Path, layout: Layout, files: ExitStack) -> None:
        self._folder = folder
        self._columns = {
            name: _ColumnFile(files.enter_context((folder / f"{name}.npy").open("wb")), kind)
            for name, kind in layout.items()
        }

    def append(self, name: str, values: Column) -> None:
        """Writes rows behind those that a column has, as its own type."""
        self._columns[name].append(values)

    def rows(self, name: str) -> int:
        """Rows that a column has so far."""
        return self._columns[name].rows

    def written(self, name: str) -> Column:
        """The rows that a column has so far, as a read-only memory map."""
        return self._columns[name].mapped(self._folder / f"{name}.npy")

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Completes the files and writes `entry.json`."""
        counts = {name: column.rows for name, column in self._columns.items()}
        assert len(set(counts.values())) == 1, f"columns have one length, found {counts}"
        entry = {
            "rows": next(iter(counts.values())),
            "crc32": {name: column.finish().tobytes().hex() for name, column in self._columns.items()},
            "facts": facts,
        }
        (self._folder / ENTRY).write_text(json.dumps(entry) + "\n", encoding="utf-8")


class _ColumnFile:
    """A .npy file that is written front to back; its header, which tells the length, comes last."""

    def __init__(self, file: BinaryIO, kind: ColumnType) -> None:
        self._file, self._kind = file, kind
        self.rows = 0
        self._checksums: list[int] = []
        file.write(bytes(_HEADER_BYTES))

    def append(self, values: Column) -> None:
        data = np.ascontiguousarray(values, dtype=self._kind.dtype)
        assert data.shape == self._kind.shape(len(data))
        # An ordinary write: on a full disk it is an error, where a memory map would kill the process.
        self._file.write(data.data)
        begin, size = 0, self._kind.piece_rows
        while begin < len(data):
            filled = self.rows % size
            stop = min(len(data), begin + size - filled)
            if filled == 0:
                self._checksums.append(0)
            self._checksums[-1] = zlib.crc32(data[begin:stop].data, self._checksums[-1])
            self.rows += stop - begin
            begin = stop

    def mapped(self, path: Path) -> Column:
        self._file.flush()
        return _mapped(path, self._kind, self.rows)

    def finish(self) -> Checksums:
        """The checksums of the pieces."""
        self._file.seek(0)
        self._file.write(_npy_header(self._kind, self.rows))
        return np.array(self._checksums, dtype=_CHECKSUM)


def cached(
    cache_dir: Path,
    identity: str,
    layout: Layout,
    build: Callable[[EntryWriter], Mapping[str, Any]],
    *,
    what: str,
    say: Callable[[str], None],
) -> Entry:
    """The entry of `identity`, built by `build` if it is not there or damaged.

    Args:
        cache_dir: where entries are kept.
        identity: a text that changes whenever the content would.
        layout: the columns and their types.
        build: fills the columns; what it returns is kept as `facts`, JSON.
        what: what the columns are, for `say`.
        say: told in a line what happened: found, built, or built again because the entry was damaged.
    """
    folder = entry_folder(cache_dir, identity)
    partial = folder.with_name(f"{folder.name}.partial")
    with exclusive_lock(folder.with_name(f"{folder.name}.lock"), wait=True):
        done = "built"
        if folder.exists():
            found = _open(folder, layout)
            if isinstance(found, Entry):
                say(f"{what} from the cache {shown_path(folder)}")
                return found
            say(f"the cache entry {shown_path(folder)} is damaged ({found}); it is built again")
            done = "built again"
            remove_folder(folder)
        remove_folder(partial)  # what a process left that was killed
        try:
            partial.mkdir(parents=True)
            with ExitStack() as files:
                writer = EntryWriter(partial, layout, files)
                writer.finish(build(writer))
            sync_folder(partial)
            partial.rename(folder)
        finally:
            remove_folder(partial)
        say(f"{what} {done} into the cache {shown_path(folder)}")
        built = _open(folder, layout)
        assert isinstance(built, Entry), built
        return built


def check_whole(cache_dir: Path, identity: str, layout: Layout, *, say: Callable[[str], None]) -> None:
    """Looks at every byte of an entry, if it is there; a damaged one is removed, and `say` is told so."""
    folder = entry_folder(cache_dir, identity)
    with exclusive_lock(folder.with_name(f"{folder.name}.lock"), wait=True):
        if folder.exists() and not isinstance(found := _open(folder, layout, whole=True), Entry):
            say(f"the cache entry {shown_path(folder)} is damaged ({found}); it is removed, and built when needed")
            remove_folder(folder)


def entry_folder(cache_dir: Path, identity: str) -> Path:
    """Where the entry of `identity` lies, or would."""
    return cache_dir / hashlib.sha256(identity.encode()).hexdigest()[:32]


def _open(folder: Path, layout: Layout, *, whole: bool = False) -> Entry | str:
    """An entry, or what is wrong with it in a few words.

    A file that may not be read, or a disk that fails to, is no reason to drop gigabytes that may be whole.
    """
    try:
        with ExitStack() as files:
            return _read(folder, layout, files, whole=whole)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, KeyError, TypeError) as error:
        return f"it cannot be read: {error or type(error).__name__}"


def _read(folder: Path, layout: Layout, files: ExitStack, *, whole: bool) -> Entry | str:
    document = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
    rows, facts = int(document["rows"]), dict(document["facts"])
    checksums: dict[str, Checksums] = {}
    opened: dict[str, BinaryIO] = {}
    for name, kind in layout.items():
        checksums[name] = np.frombuffer(bytes.fromhex(document["crc32"][name]), dtype=_CHECKSUM)
        if len(checksums[name]) != -(-rows // kind.piece_rows):
            return f"{name}.npy has {len(checksums[name])} checksums"
        path = folder / f"{name}.npy"
        if path.stat().st_size != _HEADER_BYTES + rows * kind.row_bytes:
            return f"{path.name} has {path.stat().st_size} bytes"
        opened[name] = files.enter_context(path.open("rb"))
        if opened[name].read(_HEADER_BYTES) != _npy_header(kind, rows):
            return f"{path.name} has another header"
    began = time.perf_counter()
    for name, piece, needed in _pieces(layout, rows, whole=whole):
        if not needed and time.perf_counter() - began > _RANDOM_SECONDS:
            break
        size = layout[name].piece_rows * layout[name].row_bytes
        # Read, not mapped: one read of a cold disk, where touching the pages would take several.
        opened[name].seek(_HEADER_BYTES + piece * size)
        if zlib.crc32(opened[name].read(size)) != checksums[name][piece]:
            return f"{name}.npy has a wrong checksum in rows from {piece * layout[name].piece_rows}"
    columns = {name: _mapped(folder / f"{name}.npy", kind, rows) for name, kind in layout.items()}
    return Entry(folder=folder, columns=columns, facts=facts)


def _mapped(path: Path, kind: ColumnType, rows: int) -> Column:
    """The first rows of a column's file, read-only."""
    return np.memmap(path, kind.dtype, "r", _HEADER_BYTES, kind.shape(rows))


def _pieces(layout: Layout, rows: int, *, whole: bool) -> Iterator[tuple[str, int, bool]]:
    """Pieces to look at: column, number, and whether it must be looked at."""
    counts = {name: -(-rows // kind.piece_rows) for name, kind in layout.items()}
    for name, count in counts.items():
        for piece in range(count) if whole or count < 2 else (0, count - 1):
            yield name, piece, True
    if not whole:
        # Other ones at each opening: what this run does not see, another will. No result depends on it.
        choice = random.Random()
        for name, count in counts.items():
            for piece in sorted(choice.sample(range(count), min(count, _RANDOM_PIECES))):
                yield name, piece, False


def _npy_header(kind: ColumnType, rows: int) -> bytes:
    """The head of a .npy file, format 1.0, of a fixed size."""
    text = f"{{'descr': {kind.dtype!r}, 'fortran_order': False, 'shape': {kind.shape(rows)!r}, }}"
    magic = b"\x93NUMPY\x01\x00"
    size = _HEADER_BYTES - len(magic) - 2
    return magic + struct.pack("<H", size) + text.ljust(size - 1).encode() + b"\n"
