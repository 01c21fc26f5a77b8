"""The files of an artifact: the scripted model, the spec, the probe, and what metadata says of the training."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sentio_trainer.artifact import ArtifactSlot, to_json, versions_document
from sentio_trainer.bars import Int64
from sentio_trainer.batches import gather
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import DataSet
from sentio_trainer.evaluation import Evaluation, evaluation_document, metrics_document
from sentio_trainer.export import torchscript_bytes
from sentio_trainer.exports import Probe, exports
from sentio_trainer.graph import graph_files
from sentio_trainer.learning import Learned
from sentio_trainer.run_log import train_log
from sentio_trainer.samples import Samples, row_span
from sentio_trainer.splits import Split
from sentio_trainer.thresholds import Choice

# Numbers in a probe, at most: a reader refuses documents that fill its memory.
_PROBE_NUMBERS = 1 << 20
# Rows of a part that the probe's are chosen from: the numbers of all rows of a long part would fill the memory.
_PROBED_ROWS = 100_000
# The verdict of a model whose test is not among its own rows.
NOT_TESTED = "not tested on these bars"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a training came to."""

    samples: Samples
    split: Split
    learned: Learned
    choice: Choice
    evaluation: Evaluation | None  # None: it is tested elsewhere, and `split.test` holds no rows
    device: torch.device
    duration_s: float
    origin: Mapping[str, Any] = field(default_factory=dict)  # further sections of the metadata


def save_artifact(slot: ArtifactSlot, loaded: LoadedConfig, outcome: Outcome) -> None:
    """Writes the artifact; the model is on the CPU afterwards."""
    config, samples, spec = loaded.config, outcome.samples, outcome.samples.data.spec
    rows = max(1, min(config.export.probe_rows, _PROBE_NUMBERS // (samples.window * spec.width)))
    inputs = gather(samples.data.x, _probe_rows(outcome, rows), window=samples.window)
    archive, logits = torchscript_bytes(outcome.learned.model, torch.from_numpy(inputs))
    # A float32 is written as the double of the same value, so reading it back gives the same bits.
    probe = {"inputs": inputs.astype(np.float64).tolist(), "logits": logits.double().tolist()}
    files = {
        "model.pt": archive,
        **graph_files(outcome.learned.model, window=samples.window, inputs=spec.width),
        "feature_spec.json": spec.to_json().encode(),
        "probe.json": to_json(probe),
        "config.yaml": loaded.to_yaml().encode(),
        "train_log.csv": train_log(outcome.learned.fit.epochs),
    }
    files |= exports(config.export.formats, files, Probe(inputs=inputs, logits=logits.numpy()))
    slot.write(files, _metadata(loaded, outcome))


def _metadata(loaded: LoadedConfig, outcome: Outcome) -> dict[str, Any]:
    config, samples, model, best = loaded.config, outcome.samples, outcome.learned.model, outcome.learned.fit.best
    data, split, evaluation = samples.data, outcome.split, outcome.evaluation
    spec = data.spec
    validation = {
        "validation_loss": best.loss,
        "validation_auc": best.auc,
        "validation_ic": best.ic,
        "validation_rank_ic": best.rank_ic,
        "validation_return_after_costs": outcome.choice.validation_return,
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
        "decision": outcome.choice.decision,
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
            "test": row_span(samples, split.test) if split.test.count() else None,
        },
        "label": config.label.model_dump(),
        "training": {
            "seed": config.training.seed,
            "epochs_run": len(outcome.learned.fit.epochs),
            "best_epoch": best.epoch,
            "device": str(outcome.device),
            "duration_s": round(outcome.duration_s, 3),
            "verdict": NOT_TESTED if evaluation is None else evaluation.verdict,
            "metrics": {
                "train_loss": best.train_loss,
                **validation,
                **({} if evaluation is None else metrics_document(evaluation)),
            },
            "evaluation": None if evaluation is None else evaluation_document(evaluation),
        },
        **outcome.origin,
        "versions": versions_document(loaded.root),
    }


def _probe_rows(outcome: Outcome, count: int) -> Int64:
    """Rows of all parts, spread evenly: the inputs that C++ replays."""
    split = outcome.split
    parts = [rows for rows in (split.train, split.validation, split.test) if rows.count()]
    share = -(-count // len(parts))
    spread = []
    for rows in parts:
        indices = rows.thinned(_PROBED_ROWS).indices()
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
