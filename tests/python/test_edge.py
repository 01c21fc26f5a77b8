"""The planted edge: models find most of what is there to find, and nothing where there is nothing.

The theoretical information coefficient is known (sentio_trainer.market). `python -m benchmarks.edge` is the same in
full size: the shipped configurations, 55 features, more bars.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_support import make_project

from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

pytestmark = pytest.mark.usefixtures("one_thread")

PLANTED = 0.10
MLP: dict[str, Any] = {"training__batch_size": 2048, "training__epochs": 5}
TRANSFORMER: dict[str, Any] = {
    "model__kind": "transformer",
    "model__sequence_length": 20,
    "model__layers": 1,
    "model__heads": 2,
    "training__batch_size": 512,
    "training__epochs": 1,
}
KINDS = pytest.mark.parametrize("model", [MLP, TRANSFORMER], ids=["mlp", "transformer"])


def found_ic(folder: Path, model: dict[str, Any], *, seed: int, days: int, ic: float) -> tuple[float, int]:
    """The IC on the test rows, and how many they are; one seed for the market and the training."""
    project = make_project(folder / f"{seed}", days=days, seed=seed, ic=ic)
    trained = train(project.load(training__seed=seed, **model), overwrite=False, report=Silence())
    assert trained is not None
    assert trained.evaluation.model.ic is not None
    return trained.evaluation.model.ic.value, trained.evaluation.rows


@KINDS
def test_a_model_recovers_most_of_a_planted_edge(model: dict[str, Any], tmp_path: Path) -> None:
    found = [found_ic(tmp_path, model, seed=seed, days=250, ic=PLANTED)[0] for seed in (1, 2, 3)]
    # A forecast of the sign alone can reach 94 % of it on these markets: E[volatility] / sqrt(E[volatility^2]).
    assert np.mean(found) >= 0.7 * PLANTED


@KINDS
def test_without_an_edge_nothing_but_noise_is_found(model: dict[str, Any], tmp_path: Path) -> None:
    seeds = range(1, 11)
    found = [found_ic(tmp_path, model, seed=seed, days=60, ic=0.0) for seed in seeds]
    size, rows = np.mean(np.abs([ic for ic, _ in found])), np.mean([rows for _, rows in found])
    # The size of a normal number of standard deviation 1 / sqrt(rows): its mean, and that mean's error over the seeds.
    expected = math.sqrt(2.0 / math.pi / rows)
    error = math.sqrt((1.0 - 2.0 / math.pi) / rows / len(seeds))
    assert abs(size - expected) < 3.0 * error
