"""`trials.csv`: every model that was tried, one row each. Who picks the best of many must know of how many."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sentio_trainer.errors import ArtifactError
from sentio_trainer.files import exclusive_lock
from sentio_trainer.paths import shown_path
from sentio_trainer.schema import Config
from sentio_trainer.watch import Epoch

LEDGER = "trials.csv"
# How the studies of cross-validations are called: `validate-<UTC time>`, a trial for each split.
VALIDATION = "validate-"
# How those of walk-forwards are: `walkforward-<UTC time>`, a trial for each window.
WALK_FORWARD = "walkforward-"
# Where such a trial says, among what is changed, how its history was cut.
WALKED_BY = "walkforward"
STATUSES = ("finished", "pruned", "interrupted", "failed")

# Keys that say how a model is computed or looked at and where it goes: changing them makes no other model.
_OUTSIDE = ("tracking", "export")
_HOW = {
    "data": ("cache_dir",),
    "evaluation": ("cross_validation",),
    "training": ("device", "compile", "num_workers", "prefetch_factor", "checkpoint_steps", "keep_last"),
}
# Keys that configurations did not always have: at these values they make the model that was made without them.
_LATER = {"model": {"activation": "gelu"}}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One row: a model that was tried, and what its validation rows said."""

    time: str  # when it ended, ISO 8601 in UTC
    version: str  # of the artifact that it was for
    study: str | None  # the sweep that it belongs to; None: an ordinary training
    trial: int | None  # its number in the study
    status: str  # one of STATUSES
    changed: Mapping[str, Any]  # keys that set it apart: drawn by the sweep, or given beside the file
    seed: int
    epoch: int | None  # the best one; None: no epoch was validated
    loss: float | None
    auc: float | None
    ic: float | None
    rank_ic: float | None
    config_hash: str
    data_hash: str


COLUMNS = tuple(field.name for field in fields(Trial))
_WHOLE = ("trial", "seed", "epoch")
_REAL = ("loss", "auc", "ic", "rank_ic")


def trial_of(
    config: Config,
    best: Epoch | None,
    *,
    version: str,
    study: str | None,
    trial: int | None,
    status: str,
    changed: Mapping[str, Any],
    data_hash: str,
) -> Trial:
    """The row of a training that ends now; `best` is None where no epoch was validated."""
    return Trial(
        time=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version,
        study=study,
        trial=trial,
        status=status,
        changed=changed,
        seed=config.training.seed,
        epoch=best.epoch if best else None,
        loss=best.loss if best else None,
        auc=best.auc if best else None,
        ic=best.ic if best else None,
        rank_ic=best.rank_ic if best else None,
        config_hash=hash_config(config),
        data_hash=data_hash,
    )


def ledger_path(artifact: Path) -> Path:
    """The ledger of the model whose artifact is `<model id>/<version>`."""
    return artifact.parent / LEDGER


def hash_config(config: Config) -> str:
    """The same for two configurations that make the same model."""
    document = config.model_dump(mode="json")
    for section in _OUTSIDE:
        del document[section]
    for section, names in _HOW.items():
        for name in names:
            del document[section][name]
    for section, values in _LATER.items():
        for name, value in values.items():
            if document[section][name] == value:
                del document[section][name]
    return _hash(document)


def hash_data(files: Mapping[str, str]) -> str:
    """The same for the same bars of the same symbols: `files` are each symbol's file hash."""
    return _hash(files)


def _hash(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def append(path: Path, trial: Trial) -> None:
    """Adds a row; processes may do so at once. A row that a dying process left unfinished is cut off.

    Raises:
        ArtifactError: the file is another one, or from a version with other columns.
    """
    row = _row(trial)
    with exclusive_lock(path.with_name(f".{path.name}.lock"), wait=True), path.open("ab+") as file:
        file.seek(0)
        whole = file.read()
        kept = whole[: whole.rfind(b"\n") + 1]
        _check_header(kept, path)
        if len(kept) < len(whole):
            file.truncate(len(kept))
        file.write(row if kept else _line(COLUMNS) + row)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[Trial]:
    """All whole rows, oldest first; none where there is no ledger.

    Raises:
        ArtifactError: the file is not a ledger, with the line.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    _check_header(content, path)
    trials = []
    # No cell holds an end of line, so that rows are lines.
    for number, row in enumerate(csv.reader(io.StringIO(content.decode())), start=1):
        if number == 1:
            continue
        try:
            trials.append(_trial(row))
        except (ValueError, TypeError) as error:
            raise ArtifactError(f"{shown_path(path)}:{number}: not a row of a ledger: {error}") from error
    return trials


def count(path: Path, *, data_hash: str | None = None, tested: bool = False, validated: bool = False) -> int:
    """How many models somebody could have picked from: distinct configurations, seeds included, with metrics.

    Args:
        path: the ledger.
        data_hash: counts those on these data alone.
        tested: counts those alone whose test period was looked at: not what was interrupted, nor trials of a study but
            for walk-forwards, which test on all bars.
        validated: counts those alone that were cross-validated.
    """
    return len(
        {
            trial.config_hash
            for trial in read(path)
            if trial.epoch is not None
            and data_hash in (None, trial.data_hash)
            and not (tested and (not _is_tested(trial) or trial.status != "finished"))
            and not (validated and not (trial.study or "").startswith(VALIDATION))
        }
    )


def _is_tested(trial: Trial) -> bool:
    return trial.study is None or trial.study.startswith(WALK_FORWARD)


def count_walked(path: Path, *, data_hash: str) -> int:
    """How many walk-forwards over these data somebody could have picked from.

    The windows of one are one: they are the same configuration. Another configuration, seed included, is another, and
    so is the same one over a history that is cut in another way.
    """
    return len(
        {
            (trial.config_hash, trial.changed.get(WALKED_BY))
            for trial in read(path)
            if (trial.study or "").startswith(WALK_FORWARD) and trial.epoch is not None and trial.data_hash == data_hash
        }
    )


def _check_header(content: bytes, path: Path) -> None:
    header = content.partition(b"\n")[0]
    if content and header != _line(COLUMNS).rstrip(b"\n"):
        raise ArtifactError(
            f"{shown_path(path)}:1: must be the columns {','.join(COLUMNS)}, "
            f"found '{header.decode(errors='replace')}'; move the file away to begin another"
        )


def _row(trial: Trial) -> bytes:
    if trial.status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}, found '{trial.status}'")
    cells = asdict(trial)
    cells["changed"] = json.dumps(cells["changed"], ensure_ascii=False, allow_nan=False)
    return _line(["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in cells.values()])


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _trial(row: list[str]) -> Trial:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} cells expected, found {len(row)}")
    cells: dict[str, Any] = {name: cell or None for name, cell in zip(COLUMNS, row, strict=True)}
    for names, kind in ((_WHOLE, int), (_REAL, float)):
        cells.update((name, kind(cells[name])) for name in names if cells[name] is not None)
    cells["changed"] = json.loads(cells["changed"] or "")
    return Trial(**cells)
