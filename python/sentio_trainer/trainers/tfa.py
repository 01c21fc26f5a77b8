"""TFA: one row of features in, the logit of the coming direction out, by an MLP."""

import csv
import io
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from sentio_trainer.artifact import ArtifactSlot, reserve_artifact, to_json, versions_document
from sentio_trainer.assessment import assess, choose
from sentio_trainer.batches import gather
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import DataSet
from sentio_trainer.device import pick_device
from sentio_trainer.evaluation import Evaluation, evaluation_document, metrics_document
from sentio_trainer.export import torchscript_bytes
from sentio_trainer.learning import Learned, learn
from sentio_trainer.loop import Fit
from sentio_trainer.report import Report
from sentio_trainer.samples import Samples, load_samples, row_span
from sentio_trainer.splits import Split, purged_split
from sentio_trainer.thresholds import Choice, Venue
from sentio_trainer.trainer import Trained


@dataclass(frozen=True, kw_only=True)
class Run:
    """What training came to, for the artifact."""

    samples: Samples
    split: Split
    learned: Learned
    choice: Choice
    evaluation: Evaluation
    device: torch.device
    duration_s: float


def train(loaded: LoadedConfig, *, overwrite: bool, report: Report) -> Trained:
    """Bars to artifact."""
    config = loaded.config
    device = pick_device(config.training.device)
    venue = Venue.of(loaded)
    venue.check()
    folder = loaded.path(config.export.out_dir)
    with reserve_artifact(folder, overwrite=overwrite, report=report) as slot:
        began = time.perf_counter()
        samples = load_samples(loaded, report)
        split = split_samples(samples, loaded, report)
        learned = learn(samples, config, train=split.train, validation=split.validation, device=device, report=report)
        choice = choose(loaded, samples, learned, split.validation, venue, device)
        report.say(choice.told)
        evaluation = assess(
            loaded, samples, learned, choice, train=split.train, test=split.test, venue=venue, looks=1, device=device
        )
        run = Run(
            samples=samples,
            split=split,
            learned=learned,
            choice=choice,
            evaluation=evaluation,
            device=device,
            duration_s=time.perf_counter() - began,
        )
        _save(slot, loaded, run)
    return Trained(folder=folder, evaluation=evaluation)


def split_samples(samples: Samples, loaded: LoadedConfig, report: Report) -> Split:
    """Train, validation and test, by time."""
    data = samples.data
    split = purged_split(
        data.time_ns,
        [series.rows for series in data.series],
        samples.labels.end,
        samples.eligible,
        loaded.config.data.split,
    )
    counts = [rows.count() for rows in (split.train, split.validation, split.test)]
    report.say(
        f"rows: {counts[0]:,} train, {counts[1]:,} validation, {counts[2]:,} test; "
        f"{len(data) - sum(counts):,} left out (warm-up, no label, holes, borders)"
    )
    return split


def _save(slot: ArtifactSlot, loaded: LoadedConfig, run: Run) -> None:
    config, samples, spec = loaded.config, run.samples, run.samples.data.spec
    inputs = gather(samples.data.x, _probe_rows(run, config.export.probe_rows), window=samples.window)
    archive, logits = torchscript_bytes(run.learned.model, torch.from_numpy(inputs))
    # A float32 is written as the double of the same value, so reading it back gives the same bits.
    probe = {"inputs": inputs.astype(np.float64).tolist(), "logits": logits.double().tolist()}
    files = {
        "model.pt": archive,
        "feature_spec.json": spec.to_json().encode(),
        "probe.json": to_json(probe),
        "config.yaml": loaded.to_yaml().encode(),
        "train_log.csv": _train_log(run.learned.fit),
    }
    slot.write(files, _metadata(loaded, run))


def _metadata(loaded: LoadedConfig, run: Run) -> dict[str, Any]:
    config, samples, model, best = loaded.config, run.samples, run.learned.model, run.learned.fit.best
    data, split = samples.data, run.split
    spec = data.spec
    validation = {
        "validation_loss": best.loss,
        "validation_auc": best.auc,
        "validation_ic": best.ic,
        "validation_rank_ic": best.rank_ic,
        "validation_return_after_costs": run.choice.validation_return,
    }
    return {
        "expects": {
            "input_dim": spec.width,
            "feature_names": list(spec.names),
            "spec_hash": spec.hash,
            "emit_from": spec.emit_from,
            "settle": spec.settle,
            "pad_value": spec.pad_value,
            "dtype": "float32",
            "output": "logit",
            "layout": "BF" if samples.window == 1 else "BTF",
            "sequence_length": samples.window,
        },
        "decision": run.choice.decision,
        "normalization": {
            "mean": model.mean.double().tolist(),
            "std": model.std.double().tolist(),
            "clip": config.model.clip,
            "baked_in": True,
        },
        "data": {
            "symbols": [series.symbol for series in data.series],
            "bar_interval_s": data.interval_s,
            "session": config.data.calendar,
            "files": _file_hashes(loaded, data),
            "synthetic": data.synthetic is not None,
            "synthetic_market": data.synthetic,
            "rows": len(data),
            "train": row_span(samples, split.train),
            "validation": row_span(samples, split.validation),
            "test": row_span(samples, split.test),
        },
        "label": config.label.model_dump(),
        "training": {
            "seed": config.training.seed,
            "epochs_run": len(run.learned.fit.epochs),
            "best_epoch": best.epoch,
            "device": str(run.device),
            "duration_s": round(run.duration_s, 3),
            "verdict": run.evaluation.verdict,
            "metrics": {"train_loss": best.train_loss, **validation, **metrics_document(run.evaluation)},
            "evaluation": evaluation_document(run.evaluation),
        },
        "versions": versions_document(loaded.root),
    }


def _probe_rows(run: Run, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows of all parts, spread evenly: the inputs that C++ replays."""
    parts = (run.split.train, run.split.validation, run.split.test)
    share = -(-count // len(parts))
    spread = []
    for rows in parts:
        indices = rows.indices()
        spread.append(indices[np.linspace(0, len(indices) - 1, share).round().astype(np.int64)])
    return np.unique(np.concatenate(spread))[:count]


def _file_hashes(loaded: LoadedConfig, data: DataSet) -> dict[str, str]:
    """By file name; by path from the root where two files have one name."""
    names = Counter(series.path.name for series in data.series)
    paths = loaded.config.data.sources
    return {
        series.path.name if names[series.path.name] == 1 else paths[series.symbol]: series.file_hash
        for series in data.series
    }


def _train_log(result: Fit) -> bytes:
    text = io.StringIO()
    rows = [asdict(epoch) for epoch in result.epochs]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
