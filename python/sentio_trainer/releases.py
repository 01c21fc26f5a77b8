"""Where deployed models live: whole releases, a link to the live one, backups, and a record of every deployment.

    models/
    ├── production -> releases/<id>     the live release; a new link is renamed over the old one
    ├── releases/<id>/<name>/           artifacts, read-only; deployment.json beside them says what they are
    ├── backups/backup_<id>/            a copy of what was live before deployment <id>
    └── deployments/deployment_<id>.json

An id is the UTC time at which its deployment began. What is being made has a name that begins with a dot.
"""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sentio_trainer.artifact import to_json
from sentio_trainer.errors import ArtifactError, ConfigError, SentioError
from sentio_trainer.files import exclusive_lock, sha256_file, sync_entry, sync_folder, time_for_name, write_atomic
from sentio_trainer.paths import shown_path
from sentio_trainer.suggest import hint

DEPLOYMENT = "deployment.json"
_PARTIAL = ".partial"
_RELEASES, _BACKUPS, _DEPLOYMENTS = "releases", "backups", "deployments"
_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
# A release, a backup, a record: what else lies there is not ours to remove.
_PARTIALS = re.compile(rf"\.(({_ID.pattern})|(backup_{_ID.pattern})|(deployment_{_ID.pattern}\.json\.\d+))\.partial")

# What the record of a deployment says beside what its release does.
_OF_RECORDS = ("action", "outcome", "reason", "backup")

Document = dict[str, Any]


class UnderWayError(SentioError):
    """Another deployment or rollback is under way."""


class ReleaseStore:
    """The folder that holds `production`. What changes it is for who holds the lock."""

    def __init__(self, production: Path) -> None:
        """Raises:
        ConfigError: `production` is the name of another of our folders.
        """
        if production.name in (_RELEASES, _BACKUPS, _DEPLOYMENTS):
            raise ConfigError(f"--production {production}: {production.name} is a folder beside it; give another name")
        self.production = production
        self.root = production.parent

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from deploying here meanwhile.

        Raises:
            UnderWayError: one is deploying.
        """
        try:
            with exclusive_lock(self.root / ".deploy.lock", wait=False):
                yield
        except BlockingIOError as error:
            raise UnderWayError(
                f"{shown_path(self.root)}: another deployment or rollback is under way; try again when it has ended"
            ) from error

    def release(self, id_: str) -> Path:
        return self.root / _RELEASES / id_

    def backup(self, name: str) -> Path:
        return self.root / _BACKUPS / name

    def live(self) -> str | None:
        """The id of the live release; None where nothing was deployed.

        Raises:
            SentioError: `production` is something else than a link to a release.
        """
        try:
            target = self.production.readlink()
        except FileNotFoundError:
            return None
        except OSError as error:  # not a link
            raise SentioError(
                f"{shown_path(self.production)}: must be a link to a release, and is not; move it away, then deploy"
            ) from error
        if target.parent != Path(_RELEASES):
            raise SentioError(
                f"{shown_path(self.production)}: must be a link to {_RELEASES}/<id>, found one to {target}; "
                "move it away, then deploy"
            )
        return target.name

    def swap(self, id_: str | None) -> None:
        """Makes a release live in one step: a reader finds the old one or this one. None: nothing is live any more."""
        if id_ is None:
            self.production.unlink(missing_ok=True)
        else:
            self._fresh_link.unlink(missing_ok=True)
            self._fresh_link.symlink_to(Path(_RELEASES) / id_)
            self._fresh_link.replace(self.production)
        sync_entry(self.root)

    @property
    def _fresh_link(self) -> Path:
        return self.root / f".{self.production.name}.new"

    def fresh_id(self) -> str:
        """The time, later where another deployment has it."""
        now = datetime.now(timezone.utc)
        while True:
            id_ = time_for_name(now)
            taken = (self.release(id_), self.release(f".{id_}{_PARTIAL}"), self.backup(f"backup_{id_}"))
            if not any(path.exists() for path in (*taken, self._record(id_))):
                return id_
            now += timedelta(milliseconds=1)

    @contextmanager
    def staging(self, id_: str) -> Iterator[Path]:
        """An empty folder in which a release is put together; it is gone afterwards unless it was published."""
        stage = self.release(f".{id_}{_PARTIAL}")
        stage.mkdir(parents=True)
        try:
            yield stage
        finally:
            remove_tree(stage)

    def publish(self, stage: Path, id_: str, document: Mapping[str, Any]) -> Path:
        """Seals a staged release with its document and gives it its name. It is not live yet."""
        return _finish(stage, self.release(id_), document)

    def back_up(self, id_: str, *, before: str) -> str:
        """Copies release `id_`, so that it outlives it; returns the backup's name."""
        target = self.backup(f"backup_{before}")
        partial = target.with_name(f".{target.name}{_PARTIAL}")
        source = self.release(id_)
        partial.mkdir(parents=True)
        try:
            document = self.document(source)
            for name in document["models"]:
                copy_artifact(source / name, partial / name)
            _finish(partial, target, document)
        finally:
            remove_tree(partial)
        return target.name

    def discard(self, id_: str) -> None:
        """Removes a release that is not live; a process that dies on the way leaves no half release of its name."""
        partial = self.release(f".{id_}{_PARTIAL}")
        if self.release(id_).exists():
            self.release(id_).rename(partial)
        remove_tree(partial)

    def prune(self, keep: int) -> list[str]:
        """Removes releases but for the newest `keep`, and those that are live by any link."""
        linked = self.linked()
        old = [id_ for id_ in self.releases()[:-keep] if id_ not in linked]
        for id_ in old:
            self.discard(id_)
        return old

    def linked(self) -> set[str]:
        """Ids that a link in this folder leads to: several may share its releases, `production` and `staging`."""
        targets = [path.readlink() for path in self.root.iterdir() if path.is_symlink()]
        return {target.name for target in targets if target.parent == Path(_RELEASES)}

    def releases(self) -> list[str]:
        """Ids, oldest first."""
        return _names(self.root / _RELEASES)

    def backups(self) -> list[str]:
        """Names, oldest first."""
        return _names(self.root / _BACKUPS)

    def document(self, folder: Path) -> Document:
        """What `deployment.json` in a release or backup says.

        Raises:
            ArtifactError: it is missing or not a document of ours.
        """
        return _read(folder / DEPLOYMENT)

    def find_backup(self, name: str) -> Path:
        """Raises:
        ConfigError: there is no such backup.
        """
        if name not in self.backups():
            known = self.backups()
            there = hint(name, known) if known else f"{shown_path(self.root / _BACKUPS)} has none"
            raise ConfigError(f"unknown backup '{name}'; {there}")
        return self.backup(name)

    def record(self, document: Mapping[str, Any]) -> Path:
        """Writes the record of a deployment that ended, whole or not at all."""
        path = self._record(document["id"])
        write_atomic(path, to_json(document))
        sync_entry(path.parent)
        return path

    def records(self) -> list[Document]:
        """All, oldest first.

        Raises:
            ArtifactError: one is not a record of ours.
        """
        paths = sorted((self.root / _DEPLOYMENTS).glob("deployment_*.json"))
        return [_read(path, *_OF_RECORDS) for path in paths]

    def has_record(self, id_: str) -> bool:
        return self._record(id_).exists()

    def _record(self, id_: str) -> Path:
        return self.root / _DEPLOYMENTS / f"deployment_{id_}.json"

    def unrecorded(self) -> list[str]:
        """Releases of deployments that did not end, oldest first."""
        return [id_ for id_ in self.releases() if not self.has_record(id_)]

    def remove_partials(self) -> list[Path]:
        """Removes what deployments that died were making; returns what it was."""
        found = [self._fresh_link] if self._fresh_link.is_symlink() else []
        for folder in (_RELEASES, _BACKUPS, _DEPLOYMENTS):
            paths = sorted((self.root / folder).glob(f".*{_PARTIAL}"))
            found += [path for path in paths if _PARTIALS.fullmatch(path.name)]
        for path in found:
            remove_tree(path)
        return found


def copy_artifact(source: Path, target: Path) -> dict[str, str]:
    """Copies the files of an artifact to a new, read-only folder, on the disk when this returns; returns their hashes.

    Files whose names begin with a dot are no part of an artifact.

    Raises:
        ArtifactError: the folder holds something else than files, or a file changed while it was copied.
    """
    target.mkdir()
    hashes = {}
    for path in sorted(source.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(f"{shown_path(path)}: is not a regular file; an artifact holds nothing else")
        copy = target / path.name
        shutil.copyfile(path, copy)
        copy.chmod(0o444)
        hashes[path.name] = sha256_file(copy)
        if sha256_file(path) != hashes[path.name]:
            raise ArtifactError(f"{shown_path(path)}: its copy has other bytes; was it written meanwhile?")
    sync_folder(target)
    target.chmod(0o555)
    return hashes


def hashes_of(folder: Path) -> dict[str, str]:
    """The hash of each file, by name."""
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def remove_tree(path: Path) -> None:
    """Removes a file, a link, or a folder that may be read-only; what is absent is fine."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if not path.exists():
        return
    for folder, _, _ in os.walk(path):
        Path(folder).chmod(stat.S_IRWXU)
    shutil.rmtree(path)


def _finish(partial: Path, target: Path, document: Mapping[str, Any]) -> Path:
    write_atomic(partial / DEPLOYMENT, to_json(document))
    (partial / DEPLOYMENT).chmod(0o444)
    sync_entry(partial)
    partial.rename(target)
    target.chmod(0o555)
    sync_entry(target.parent)
    return target


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if _ID.fullmatch(path.name.removeprefix("backup_")))


def _read(path: Path, *also: str) -> Document:
    """A document with id, models and the keys of `also`."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{shown_path(path)}: is missing") from error
    except ValueError as error:
        raise ArtifactError(f"{shown_path(path)}: is not valid JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        raise ArtifactError(f"{shown_path(path)}: is not the document of a deployment")
    if missing := [key for key in ("id", *also) if key not in document]:
        raise ArtifactError(f"{shown_path(path)}: is not the document of a deployment: it has no '{missing[0]}'")
    return document
