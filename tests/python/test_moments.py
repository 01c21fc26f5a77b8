"""Mean and spread of the features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_trainer.errors import DataError
from sentio_trainer.moments import training_moments
from sentio_trainer.rows import RowSet


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_moments_are_those_of_the_usable_training_rows(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, chunk = data.draw(st.integers(8, 300)), data.draw(st.integers(1, 50))
    x = (rng.standard_normal((n, 3)) * [1.0, 1e-4, 1e3] + [0.0, 5.0, -1e4]).astype(np.float32)
    usable = rng.random(n) < 0.7
    rows = RowSet(ranges=(slice(n // 8, n // 4), slice(n // 2, n - n // 4)), usable=usable)
    usable[n // 2] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentio_trainer.moments.CHUNK_ROWS", chunk)
        found = training_moments(x, rows, names=["a", "b", "c"])
    chosen = x[rows.indices()].astype(np.float64)
    expected = chosen.std(axis=0)
    np.testing.assert_allclose(found.mean, chosen.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, np.where(expected > 1e-12, expected, 1.0), rtol=1e-9)


def all_rows(n: int) -> RowSet:
    return RowSet(ranges=(slice(0, n),), usable=np.ones(n, dtype=np.bool_))


def test_a_constant_column_has_std_1() -> None:
    x = np.full((100, 2), 0.1, dtype=np.float32)
    x[:, 1] = np.arange(100)
    found = training_moments(x, all_rows(100), names=["a", "b"])
    assert found.std[0] == 1.0
    assert found.mean[0] == np.float64(np.float32(0.1))


def test_rows_outside_training_do_not_move_the_moments() -> None:
    x = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    rows = RowSet(ranges=(slice(10, 30), slice(40, 60)), usable=np.arange(100) % 3 != 0)
    before = training_moments(x, rows, names=["a", "b"])
    x[60:], x[30:40], x[:10], x[::3] = 1e9, 1e9, -1e9, np.inf
    after = training_moments(x, rows, names=["a", "b"])
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.std, after.std)


def test_a_feature_that_is_not_finite_is_named() -> None:
    x = np.ones((10, 2), dtype=np.float32)
    x[5, 1] = np.nan
    with pytest.raises(DataError, match=r"^feature b \(column 1\) is not finite in the training rows$"):
        training_moments(x, all_rows(10), names=["a", "b"])
