"""The probability of backtest overfitting and the deflated Sharpe ratio, beside slow witnesses and known cases."""

import math
from itertools import combinations
from statistics import mean, stdev

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_trainer.overfitting import (
    deflated_probability,
    deflated_sharpe,
    expected_maximum_sharpe,
    probability_of_overfitting,
    sharpe_ratio,
)

Float64 = npt.NDArray[np.float64]


def ratio_of(values: list[float]) -> float:
    return 0.0 if not any(values) else mean(values) / stdev(values)


def slow_logits(returns: Float64, blocks: int) -> list[float]:
    """The definition word by word, with lists: one way after the other, ranks by sorting."""
    size = len(returns) // blocks
    rows = returns[len(returns) - size * blocks :]
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        halves: tuple[list[list[float]], list[list[float]]] = ([], [])
        for block in range(blocks):
            halves[block not in chosen].extend(rows[block * size : (block + 1) * size].tolist())
        inside, outside = ([ratio_of(list(column)) for column in zip(*half, strict=True)] for half in halves)
        best = inside.index(max(inside))
        places = [i + 1 for i, value in enumerate(sorted(outside)) if math.isclose(value, outside[best], rel_tol=1e-9)]
        w = mean(places) / (len(outside) + 1)
        logits.append(math.log(w / (1.0 - w)))
    return logits


@given(
    seed=st.integers(0, 2**32 - 1),
    strategies=st.integers(2, 7),
    blocks=st.sampled_from([2, 4, 6, 8]),
    extra=st.integers(0, 13),
    idle=st.booleans(),
)
@settings(max_examples=40)
def test_it_is_what_the_definition_says_word_by_word(
    seed: int, strategies: int, blocks: int, extra: int, idle: bool
) -> None:
    returns = np.random.default_rng(seed).normal(0.0001, 0.01, (blocks * 3 + extra, strategies))
    if idle:  # two that never trade are as good as each other
        returns[:, :2] = 0.0
    found = probability_of_overfitting(returns, blocks=blocks)
    witness = slow_logits(returns, blocks)
    np.testing.assert_allclose(found.logits, witness, rtol=0, atol=1e-12)
    assert found.probability == mean(logit <= 1e-12 for logit in witness)
    assert (found.strategies, found.blocks) == (strategies, blocks)
    assert found.observations == len(returns) // blocks * blocks


def test_two_blocks_of_two_strategies_by_hand() -> None:
    # The first is better in the first half and worse in the second: whoever is chosen is the worse one elsewhere.
    returns = np.array([[0.03, 0.01], [0.01, -0.01], [-0.01, 0.01], [0.01, 0.03]])
    found = probability_of_overfitting(returns, blocks=2)
    assert found.probability == 1.0
    np.testing.assert_allclose(found.logits, math.log((1 / 3) / (2 / 3)))
    s = math.sqrt(2.0)  # 0.02 over a standard deviation of 0.01 sqrt(2)
    np.testing.assert_allclose(found.chosen_sharpe, [s, s])
    np.testing.assert_allclose(found.other_sharpe, [0.0, 0.0], atol=1e-15)
    assert found.probability_of_loss == 0.0


def test_among_strategies_without_skill_the_best_is_above_the_median_half_of_the_time() -> None:
    found = [
        probability_of_overfitting(np.random.default_rng(seed).normal(size=(320, 20)), blocks=8).probability
        for seed in range(60)
    ]
    # The spread of one is about 0.25, so that the mean of 60 lies within 0.1 of one half.
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_a_strategy_that_is_truly_better_is_found_again() -> None:
    returns = np.random.default_rng(4).normal(0.0, 1.0, (480, 20))
    returns[:, 13] += 0.5
    found = probability_of_overfitting(returns)
    assert found.probability < 0.001
    assert found.probability_of_loss < 0.001
    assert len(found.logits) == 12_870


def test_what_is_good_in_one_half_alone_is_overfitted() -> None:
    # The returns of each strategy add up to the same: what it gains in some blocks it loses in the others.
    returns = np.random.default_rng(5).normal(size=(480, 20))
    returns -= returns.mean(axis=0)
    found = probability_of_overfitting(returns)
    assert found.probability > 0.99
    assert found.probability_of_loss == 1.0
    assert found.degradation_slope == pytest.approx(-1.0, abs=0.1)


def test_the_order_of_blocks_and_the_size_of_all_returns_do_not_matter() -> None:
    returns = np.random.default_rng(6).normal(size=(80, 5))
    found = probability_of_overfitting(returns, blocks=8)
    turned = probability_of_overfitting(7.0 * returns.reshape(8, 10, 5)[::-1].reshape(80, 5), blocks=8)
    assert turned.probability == found.probability
    np.testing.assert_allclose(np.sort(turned.logits), np.sort(found.logits))


@pytest.mark.parametrize(
    ("returns", "blocks", "message"),
    [
        (np.zeros((40, 1)), 4, r"returns must have the shape \[T, N\] with N of at least 2, found \[40, 1\]"),
        (np.zeros(40), 4, r"returns must have the shape \[T, N\] with N of at least 2, found \[40\]"),
        (np.zeros((40, 3)), 5, "blocks must be an even number, 2 to 20, found 5"),
        (np.zeros((40, 3)), 22, "blocks must be an even number, 2 to 20, found 22"),
        (np.zeros((7, 3)), 4, "returns must have at least 2 rows a block, 8, found 7"),
        (np.full((8, 3), np.nan), 4, "returns must be finite"),
        (
            np.column_stack([np.zeros(8), np.full(8, 0.1)]),
            4,
            "not defined: the returns of strategy 1 are all equal in a half, and not 0",
        ),
    ],
)
def test_what_has_no_probability_is_refused(returns: Float64, blocks: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        probability_of_overfitting(returns, blocks=blocks)


def test_strategies_that_never_trade_are_all_equal() -> None:
    found = probability_of_overfitting(np.zeros((8, 3)), blocks=4)
    assert found.probability == 1.0  # each has the middle rank: nobody does better than the median
    assert found.degradation_slope is None


def test_the_example_of_bailey_and_lopez_de_prado() -> None:
    # 2.5 a year over five years of 250 days, picked from 100 whose variance is 1/2 a year; skewness -3, kurtosis 10.
    maximum = expected_maximum_sharpe(trials=100, variance=0.5 / 250)
    assert maximum == pytest.approx(0.1132, abs=5e-5)
    found = deflated_probability(2.5 / math.sqrt(250), maximum, observations=1250, skewness=-3.0, kurtosis=10.0)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_the_expected_maximum_is_that_of_draws() -> None:
    rng = np.random.default_rng(8)
    best = rng.normal(0.0, 0.3, (4000, 50)).max(axis=1)
    # The formula is of the limit for many; the mean of 4000 is sure to 0.002.
    assert expected_maximum_sharpe(trials=50, variance=0.09) == pytest.approx(best.mean(), abs=0.02)
    assert expected_maximum_sharpe(trials=1, variance=0.09) == 0.0


def test_the_deflated_sharpe_of_returns_uses_their_own_moments() -> None:
    returns = np.array([0.01, -0.01, 0.03, 0.02, -0.02, 0.01])
    found = deflated_sharpe(returns, trials=10, variance=0.04)
    assert found is not None
    sharpe = mean(returns.tolist()) / stdev(returns.tolist())
    centred = returns - returns.mean()
    second = np.mean(centred**2)
    skewness, kurtosis = np.mean(centred**3) / second**1.5, np.mean(centred**4) / second**2
    spread = math.sqrt(1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2)
    z = (sharpe - expected_maximum_sharpe(trials=10, variance=0.04)) * math.sqrt(5) / spread
    assert found.probability == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2.0)), abs=1e-12)
    assert found.sharpe == pytest.approx(sharpe)
    assert (found.trials, found.observations) == (10, 6)


def test_what_has_no_sharpe_ratio_has_no_deflated_one() -> None:
    for returns in (np.array([0.1]), np.zeros(10), np.full(10, 0.01)):
        assert sharpe_ratio(returns) is None
        assert deflated_sharpe(returns, trials=2, variance=0.1) is None
