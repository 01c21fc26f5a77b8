"""A small problem to run the training loop on."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sentio_trainer.batches import Batches
from sentio_trainer.checkpoint import Checkpoints
from sentio_trainer.distributed import Group
from sentio_trainer.goal import Goal
from sentio_trainer.loop import Fit, fit
from sentio_trainer.models import Mlp, Normalised
from sentio_trainer.moments import Moments
from sentio_trainer.report import Report, Silence
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import TrainingConfig
from sentio_trainer.validation import Held, validated
from sentio_trainer.watch import Epoch, Nobody, Watcher

CPU = torch.device("cpu")
ALONE = Group(device=CPU)
GOAL = Goal(objective="direction", weighting="move", mean_size=1.0, rise_share=0.5)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A return that one of three features forecasts; the first half is learned from, the second one held."""

    x: np.ndarray  # [n, 3]
    learned: np.ndarray  # [n]

    @property
    def held(self) -> Held:
        rows = np.arange(len(self.x) // 2, len(self.x))
        target, weight = GOAL(self.learned[rows])
        return Held(
            x=self.x, rows=rows, window=1, target=target, weight=weight, forward_return=self.learned[rows].copy()
        )


def make_problem(n: int = 4000, *, strength: float = 1.0) -> Problem:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    return Problem(x=x, learned=strength * x[:, 0] + rng.standard_normal(n))


def config_of(**settings: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"batch_size": 128, "epochs": 4, "lr": 0.01, **settings})


def make_model(*, dropout: float = 0.1, seed: int = 7) -> Normalised:
    torch.manual_seed(seed)
    body = Mlp(inputs=3, hidden=8, layers=1, dropout=dropout)
    return Normalised(body, Moments(mean=np.zeros(3), std=np.ones(3)), clip=8.0)


def train(
    problem: Problem,
    *,
    held: Held | None = None,
    model: nn.Module | None = None,
    dropout: float = 0.1,
    run_folder: Path | None = None,
    resume_from: Path | None = None,
    group: Group = ALONE,
    report: Report | None = None,
    watcher: Watcher | None = None,
    **settings: object,
) -> tuple[nn.Module, Fit]:
    """A training; with a run folder it writes checkpoints."""
    config = config_of(**settings)
    model = model or make_model(dropout=dropout, seed=config.seed)
    held = held or problem.held
    batches = Batches(
        problem.x,
        problem.learned,
        RowSet.of_indices(np.arange(len(problem.x) // 2), n=len(problem.x)),
        GOAL,
        batch_size=config.batch_size,
        window=1,
        num_workers=config.num_workers,
        prefetch_factor=config.prefetch_factor,
        rank=group.rank,
        world=group.world,
    )
    checkpoints = None
    if run_folder is not None:
        identity = {"training.lr": config.lr, "training.seed": config.seed}
        checkpoints = Checkpoints(
            run_folder, keep_last=config.keep_last, every=config.checkpoint_steps, identity=identity
        )
    result = fit(
        model,
        batches,
        objective="direction",
        validate=lambda model: validated(model, held, "direction", device=group.device),
        config=config,
        group=group,
        report=report or Silence(),
        watcher=watcher or Nobody(),
        checkpoints=checkpoints,
        resume_from=resume_from,
    )
    return model, result


def weights_hash(model: nn.Module) -> str:
    """One text for all bits of the weights and their names."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def timeless(epochs: list[Epoch]) -> list[Epoch]:
    """The training log without what a clock decides."""
    return [replace(epoch, seconds=0.0) for epoch in epochs]
