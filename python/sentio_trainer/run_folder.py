"""The folder of one training, `<runs_dir>/<model id>/<version>-<time>/`: its configuration, what it ran on, its end.

`run.json` is replaced as a whole whenever something is known, so that it says what is true of a run that was killed.
"""

import json
import platform
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentio_trainer.artifact import to_json, versions_document
from sentio_trainer.checkpoint import newest_checkpoint
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import DataSet
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.files import exclusive_lock, remove_folder, sync_folder, time_for_name, write_atomic
from sentio_trainer.machine import cpu_name
from sentio_trainer.paths import shown_path

SCHEMA_VERSION = "1.0"
RUN = "run.json"
CONFIG = "config.yaml"
TRAIN_LOG = "train_log.csv"
METRICS = "metrics.jsonl"
LATEST = "latest"
CHECKPOINT_PREFIX = "checkpoint_"

# What a run that is gone on with is read for.
_GONE_ON_WITH = ("model_id", "version", "status", "duration_s", "resumed", "phases_s")
_TIME = r"\d{8}T\d{6}\.\d{3}Z"
_ABSOLUTE_FOLDER = re.compile(r"""(?<![^\s'"(=])/(?:[^\s/:'"]+/)*""")


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A run to go on with."""

    folder: Path
    checkpoint: Path | None  # the one to begin at; None: there is none yet, and the run begins anew


class RunFolder:
    """The folder of a training that this process writes."""

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self.folder = folder
        self._document = document
        self._earlier_s = float(document["duration_s"])
        self._began = time.perf_counter()

    @property
    def name(self) -> str:
        """`<model id>/<version>-<time>`."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def document(self) -> dict[str, Any]:
        """What run.json holds."""
        return self._document

    @property
    def duration_s(self) -> float:
        """Of all its parts, where it was interrupted and gone on with."""
        return round(self._earlier_s + time.perf_counter() - self._began, 3)

    def note(self, **facts: Any) -> None:
        """Adds facts to run.json: `data`, `verdict`, `metrics`, …"""
        self._document.update(facts)
        self._write()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Times a part of the training; a part that comes again adds to its time."""
        began = time.perf_counter()
        try:
            yield
        finally:
            phases = self._document["phases_s"]
            phases[name] = round(phases.get(name, 0.0) + time.perf_counter() - began, 3)
            self._write()

    def _write(self) -> None:
        self._document["duration_s"] = self.duration_s
        write_atomic(self.folder / RUN, to_json(self._document))

    @contextmanager
    def _written_by_us(self, **facts: Any) -> Iterator["RunFolder"]:
        """Keeps other processes out, and says at the end how the run ended."""
        try:
            with exclusive_lock(self.folder / ".lock", wait=False):
                self.note(**facts)
                try:
                    yield self
                except (KeyboardInterrupt, SystemExit, StoppedError):
                    self._end("interrupted")
                    raise
                except BaseException as error:
                    self._end("failed", error=_told(error))
                    raise
                self._end("finished")
        except BlockingIOError as error:
            raise SentioError(f"{shown_path(self.folder)}: another process is writing this run") from error

    def _end(self, status: str, *, error: str | None = None) -> None:
        self.note(status=status, error=error, ended_at=_iso(_now()))


@contextmanager
def open_run(loaded: LoadedConfig, *, device: torch.device, processes: int = 1) -> Iterator[RunFolder]:
    """Makes the folder of a new run and holds it; how it is left becomes the run's status."""
    parent, version = _place(loaded)
    began = _now()
    document = {
        "schema_version": SCHEMA_VERSION,
        "id": secrets.token_hex(6),
        "model_id": parent.name,
        "version": version,
        "status": "running",
        "started_at": _iso(began),
        "ended_at": None,
        "duration_s": 0.0,
        "resumed": [],
        **_circumstances(loaded, device=device, processes=processes),
        "data": [],
        "phases_s": {},
        "verdict": None,
        "metrics": {},
        "error": None,
    }
    folder = _make_folder(parent, version, began, {RUN: to_json(document), CONFIG: loaded.to_yaml().encode()})
    with RunFolder(folder, document)._written_by_us() as run:
        yield run


@contextmanager
def resume_run(
    found: FoundRun, loaded: LoadedConfig, *, device: torch.device, processes: int = 1
) -> Iterator[RunFolder]:
    """Goes on in the folder of an earlier run.

    Raises:
        ConfigError: it is the run of another model or version, or it finished.
        SentioError: another process is writing it.
    """
    parent, version = _place(loaded)
    document = read_run(found.folder)
    of, wanted = f"{document['model_id']}/{document['version']}", f"{parent.name}/{version}"
    if of != wanted:
        raise ConfigError(f"{shown_path(found.folder)}: is a run of {of}, and export.out_dir is that of {wanted}")
    if document["status"] == "finished":
        raise ConfigError(f"{shown_path(found.folder)}: this run finished at {document['ended_at']}; begin a new one")
    checkpoint = found.checkpoint.name if found.checkpoint else None
    resumed = {"at": _iso(_now()), "checkpoint": checkpoint, "after": document["status"]}
    facts = {
        **_circumstances(loaded, device=device, processes=processes),
        "status": "running",
        "ended_at": None,
        "error": None,
        "resumed": [*document["resumed"], resumed],
    }
    with RunFolder(found.folder, document)._written_by_us(**facts) as run:
        write_atomic(found.folder / CONFIG, loaded.to_yaml().encode())
        yield run


def data_document(data: DataSet, sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bars of a run, for `note(data=…)`; `sources` are the configuration's, whose paths mean the same elsewhere."""
    return [
        {
            "symbol": each.symbol,
            "file": sources[each.symbol],
            "sha256": each.file_hash,
            "rows": len(each),
            "interval_s": each.interval_s,
            "synthetic": each.synthetic is not None,
        }
        for each in data.series
    ]


def read_run(folder: Path) -> dict[str, Any]:
    """What run.json says.

    Raises:
        SentioError: it is not there, or not a run's.
    """
    path = folder / RUN
    try:
        document = json.loads(path.read_bytes())
        major = str(document["schema_version"]).partition(".")[0]
    except FileNotFoundError:
        raise SentioError(f"{shown_path(folder)}: is not the folder of a run: it has no {RUN}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SentioError(f"{shown_path(path)}: is not a run's: {error!r}") from error
    if major != SCHEMA_VERSION.partition(".")[0]:
        raise SentioError(f"{shown_path(path)}: has schema {document['schema_version']}, this program reads 1.x")
    if missing := [name for name in _GONE_ON_WITH if name not in document]:
        raise SentioError(f"{shown_path(path)}: is not a run's: it has no {', '.join(missing)}")
    return dict(document)


def find_run(loaded: LoadedConfig, which: str) -> FoundRun:
    """The run that `--resume-from` means.

    Args:
        loaded: names the runs folder, the model and the version.
        which: `latest`, or the folder of a run or of one of its checkpoints.

    Raises:
        ConfigError: there is none, with what there is.
    """
    parent, version = _place(loaded)
    if which == LATEST:
        runs = runs_of(parent, version)
        if not runs:
            raise ConfigError(f"--resume-from {LATEST}: no run of {version} in {shown_path(parent)}{_there(parent)}")
        return FoundRun(folder=runs[-1], checkpoint=newest_checkpoint(runs[-1]))
    folder = Path(which).resolve()
    if (folder / RUN).is_file():
        return FoundRun(folder=folder, checkpoint=newest_checkpoint(folder))
    if folder.name.startswith(CHECKPOINT_PREFIX) and (folder.parent / RUN).is_file():
        if folder.is_dir():
            return FoundRun(folder=folder.parent, checkpoint=folder)
        names = sorted(each.name for each in folder.parent.glob(f"{CHECKPOINT_PREFIX}*"))
        there = f"there are {', '.join(names)}" if names else "the run has none"
        raise ConfigError(f"--resume-from {which}: no such checkpoint; {there}")
    what = "is neither a run nor a checkpoint of one" if folder.exists() else "no such folder"
    raise ConfigError(f"--resume-from {which}: {what}{_there(parent)}")


def runs_of(parent: Path, version: str) -> list[Path]:
    """The runs of a version in its model's folder, oldest first."""
    name = re.compile(rf"{re.escape(version)}-{_TIME}")
    return sorted(each.parent for each in parent.glob(f"*/{RUN}") if name.fullmatch(each.parent.name))


def _place(loaded: LoadedConfig) -> tuple[Path, str]:
    """The folder of a model's runs, and the version."""
    artifact = loaded.path(loaded.config.export.out_dir)
    return loaded.path(loaded.config.tracking.runs_dir) / artifact.parent.name, artifact.name


def _there(parent: Path) -> str:
    # A name that begins with a dot is a folder that was never finished.
    names = sorted(each.parent.name for each in parent.glob(f"[!.]*/{RUN}"))
    return f"; {shown_path(parent)} has {', '.join(names)}" if names else f"; {shown_path(parent)} has no runs"


def _make_folder(parent: Path, version: str, began: datetime, files: dict[str, bytes]) -> Path:
    """A folder that is whole or absent, under a name that no other run has."""
    parent.mkdir(parents=True, exist_ok=True)
    partial = parent / f".{version}.{secrets.token_hex(6)}.partial"
    try:
        partial.mkdir()
        for name, content in files.items():
            (partial / name).write_bytes(content)
        sync_folder(partial)
        while True:
            folder = parent / f"{version}-{time_for_name(began)}"
            try:
                folder.mkdir()  # taken; an empty folder gives way to the rename
            except FileExistsError:
                began += timedelta(milliseconds=1)
            else:
                return partial.rename(folder)
    finally:
        remove_folder(partial)


def _circumstances(loaded: LoadedConfig, *, device: torch.device, processes: int) -> dict[str, Any]:
    """What may be another thing when a run goes on."""
    on_gpu = device.type == "cuda"
    return {
        "seed": loaded.config.training.seed,
        "device": {"kind": str(device), "name": torch.cuda.get_device_name(device) if on_gpu else cpu_name()},
        "threads": torch.get_num_threads(),
        "processes": processes,
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "versions": {**versions_document(loaded.root), "numpy": np.__version__},
    }


def _told(error: BaseException) -> str:
    """The text of an error that is meant for a reader, else its kind; without folders that only this machine has."""
    if not isinstance(error, SentioError):
        return type(error).__name__
    return _ABSOLUTE_FOLDER.sub("", " ".join(str(error).split()))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
