"""The training loop: steps, validation after each epoch, early stopping, the best epoch kept, checkpoints."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sentio_trainer.batches import Batch
from sentio_trainer.checkpoint import Checkpoint, Checkpoints, Progress, read_checkpoint
from sentio_trainer.device import compile_errors_in_words, memory_errors_in_words, random_state, set_random_state
from sentio_trainer.distributed import Group
from sentio_trainer.errors import SentioError, StoppedError
from sentio_trainer.interruption import interruptions
from sentio_trainer.losses import Objective
from sentio_trainer.machine import cpu_name
from sentio_trainer.monitor import best_epoch, monitored
from sentio_trainer.optimisation import Optimisation, learning_rate_share
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report, Silence
from sentio_trainer.schema import TrainingConfig
from sentio_trainer.validation import Validated
from sentio_trainer.watch import Epoch, Nobody, Steps, Watcher


class BatchSource(Protocol):
    """The samples of an epoch, on the device; in several processes, this one's share of each batch."""

    def __len__(self) -> int:
        """Batches of an epoch; the same number in all processes."""

    def epoch(self, rng: np.random.Generator | None, *, start: int = 0) -> Generator[Batch, None, None]:
        """The batches from number `start` on, decided by `rng` alone; each is valid until the next one is asked for."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    epochs: list[Epoch]
    best: Epoch


def fit(
    model: nn.Module,
    batches: BatchSource,
    *,
    objective: Objective,
    validate: Callable[[nn.Module], Validated],
    config: TrainingConfig,
    group: Group,
    report: Report,
    watcher: Watcher,
    checkpoints: Checkpoints | None = None,
    resume_from: Path | None = None,
) -> Fit:
    """Trains `model` in place and leaves it with the weights of its best epoch, on the device of `group`.

    Weights are those of the average where `training.ema` asks for one. The weights that it starts from are those of the
    first process. With `checkpoints`, Ctrl-C and SIGTERM stop it after the step that is under way.

    Args:
        validate: metrics of a model, called in the first process alone, after each epoch.
        resume_from: a checkpoint of this training; on the CPU, with as many threads, it ends with the same bits as a
            training that was never stopped.

    Raises:
        SentioError: the loss is not finite, memory does not suffice, torch.compile fails, or another process stopped.
        DataError: the checkpoint is damaged.
        ConfigError: the checkpoint is of another training, or the device lacks the precision.
        StoppedError: it was asked to stop; a checkpoint was written.
    """
    if not group.is_first:
        report, watcher = Silence(), Nobody()
    with memory_errors_in_words(config, group.device), compile_errors_in_words():
        training = _Training(model, batches, objective, validate, config, group, report, watcher, checkpoints)
        training.begin(resume_from)
        return training.run()


class _Training:
    """One training under way, between two steps."""

    def __init__(
        self,
        model: nn.Module,
        batches: BatchSource,
        objective: Objective,
        validate: Callable[[nn.Module], Validated],
        config: TrainingConfig,
        group: Group,
        report: Report,
        watcher: Watcher,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._model = model.to(group.device)
        group.copy_first(each.detach() for each in (*model.parameters(), *model.buffers()))
        self._batches, self._validate, self._config, self._group = batches, validate, config, group
        self._report, self._watcher, self._checkpoints = report, watcher, checkpoints
        self._optimisation = Optimisation(model, objective, config, group)
        steps = config.epochs * -(-len(batches) // config.accumulate)
        self._total = min(steps, config.max_steps or steps)
        self._here = _here(group.device)
        self._step = 0
        self._epochs: list[Epoch] = []
        self._batch = 0  # batches taken of the open epoch
        # Σ w·l and Σ w of the open epoch; MPS has no doubles.
        self._sums = torch.zeros(
            2, device=group.device, dtype=torch.float32 if group.device.type == "mps" else torch.float64
        )
        self._seconds = 0.0  # spent on the open epoch, before it was interrupted
        self._best_weights: dict[str, Tensor] = {}

    def begin(self, resume_from: Path | None) -> None:
        """Where to go on from."""
        if resume_from is not None:
            assert self._checkpoints is not None  # who resumes also goes on writing
            self._restore(read_checkpoint(resume_from, identity=self._checkpoints.identity, world=self._group.world))
        elif self._group.rank > 0:
            # Dropout silences other units for other samples; the first process is as if it were alone.
            words = np.random.SeedSequence([self._config.seed, self._group.rank]).generate_state(1, np.uint64)
            torch.manual_seed(int(words[0]))
        if self._group.is_first:
            if self._checkpoints is not None:
                self._checkpoints.begin(self._step)
            self._watcher.on_begin(self._step, self._epochs)

    def run(self) -> Fit:
        asking: AbstractContextManager[Callable[[], bool]] = nullcontext(lambda: False)
        if self._checkpoints is not None:
            asking = interruptions()
        with self._report.steps(self._total - self._step) as advance, asking as interrupted:
            while not self._is_over():
                self._learn(advance, interrupted)
                self._close_epoch()
                if self._asked_to_stop(interrupted):
                    raise self._stopped()
        if len(self._epochs) < self._config.epochs and self._step < self._total:
            self._report.say(f"no better {self._config.monitor} for {self._config.patience} epochs: training stops")
        if monitored(self._best(), self._config.monitor) is None:
            raise SentioError(
                f"training.monitor {self._config.monitor}: is undefined in each of {len(self._epochs)} epochs, because "
                "all validation rows have one forecast or none moved, so it can pick none; loss can"
            )
        self._model.load_state_dict(self._best_weights)
        return Fit(epochs=self._epochs, best=self._best())

    def _is_over(self) -> bool:
        if not self._epochs:
            return False
        stale = self._epochs[-1].epoch - self._best().epoch >= self._config.patience
        return stale or len(self._epochs) == self._config.epochs or self._step >= self._total

    def _best(self) -> Epoch:
        return best_epoch(self._epochs, self._config.monitor)

    def _learn(self, advance: Callable[[], None], interrupted: Callable[[], bool]) -> None:
        """What is left of the open epoch."""
        self._began = time.perf_counter()
        self._model.train()
        pace = _Pace(self._sums)
        rng = np.random.default_rng([self._config.seed, len(self._epochs) + 1])
        with closing(self._batches.epoch(rng, start=self._batch)) as source:
            for batch in pace.waiting_for(source):
                self._optimisation.add(batch.x, batch.target, batch.weight)
                self._batch += 1
                is_last = self._batch == len(self._batches)
                if self._batch % self._config.accumulate and not is_last:
                    continue
                self._take_step(pace)
                advance()
                if self._step == self._total:
                    return
                if is_last:
                    break  # its checkpoint follows its validation
                stop = self._asked_to_stop(interrupted)
                if stop or (self._checkpoints is not None and self._checkpoints.is_due(self._step)):
                    self._train_loss()  # weights that are not finite are not kept
                    self._save()
                if stop:
                    raise self._stopped()

    def _take_step(self, pace: "_Pace") -> None:
        lr = self._learning_rate(self._step)
        norm = self._optimisation.step(lr)
        self._step += 1
        self._sums += self._optimisation.sums[:2]
        pace.add(self._optimisation.sums)
        if self._step % self._watcher.log_steps == 0 and self._group.is_first:
            steps = pace.tell(step=self._step, epoch=len(self._epochs) + 1, lr=lr, norm=norm)
            self._require_finite("training", steps.loss)
            self._watcher.on_steps(steps)

    def _learning_rate(self, step: int) -> float:
        return self._config.lr * learning_rate_share(step, self._total, self._config.warmup)

    def _train_loss(self) -> float:
        """The mean loss of the open epoch so far."""
        total, weight = self._sums.tolist()
        loss: float = total / weight if weight > 0.0 else total
        self._require_finite("training", loss)
        return loss

    def _close_epoch(self) -> None:
        train_loss = self._train_loss()
        found = self._group.of_first(self._validate(self._optimisation.model) if self._group.is_first else None)
        assert found is not None
        self._require_finite("validation", found.loss)
        epoch = Epoch(
            epoch=len(self._epochs) + 1,
            step=self._step,
            lr=self._learning_rate(self._epochs[-1].step if self._epochs else 0),
            train_loss=train_loss,
            **asdict(found),
            seconds=self._elapsed(),
        )
        self._epochs.append(epoch)
        self._batch, self._seconds = 0, 0.0
        self._sums.zero_()
        is_best = self._best() is epoch
        if is_best:
            weights = self._optimisation.model.state_dict()
            self._best_weights = {name: value.detach().clone() for name, value in weights.items()}
        self._report.say(_line(epoch, is_best=is_best))
        if self._group.is_first:
            self._watcher.on_epoch(epoch)
        if self._checkpoints is not None:
            self._began = time.perf_counter()
            self._save()

    def _elapsed(self) -> float:
        return self._seconds + time.perf_counter() - self._began

    def _require_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise SentioError(
                f"the {what} loss became {value} in epoch {len(self._epochs) + 1}; "
                f"try a learning rate (training.lr) below {self._config.lr:g}"
            )

    def _asked_to_stop(self, interrupted: Callable[[], bool]) -> bool:
        return self._checkpoints is not None and self._group.any(interrupted())

    def _stopped(self) -> StoppedError:
        assert self._checkpoints is not None
        folder = shown_path(self._checkpoints.place(self._step))
        return StoppedError(f"interrupted after step {self._step:,} of {self._total:,}; --resume-from {folder} goes on")

    def _save(self) -> None:
        """All processes tell the state of their random numbers; the first one writes."""
        assert self._checkpoints is not None
        random = self._group.all_of(random_state(self._group.device))
        if self._group.is_first:
            self._write(random)
        # A process that ends makes torchrun stop the others: none may end before the checkpoint is there.
        self._group.wait()

    def _write(self, random: list[dict[str, Tensor]]) -> None:
        assert self._checkpoints is not None
        progress = Progress(
            step=self._step,
            epochs=tuple(self._epochs),
            batch=self._batch,
            seconds=self._elapsed(),
            best_epoch=self._best().epoch if self._epochs else None,
            identity=self._checkpoints.identity,
            world=self._group.world,
            **self._here,
        )
        state = {
            **self._optimisation.state(),
            "best_weights": self._best_weights,
            "sums": self._sums,
            "random": random,
        }
        self._checkpoints.write(progress, state)

    def _restore(self, checkpoint: Checkpoint) -> None:
        progress, state, device = checkpoint.progress, checkpoint.state, self._group.device
        self._optimisation.load(state)
        self._best_weights = {name: value.to(device) for name, value in state["best_weights"].items()}
        self._sums.copy_(state["sums"])
        set_random_state(state["random"][self._group.rank], device)
        self._step, self._batch, self._seconds = progress.step, progress.batch, progress.seconds
        self._epochs = list(progress.epochs)
        folder = shown_path(checkpoint.folder)
        self._report.say(f"{folder}: going on after step {self._step:,} of {self._total:,}")
        for what, here in self._here.items():
            if (before := getattr(progress, what)) != here:
                self._report.warn(f"{folder}: was written with {what} {before}, here is {here}: last digits may differ")


def _here(device: torch.device) -> dict[str, Any]:
    """What the last digits of a step depend on, besides its inputs."""
    return {
        "threads": torch.get_num_threads(),
        "device": device.type,
        "processor": cpu_name(),
        "torch": str(torch.__version__),
    }


class _Pace:
    """Figures of the steps since they were last told."""

    def __init__(self, sums: Tensor) -> None:
        self._sums = torch.zeros(3, device=sums.device, dtype=sums.dtype)
        self._waited, self._began = 0.0, time.perf_counter()

    def waiting_for(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, and how long each kept us waiting."""
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            self._waited += time.perf_counter() - asked
            if batch is None:
                return
            yield batch

    def add(self, sums: Tensor) -> None:
        self._sums += sums

    def tell(self, *, step: int, epoch: int, lr: float, norm: Tensor) -> Steps:
        """The figures, and a new beginning."""
        total, weight, rows = self._sums.tolist()
        now = time.perf_counter()
        steps = Steps(
            step=step,
            epoch=epoch,
            lr=lr,
            loss=total / weight if weight > 0.0 else total,
            grad_norm=float(norm),
            samples_per_s=rows / (now - self._began),
            wait_share=self._waited / (now - self._began),
        )
        self._sums.zero_()
        self._waited, self._began = 0.0, now
        return steps


def _line(epoch: Epoch, *, is_best: bool) -> str:
    def shown(value: float | None) -> str:
        return "      –" if value is None else f"{value:+.4f}"

    auc_text = "     –" if epoch.auc is None else f"{epoch.auc:.4f}"
    return (
        f"epoch {epoch.epoch:3d}  train {epoch.train_loss:.5f}  validation {epoch.loss:.5f}  AUC {auc_text}  "
        f"IC {shown(epoch.ic)}  rank IC {shown(epoch.rank_ic)}  {epoch.seconds:.1f} s{'  *' if is_best else ''}"
    )
