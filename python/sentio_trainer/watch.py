"""What a training tells those who keep its records: figures of steps, and a row of each epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One row of the training log; metrics are those of the validation rows, None where undefined."""

    epoch: int  # from 1
    step: int  # optimizer steps taken by its end
    lr: float  # at its first step
    train_loss: float  # weighted mean over its rows
    loss: float
    auc: float | None
    ic: float | None
    rank_ic: float | None
    seconds: float  # validation included


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Figures of the steps since the last ones that were told."""

    step: int  # optimizer steps taken, this one included
    epoch: int
    lr: float  # of this step
    loss: float  # weighted mean over their rows
    grad_norm: float  # of this step, before clipping
    samples_per_s: float  # in all processes together
    wait_share: float  # part of the time that was spent waiting for batches


class Watcher(Protocol):
    """Keeps the records of one training. Only the first of several processes has one."""

    @property
    def log_steps(self) -> int:
        """Steps between two calls of `on_steps`; reading figures makes an accelerator wait."""

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        """Called once, before the first step.

        A resumed training has taken `step` steps and finished `epochs`; what was recorded of later ones is void.
        """

    def on_steps(self, steps: Steps) -> None:
        """Called after every `log_steps` steps."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Called after each epoch, before its checkpoint is written."""


class Nobody:
    """Keeps no records."""

    log_steps = 1_000

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del step, epochs

    def on_steps(self, steps: Steps) -> None:
        del steps

    def on_epoch(self, epoch: Epoch) -> None:
        del epoch
