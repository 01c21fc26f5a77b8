"""A stand-in for a training, that a sweep's processes can import."""

import os
import signal
from math import log10

import numpy as np
from run_support import epoch

from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import SentioError
from sentio_trainer.report import Report
from sentio_trainer.session_returns import SessionReturns
from sentio_trainer.sweep_worker import TrialTrained
from sentio_trainer.watch import Watcher

BEST_LR = 1e-3
BEST_HIDDEN = 64


def loss_of(lr: float, hidden: int) -> float:
    """Lowest, 0.5, at the best values."""
    return 0.5 + (log10(lr) - log10(BEST_LR)) ** 2 + ((hidden - BEST_HIDDEN) / 100.0) ** 2


def earned(lr: float) -> SessionReturns:
    """Forty sessions; the nearer to the best, the more."""
    luck = np.random.default_rng(int(1e9 * lr)).normal(0.0, 0.01, 40)
    return SessionReturns(session=np.arange(19_000, 19_040), value=luck + 0.01 / (1.0 + loss_of(lr, BEST_HIDDEN)))


def bowl(loaded: LoadedConfig, *, report: Report, watcher: Watcher) -> TrialTrained:
    """A loss that falls to its value over the epochs; writes down its process and threads."""
    del report
    training, root = loaded.config.training, loaded.root
    value = loss_of(training.lr, loaded.config.model.hidden)
    (root / f"trained.{os.getpid()}").write_text(os.environ["OMP_NUM_THREADS"])
    told = []
    watcher.on_begin(0, [])
    for number in range(1, training.epochs + 1):
        left = training.epochs - number
        told.append(epoch(number, loss=value * (1.0 + 0.1 * left), auc=0.5, ic=None if left else 1.0 - value))
        watcher.on_epoch(told[-1])
    return TrialTrained(best=told[-1], returns=earned(training.lr) if training.lr < 1.0 else None)


def failing(loaded: LoadedConfig, *, report: Report, watcher: Watcher) -> TrialTrained:
    """Fails in its own ways, by the learning rate."""
    lr = loaded.config.training.lr
    if lr == 1.0:
        raise SentioError("the training loss became nan in epoch 1")
    if lr == 2.0:
        os.kill(os.getpid(), signal.SIGKILL)
    if lr == 3.0:
        raise ZeroDivisionError("a defect")
    return bowl(loaded, report=report, watcher=watcher)


def slow(loaded: LoadedConfig, *, report: Report, watcher: Watcher) -> TrialTrained:
    """The first trial of all waits for ever in its second epoch."""
    try:
        (loaded.root / "first").open("x").close()
    except FileExistsError:
        return bowl(loaded, report=report, watcher=watcher)
    watcher.on_begin(0, [])
    watcher.on_epoch(epoch(1))
    (loaded.root / f"waiting.{os.getpid()}").touch()
    signal.pause()
    raise AssertionError("nobody ends this wait")
