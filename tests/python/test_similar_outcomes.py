"""The interval of a probability is Wilson's, of the outcomes of the nearest forecasts."""

import numpy as np
import pytest

from sentio_trainer.similar_outcomes import similar_outcomes, wilson


# Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
@pytest.mark.parametrize(
    ("rises", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
)
def test_the_interval_is_that_of_the_published_examples(rises: int, n: int, low: float, high: float) -> None:
    found = wilson(rises / n, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_the_nearest_tenth_of_the_forecasts_is_counted() -> None:
    past = np.linspace(0.3, 0.7, 5_000)
    rose = np.arange(5_000) % 4 == 0
    found = similar_outcomes(0.5, past, rose, horizon=5)
    assert found is not None
    assert found.count == 500
    assert (found.nearest.low, found.nearest.high) == pytest.approx((0.48, 0.52), abs=1e-4)
    assert found.rose == pytest.approx(0.25, abs=0.002)
    assert found.independent == 100.0
    assert found.interval == wilson(found.rose, 100.0)


def test_fewer_than_two_hundred_forecasts_give_no_interval() -> None:
    past, rose = np.full(199, 0.5), np.ones(199, dtype=bool)
    assert similar_outcomes(0.5, past, rose, horizon=1) is None
    assert similar_outcomes(0.5, np.append(past, 0.5), np.append(rose, True), horizon=1) is not None
