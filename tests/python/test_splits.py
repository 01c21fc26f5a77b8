"""Splits: no label looks across a border."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_trainer.errors import DataError
from sentio_trainer.schema import SplitConfig
from sentio_trainer.splits import Split, purged_split


def parts(split: Split) -> list[np.ndarray]:
    return [split.indices(part) for part in (split.train, split.validation, split.test)]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_label_span_of_one_part_meets_a_label_span_of_another(data: st.DataObject) -> None:
    n = data.draw(st.integers(20, 120))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    horizon, embargo = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 5))
    end = np.minimum(np.arange(n) + rng.integers(0, horizon + 1, n), n - 1)
    eligible = rng.random(n) < 0.8
    config = SplitConfig(train=0.5, validation=0.3, test=0.2, embargo=embargo)
    try:
        split = purged_split(end, eligible, config)
    except DataError:
        return
    chosen = parts(split)
    seen_until = -1
    for rows in chosen:
        assert eligible[rows].all()
        assert rows.min() > seen_until, "a row begins before an earlier part's labels have ended"
        seen_until = int(end[rows].max())
    for earlier, later in ((chosen[0], chosen[1]), (chosen[1], chosen[2])):
        assert later.min() - earlier.max() > embargo
    assert split.count(split.train) == len(chosen[0])


def test_rows_are_purged_by_where_their_label_ends_and_the_embargo_follows_the_border() -> None:
    end = np.minimum(np.arange(20) + 2, 19)
    split = purged_split(end, np.ones(20, dtype=bool), SplitConfig(train=0.5, validation=0.25, test=0.25, embargo=1))
    train, validation, test = parts(split)
    np.testing.assert_array_equal(train, np.arange(0, 8))  # rows 8 and 9 look at row 10 and beyond
    np.testing.assert_array_equal(validation, [11, 12])  # 10 is embargoed
    np.testing.assert_array_equal(test, np.arange(16, 20))


def test_shares_count_from_the_first_row_that_can_be_used() -> None:
    eligible = np.arange(100) >= 20
    split = purged_split(np.arange(100), eligible, SplitConfig(train=0.5, validation=0.25, test=0.25, embargo=0))
    assert (split.train.begin, split.train.stop, split.validation.stop) == (20, 60, 80)


def test_too_few_bars_are_refused_in_words() -> None:
    with pytest.raises(DataError) as error:
        purged_split(np.arange(50), np.ones(50, dtype=bool), SplitConfig())
    assert str(error.value) == (
        "no rows left to use as validation: 50 bars, 50 with features and a label, embargo 60; "
        "give more bars, or lower data.split.embargo or label.horizon"
    )
    with pytest.raises(DataError, match="no rows left to learn from: 50 bars, 0 with features and a label"):
        purged_split(np.arange(50), np.zeros(50, dtype=bool), SplitConfig())
