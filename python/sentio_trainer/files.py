"""Files that are whole or absent: atomic writes, locks that die with their process, content hashes."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


def sha256_file(path: Path) -> str:
    """`sha256:` and the hexadecimal digest of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def write_atomic(path: Path, content: bytes) -> None:
    """Writes beside `path`, then renames: a reader sees the old bytes or the new ones, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files beside `folder`, which must not be there, then takes its place in one rename."""
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        remove_folder(partial)
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).write_bytes(content)
        sync_folder(partial)
        partial.rename(folder)
        sync_entry(folder.parent)
    finally:
        remove_folder(partial)


def time_for_name(moment: datetime) -> str:
    """A UTC time to the millisecond, as it stands in names of files and folders: `20240131T093000.125Z`."""
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def sync_folder(folder: Path) -> None:
    """Forces the files of `folder` and its own entries to the disk, so that a rename cannot overtake its content."""
    for path in (*folder.iterdir(), folder):
        _sync(path)


def sync_entry(folder: Path) -> None:
    """Forces the entries of `folder` to the disk: what was renamed in it stays so."""
    _sync(folder)


def remove_folder(folder: Path) -> None:
    """Removes `folder` and all in it; a folder that is absent is fine."""
    if folder.exists():
        shutil.rmtree(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Holds `path` as a lock file. The system frees it when the process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us removed the file that we had opened: lock the one that is there now.
            if not _is_same_file(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
