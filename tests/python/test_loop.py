"""Metrics against brute force, and the laws of the training loop."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_support import CPU, Problem, config_of, make_problem, train, weights_hash
from torch import nn

from sentio_trainer.bootstrap import block_bootstrap_errors
from sentio_trainer.calibration import fit_calibration
from sentio_trainer.device import compile_errors_in_words, memory_errors_in_words, pick_device
from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.forecast import outputs
from sentio_trainer.metrics import auc, correlation, rank_correlation, ranks
from sentio_trainer.models import Mlp, Normalised
from sentio_trainer.moments import Moments
from sentio_trainer.resampled import Correlation
from sentio_trainer.validation import validated
from sentio_trainer.watch import Epoch, Steps

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


def test_a_forecastable_return_is_forecast() -> None:
    _, result = train(make_problem())
    assert result.best.ic is not None
    assert result.best.ic > 0.65  # the feature itself correlates by sqrt(1/2)
    assert result.best.auc is not None
    assert result.best.auc > 0.8
    assert result.best.loss < math.log(2)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    def weights(seed: int) -> list[float]:
        model, _ = train(make_problem(500), seed=seed)
        return [value for p in model.parameters() for value in p.flatten().tolist()]

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


@pytest.mark.parametrize("monitor", ["loss", "auc", "ic", "rank_ic"])
def test_the_model_ends_with_the_weights_of_its_best_epoch(monitor: str) -> None:
    problem = make_problem(600, strength=0.02)  # little to learn: epochs get worse
    model, result = train(problem, epochs=12, monitor=monitor, patience=12)
    values = [getattr(epoch, monitor) for epoch in result.epochs]
    best = min(values) if monitor == "loss" else max(values)
    assert getattr(result.best, monitor) == best
    assert result.best.epoch < 12
    held = problem.held
    output = outputs(model, held.x, held.rows, window=1, device=CPU)
    assert correlation(output, held.forward_return) == result.best.ic


def test_training_stops_when_no_epoch_is_better_for_long_enough() -> None:
    _, result = train(make_problem(600, strength=0.02), epochs=50, patience=3)
    assert len(result.epochs) == result.best.epoch + 3 < 50


def test_a_monitor_that_no_epoch_defines_is_an_error_in_words() -> None:
    problem = make_problem(500)
    still = replace(problem.held, forward_return=np.zeros(250))
    assert train(problem, held=still, epochs=1)[1].best.ic is None
    with pytest.raises(SentioError, match=r"^training\.monitor ic: is undefined in each of 2 epochs, .*; loss can$"):
        train(problem, held=still, epochs=2, monitor="ic")


def test_rows_that_are_held_do_not_move_the_weights() -> None:
    problem = make_problem(500)
    model, _ = train(problem, epochs=1)
    noise, noisy = problem.x.copy(), problem.learned.copy()
    noise[250:], noisy[250:] = 1e6, 1.0
    other, _ = train(Problem(x=noise, learned=noisy), held=problem.held, epochs=1)
    assert weights_hash(other) == weights_hash(model)


def test_a_loss_that_is_not_finite_is_an_error_in_words() -> None:
    problem = make_problem(500)
    problem.x[7, 1] = np.nan
    with pytest.raises(SentioError) as error:
        train(problem)
    assert str(error.value) == "the training loss became nan in epoch 1; try a learning rate (training.lr) below 0.01"


class Recorder:
    """Keeps what it is told."""

    def __init__(self, log_steps: int) -> None:
        self.log_steps = log_steps
        self.begun: list[int] = []
        self.steps: list[Steps] = []
        self.epochs: list[Epoch] = []

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        self.begun.append(step)
        self.epochs = list(epochs)

    def on_steps(self, steps: Steps) -> None:
        self.steps.append(steps)

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


def test_a_watcher_hears_of_every_step_and_every_epoch() -> None:
    recorder = Recorder(log_steps=1)
    _, result = train(make_problem(1000), watcher=recorder, epochs=3, dropout=0.0)
    assert recorder.begun == [0]
    assert recorder.epochs == result.epochs
    assert [steps.step for steps in recorder.steps] == list(range(1, result.epochs[-1].step + 1))
    for epoch, before in zip(result.epochs, [0, *(each.step for each in result.epochs)], strict=False):
        told = [steps for steps in recorder.steps if steps.epoch == epoch.epoch]
        assert [steps.step for steps in told] == list(range(before + 1, epoch.step + 1))
        assert told[0].lr == epoch.lr
    for steps in recorder.steps:
        assert steps.grad_norm > 0.0
        assert steps.samples_per_s > 0.0
        assert 0.0 <= steps.wait_share <= 1.0


def test_figures_of_several_steps_are_told_together() -> None:
    each, some = Recorder(log_steps=1), Recorder(log_steps=3)
    train(make_problem(3000), watcher=each, epochs=1)
    train(make_problem(3000), watcher=some, epochs=1)
    assert [steps.step for steps in some.steps] == [3, 6, 9, 12]
    assert [steps.lr for steps in some.steps] == [each.steps[at].lr for at in (2, 5, 8, 11)]
    lowest, highest = min(steps.loss for steps in each.steps[:3]), max(steps.loss for steps in each.steps[:3])
    assert lowest < some.steps[0].loss < highest


def test_training_stops_after_max_steps_and_validates() -> None:
    _, whole = train(make_problem(1000), epochs=4)
    _, result = train(make_problem(1000), epochs=4, max_steps=7)
    steps = whole.epochs[0].step
    assert [epoch.step for epoch in result.epochs] == [steps, 7]
    assert steps < 7 < 2 * steps


def test_a_step_needs_accumulate_batches_and_the_last_one_of_an_epoch_takes_the_rest() -> None:
    _, single = train(make_problem(1000), epochs=2)
    _, joined = train(make_problem(1000), epochs=2, accumulate=3)
    assert [epoch.step for epoch in joined.epochs] == [-(-each.step // 3) for each in single.epochs[:1]] + [
        2 * -(-single.epochs[0].step // 3)
    ]


def test_the_average_is_what_is_validated_and_kept() -> None:
    problem = make_problem(1000)
    model, result = train(problem, ema=0.9, epochs=3)
    found = validated(model, problem.held, "direction", device=CPU)
    assert found.loss == result.best.loss
    other, _ = train(problem, epochs=3)
    assert weights_hash(other) != weights_hash(model)


def test_memory_that_does_not_suffice_is_an_error_that_names_the_batch_size_and_half_of_it() -> None:
    class Greedy(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + torch.empty(1 << 50)

    with pytest.raises(SentioError) as error:
        train(make_problem(500), model=Greedy(3, 1), accumulate=2)
    assert str(error.value) == (
        "out of memory on cpu with training.batch_size 128: try 64, with training.accumulate 4 for the same steps"
    )


@pytest.mark.parametrize(
    "text", ["MPS backend out of memory (MPS allocated: 5 GB, max allowed: 6 GB)", "CUDA out of memory."]
)
def test_accelerators_run_out_of_memory_in_their_own_words(text: str) -> None:
    kind = torch.OutOfMemoryError if text.startswith("CUDA") else RuntimeError
    with (
        pytest.raises(SentioError, match=r"^out of memory on cpu with training.batch_size 1: the model itself is too"),
        memory_errors_in_words(config_of(batch_size=1), CPU),
    ):
        raise kind(text)


def test_a_compiler_that_is_not_there_is_named_with_the_key_that_does_without_it() -> None:
    from torch._dynamo.exc import BackendCompilerFailed

    with (
        pytest.raises(SentioError, match=r"^torch\.compile cannot be used here, training\.compile=off does .* no gcc$"),
        compile_errors_in_words(),
    ):
        raise BackendCompilerFailed(compile_errors_in_words, RuntimeError("no gcc"), None)
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), compile_errors_in_words():
        raise RuntimeError("shapes differ")


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), memory_errors_in_words(config_of(), CPU):
        raise RuntimeError("shapes differ")


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ConfigError, match=r"^training.device: 'gpu' cannot be used here; auto picks one that can$"):
        pick_device("gpu")
