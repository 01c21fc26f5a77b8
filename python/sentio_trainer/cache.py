"""The feature matrix on disk: computed once per content, then memory-mapped.

A cache entry is `<cache>/<key>/` with `X.npy` and `entry.json`; the key is a hash of the bars' content, the spec and
the engine's version. Entries are written beside their place and renamed; one process builds while others wait, and a
process that dies leaves nothing that another one would use.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentio_features import ENGINE_VERSION, Bars, FeatureBuilder, FeatureSpec

from sentio_trainer.files import exclusive_lock, remove_folder, sync_folder
from sentio_trainer.paths import shown_path

Float32 = npt.NDArray[np.float32]

MATRIX = "X.npy"
ENTRY = "entry.json"
# Rows computed, and checked, at a time: 15 MB of 55 columns.
CHUNK_ROWS = 65_536


def feature_matrix(
    bars: Bars, spec: FeatureSpec, *, bars_hash: str, cache_dir: Path, say: Callable[[str], None]
) -> Float32:
    """The features of all bars as a read-only memory map, shape [n, width].

    Args:
        bars: n bars.
        spec: which features.
        bars_hash: hash of the bars' content.
        cache_dir: where entries are kept.
        say: told in a line what happened: cached, built, or rebuilt because an entry was damaged.
    """
    identity = "\n".join((bars_hash, spec.hash, ENGINE_VERSION))
    key = hashlib.sha256(identity.encode()).hexdigest()[:32]
    folder, partial = cache_dir / key, cache_dir / f"{key}.partial"
    with exclusive_lock(cache_dir / f"{key}.lock", wait=True):
        done = "built"
        if folder.exists():
            defect = _find_defect(folder, shape=(len(bars), spec.width))
            if defect is None:
                say(f"{spec.width} features from the cache {shown_path(folder)}")
                return _open(folder)
            say(f"the cache entry {shown_path(folder)} is damaged ({defect}); it is built again")
            done = "built again"
            remove_folder(folder)
        remove_folder(partial)
        _build(bars, spec, partial)
        partial.rename(folder)
        say(f"{spec.width} features {done} into the cache {shown_path(folder)}")
        return _open(folder)


def _build(bars: Bars, spec: FeatureSpec, folder: Path) -> None:
    folder.mkdir(parents=True)
    matrix = np.lib.format.open_memmap(
        folder / MATRIX, mode="w+", dtype=np.float32, shape=(len(bars), spec.width), fortran_order=False
    )
    _reserve(folder / MATRIX)
    builder, checksums = FeatureBuilder(spec), []
    for begin in range(0, len(bars), CHUNK_ROWS):
        chunk = matrix[begin : begin + CHUNK_ROWS]
        builder.build(bars[begin : begin + CHUNK_ROWS], out=chunk)
        checksums.append(zlib.crc32(chunk.data))
    matrix.flush()
    entry = {"rows": len(bars), "width": spec.width, "chunk_rows": CHUNK_ROWS, "crc32": checksums}
    (folder / ENTRY).write_text(json.dumps(entry) + "\n", encoding="utf-8")
    sync_folder(folder)


def _reserve(path: Path) -> None:
    # A memory map of a sparse file on a full disk kills the process; reserving first makes that an ordinary error.
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _find_defect(folder: Path, *, shape: tuple[int, int]) -> str | None:
    """What is wrong with an entry, in a few words; None if all its bytes are as they were written."""
    try:
        entry = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        found_shape = (int(entry["rows"]), int(entry["width"]))
        chunk_rows, checksums = int(entry["chunk_rows"]), list(entry["crc32"])
        matrix = _open(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it cannot be read: {error or type(error).__name__}"
    if found_shape != shape or matrix.shape != shape or matrix.dtype != np.float32:
        return f"its shape is {matrix.shape}, expected {shape}"
    for i, begin in enumerate(range(0, shape[0], chunk_rows)):
        if zlib.crc32(matrix[begin : begin + chunk_rows].data) != checksums[i]:
            return f"rows from {begin} have the wrong checksum"
    return None


def _open(folder: Path) -> Float32:
    matrix: Float32 = np.load(folder / MATRIX, mmap_mode="r", allow_pickle=False)
    return matrix
