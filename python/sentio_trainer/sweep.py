"""A sweep: many trainings whose keys are drawn by Optuna, judged by the validation metric, each in the ledger.

The study is the SQLite file `<model id>/sweeps/<study>.db` beside the artifacts, and what each finished trial earned in
each session of the validation bars is `<model id>/sweeps/<study>/trial-<number>.npy`. This process alone writes them;
it hands trials to others and can be killed at any moment: what was running then is recorded and trained again.
"""

import importlib.util
import os
import re
import shlex
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentio_trainer import ledger
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import source_of
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.files import exclusive_lock
from sentio_trainer.interruption import interruptions
from sentio_trainer.monitor import best_epoch, lower_is_better, monitored
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report
from sentio_trainer.session_returns import SessionReturns, read_session_returns, write_session_returns
from sentio_trainer.sweep_overfitting import SweepOverfitting, sweep_overfitting
from sentio_trainer.sweep_space import Space, Value, shown_value
from sentio_trainer.sweep_worker import Ended, EpochTold, TrainTrial, Worker, heard
from sentio_trainer.watch import Epoch
from sentio_trainer.yaml_reader import parse_scalar

if TYPE_CHECKING:
    import optuna

EXTRA = "pip install 'sentio[sweep]'"
FOLDER = "sweeps"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PRUNED_AFTER_TRIALS = 5  # of which the median is known
_POLL_S = 0.2  # between two looks at whether Ctrl-C was pressed
_PRUNED_FROM_EPOCH = 2  # the first one is mostly warm-up
# What a study holds of itself and of its trials.
_IDENTITY = "identity"
_STATUS = "status"  # absent: the trial was interrupted, and is trained again
_BEST = "best"


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    number: int
    value: float  # of the monitored metric
    epoch: int
    values: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    study: str
    monitor: str
    finished: tuple[TrialResult, ...]  # best first
    pruned: int
    failed: int
    tried: int  # models on these data so far, of this model id
    overfitting: SweepOverfitting
    ledger: Path
    command: str  # that trains with the best values


def run_sweep(
    space: Space, *, study: str, trials: int, jobs: int, resume: bool, train_trial: TrainTrial, report: Report
) -> SweepResult:
    """Trains until the study has `trials` trials, finished, pruned or failed.

    Args:
        space: the configuration and what it varies.
        study: its name; two sweeps of one name are one.
        trials: in all, those of earlier runs of the study among them.
        jobs: processes that train at a time, with a share of the threads each.
        resume: whether the study may exist.
        train_trial: trains one.
        report: who is told.

    Raises:
        ConfigError: optuna is missing, or the study exists and is not resumed, or is of other settings or data.
        StoppedError: Ctrl-C or SIGTERM; the trials that ran are recorded and will be repeated.
        DataError: a bars file is absent.
        ArtifactError: the ledger is damaged.
        SentioError: no trial finished, or another process runs the study.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(f"sweep needs optuna: {EXTRA}")
    for flag, value in (("--trials", trials), ("--jobs", jobs)):
        if value < 1:
            raise ConfigError(f"{flag}: must be at least 1, found {value}")
    if not _NAME.fullmatch(study):
        raise ConfigError(f"--study: a name is made of letters, digits, '.', '_', '-', found '{study}'")
    loaded = space.load(space.corner())
    artifact = loaded.path(loaded.config.export.out_dir)
    path = artifact.parent / FOLDER / f"{study}.db"
    if path.exists() and not resume:
        raise ConfigError(
            f"--study {study}: {shown_path(path)} exists; go on with it by --resume, or name another --study"
        )
    ledger.read(ledger.ledger_path(artifact))  # a damaged one would refuse the end of it
    data_hash = _hash_data(loaded)
    try:
        with exclusive_lock(path.with_name(f".{path.name}.lock"), wait=False), closing(_Store(path)) as store:
            sweep = _Sweep(space, loaded, store.open(study, loaded), data_hash=data_hash, report=report)
            sweep.begin()
            sweep.run(trials=trials, jobs=jobs, train_trial=train_trial)
            return sweep.result()
    except BlockingIOError as error:
        raise SentioError(f"{shown_path(path)}: another process runs this study") from error


def _hash_data(loaded: LoadedConfig) -> str:
    cache_dir = loaded.path(loaded.config.data.cache_dir)
    sources = loaded.config.data.sources.items()
    return ledger.hash_data({symbol: source_of(loaded.path(name), cache_dir).hash for symbol, name in sources})


class _Store:
    """The SQLite file."""

    def __init__(self, path: Path) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)  # the report says what is worth saying
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            # A commit is one write to the disk, in place of several; the file keeps the setting.
            database.execute("PRAGMA journal_mode=WAL")
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{path}")

    def open(self, study: str, loaded: LoadedConfig) -> "optuna.Study":
        import optuna

        training = loaded.config.training
        return optuna.create_study(
            study_name=study,
            storage=self._storage,
            direction="minimize" if lower_is_better(training.monitor) else "maximize",
            pruner=optuna.pruners.MedianPruner(_PRUNED_AFTER_TRIALS, _PRUNED_FROM_EPOCH),
            load_if_exists=True,
        )

    def close(self) -> None:
        self._storage.engine.dispose()


@dataclass(kw_only=True)
class _Running:
    """A trial in a process."""

    trial: "optuna.Trial"
    loaded: LoadedConfig
    epochs: list[Epoch]


class _Sweep:
    def __init__(
        self, space: Space, loaded: LoadedConfig, study: "optuna.Study", *, data_hash: str, report: Report
    ) -> None:
        self._space = space
        self._loaded = loaded
        self._study = study
        self._data_hash = data_hash
        self._report = report
        self._monitor = loaded.config.training.monitor
        artifact = loaded.path(loaded.config.export.out_dir)
        self._version = artifact.name
        self._ledger = ledger.ledger_path(artifact)
        self._returns = artifact.parent / FOLDER / study.study_name

    def begin(self) -> None:
        """Makes sure that the study is of the same settings, and takes up what was left running."""
        identity: dict[str, Any] = {
            "varied": {dimension.key: str(dimension) for dimension in self._space.dimensions},
            "fixed": ledger.hash_config(self._loaded.config),
            "data": self._data_hash,
        }
        before = self._study.user_attrs.get(_IDENTITY)
        if before is None:
            self._study.set_user_attr(_IDENTITY, identity)
        elif before != identity:
            name = f"--study {self._study.study_name}"
            if before["varied"] != identity["varied"]:
                raise ConfigError(f"{name}: varied {_told(before['varied'])}, found {_told(identity['varied'])}")
            part = "bars" if before["data"] != identity["data"] else "values of the keys that are not varied"
            raise ConfigError(f"{name}: was run with other {part}; name another --study")
        import optuna

        for trial in self._study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            self._give_up(trial.number, trial.params, trial.user_attrs.get(_BEST))

    def run(self, *, trials: int, jobs: int, train_trial: TrainTrial) -> None:
        workers: list[Worker] = []
        running: dict[Worker, _Running] = {}
        settled = self._count()
        threads = max(1, _threads() // jobs)
        try:
            with interruptions() as interrupted:
                while not interrupted():
                    while len(running) < jobs and settled + len(running) < trials:
                        started = self._ask(settled + len(running), jobs=jobs)
                        if started is None:
                            settled += 1
                            continue
                        idle = next((worker for worker in workers if worker not in running), None)
                        if idle is None:
                            idle = Worker(train_trial, threads=threads)
                            workers.append(idle)
                        running[idle] = started
                        idle.train(started.loaded)
                    if not running:
                        return
                    for worker in heard(list(running), timeout=_POLL_S):
                        message = worker.hear()
                        if isinstance(message, EpochTold):
                            worker.answer(goes_on=self._judge(running[worker], message.epoch))
                            continue
                        self._settle(running.pop(worker), message)
                        settled += 1
                        if not worker.is_alive:
                            workers.remove(worker)
                            worker.dismiss()
            raise StoppedError(
                f"interrupted after {settled} of {trials} trials; the same command with --resume goes on"
            )
        finally:
            for worker in workers:
                worker.dismiss()
            for each in running.values():
                best = asdict(best_epoch(each.epochs, self._monitor)) if each.epochs else None
                self._give_up(each.trial.number, each.trial.params, best)

    def _count(self) -> int:
        return sum(_STATUS in trial.user_attrs for trial in self._study.get_trials(deepcopy=False))

    def _ask(self, index: int, *, jobs: int) -> _Running | None:
        """Draws a trial; None where its values do not go together, which fails it.

        The draw depends on the seed, on how many trials there are and on what came of them: a study that was
        interrupted draws what it would have drawn.
        """
        import optuna

        seed = np.random.SeedSequence([self._loaded.config.training.seed, index]).generate_state(1)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of constant_liar
            self._study.sampler = optuna.samplers.TPESampler(seed=int(seed), constant_liar=jobs > 1)
        trial = self._study.ask()
        values = {dimension.key: dimension.draw(trial) for dimension in self._space.dimensions}
        try:
            return _Running(trial=trial, loaded=self._space.load(values), epochs=[])
        except ConfigError as error:
            self._settle(
                _Running(trial=trial, loaded=self._loaded, epochs=[]), Ended(status="failed", error=str(error))
            )
            return None

    def _judge(self, running: _Running, epoch: Epoch) -> bool:
        """Notes an epoch; whether the trial goes on."""
        running.epochs.append(epoch)
        running.trial.set_user_attr(_BEST, asdict(best_epoch(running.epochs, self._monitor)))
        value = monitored(epoch, self._monitor)
        if value is None:
            return True
        running.trial.report(value, step=epoch.epoch)
        return not running.trial.should_prune()

    def _settle(self, running: _Running, ended: Ended) -> None:
        import optuna

        states = optuna.trial.TrialState
        trial = running.trial
        best = ended.best or (best_epoch(running.epochs, self._monitor) if running.epochs else None)
        value = monitored(best, self._monitor) if best else None
        if ended.status == "finished" and value is None:
            ended = Ended(status="failed", error=f"{self._monitor} is not defined in any epoch")
        # The ledger first: a model that was tried must not be forgotten.
        self._record(ended.status, trial.number, trial.params, best, running.loaded)
        if ended.status == "finished" and ended.returns is not None:
            write_session_returns(self._returns_file(trial.number), ended.returns)
        trial.set_user_attr(_STATUS, ended.status)
        if best is not None:
            trial.set_user_attr(_BEST, asdict(best))
        if ended.error is not None:
            trial.set_user_attr("error", ended.error)
        match ended.status:
            case "finished":
                self._study.tell(trial, value)
            case "pruned":
                self._study.tell(trial, state=states.PRUNED)
            case "failed":
                self._study.tell(trial, state=states.FAIL)
        self._report.say(self._line(trial, ended, best, value))
        if ended.defect is not None:
            raise RuntimeError(f"trial {trial.number} failed by a defect:\n{ended.defect}")

    def _line(self, trial: "optuna.Trial", ended: Ended, best: Epoch | None, value: float | None) -> str:
        metric = "" if value is None or best is None else f"{self._monitor} {value:.5f} in epoch {best.epoch}  "
        leads = ended.status == "finished" and self._study.best_trial.number == trial.number
        status = f"{ended.status}: {ended.error}" if ended.error else ended.status
        return f"trial {trial.number:3d}  {status:<9s} {metric}{_told(trial.params)}{'  *' if leads else ''}"

    def _give_up(self, number: int, params: Mapping[str, Value], best: Mapping[str, Any] | None) -> None:
        """Records a trial that was interrupted, and has its values drawn again."""
        import optuna

        drawn = len(params) == len(self._space.dimensions)  # else it was killed before it had them all
        if drawn:
            loaded = self._space.load(params)
            self._record("interrupted", number, params, Epoch(**best) if best else None, loaded)
        self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        if drawn:
            self._study.enqueue_trial(dict(params))

    def _record(
        self, status: str, number: int, params: Mapping[str, Value], best: Epoch | None, loaded: LoadedConfig
    ) -> None:
        trial = ledger.trial_of(
            loaded.config,
            best,
            version=self._version,
            study=self._study.study_name,
            trial=number,
            status=status,
            changed=dict(params),
            data_hash=self._data_hash,
        )
        ledger.append(self._ledger, trial)

    def result(self) -> SweepResult:
        trials = [trial for trial in self._study.get_trials() if _STATUS in trial.user_attrs]
        by_status = {
            status: [trial for trial in trials if trial.user_attrs[_STATUS] == status] for status in ledger.STATUSES
        }
        finished = [
            TrialResult(
                number=trial.number, value=trial.value, epoch=trial.user_attrs[_BEST]["epoch"], values=trial.params
            )
            for trial in by_status["finished"]
            if trial.value is not None  # each has one
        ]
        sign = 1.0 if lower_is_better(self._monitor) else -1.0
        finished.sort(key=lambda trial: (sign * trial.value, trial.number))
        if not finished:
            errors = [trial.user_attrs["error"] for trial in trials if "error" in trial.user_attrs]
            raise SentioError(f"no trial finished; the last that failed: {errors[-1] if errors else 'none did'}")
        return SweepResult(
            study=self._study.study_name,
            monitor=self._monitor,
            finished=tuple(finished),
            pruned=len(by_status["pruned"]),
            failed=len(by_status["failed"]),
            tried=ledger.count(self._ledger, data_hash=self._data_hash),
            overfitting=sweep_overfitting(self._kept_returns(finished), best=finished[0].number),
            ledger=self._ledger,
            command=self._command(finished[0].values),
        )

    def _returns_file(self, number: int) -> Path:
        return self._returns / f"trial-{number:04d}.npy"

    def _kept_returns(self, finished: Sequence[TrialResult]) -> dict[int, SessionReturns]:
        """In the order of the trials; of a study of an earlier version some may be missing."""
        files = {number: self._returns_file(number) for number in sorted(trial.number for trial in finished)}
        return {number: read_session_returns(path) for number, path in files.items() if path.is_file()}

    def _command(self, values: Mapping[str, Value]) -> str:
        fixed = {given.key: given.value for given in self._space.fixed}
        settings = [f"--set {shlex.quote(f'{key}={_written(value)}')}" for key, value in {**fixed, **values}.items()]
        return " ".join(["sentio train --config", shlex.quote(shown_path(self._space.config)), *settings])


def _threads() -> int:
    """Threads of all trainings together."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if given.isdecimal() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _told(values: Mapping[str, object]) -> str:
    return " ".join(f"{key}={shown_value(value)}" for key, value in values.items())


def _written(value: object) -> str:
    """A value as `--set` reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and parse_scalar(value) != value:  # "12", meant as a text
        return f'"{value}"'
    return str(value)
