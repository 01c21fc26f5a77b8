"""Everybody who follows a training: its own records always, the plot, and the services that the configuration names.

A service that fails ends the training, for a record with holes passes for a whole one; the run can be resumed. A
network that drops is no failure where the service keeps what it could not send.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.plot import TrainingPlot
from sentio_trainer.report import Report
from sentio_trainer.run_folder import RunFolder
from sentio_trainer.run_log import RunLog
from sentio_trainer.schema import TrackingConfig
from sentio_trainer.watch import Epoch, Steps

EXTRA = "pip install 'sentio[track]'"


class Follower(Protocol):
    """One who keeps a record of a training."""

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None: ...

    def on_steps(self, steps: Steps) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None: ...

    def close(self, status: str) -> None:
        """The training is finished, interrupted or failed; run.json holds what came of it."""


@dataclass(frozen=True, kw_only=True)
class _Named:
    key: str | None  # of the configuration; None: our own, whose errors speak for themselves
    follower: Follower


class Followers:
    """A watcher that tells all of them."""

    def __init__(self, followers: Sequence[_Named], *, log_steps: int) -> None:
        self._followers = followers
        self._log_steps = log_steps

    @property
    def log_steps(self) -> int:
        return self._log_steps

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        self._tell(lambda follower: follower.on_begin(step, epochs))

    def on_steps(self, steps: Steps) -> None:
        self._tell(lambda follower: follower.on_steps(steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self._tell(lambda follower: follower.on_epoch(epoch))

    def _tell(self, what: Callable[[Follower], None]) -> None:
        for each in self._followers:
            with _errors_of(each.key):
                what(each.follower)


def check_tracking(tracking: TrackingConfig) -> None:
    """Makes sure, before any work, that the packages of the services are there.

    Raises:
        ConfigError: one is not.
    """
    for key, package in _packages(tracking):
        spec = importlib.util.find_spec(package)
        # A folder of that name in the current one, such as wandb's own, is found as a package without a file.
        if spec is None or spec.origin is None:
            raise ConfigError(f"tracking.{key}: needs the package {package}: {EXTRA}")


def _packages(tracking: TrackingConfig) -> Iterator[tuple[str, str]]:
    if tracking.tensorboard:
        yield "tensorboard", "tensorboard"
    if tracking.wandb != "off":
        yield "wandb", "wandb"
    if tracking.mlflow is not None:
        yield "mlflow", "mlflow"
        if "://" not in tracking.mlflow or tracking.mlflow.startswith("sqlite"):
            yield from (("mlflow", package) for package in ("sqlalchemy", "alembic"))


@contextmanager
def follow(loaded: LoadedConfig, run: RunFolder, report: Report) -> Iterator[Followers]:
    """Opens everybody who follows; at the end they are told how the training ended.

    Raises:
        ConfigError: the package of a service is missing.
        SentioError: a service cannot be reached, or fails.
    """
    tracking = loaded.config.tracking
    check_tracking(tracking)
    opened: list[_Named] = []
    try:
        for key, make in _makers(loaded, run, report):
            with _errors_of(key):
                opened.append(_Named(key=key, follower=make()))
        yield Followers(opened, log_steps=tracking.log_steps)
    except BaseException as error:
        failed = isinstance(error, Exception) and not isinstance(error, StoppedError)
        status = "failed" if failed else "interrupted"
        for each in opened:
            try:
                with _errors_of(each.key):
                    each.follower.close(status)
            except SentioError as another:  # the first one is what went wrong
                report.warn(str(another))
        raise
    for each in opened:
        with _errors_of(each.key):
            each.follower.close("finished")


def _makers(
    loaded: LoadedConfig, run: RunFolder, report: Report
) -> Iterator[tuple[str | None, Callable[[], Follower]]]:
    tracking = loaded.config.tracking
    yield None, lambda: RunLog(run.folder)
    if tracking.plot:
        yield None, lambda: TrainingPlot(run, loaded.config.training.monitor, report)
    if tracking.tensorboard:
        yield "tensorboard", lambda: _tensorboard(loaded, run)
    if tracking.wandb != "off":
        yield "wandb", lambda: _wandb(loaded, run, report)
    if tracking.mlflow is not None:
        yield "mlflow", lambda: _mlflow(loaded, run)


# Each takes a second or so to import.


def _tensorboard(loaded: LoadedConfig, run: RunFolder) -> Follower:
    from sentio_trainer.trackers.tensorboard import TensorBoard

    return TensorBoard(loaded, run)


def _wandb(loaded: LoadedConfig, run: RunFolder, report: Report) -> Follower:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its errors, to its makers
    from sentio_trainer.trackers.wandb import WeightsAndBiases

    return WeightsAndBiases(loaded, run, report)


def _mlflow(loaded: LoadedConfig, run: RunFolder) -> Follower:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # its use, to its makers
    from sentio_trainer.trackers.mlflow import Mlflow

    return Mlflow(loaded, run)


@contextmanager
def _errors_of(key: str | None) -> Iterator[None]:
    """What a service raises becomes one line that names it; our own records raise what they mean."""
    try:
        yield
    except SentioError:
        raise
    except Exception as error:
        if key is None:
            raise
        text = " ".join(str(error).split())
        raise SentioError(f"tracking.{key}: {text or type(error).__name__}") from error
