"""The artifact folder: complete or absent, never overwritten by accident."""

import hashlib
import json
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from sentio_features import ENGINE_VERSION

from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.files import exclusive_lock, remove_folder, sync_entry, sync_folder
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report

# From 1.1 on the metadata has a seal and hashes of all files.
SCHEMA_VERSION = "1.1"
METADATA = "metadata.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class ArtifactSlot:
    """The place of one version, held by this process."""

    folder: Path

    @property
    def model_id(self) -> str:
        return self.folder.parent.name

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def _partial(self) -> Path:
        return self.folder.with_name(f".{self.version}.partial")

    @property
    def _old(self) -> Path:
        return self.folder.with_name(f".{self.version}.old")

    def write(self, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> None:
        """Writes all files and the metadata, which holds their hashes, beside the place; takes it in one rename."""
        hashes = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in files.items()}
        document = {
            "schema_version": SCHEMA_VERSION,
            "saved_at": int(time.time()),
            "framework": "torchscript",
            "model_id": self.model_id,
            "version": self.version,
            **metadata,
            "files": hashes,
        }
        try:
            remove_folder(self._partial)
            self._partial.mkdir(parents=True)
            for name, content in {**files, METADATA: sealed_json(document)}.items():
                (self._partial / name).write_bytes(content)
            sync_folder(self._partial)
            self._take_place()
        finally:
            remove_folder(self._partial)

    def _take_place(self) -> None:
        if not self.folder.exists():
            self._partial.rename(self.folder)
        else:
            self.folder.rename(self._old)
            try:
                self._partial.rename(self.folder)
            except BaseException:
                self._old.rename(self.folder)
                raise
            remove_folder(self._old)
        sync_entry(self.folder.parent)

    def _recover(self, report: Report) -> None:
        """Cleans up after a process that died while it replaced this version."""
        remove_folder(self._partial)
        if self._old.exists() and not self.folder.exists():
            self._old.rename(self.folder)
            report.warn(f"{shown_path(self.folder)}: an earlier run died while replacing it; the old version is back")
        remove_folder(self._old)


@contextmanager
def reserve_artifact(folder: Path, *, overwrite: bool, report: Report) -> Iterator[ArtifactSlot]:
    """Makes sure, before any work, that the version may be written, and keeps other processes from writing it.

    Raises:
        ConfigError: the version exists and `overwrite` is false, or the folder is something else, or its name is unfit.
        SentioError: another process is training this version.
    """
    slot = ArtifactSlot(folder=folder)
    for what, name in (("model id", slot.model_id), ("version", slot.version)):
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{shown_path(folder)}: a {what} is made of letters, digits, '.', '_', '-', found '{name}'"
            )
    try:
        with exclusive_lock(folder.with_name(f".{slot.version}.lock"), wait=False):
            slot._recover(report)
            _refuse_existing(folder, overwrite=overwrite)
            yield slot
    except BlockingIOError as error:
        raise SentioError(f"{shown_path(folder)}: another process is training this version") from error


def _refuse_existing(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not any((folder / name).is_file() for name in (METADATA, "model.meta.json")):
        raise ConfigError(f"{shown_path(folder)}: exists and is not an artifact; choose another export.out_dir")
    if not overwrite:
        raise ConfigError(f"{shown_path(folder)}: this version exists; choose another, or replace it with --overwrite")


def versions_document(root: Path) -> dict[str, str | None]:
    """What made the artifact."""
    return {
        "sentio": version("sentio"),
        "engine": ENGINE_VERSION,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "git_commit": git_commit(root),
    }


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing this artifact meanwhile.

    Raises:
        SentioError: another process is writing it.
    """
    place = Path.cwd() / folder  # "." has no name
    try:
        with exclusive_lock(place.with_name(f".{place.name}.lock"), wait=False):
            yield
    except BlockingIOError as error:
        raise SentioError(f"{shown_path(folder)}: another process is writing this version") from error


def git_commit(root: Path) -> str | None:
    """The commit that is checked out at `root`, with `-dirty` if files were changed; None where that is not known."""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # git is not installed
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def to_json(document: Mapping[str, Any]) -> bytes:
    """JSON with an end of line. NaN and infinity, which are not JSON, are refused."""
    return (json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def sealed_json(document: Mapping[str, Any]) -> bytes:
    """JSON whose last key is its seal: the SHA-256 of these bytes with zeros for the seal's own digits.

    It tells damage and forgotten edits. It is no signature: who forges can seal as well.
    """
    zeros = "0" * hashlib.sha256().digest_size * 2
    unsealed = {key: value for key, value in document.items() if key != "seal"}
    blank = to_json({**unsealed, "seal": f"sha256:{zeros}"})
    head, _, tail = blank.rpartition(zeros.encode())
    return head + hashlib.sha256(blank).hexdigest().encode() + tail
