"""TFA: features in, one row or a window of rows, the logit of the coming direction out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from sentio_trainer import ledger
from sentio_trainer.artifact import ArtifactSlot, reserve_artifact
from sentio_trainer.assessment import assess, choose, forecasts_over
from sentio_trainer.checkpoint import Checkpoints, check_resumable, identity
from sentio_trainer.config import LoadedConfig
from sentio_trainer.distributed import Group, joined
from sentio_trainer.errors import StoppedError
from sentio_trainer.evaluation import metrics_document
from sentio_trainer.exports import check_packages
from sentio_trainer.learning import Learned, learn
from sentio_trainer.model_artifact import Outcome, save_artifact
from sentio_trainer.recording import recorded
from sentio_trainer.report import Report, Silence
from sentio_trainer.run_folder import TRAIN_LOG, RunFolder, data_document, find_run, open_run, resume_run
from sentio_trainer.samples import Samples, load_samples, split_samples
from sentio_trainer.session_returns import session_returns
from sentio_trainer.splits import Split
from sentio_trainer.sweep_worker import TrialTrained
from sentio_trainer.thresholds import Venue, choose_thresholds
from sentio_trainer.tracking import check_tracking, follow
from sentio_trainer.trainer import Trained
from sentio_trainer.watch import Nobody, Watcher


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where the first of several processes writes."""

    slot: ArtifactSlot
    run: RunFolder
    watcher: Watcher
    checkpoint: Path | None  # to go on from


def train(loaded: LoadedConfig, *, overwrite: bool, report: Report, resume_from: str | None = None) -> Trained | None:
    """Bars to artifact; None in all processes but the first."""
    config = loaded.config
    venue = Venue.of(loaded)
    venue.check()
    check_tracking(config.tracking)
    check_packages(config.export.formats, where="export.formats")
    ledger.read(ledger.ledger_path(loaded.path(config.export.out_dir)))  # a damaged one would refuse the end of it
    with joined(config.training.device) as group:
        if not group.is_first:
            _train_along(loaded, group)
            return None
        with _desk(loaded, group, overwrite=overwrite, resume_from=resume_from, report=report) as desk:
            return _train(loaded, group, desk, venue, report)


def train_trial(loaded: LoadedConfig, *, report: Report, watcher: Watcher) -> TrialTrained:
    """Fits a model for its validation metrics and what it earns there: the test period stays unseen.

    Nothing is written.
    """
    venue = Venue.of(loaded)
    with joined(loaded.config.training.device) as group:
        samples = load_samples(loaded, report)
        split = split_samples(samples, loaded.config.data.split, report)
        learned = learn(
            samples,
            loaded.config,
            train=split.train,
            validation=split.validation,
            group=group,
            report=report,
            watcher=watcher,
        )
        forecasts = forecasts_over(samples, learned, split.validation, group.device)
        choice = choose_thresholds(forecasts, loaded.config.decision, venue)
    returns = session_returns(forecasts, choice.decision, venue)
    return TrialTrained(best=learned.fit.best, returns=returns)


@contextmanager
def _desk(
    loaded: LoadedConfig, group: Group, *, overwrite: bool, resume_from: str | None, report: Report
) -> Iterator[Desk]:
    checkpoint = None
    if resume_from is None:
        run_folder = open_run(loaded, device=group.device, processes=group.world)
    else:
        found = find_run(loaded, resume_from)
        checkpoint = found.checkpoint
        if checkpoint is not None:  # refused before the records of the run are touched
            check_resumable(checkpoint, identity=identity(loaded.config), world=group.world)
        run_folder = resume_run(found, loaded, device=group.device, processes=group.world)
    with (
        reserve_artifact(loaded.path(loaded.config.export.out_dir), overwrite=overwrite, report=report) as slot,
        run_folder as run,
        follow(loaded, run, report) as watcher,
    ):
        yield Desk(slot=slot, run=run, watcher=watcher, checkpoint=checkpoint)


def _train(loaded: LoadedConfig, group: Group, desk: Desk, venue: Venue, report: Report) -> Trained:
    config, run = loaded.config, desk.run
    with run.phase("data"):
        samples = load_samples(loaded, report)
        split = split_samples(samples, config.data.split, report)
    if desk.checkpoint is not None:  # of other bars: no model is tried
        check_resumable(desk.checkpoint, identity=_identity(loaded, samples), world=group.world)
    run.note(data=data_document(samples.data, config.data.sources))
    group.of_first((run.folder, desk.checkpoint))  # the others may read what is in the cache now
    trials = ledger.ledger_path(desk.slot.folder)
    data_hash = ledger.hash_data(samples.data.file_hashes)
    log = run.folder / TRAIN_LOG
    with recorded(loaded, trials, data_hash=data_hash, log=log) as tried, run.phase("training"):
        learned = _learn(
            loaded,
            samples,
            split,
            group,
            run_folder=run.folder,
            checkpoint=desk.checkpoint,
            watcher=desk.watcher,
            report=report,
        )
        tried.best = learned.fit.best
    with run.phase("evaluation"):
        choice = choose(loaded, samples, learned, split.validation, venue, group.device)
        report.say(choice.told)
        evaluation = assess(
            loaded,
            samples,
            learned,
            choice,
            train=split.train,
            test=split.test,
            venue=venue,
            looks=ledger.count(trials, data_hash=data_hash, tested=True),
            device=group.device,
        )
    outcome = Outcome(
        samples=samples,
        split=split,
        learned=learned,
        choice=choice,
        evaluation=evaluation,
        device=group.device,
        duration_s=run.duration_s,
    )
    with run.phase("export"):
        save_artifact(desk.slot, loaded, outcome)
    run.note(verdict=evaluation.verdict, metrics=metrics_document(evaluation))
    return Trained(folder=desk.slot.folder, run=run.folder, evaluation=evaluation)


def _train_along(loaded: LoadedConfig, group: Group) -> None:
    """What the other processes do: each learns from its share of every batch."""
    run_folder, checkpoint = group.of_first((Path(), None))
    samples = load_samples(loaded, Silence())
    split = split_samples(samples, loaded.config.data.split, Silence())
    try:
        _learn(
            loaded,
            samples,
            split,
            group,
            run_folder=run_folder,
            checkpoint=checkpoint,
            watcher=Nobody(),
            report=Silence(),
        )
    except StoppedError as stopped:  # the first process says how to go on
        raise SystemExit(stopped.exit_code) from stopped


def _learn(
    loaded: LoadedConfig,
    samples: Samples,
    split: Split,
    group: Group,
    *,
    run_folder: Path,
    checkpoint: Path | None,
    watcher: Watcher,
    report: Report,
) -> Learned:
    config = loaded.config
    return learn(
        samples,
        config,
        train=split.train,
        validation=split.validation,
        group=group,
        report=report,
        watcher=watcher,
        checkpoints=Checkpoints(
            run_folder,
            keep_last=config.training.keep_last,
            every=config.training.checkpoint_steps,
            identity=_identity(loaded, samples),
        ),
        resume_from=checkpoint,
    )


def _identity(loaded: LoadedConfig, samples: Samples) -> dict[str, JsonValue]:
    return {**identity(loaded.config), "data.content": ledger.hash_data(samples.data.file_hashes)}
