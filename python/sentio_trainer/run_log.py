"""The records that every run keeps: `train_log.csv`, a row each epoch, and `metrics.jsonl`, a line each few steps."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

from sentio_trainer.errors import SentioError
from sentio_trainer.files import write_atomic
from sentio_trainer.paths import shown_path
from sentio_trainer.run_folder import METRICS, TRAIN_LOG
from sentio_trainer.watch import Epoch, Steps

_COLUMNS = tuple(field.name for field in fields(Epoch))
_WHOLE = ("epoch", "step")


class RunLog:
    """Writes both. `train_log.csv` is replaced as a whole; a kill can only tear the last line of `metrics.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._epochs: list[Epoch] = []
        self._lines: TextIO | None = None

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        """Drops what was recorded of steps after `step`."""
        self._epochs = list(epochs)
        write_atomic(self._folder / TRAIN_LOG, train_log(self._epochs))
        path = self._folder / METRICS
        kept = [line for line in read_metrics(path) if line["step"] <= step]
        write_atomic(path, "".join(map(_line, kept)).encode())
        self._lines = path.open("a", encoding="utf-8")

    def on_steps(self, steps: Steps) -> None:
        self._append({"kind": "steps", **asdict(steps)})

    def on_epoch(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        write_atomic(self._folder / TRAIN_LOG, train_log(self._epochs))
        self._append({"kind": "epoch", **asdict(epoch)})

    def close(self, status: str) -> None:
        del status
        if self._lines is not None:
            self._lines.close()

    def _append(self, record: Mapping[str, Any]) -> None:
        assert self._lines is not None, "on_begin comes first"
        self._lines.write(_line(record))
        self._lines.flush()


def train_log(epochs: Iterable[Epoch]) -> bytes:
    """A header and a row each epoch; an undefined metric is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in epochs)
    return text.getvalue().encode()


def read_train_log(path: Path) -> list[Epoch]:
    """The epochs of a run; none before the first was finished."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return [Epoch(**{name: _number(name, cell) for name, cell in row.items()}) for row in rows]
    except (TypeError, ValueError) as error:
        raise SentioError(f"{shown_path(path)}: is not a training log: {error}") from error


def _number(name: str, cell: str) -> Any:
    if name in _WHOLE:
        return int(cell)
    return float(cell) if cell else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All lines, oldest first; a last line that was cut short is left out.

    Raises:
        SentioError: another line is not JSON.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    lines = []
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            raise SentioError(f"{shown_path(path)}:{number}: is not JSON: {error}") from error
    return lines


def _line(record: Mapping[str, Any]) -> str:
    # JSON has no infinity, which the norm of a gradient may be.
    cells = {key: None if isinstance(cell, float) and not math.isfinite(cell) else cell for key, cell in record.items()}
    return json.dumps(cells, allow_nan=False) + "\n"
