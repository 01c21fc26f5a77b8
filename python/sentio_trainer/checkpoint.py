"""Checkpoints: all that a training needs to go on as if it had never stopped.

A run folder holds `checkpoint_<step>/` folders, each written beside its place and renamed:

- `progress.json`: how far the training is, its log, and what it was started with;
- `state.pt`: weights, optimizer, random numbers: tensors and plain values, read without running code;
- `checkpoint.json`: the hashes of both.
"""

import hashlib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.files import remove_folder, sha256_file, sync_entry, sync_folder
from sentio_trainer.paths import shown_path
from sentio_trainer.schema import KEYS, Config
from sentio_trainer.watch import Epoch

MANIFEST, PROGRESS, STATE = "checkpoint.json", "progress.json", "state.pt"
PARTIAL = ".partial"

# What a resumed training may change: none of it reaches the weights, save by the rounding of another device.
FREE_KEYS = (
    "data.cache_dir",
    "training.device",
    "training.compile",
    "training.num_workers",
    "training.prefetch_factor",
    "training.checkpoint_steps",
    "training.keep_last",
    "decision.",
    "evaluation.",
    "tracking.",
    "export.",
)


T = TypeVar("T", bound=BaseModel)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Manifest(_Document):
    schema_version: Literal["1.0"] = "1.0"
    files: dict[str, str]  # name → sha256


class Progress(_Document):
    """How far a training is."""

    step: int  # optimizer steps taken
    epochs: tuple[Epoch, ...]  # finished
    batch: int  # batches taken of the next one, in each process
    seconds: float  # spent on that one
    best_epoch: int | None
    identity: dict[str, JsonValue]  # what the training was started with
    world: int  # processes that train together
    threads: int
    device: str
    processor: str
    torch: str


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    folder: Path
    progress: Progress
    state: dict[str, Any]


def identity(config: Config) -> dict[str, JsonValue]:
    """What must not change when a training is resumed: every key that its weights depend on, and its value."""
    document: dict[str, Any] = config.model_dump(mode="json")

    def value(key: str) -> JsonValue:
        found: Any = document
        for part in key.split("."):
            found = found[part]
        result: JsonValue = found
        return result

    return {key: value(key) for key in KEYS if not key.startswith(FREE_KEYS)}


def newest_checkpoint(run_folder: Path) -> Path | None:
    """The one with most steps; None where the run stopped before its first, and begins again."""
    steps = _checkpoints(run_folder)
    return steps[max(steps)] if steps else None


def check_resumable(folder: Path, *, identity: Mapping[str, JsonValue], world: int) -> None:
    """Refuses a checkpoint of another training before anything is read or written for it.

    Args:
        identity: what is known of this training so far; keys that it lacks are not compared.

    Raises:
        As `read_checkpoint` does.
    """
    _require_whole(folder, PROGRESS, _parse(Manifest, folder / MANIFEST))
    progress = _parse(Progress, folder / PROGRESS)
    _require_same(folder, {key: progress.identity.get(key) for key in identity}, identity)
    _require_world(folder, progress, world)


def read_checkpoint(folder: Path, *, identity: Mapping[str, JsonValue], world: int) -> Checkpoint:
    """A checkpoint, whole and of this very training.

    Raises:
        DataError: a file is absent or damaged.
        ConfigError: it was written by a training with another identity or number of processes.
    """
    manifest = _parse(Manifest, folder / MANIFEST)
    for name in (PROGRESS, STATE):
        _require_whole(folder, name, manifest)
    progress = _parse(Progress, folder / PROGRESS)
    _require_same(folder, progress.identity, identity)
    _require_world(folder, progress, world)
    state: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    return Checkpoint(folder=folder, progress=progress, state=state)


class Checkpoints:
    """Those that one training writes into its run folder."""

    def __init__(
        self, run_folder: Path, *, keep_last: int, every: int | None, identity: Mapping[str, JsonValue]
    ) -> None:
        """Keeps the last `keep_last` and the best epoch's; one after each epoch and every `every` steps."""
        self.run_folder = run_folder
        self._every = every
        self.identity = dict(identity)
        self._keep_last = keep_last

    def place(self, step: int) -> Path:
        """The folder of the checkpoint after `step` steps."""
        return self.run_folder / f"checkpoint_{step}"

    def is_due(self, step: int) -> bool:
        """Whether one is to be written after `step` steps within an epoch."""
        return self._every is not None and step % self._every == 0

    def begin(self, step: int) -> None:
        """Removes what was half written, and what was written after `step`: the training goes on from there."""
        for partial in self.run_folder.glob(f".checkpoint_*{PARTIAL}"):
            remove_folder(partial)
        for later, folder in _checkpoints(self.run_folder).items():
            if later > step:
                _remove(folder)

    def write(self, progress: Progress, state: Mapping[str, Any]) -> Path:
        """Writes one, then removes those that need not be kept."""
        folder = self.place(progress.step)
        archive = io.BytesIO()
        torch.save(dict(state), archive)
        contents = {PROGRESS: _json(progress), STATE: archive.getvalue()}
        hashes = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in contents.items()}
        contents[MANIFEST] = _json(Manifest(files=hashes))
        partial = _beside(folder, "new")
        partial.mkdir(parents=True)
        for name, content in contents.items():
            (partial / name).write_bytes(content)
        sync_folder(partial)
        if folder.exists():
            _remove(folder)
        partial.rename(folder)
        sync_entry(self.run_folder)
        self._prune(progress)
        return folder

    def _prune(self, progress: Progress) -> None:
        best = next((each.step for each in progress.epochs if each.epoch == progress.best_epoch), None)
        steps = _checkpoints(self.run_folder)
        kept = {*sorted(steps)[-self._keep_last :], best}
        for step, folder in steps.items():
            if step not in kept:
                _remove(folder)


def _checkpoints(run_folder: Path) -> dict[int, Path]:
    """Folders of whole checkpoints by their step."""
    found = {}
    for folder in run_folder.glob("checkpoint_*"):
        if match := re.fullmatch(r"checkpoint_(\d+)", folder.name):
            found[int(match[1])] = folder
    return found


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}.{os.getpid()}{PARTIAL}")


def _remove(folder: Path) -> None:
    """Removes a checkpoint so that it is never seen without one of its files."""
    doomed = _beside(folder, "old")
    folder.rename(doomed)
    remove_folder(doomed)


def _json(document: BaseModel) -> bytes:
    return document.model_dump_json(indent=2).encode() + b"\n"


def _parse(kind: type[T], path: Path) -> T:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{shown_path(path)}: is missing: this is no checkpoint; {_others(path.parent)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise DataError(f"{shown_path(path)}: {place}: {first['msg']}; {_others(path.parent)}") from error


def _require_whole(folder: Path, name: str, manifest: Manifest) -> None:
    path = folder / name
    if not path.is_file():
        raise DataError(f"{shown_path(path)}: is missing; {_others(folder)}")
    found, expected = sha256_file(path), manifest.files.get(name)
    if found != expected:
        raise DataError(
            f"{shown_path(path)}: is damaged: its hash is {found}, {MANIFEST} says {expected}; {_others(folder)}"
        )


def _require_world(folder: Path, progress: Progress, world: int) -> None:
    if progress.world != world:
        raise ConfigError(
            f"{shown_path(folder)}: was written by a group of {progress.world}, found one of {world}: "
            "their shares of a batch would be others"
        )


def _others(folder: Path) -> str:
    others = [each.name for _, each in sorted(_checkpoints(folder.parent).items()) if each.name != folder.name]
    return f"beside it: {', '.join(others)}" if others else "there is no other one beside it"


def _require_same(folder: Path, saved: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> None:
    for key in [*saved, *(key for key in now if key not in saved)]:
        if saved.get(key) != now.get(key):
            raise ConfigError(
                f"{shown_path(folder)}: was written with {key} {saved.get(key)!r}, found {now.get(key)!r}; "
                "a resumed training keeps what it began with"
            )
