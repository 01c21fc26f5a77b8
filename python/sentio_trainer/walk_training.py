"""One window of a walk-forward: its rows, its training, and its artifact, which is frozen from then on."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentio_inference
import torch

from sentio_trainer import ledger
from sentio_trainer.artifact import METADATA, reserve_artifact
from sentio_trainer.assessment import choose, in_time_order
from sentio_trainer.bars import Int64
from sentio_trainer.config import LoadedConfig
from sentio_trainer.cross_validation import cut_validation, label_spans, stretches
from sentio_trainer.data_set import median_interval_ns
from sentio_trainer.distributed import Group
from sentio_trainer.errors import ArtifactError, DataError
from sentio_trainer.learning import learn
from sentio_trainer.model_artifact import Outcome, save_artifact
from sentio_trainer.paths import shown_path
from sentio_trainer.recording import recorded
from sentio_trainer.report import Report, WarningsOnly
from sentio_trainer.rows import RowSet
from sentio_trainer.samples import Samples
from sentio_trainer.splits import Split
from sentio_trainer.thresholds import Venue
from sentio_trainer.walk_windows import Cut, Window

SECTION = "walk_forward"


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What all windows of a walk-forward share."""

    loaded: LoadedConfig
    samples: Samples
    cut: Cut
    study: str  # its name in the ledger
    folder: Path  # of the artifacts, <out>/artifacts/<model id>
    trials: Path  # the ledger
    data_hash: str
    venue: Venue
    device: torch.device

    def origin(self, window: Window) -> dict[str, Any]:
        """What the metadata of a window's artifact says of where it comes from."""
        return {
            "window": window.number,
            "cut": self.cut.document(),
            "config_hash": ledger.hash_config(self.loaded.config),
            "data_hash": self.data_hash,
            "test_begin": str(np.datetime64(int(clock_of(self.samples)[window.test_begin]), "ns")) + "Z",
        }


def clock_of(samples: Samples) -> Int64:
    """The times at which any symbol has a bar, ascending."""
    data = samples.data
    return data.time_ns if len(data.series) == 1 else np.unique(data.time_ns)


def require_interval_known(samples: Samples, before_ns: int) -> None:
    """Makes sure that the bars before a time have the usual distance that all have: labels and windows ask for it.

    Raises:
        DataError: later bars would change what earlier samples are.
    """
    data = samples.data
    for series in data.series:
        times = data.time_ns[series.rows]
        times = times[: int(np.searchsorted(times, before_ns))]
        if len(times) < 2:
            continue
        interval_s = median_interval_ns(times) / 1e9
        if interval_s != series.interval_s:
            raise DataError(
                f"{shown_path(series.path)}: bars of {interval_s:g} s in the first training and of "
                f"{series.interval_s:g} s over all: the later ones would say what an early hole is"
            )


def window_rows(walk: Walk, window: Window) -> Split:
    """Rows to learn from and to choose by, as `data.split` shares them out; none to test.

    Bars and labels lie within the window: no label ends less than `data.split.embargo` bars before the test begins.

    Raises:
        DataError: a part is left without rows.
    """
    samples, split = walk.samples, walk.loaded.config.data.split
    usable_rows = np.flatnonzero(samples.eligible)
    order = in_time_order(samples.data, usable_rows)
    spans = label_spans(samples, order)
    learnable = np.flatnonzero((spans.begin >= window.train_begin) & (spans.end < window.test_begin - split.embargo))
    share = split.validation / (split.train + split.validation)
    empty = np.empty(0, dtype=np.int64)
    parts = (empty, empty)
    if len(learnable):
        parts = cut_validation(spans, learnable, share=share, embargo=split.embargo)
    for what, part in zip(("learn from", "choose by"), parts, strict=True):
        if not len(part):
            raise DataError(
                f"window {window.number}: no rows left to {what}: {len(learnable)} samples before the test, embargo "
                f"{split.embargo}; raise --train, or lower data.split.embargo or label.horizon"
            )
    train, validation = (
        RowSet(ranges=stretches(samples.data, usable_rows, order[part]), usable=samples.eligible) for part in parts
    )
    return Split(train=train, validation=validation, test=RowSet(ranges=(), usable=samples.eligible))


def train_window(walk: Walk, window: Window, report: Report) -> None:
    """Trains, chooses the thresholds on the validation rows after costs, and seals the artifact.

    Raises:
        As `learn` does; nothing is left of the artifact then.
    """
    began = time.perf_counter()
    loaded, samples = walk.loaded, walk.samples
    quiet = WarningsOnly(report)
    with reserve_artifact(walk.folder / window.name, overwrite=False, report=quiet) as slot:
        split = window_rows(walk, window)
        changed = {ledger.WALKED_BY: str(walk.cut)}
        with recorded(
            loaded, walk.trials, data_hash=walk.data_hash, study=walk.study, trial=window.number, changed=changed
        ) as tried:
            learned = learn(
                samples,
                loaded.config,
                train=split.train,
                validation=split.validation,
                group=Group(device=walk.device),
                report=quiet,
            )
            tried.best = learned.fit.best
        choice = choose(loaded, samples, learned, split.validation, walk.venue, walk.device)
        outcome = Outcome(
            samples=samples,
            split=split,
            learned=learned,
            choice=choice,
            evaluation=None,
            device=walk.device,
            duration_s=time.perf_counter() - began,
            origin={SECTION: walk.origin(window)},
        )
        save_artifact(slot, loaded, outcome)


def is_trained(walk: Walk, window: Window) -> bool:
    """Whether the artifact of a window is there."""
    return (walk.folder / window.name).exists()


def frozen(walk: Walk, window: Window) -> sentio_inference.Artifact:
    """The artifact of a window, loaded by C++ and verified: its seal, its files, its probe, and whose it is.

    Raises:
        ArtifactError: it was altered, or is of another walk-forward.
    """
    folder = walk.folder / window.name
    try:
        artifact = sentio_inference.Artifact.load(folder)
    except sentio_inference.ArtifactError as error:
        raise ArtifactError(f"{error}; remove the folder and go on with --resume") from error
    found, wanted = artifact.metadata.get(SECTION), walk.origin(window)
    if found != wanted:
        raise ArtifactError(
            f"{shown_path(folder / METADATA)}: {SECTION}: is of another walk-forward or window: "
            f"{_first_other(found, wanted)}"
        )
    return artifact


def _first_other(found: Any, wanted: Mapping[str, Any]) -> str:
    if not isinstance(found, dict):
        return f"found {json.dumps(found)}"
    key = next(key for key in [*wanted, *found] if found.get(key) != wanted.get(key))
    return f"{key} is {json.dumps(found.get(key))}, {json.dumps(wanted.get(key))} is wanted"
