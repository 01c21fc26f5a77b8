"""Intervals hold the truth as often as they say, and resamples are what they claim to be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_trainer import metrics, resampled
from sentio_trainer.bootstrap import (
    Interval,
    block_bootstrap_errors,
    block_length,
    interval_around,
    resample_counts,
)


@pytest.mark.parametrize(
    ("samples", "horizon", "length"), [(100, 1, 10), (8_000, 1, 20), (8_000, 5, 50), (1_000_000, 5, 100)]
)
def test_a_block_is_ten_horizons_or_the_cube_root_of_all_samples(samples: int, horizon: int, length: int) -> None:
    assert block_length(samples, horizon=horizon) == length


def test_a_resample_is_made_of_whole_blocks_and_one_that_is_cut_to_fit() -> None:
    different = set()
    for counts in resample_counts(10, block=4, resamples=200, seed=0):
        assert counts.sum() == 10
        rises = np.diff(np.append(counts[-1], counts)).clip(min=0).sum()
        assert rises <= 3  # blocks begin at three places at most
        different.add(tuple(counts.tolist()))
    assert len(different) > 100


def test_a_block_goes_on_at_the_first_sample_after_the_last() -> None:
    drawn = list(resample_counts(5, block=5, resamples=20, seed=0))
    np.testing.assert_array_equal(drawn, np.ones((20, 5)))


def test_every_sample_is_drawn_equally_often() -> None:
    total = np.sum(list(resample_counts(50, block=7, resamples=20_000, seed=0)), axis=0) / 20_000
    # A count has variance of about 1 a block of 7, so a mean of 20,000 strays by less than 0.01 each; five of them.
    np.testing.assert_allclose(total, 1.0, atol=0.05)


values = st.integers(-3, 3).map(float)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(values, values, st.integers(0, 3)), min_size=2, max_size=30))
def test_metrics_of_counts_are_those_of_samples_written_out(rows: list[tuple[float, float, int]]) -> None:
    x, y, counts = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if counts.sum() == 0:
        return
    x_out, y_out = (np.repeat(each, counts.astype(int)) for each in (x, y))
    moved = y_out != 0.0

    def same(found: float, expected: float | None) -> bool:
        return math.isnan(found) if expected is None else found == pytest.approx(expected, abs=1e-9)

    order = resampled.Order(x)
    np.testing.assert_allclose(np.repeat(order.ranks(counts), counts.astype(int)), metrics.ranks(x_out), rtol=0, atol=0)
    assert same(resampled.auc(order, y > 0, y < 0, counts), metrics.auc(x_out[moved], y_out[moved] > 0))
    assert same(resampled.Correlation(x, y)(counts), metrics.correlation(x_out, y_out))
    found = resampled.rank_correlation(order, resampled.Order(y).ranks(counts), counts)
    assert same(found, metrics.rank_correlation(x_out, y_out))
    assert resampled.mean(y, counts) == pytest.approx(y_out.mean(), abs=1e-12)


def errors_of_mean(values: np.ndarray, *, seed: int = 0) -> float:
    found = block_bootstrap_errors(lambda counts: [resampled.mean(values, counts)], len(values), horizon=1, seed=seed)
    assert found is not None
    return float(found[0])


def test_the_error_of_a_mean_of_independent_samples_is_the_textbook_one() -> None:
    sample = np.random.default_rng(0).standard_normal(20_000)
    # 5 % for 200 resamples and as much again for 740 blocks; twice their sum.
    assert errors_of_mean(sample) == pytest.approx(1.0 / math.sqrt(20_000), rel=0.15)


def test_the_same_seed_gives_the_same_error_and_another_seed_another() -> None:
    sample = np.random.default_rng(0).standard_normal(500)
    assert errors_of_mean(sample) == errors_of_mean(sample)
    assert errors_of_mean(sample) != errors_of_mean(sample, seed=1)


def test_fewer_than_ten_blocks_give_no_error() -> None:
    def statistic(counts: np.ndarray) -> list[float]:
        return [float(counts[0])]

    assert block_bootstrap_errors(statistic, 99, horizon=1) is None
    assert block_bootstrap_errors(statistic, 100, horizon=1) is not None
    assert block_bootstrap_errors(statistic, 499, horizon=5) is None


def test_an_interval_reaches_as_far_to_each_side() -> None:
    assert interval_around(0.5, 0.25, standard_errors=2.0) == Interval(low=0.0, high=1.0)


HORIZON = 5


def persistent_forecasts(rng: np.random.Generator, n: int, *, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A forecast that follows itself, and returns over five bars, each of which shares four with the next."""
    shocks, forecast = rng.standard_normal(n + HORIZON), np.empty(n + HORIZON)
    value = shocks[0]
    for i, shock in enumerate(shocks):
        value = 0.8 * value + 0.6 * shock
        forecast[i] = value
    returns = strength * forecast + rng.standard_normal(n + HORIZON)
    sums = np.convolve(returns, np.ones(HORIZON), mode="valid")[:n]
    return forecast[:n], sums


@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_intervals_of_two_errors_hold_the_truth_in_95_of_100_markets(strength: float) -> None:
    rng = np.random.default_rng(4)
    truth = metrics.correlation(*persistent_forecasts(rng, 300_000, strength=strength))
    assert truth is not None
    markets, held, held_if_independent = 200, 0, 0
    for market in range(markets):
        x, y = persistent_forecasts(rng, 1_000, strength=strength)
        ic = resampled.Correlation(x, y)
        value = metrics.correlation(x, y)
        assert value is not None
        errors = block_bootstrap_errors(lambda counts, ic=ic: [ic(counts)], len(x), horizon=HORIZON, seed=market)
        assert errors is not None
        interval = interval_around(value, float(errors[0]), standard_errors=2.0)
        held += interval.low <= truth <= interval.high
        alone = [ic(counts) for counts in resample_counts(len(x), block=1, resamples=50, seed=market)]
        held_if_independent += abs(value - truth) <= 2.0 * float(np.std(alone))
    # 95.4 % are meant. Twenty blocks spread like Student's t, which makes 94 %, and see less of the variance: 92 % over
    # 600 markets. A share of 200 strays by 1.9 %: three of those below, and all but one above.
    assert 0.86 <= held / markets <= 0.995
    # Samples that are taken for independent are not: the same intervals then say far too much.
    assert held_if_independent / markets < 0.85
