"""What a model is measured against, and how; scikit-learn and SciPy are the oracles."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentio_trainer import baselines, metrics
from sentio_trainer.baselines import LogisticRegression, fit_logistic, last_sign, up_share
from sentio_trainer.goal import Goal
from sentio_trainer.moments import training_moments
from sentio_trainer.reliability import Bin, brier, reliability_table
from sentio_trainer.rows import RowSet

CLIP = 2.0
TRAIN = slice(100, 3_000)
TEST = np.arange(3_000, 4_000)


@dataclass
class Samples:
    x: np.ndarray
    label: np.ndarray  # its sign is learned, its size is the weight
    usable: np.ndarray

    @property
    def rows(self) -> RowSet:
        return RowSet(ranges=(TRAIN,), usable=self.usable)


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "CHUNK_ROWS", 700)


def samples(*, strength: float = 0.5) -> Samples:
    """Four features, the last two nearly the same; the first says something of the direction."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4_000, 4))
    x[:, 3] = x[:, 2] + 0.01 * x[:, 3]
    x = (5.0 + 3.0 * x).astype(np.float32)
    rise = strength * (x[:, 0] - 5.0) / 3.0 + rng.logistic(size=4_000) > 0.2
    size = rng.exponential(size=4_000).astype(np.float32)
    return Samples(x=x, label=np.where(rise, size, -size).astype(np.float64), usable=rng.random(4_000) < 0.9)


# Labels of size 1 on average: the weight is the size, up to its limit.
GOAL = Goal(objective="direction", weighting="move", mean_size=1.0, rise_share=0.5)


def fitted(given: Samples) -> LogisticRegression:
    moments = training_moments(given.x, given.rows, names=list("abcd"))
    return fit_logistic(given.x, given.label, given.rows, GOAL, moments, clip=CLIP)


@pytest.mark.parametrize("strength", [0.05, 0.5, 3.0])
def test_logistic_regression_is_that_of_scikit_learn(strength: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the oracle here")
    given = samples(strength=strength)
    found = fitted(given)
    z = np.clip((given.x.astype(float) - found.moments.mean) / found.moments.std, -CLIP, CLIP)
    used = given.rows.indices()
    _, weight = GOAL(given.label)
    oracle = linear_model.LogisticRegression(C=1.0 / baselines.RIDGE, tol=1e-10, max_iter=10_000)
    oracle.fit(z[used], given.label[used] > 0.0, sample_weight=weight[used])
    # Both stop where a step no longer moves a coefficient by 1e-6; near the end steps shrink by a factor.
    np.testing.assert_allclose(found.coefficients, [*oracle.coef_[0], *oracle.intercept_], rtol=0, atol=2e-5)
    np.testing.assert_allclose(found.logits(given.x, TEST), oracle.decision_function(z[TEST]), rtol=0, atol=1e-4)


def test_logistic_regression_learns_from_training_rows_alone() -> None:
    rows, spoilt = samples(), samples()
    outside = np.ones(4_000, dtype=bool)
    outside[spoilt.rows.indices()] = False
    spoilt.x[outside], spoilt.label[outside] = 1e6, 1e6
    np.testing.assert_array_equal(fitted(spoilt).coefficients, fitted(rows).coefficients)


def test_of_many_rows_logistic_regression_learns_from_blocks_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 100_000
    thin = RowSet(ranges=(slice(50, n),), usable=np.arange(n) % 3 > 0).thinned(10_000)
    chosen = thin.indices()
    assert 9_000 < len(chosen) < 12_000
    assert np.isin(chosen, np.flatnonzero(np.arange(n) % 3 > 0)).all()
    assert chosen.min() < 5_000
    assert chosen.max() > n - 25_000
    given = samples()
    whole = fitted(given).coefficients
    monkeypatch.setattr(baselines, "MAX_ROWS", 2_000)
    # The rows of this sample make a single block, which is kept.
    np.testing.assert_array_equal(fitted(given).coefficients, whole)


def test_directions_that_a_feature_separates_leave_the_coefficients_finite() -> None:
    given = samples()
    given.label[:] = np.sign(given.x[:, 0] - 5.0)
    assert np.isfinite(fitted(given).coefficients).all()


def test_the_sign_of_the_last_return_is_zero_after_none() -> None:
    np.testing.assert_array_equal(last_sign(np.array([0.3, -2.0, 0.0])), [1.0, -1.0, 0.0])


def test_the_share_of_rises_is_of_bars_that_moved() -> None:
    def share(returns: list[float]) -> float:
        marked = [True] * (len(returns) - 1) + [False]
        return up_share(np.array(returns), RowSet(ranges=(slice(0, len(returns)),), usable=np.array(marked)))

    assert share([0.1, 0.2, 0.0, -0.1, 0.3, -0.5]) == 0.75
    assert share([0.0, 0.0, 0.1]) == 0.5


def test_the_brier_score_by_hand() -> None:
    happened = np.array([True, False, True, True])
    assert brier(np.array([1.0, 0.0, 0.5, 0.0]), happened) == pytest.approx((0.0 + 0.0 + 0.25 + 1.0) / 4)
    assert brier(np.full(4, 0.5), happened) == 0.25
    assert brier(np.empty(0), np.empty(0, dtype=bool)) is None


def test_the_reliability_table_by_hand() -> None:
    probability = np.array([0.9, 0.1, 0.6, 0.2, 0.4])
    happened = np.array([True, False, True, True, False])
    assert reliability_table(probability, happened, bins=2) == [
        Bin(predicted=pytest.approx(0.7 / 3), observed=pytest.approx(1 / 3), count=3),
        Bin(predicted=pytest.approx(0.75), observed=1.0, count=2),
    ]
    assert [each.count for each in reliability_table(probability, happened)] == [1] * 5
    assert reliability_table(np.empty(0), np.empty(0, dtype=bool)) == []


def test_probabilities_that_are_true_lie_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(50_000)
    table = reliability_table(probability, rng.random(50_000) < probability)
    assert [each.count for each in table] == [5_000] * 10
    for each in table:  # four standard errors of a share of 5,000
        assert each.observed == pytest.approx(each.predicted, abs=4 * np.sqrt(0.25 / 5_000))


scored = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30).filter(
    lambda pairs: len({up for _, up in pairs}) == 2
)


@given(pairs=scored)
def test_reversed_scores_have_the_rest_of_the_area_and_equal_scores_half(pairs: list[tuple[int, bool]]) -> None:
    score, up = np.array([float(each) for each, _ in pairs]), np.array([each for _, each in pairs])
    assert metrics.auc(-score, up) == pytest.approx(1.0 - (metrics.auc(score, up) or 0.0), abs=1e-12)
    assert metrics.auc(np.zeros(len(score)), up) == 0.5


def test_metrics_are_those_of_scikit_learn_and_scipy() -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle here")
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle here")
    rng = np.random.default_rng(0)
    score = np.round(rng.standard_normal(1_000), 1)  # with ties
    returns = np.round(0.3 * score + rng.standard_normal(1_000), 1)
    up, probability = returns > 0.0, 1.0 / (1.0 + np.exp(-score))
    # Sums of a thousand, in another order.
    assert metrics.auc(score, up) == pytest.approx(oracle.roc_auc_score(up, score), abs=1e-12)
    assert metrics.rank_correlation(score, returns) == pytest.approx(stats.spearmanr(score, returns)[0], abs=1e-12)
    assert brier(probability, up) == pytest.approx(oracle.brier_score_loss(up, probability), abs=1e-12)
