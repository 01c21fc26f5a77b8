"""TFA: one row of features in, the logit of the coming direction out, by an MLP."""

import csv
import io
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sentio_features import FeatureSpec, InputError, in_regular_hours

from sentio_trainer.artifact import ArtifactSlot, reserve_artifact, to_json, versions_document
from sentio_trainer.bars import BarsFile, Float64, iso_time, load_bars
from sentio_trainer.baselines import fit_logistic, last_sign, up_share
from sentio_trainer.cache import Float32, feature_matrix
from sentio_trainer.calibration import fit_calibration
from sentio_trainer.config import LoadedConfig
from sentio_trainer.dataset import BlockBatches, Moments, Rows, training_moments
from sentio_trainer.errors import DataError
from sentio_trainer.evaluation import LOGISTIC, Evaluation, evaluate, evaluation_document, metrics_document
from sentio_trainer.export import torchscript_bytes
from sentio_trainer.labels import Labels, make_labels, scaled_return
from sentio_trainer.loop import Fit, Held, direction_loss, fit, outputs, pick_device, regression_loss
from sentio_trainer.models import Mlp, Normalised
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report
from sentio_trainer.schema import Config
from sentio_trainer.scores import Forecast
from sentio_trainer.splits import Part, Split, purged_split
from sentio_trainer.thresholds import Choice, Venue, choose_thresholds, probability_of
from sentio_trainer.trainer import Trained

# A crash bar weighs as much as this many ordinary ones, not as a thousand.
MAX_MOVE_WEIGHT = 5.0


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Everything that training sees of the bars."""

    file: BarsFile
    spec: FeatureSpec
    labels: Labels
    split: Split
    rows: Rows


@dataclass(frozen=True, kw_only=True)
class Run:
    """What training came to, for the artifact."""

    samples: Samples
    model: Normalised
    fit: Fit
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
        samples = prepare(loaded, report)
        torch.manual_seed(config.training.seed)
        moments = training_moments(
            samples.rows.x, usable=samples.split.usable, part=samples.split.train, names=samples.spec.names
        )
        body = Mlp(
            inputs=samples.spec.width,
            hidden=config.model.hidden,
            layers=config.model.layers,
            dropout=config.model.dropout,
        )
        model = Normalised(body, moments, clip=config.model.clip)
        report.say(f"training on {device}: {sum(p.numel() for p in model.parameters()):,} parameters")
        batches = BlockBatches(
            samples.rows,
            samples.split.train,
            batch_size=config.training.batch_size,
            num_workers=config.training.num_workers,
            prefetch_factor=config.training.prefetch_factor,
        )
        validation = _held(samples, samples.split.validation)
        loss = direction_loss if config.label.objective == "direction" else regression_loss
        result = fit(model, batches, validation, loss, config.training, device=device, report=report)
        if config.label.objective == "regression":
            _calibrate(model, validation, device, report)
        choice = _choose(loaded, samples, model, venue, device)
        report.say(choice.told)
        evaluation = _evaluate(loaded, samples, model, moments, choice, venue, device)
        run = Run(
            samples=samples,
            model=model,
            fit=result,
            choice=choice,
            evaluation=evaluation,
            device=device,
            duration_s=time.perf_counter() - began,
        )
        _save(slot, loaded, run)
    return Trained(folder=folder, evaluation=evaluation)


def prepare(loaded: LoadedConfig, report: Report) -> Samples:
    """Bars, features, labels and split, ready to learn from."""
    config = loaded.config
    file = load_bars(loaded.path(config.data.bars_csv), on_bad_bar=config.data.on_bad_bar)
    bars = file.bars
    report.say(
        f"{config.data.symbol}: {len(bars):,} bars of {bars.interval_s:g} s from {iso_time(bars.ts[0])} "
        f"to {iso_time(bars.ts[-1])}, {shown_path(file.path)}"
    )
    if file.synthetic:
        generator = file.synthetic.get("generator", "generator not stated")
        report.warn(f"SYNTHETIC bars ({generator}): this says nothing about a real market")
    for kind in bars.skipped:
        report.warn(f"{kind['count']} bad bars left out: {kind['kind']}, first {kind['first']}")
    spec = load_spec(loaded)
    for warning in spec.warnings:
        report.warn(warning)
    x = feature_matrix(
        bars, spec, bars_hash=file.content_hash, cache_dir=loaded.path(config.data.cache_dir), say=report.say
    )
    labels = make_labels(bars, config.label, max_gap=config.data.max_gap)
    learned = labels.value
    if config.label.objective == "regression":
        learned = scaled_return(bars, labels, config.label, max_gap=config.data.max_gap)
    eligible = np.isfinite(labels.value) & np.isfinite(learned)
    # Rows that hold padding teach nothing, even where an older spec emits them.
    eligible[: max(spec.emit_from, spec.warmup)] = False
    if config.data.hours == "regular":
        eligible &= in_regular_hours(bars.ts, config.data.calendar)
    split = purged_split(labels.end, eligible, config.data.split)
    counts = [split.count(part) for part in (split.train, split.validation, split.test)]
    report.say(
        f"rows: {counts[0]:,} train, {counts[1]:,} validation, {counts[2]:,} test; "
        f"{len(bars) - sum(counts):,} left out (warm-up, no label, holes, borders)"
    )
    return Samples(file=file, spec=spec, labels=labels, split=split, rows=_rows(x, learned, split, config))


def load_spec(loaded: LoadedConfig) -> FeatureSpec:
    """The feature spec of the configuration.

    Raises:
        DataError: it is absent or wrong.
    """
    path = loaded.path(loaded.config.features.spec)
    if not path.is_file():
        raise DataError(f"{shown_path(path)}: no such feature spec (features.spec)")
    try:
        return FeatureSpec.load(str(path))
    except InputError as error:
        raise DataError(str(error)) from error


def _rows(x: Float32, learned: Float64, split: Split, config: Config) -> Rows:
    if config.label.objective == "regression":
        target, weight = np.nan_to_num(learned).astype(np.float32), np.ones_like(learned)
    else:
        size = np.abs(np.nan_to_num(learned))
        mean_size = float(size[split.indices(split.train)].mean())
        if mean_size == 0.0:
            raise DataError("every label of the training rows is 0: there is no direction to learn")
        target, weight = (learned > 0.0).astype(np.float32), np.minimum(size / mean_size, MAX_MOVE_WEIGHT)
    return Rows(x=x, target=target, weight=weight.astype(np.float32), usable=split.usable)


def _held(samples: Samples, part: Part) -> Held:
    keep = samples.split.usable[part.rows]
    return Held(
        x=samples.rows.x,
        part=part,
        keep=keep,
        target=samples.rows.target[part.rows][keep],
        weight=samples.rows.weight[part.rows][keep],
        forward_return=samples.labels.forward_return[part.rows][keep],
    )


def _calibrate(model: Normalised, validation: Held, device: torch.device, report: Report) -> None:
    output = outputs(model, validation.x, validation.part.rows, device)[validation.keep]
    moved = validation.forward_return != 0.0
    found = fit_calibration(output[moved], validation.forward_return[moved] > 0.0)
    if found.slope <= 0.0:
        report.warn(f"validation contradicts the regression (slope {found.slope:+.3g}); its output is left as it is")
        return
    model.calibrate(slope=found.slope, intercept=found.intercept)
    report.say(f"calibrated on validation: logit = {found.slope:.4g} · output {found.intercept:+.4g}")


def _choose(loaded: LoadedConfig, samples: Samples, model: Normalised, venue: Venue, device: torch.device) -> Choice:
    rows = samples.split.validation.rows
    probability = probability_of(outputs(model, samples.rows.x, rows, device))
    return choose_thresholds(samples.file.bars[rows], probability, loaded.config.decision, venue)


def _evaluate(
    loaded: LoadedConfig,
    samples: Samples,
    model: Normalised,
    moments: Moments,
    choice: Choice,
    venue: Venue,
    device: torch.device,
) -> Evaluation:
    part = samples.split.test
    logit = outputs(model, samples.rows.x, part.rows, device)
    probability = probability_of(logit)
    traded = venue.trade(samples.file.bars[part.rows], probability, choice.decision)
    keep = samples.split.usable[part.rows]
    return evaluate(
        Forecast(key="model", name="model", score=logit[keep], probability=probability[keep]),
        _baselines(loaded, samples, moments),
        samples.labels.forward_return[part.rows][keep],
        horizon=loaded.config.label.horizon,
        standard_errors=loaded.config.evaluation.standard_errors,
        return_after_costs=traded.total_return,
        buy_and_hold_return=traded.buy_and_hold_return,
        synthetic=samples.file.synthetic,
    )


def _baselines(loaded: LoadedConfig, samples: Samples, moments: Moments) -> list[Forecast]:
    """What stands beside the model on the usable test rows; learned from training rows alone."""
    split, part = samples.split, samples.split.test
    keep = split.usable[part.rows]
    log_close = np.log(samples.file.bars.close)
    last_return = np.diff(log_close, prepend=log_close[:1])[part.rows][keep]
    share = np.full(len(last_return), up_share(samples.labels.forward_return[split.indices(split.train)]))
    regression = fit_logistic(samples.rows, split.train, moments, clip=loaded.config.model.clip)
    logit = regression.logits(samples.rows.x, part.rows)[keep]
    return [
        Forecast(key="constant", name="constant", score=share, probability=share),
        Forecast(key="last_sign", name="last return's sign", score=last_sign(last_return), probability=None),
        Forecast(key=LOGISTIC, name="logistic regression", score=logit, probability=probability_of(logit)),
    ]


def _save(slot: ArtifactSlot, loaded: LoadedConfig, run: Run) -> None:
    config, samples = loaded.config, run.samples
    split, spec = samples.split, samples.spec
    usable = np.concatenate([split.indices(part) for part in (split.train, split.validation, split.test)])
    chosen = usable[np.linspace(0, len(usable) - 1, config.export.probe_rows).round().astype(np.int64)]
    inputs = np.array(samples.rows.x[np.unique(chosen)])
    archive, logits = torchscript_bytes(run.model, torch.from_numpy(inputs))
    # A float32 is written as the double of the same value, so reading it back gives the same bits.
    probe = {"inputs": inputs.astype(np.float64).tolist(), "logits": logits.double().tolist()}
    files = {
        "model.pt": archive,
        "feature_spec.json": spec.to_json().encode(),
        "probe.json": to_json(probe),
        "config.yaml": loaded.to_yaml().encode(),
        "train_log.csv": _train_log(run.fit),
    }
    slot.write(files, _metadata(loaded, run))


def _metadata(loaded: LoadedConfig, run: Run) -> dict[str, Any]:
    config, samples, best = loaded.config, run.samples, run.fit.best
    spec, split, bars = samples.spec, samples.split, samples.file.bars
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
            "layout": "BF",
            "sequence_length": 1,
        },
        "decision": run.choice.decision,
        "normalization": {
            "mean": run.model.mean.double().tolist(),
            "std": run.model.std.double().tolist(),
            "clip": config.model.clip,
            "baked_in": True,
        },
        "data": {
            "symbols": [config.data.symbol],
            "bar_interval_s": bars.interval_s,
            "session": config.data.calendar,
            "files": {samples.file.path.name: samples.file.file_hash},
            "synthetic": samples.file.synthetic is not None,
            "synthetic_market": samples.file.synthetic,
            "rows": len(bars),
            "train": _span(samples, split.train),
            "validation": _span(samples, split.validation),
            "test": _span(samples, split.test),
        },
        "label": config.label.model_dump(),
        "training": {
            "seed": config.training.seed,
            "epochs_run": len(run.fit.epochs),
            "best_epoch": best.epoch,
            "device": str(run.device),
            "duration_s": round(run.duration_s, 3),
            "verdict": run.evaluation.verdict,
            "metrics": {"train_loss": best.train_loss, **validation, **metrics_document(run.evaluation)},
            "evaluation": evaluation_document(run.evaluation),
        },
        "versions": versions_document(loaded.root),
    }


def _span(samples: Samples, part: Part) -> list[str]:
    """Open times of the first bar that was used and of the last bar that its labels looked at."""
    indices = samples.split.indices(part)
    ts = samples.file.bars.ts
    return [iso_time(ts[indices[0]]), iso_time(ts[samples.labels.end[indices].max()])]


def _train_log(result: Fit) -> bytes:
    text = io.StringIO()
    rows = [asdict(epoch) for epoch in result.epochs]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
