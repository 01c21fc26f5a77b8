"""From samples to a fitted model: moments, goal, network, loop."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sentio_trainer.allocator import keep_freed_memory
from sentio_trainer.batches import CPU, Batches
from sentio_trainer.calibration import fit_calibration
from sentio_trainer.checkpoint import Checkpoints
from sentio_trainer.device import memory_errors_in_words
from sentio_trainer.distributed import Group
from sentio_trainer.errors import DataError
from sentio_trainer.forecast import outputs
from sentio_trainer.goal import Goal, make_goal
from sentio_trainer.loop import Fit, fit
from sentio_trainer.models import Normalised, build_model
from sentio_trainer.moments import Moments, training_moments
from sentio_trainer.report import Report
from sentio_trainer.rows import RowSet
from sentio_trainer.samples import Samples
from sentio_trainer.schema import Config
from sentio_trainer.validation import Held, validated
from sentio_trainer.watch import Nobody, Watcher


@dataclass(frozen=True, kw_only=True)
class Learned:
    model: Normalised
    moments: Moments
    goal: Goal
    fit: Fit


def learn(
    samples: Samples,
    config: Config,
    *,
    train: RowSet,
    validation: RowSet,
    group: Group,
    report: Report,
    watcher: Watcher | None = None,
    checkpoints: Checkpoints | None = None,
    resume_from: Path | None = None,
) -> Learned:
    """Fits the model of a configuration to the rows of `train`; the epoch that does best on `validation` is kept.

    In several processes each holds the same model afterwards.

    Args:
        group: this process, and those that it trains with.
        watcher: who keeps records; None: nobody.
        checkpoints: where they are written; None: nowhere.
        resume_from: the one to go on from.

    Raises:
        DataError: every training or validation label is 0.
        SentioError: the model is beyond all memory.
        As `fit` does.
    """
    device = group.device
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(config.training.seed)
    moments = training_moments(samples.data.x, train, names=samples.data.spec.names)
    goal = make_goal(samples.learned, train, config.label, weighting=config.training.weighting)
    with memory_errors_in_words(config.training, CPU, has_batches=False):
        body = build_model(config.model, inputs=samples.data.spec.width)
    model = Normalised(body, moments, clip=config.model.clip)
    processes = f", {group.world} processes" if group.world > 1 else ""
    report.say(f"training on {device}: {sum(p.numel() for p in model.parameters()):,} parameters{processes}")
    batches = Batches(
        samples.data.x,
        samples.learned,
        train,
        goal,
        batch_size=config.training.batch_size,
        window=samples.window,
        num_workers=config.training.num_workers,
        prefetch_factor=config.training.prefetch_factor,
        rank=group.rank,
        world=group.world,
        device=device,
    )
    held = _held(samples, validation, goal)
    objective = config.label.objective
    result = fit(
        model,
        batches,
        objective=objective,
        validate=lambda model: validated(model, held, objective, device=device),
        config=config.training,
        group=group,
        report=report,
        watcher=watcher or Nobody(),
        checkpoints=checkpoints,
        resume_from=resume_from,
    )
    if config.label.objective == "regression":
        _calibrate(model, held, device, report)
    return Learned(model=model, moments=moments, goal=goal, fit=result)


def _held(samples: Samples, rows: RowSet, goal: Goal) -> Held:
    indices = rows.indices()
    learned = samples.learned[indices]
    if not learned.any():  # every epoch would do as well as every other
        raise DataError("every label of the validation rows is 0: there is nothing to choose an epoch by")
    target, weight = goal(learned)
    return Held(
        x=samples.data.x,
        rows=indices,
        window=samples.window,
        target=target,
        weight=weight,
        forward_return=samples.labels.forward_return[indices],
    )


def _calibrate(model: Normalised, validation: Held, device: torch.device, report: Report) -> None:
    output = outputs(model, validation.x, validation.rows, window=validation.window, device=device)
    moved = validation.forward_return != 0.0
    found = fit_calibration(output[moved], validation.forward_return[moved] > 0.0)
    if found.slope <= 0.0:
        report.warn(f"validation contradicts the regression (slope {found.slope:+.3g}); its output is left as it is")
        return
    model.calibrate(slope=found.slope, intercept=found.intercept)
    report.say(f"calibrated on validation: logit = {found.slope:.4g} · output {found.intercept:+.4g}")
