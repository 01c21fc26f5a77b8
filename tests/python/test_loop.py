"""Metrics against brute force, and the laws of the training loop."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sentio_trainer.batches import Batches
from sentio_trainer.bootstrap import block_bootstrap_errors
from sentio_trainer.calibration import fit_calibration
from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.forecast import outputs
from sentio_trainer.goal import Goal
from sentio_trainer.loop import Fit, Held, _lr_share, direction_loss, fit, pick_device, regression_loss
from sentio_trainer.metrics import auc, correlation, rank_correlation, ranks
from sentio_trainer.models import Mlp, Normalised
from sentio_trainer.moments import Moments
from sentio_trainer.report import Silence
from sentio_trainer.resampled import Correlation
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import TrainingConfig

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


@settings(max_examples=200, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_auc_counts_pairs_in_the_right_order_and_ties_as_half(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([float(each) for each, _ in pairs])
    positive = np.array([each for _, each in pairs])
    wins = [(up > down) + 0.5 * (up == down) for up in score[positive] for down in score[~positive]]
    found = auc(score, positive)
    if not wins:
        assert found is None
    else:
        assert found == pytest.approx(sum(wins) / len(wins), abs=1e-12)


def test_ranks_average_ties() -> None:
    np.testing.assert_array_equal(ranks(np.array([10.0, 20.0, 10.0, 30.0])), [1.5, 3.0, 1.5, 4.0])


def test_correlations_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 40.0])
    assert correlation(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert rank_correlation(x, y) == pytest.approx(0.8)  # 1 - 6 · (0 + 1 + 1 + 0) / (4 · 15)


def test_the_standard_error_of_a_correlation_holds_where_volatility_varies() -> None:
    rng = np.random.default_rng(0)
    volatility = np.exp(rng.standard_normal((200, 400)) * 0.7)
    x, y = (volatility * rng.standard_normal(volatility.shape) for _ in range(2))
    found = [correlation(a, b) for a, b in zip(x, y, strict=True)]
    stated = [block_bootstrap_errors(_one(Correlation(a, b)), 400, horizon=1) for a, b in zip(x, y, strict=True)]
    spread = float(np.std(np.array(found, dtype=float)))
    assert spread > 1.3 / np.sqrt(400)  # the textbook's formula is too sure here
    # The spread of 200 is known to 5 %, and 40 blocks of fat tails see a little less than all of it.
    assert float(np.mean(np.array(stated, dtype=float))) == pytest.approx(spread, rel=0.2)


def _one(figure: Correlation) -> Callable[[np.ndarray], list[float]]:
    return lambda counts: [figure(counts)]


def test_a_forecast_that_does_not_vary_has_no_correlation() -> None:
    assert correlation(np.ones(5), np.arange(5.0)) is None
    assert rank_correlation(np.arange(5.0), np.ones(5)) is None


def test_losses_by_hand() -> None:
    output = torch.tensor([[0.0], [2.0]])
    weight = torch.tensor([3.0, 1.0])
    expected = (3.0 * math.log(2.0) + math.log1p(math.exp(2.0))) / 4.0
    assert float(direction_loss(output, torch.tensor([1.0, 0.0]), weight)) == pytest.approx(expected)
    # |error| 0.5 is squared and halved; 3 is linear.
    assert float(regression_loss(output, torch.tensor([0.5, -1.0]), torch.ones(2))) == pytest.approx((0.125 + 2.5) / 2)
    assert float(direction_loss(output, torch.tensor([1.0, 0.0]), torch.zeros(2))) == 0.0


def test_the_learning_rate_rises_over_the_warm_up_and_falls_to_nothing() -> None:
    shares = [_lr_share(step, 100, 0.1) for step in range(100)]
    assert shares[0] == pytest.approx(0.05)
    assert max(shares) == pytest.approx(1.0, abs=1e-3)
    assert shares.index(max(shares)) == 10
    assert shares[:11] == sorted(shares[:11])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert 0.0 < shares[-1] < 1e-3
    assert _lr_share(0, 1, 0.0) == pytest.approx(0.5)


def test_the_wrapper_normalises_clips_and_calibrates() -> None:
    class Sum(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(dim=1, keepdim=True)

    model = Normalised(Sum(), Moments(mean=np.array([1.0, 10.0]), std=np.array([2.0, 1.0])), clip=3.0)
    x = torch.tensor([[3.0, 9.0], [1000.0, -1000.0], [1000.0, 10.0]])
    assert model(x).tolist() == [[0.0], [0.0], [3.0]]
    model.calibrate(slope=2.0, intercept=-1.0)
    assert model(x).tolist() == [[-1.0], [-1.0], [5.0]]


def test_an_untrained_model_forecasts_nothing() -> None:
    model = Mlp(inputs=3, hidden=8, layers=2, dropout=0.0)
    assert model(torch.randn(5, 3)).tolist() == [[0.0]] * 5
    assert [tuple(p.shape) for p in model.parameters()] == [(8, 3), (8,), (8, 8), (8,), (1, 8), (1,)]


def test_calibration_finds_the_logit_that_made_the_directions() -> None:
    rng = np.random.default_rng(0)
    output = 0.01 * rng.standard_normal(200_000)
    up = rng.random(len(output)) < 1.0 / (1.0 + np.exp(-(50.0 * output - 0.2)))
    found = fit_calibration(output, up)
    assert found.slope == pytest.approx(50.0, rel=0.02)
    assert found.intercept == pytest.approx(-0.2, abs=0.02)


def test_calibration_of_a_constant_leaves_it_alone() -> None:
    found = fit_calibration(np.full(10, 0.3), np.arange(10) < 5)
    assert (found.slope, found.intercept) == (1.0, 0.0)


GOAL = Goal(objective="direction", weighting="move", mean_size=1.0, rise_share=0.5)


def samples(n: int = 4000, *, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray, Held]:
    """Features, the return that one of three forecasts, and the second half to validate on."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    forward_return = strength * x[:, 0] + rng.standard_normal(n)
    rows = np.arange(n // 2, n)
    target, weight = GOAL(forward_return[rows])
    held = Held(x=x, rows=rows, window=1, target=target, weight=weight, forward_return=forward_return[rows])
    return x, forward_return, held


def train(x: np.ndarray, learned: np.ndarray, held: Held, **settings: object) -> tuple[nn.Module, Fit]:
    config = TrainingConfig.model_validate({"batch_size": 128, "epochs": 4, "lr": 0.01, **settings})
    torch.manual_seed(config.seed)
    model = Normalised(
        Mlp(inputs=3, hidden=8, layers=1, dropout=0.1), Moments(mean=np.zeros(3), std=np.ones(3)), clip=8.0
    )
    rows = RowSet.of_indices(np.arange(len(x) // 2), n=len(x))
    batches = Batches(x, learned, rows, GOAL, batch_size=config.batch_size, window=1, num_workers=1, prefetch_factor=2)
    return model, fit(model, batches, held, direction_loss, config, device=CPU, report=Silence())


def test_a_forecastable_return_is_forecast() -> None:
    _, result = train(*samples())
    assert result.best.ic is not None
    assert result.best.ic > 0.65  # the feature itself correlates by sqrt(1/2)
    assert result.best.auc is not None
    assert result.best.auc > 0.8
    assert result.best.loss < math.log(2)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    def weights(seed: int) -> list[float]:
        model, _ = train(*samples(500), seed=seed)
        return [value for p in model.parameters() for value in p.flatten().tolist()]

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


@pytest.mark.parametrize("monitor", ["loss", "auc", "ic", "rank_ic"])
def test_the_model_ends_with_the_weights_of_its_best_epoch(monitor: str) -> None:
    x, learned, held = samples(600, strength=0.02)  # little to learn: epochs get worse
    model, result = train(x, learned, held, epochs=12, monitor=monitor, patience=12)
    values = [getattr(epoch, monitor) for epoch in result.epochs]
    best = min(values) if monitor == "loss" else max(values)
    assert getattr(result.best, monitor) == best
    assert result.best.epoch < 12
    output = outputs(model, held.x, held.rows, window=1, device=CPU)
    assert correlation(output, held.forward_return) == result.best.ic


def test_training_stops_when_no_epoch_is_better_for_long_enough() -> None:
    _, result = train(*samples(600, strength=0.02), epochs=50, patience=3)
    assert len(result.epochs) == result.best.epoch + 3 < 50


def test_rows_that_are_held_do_not_move_the_weights() -> None:
    x, learned, held = samples(500)
    model, _ = train(x, learned, held, epochs=1)
    noise, noisy = x.copy(), learned.copy()
    noise[250:], noisy[250:] = 1e6, 1.0
    other, _ = train(noise, noisy, held, epochs=1)
    for one, another in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, another)


def test_a_loss_that_is_not_finite_is_an_error_in_words() -> None:
    x, learned, held = samples(500)
    x[7, 1] = np.nan
    with pytest.raises(SentioError) as error:
        train(x, learned, held)
    assert str(error.value) == "the training loss became nan in epoch 1; try a learning rate (training.lr) below 0.01"


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ConfigError, match=r"^training.device: 'gpu' cannot be used here; auto picks one that can$"):
        pick_device("gpu")
