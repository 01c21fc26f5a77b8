"""Splits: no label looks across a border."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import PROJECT, market
from sentio_features import Bars

from sentio_trainer.errors import DataError
from sentio_trainer.labels import _KINDS, make_labels
from sentio_trainer.schema import LabelConfig, SplitConfig
from sentio_trainer.splits import (
    LabelSpans,
    Split,
    TrainTest,
    along_paths,
    backtest_paths,
    combinatorial_purged,
    purged_k_fold,
    purged_split,
    walk_forward,
)

Window = Literal["anchored", "rolling"]
WINDOWS: tuple[Window, ...] = ("anchored", "rolling")
NEEDS_SKFOLIO = "skfolio, the witness of these splits, is not installed: pip install skfolio"


def parts(split: Split) -> list[np.ndarray]:
    return [rows.indices() for rows in (split.train, split.validation, split.test)]


def cut(end: np.ndarray, eligible: np.ndarray, config: SplitConfig) -> Split:
    """One symbol's rows, a bar each nanosecond."""
    n = len(end)
    return purged_split(np.arange(n), [slice(0, n)], end, eligible, config)


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
        split = cut(end, eligible, config)
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
    assert split.train.count() == len(chosen[0])


def test_rows_are_purged_by_where_their_label_ends_and_the_embargo_follows_the_border() -> None:
    end = np.minimum(np.arange(20) + 2, 19)
    split = cut(end, np.ones(20, dtype=bool), SplitConfig(train=0.5, validation=0.25, test=0.25, embargo=1))
    train, validation, test = parts(split)
    np.testing.assert_array_equal(train, np.arange(0, 8))  # rows 8 and 9 look at row 10 and beyond
    np.testing.assert_array_equal(validation, [11, 12])  # 10 is embargoed
    np.testing.assert_array_equal(test, np.arange(16, 20))


def test_shares_count_from_the_first_row_that_can_be_used() -> None:
    eligible = np.arange(100) >= 20
    split = cut(np.arange(100), eligible, SplitConfig(train=0.5, validation=0.25, test=0.25, embargo=0))
    assert (split.train.ranges, split.validation.ranges) == ((slice(20, 60),), (slice(60, 80),))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_several_symbols_are_cut_at_one_time_and_no_label_looks_over_it(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    embargo = data.draw(st.integers(0, 4))
    times, series, ends, begin = [], [], [], 0
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(5, 60))
        times.append(data.draw(st.integers(-30, 30)) + np.cumsum(rng.integers(1, 5, n)))
        ends.append(begin + np.minimum(np.arange(n) + rng.integers(0, 4, n), n - 1))
        series.append(slice(begin, begin + n))
        begin += n
    time_ns, end = np.concatenate(times), np.concatenate(ends)
    eligible = rng.random(begin) < 0.8
    try:
        split = purged_split(
            time_ns, series, end, eligible, SplitConfig(train=0.5, validation=0.25, test=0.25, embargo=embargo)
        )
    except DataError:
        return
    for earlier, later in zip(parts(split), parts(split)[1:], strict=False):
        assert eligible[earlier].all()
        assert eligible[later].all()
        assert time_ns[end[earlier]].max() < time_ns[later].min(), "a label ends after a later part has begun"
        for rows in series:
            of_earlier, of_later = (each[(each >= rows.start) & (each < rows.stop)] for each in (earlier, later))
            if len(of_earlier) and len(of_later):
                assert of_later.min() - of_earlier.max() > embargo


def test_too_few_bars_are_refused_in_words() -> None:
    with pytest.raises(DataError) as error:
        cut(np.arange(50), np.ones(50, dtype=bool), SplitConfig())
    assert str(error.value) == (
        "no rows left to use as validation: 50 bars, 50 with features and a label, embargo 60; "
        "give more bars, or lower data.split.embargo or label.horizon"
    )
    with pytest.raises(DataError, match="no rows left to learn from: 50 bars, 0 with features and a label"):
        cut(np.arange(50), np.zeros(50, dtype=bool), SplitConfig())


@st.composite
def label_spans(draw: st.DrawFn, *, at_least: int = 2) -> LabelSpans:
    """Spans of many lengths, several of which may begin at once, on a clock that may start below zero."""
    n = draw(st.integers(at_least, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    begin = draw(st.integers(-50, 50)) + np.cumsum(rng.integers(0, draw(st.integers(1, 4)), n))
    return LabelSpans(begin=begin, end=begin + rng.integers(0, draw(st.integers(1, 12)), n))


def of_horizon(n: int, horizon: int) -> LabelSpans:
    return LabelSpans(begin=np.arange(n), end=np.arange(n) + horizon)


def clear_of(spans: LabelSpans, test: np.ndarray, *, embargo: int) -> np.ndarray:
    """Samples whose label meets none of the test and does not begin within the embargo after one, pair by pair."""
    begins_before_it_is_over = spans.begin[:, None] <= spans.end[test] + embargo
    ends_after_it_begins = spans.end[:, None] >= spans.begin[test]
    return np.flatnonzero(~(begins_before_it_is_over & ends_after_it_begins).any(axis=1))


@settings(max_examples=200)
@given(data=st.data(), spans=label_spans(), embargo=st.integers(0, 8))
def test_training_is_every_sample_whose_label_meets_no_tested_one(
    data: st.DataObject, spans: LabelSpans, embargo: int
) -> None:
    folds = data.draw(st.integers(2, min(7, len(spans))))
    test_folds = data.draw(st.integers(1, folds - 1))
    runs = np.array_split(np.arange(len(spans)), folds)
    tests = [np.concatenate(tested) for tested in combinations(runs, test_folds)]
    expected = [clear_of(spans, test, embargo=embargo) for test in tests]
    try:
        splits = list(combinatorial_purged(spans, folds=folds, test_folds=test_folds, embargo=embargo))
    except DataError:
        assert not all(map(len, expected))
        return
    for split, test, train in zip(splits, tests, expected, strict=True):
        np.testing.assert_array_equal(split.test, test)
        np.testing.assert_array_equal(split.train, train)
        assert len(train)


@given(data=st.data(), n=st.integers(2, 60))
def test_folds_partition_the_samples_into_runs_of_nearly_one_length(data: st.DataObject, n: int) -> None:
    folds = data.draw(st.integers(2, n))
    tests = [split.test for split in purged_k_fold(of_horizon(n, 0), folds=folds, embargo=0)]
    np.testing.assert_array_equal(np.concatenate(tests), np.arange(n))
    lengths = [len(test) for test in tests]
    assert len(lengths) == folds
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] <= 1


@pytest.mark.parametrize(("folds", "test_folds"), [(n, k) for n in range(2, 9) for k in range(1, n)])
def test_splits_and_paths_are_as_many_as_the_formulas_say(folds: int, test_folds: int) -> None:
    splits = list(combinatorial_purged(of_horizon(3 * folds, 0), folds=folds, test_folds=test_folds, embargo=0))
    assert len(splits) == math.comb(folds, test_folds)
    for split, tested in zip(splits, combinations(range(folds), test_folds), strict=True):
        np.testing.assert_array_equal(np.unique(split.test // 3), tested)
    paths = backtest_paths(folds=folds, test_folds=test_folds)
    assert paths.shape == (math.comb(folds, test_folds) * test_folds // folds, folds)


@given(data=st.data(), n=st.integers(7, 40))
def test_a_path_passes_each_sample_once_and_all_paths_use_each_test_once(data: st.DataObject, n: int) -> None:
    folds = data.draw(st.integers(2, 7))
    test_folds = data.draw(st.integers(1, folds - 1))
    splits = list(combinatorial_purged(of_horizon(n, 0), folds=folds, test_folds=test_folds, embargo=0))
    forecasts = np.full((len(splits), n), np.nan)
    for number, split in enumerate(splits):
        forecasts[number, split.test] = number * n + split.test
    series = along_paths(forecasts, backtest_paths(folds=folds, test_folds=test_folds))
    assert not np.isnan(series).any(), "a path holds a value of a split that did not test the sample"
    np.testing.assert_array_equal(series % n, np.tile(np.arange(n), (len(series), 1)))
    np.testing.assert_array_equal(np.sort(series, axis=None), forecasts[~np.isnan(forecasts)])


def test_six_folds_two_tested_give_the_paths_of_the_book() -> None:
    # López de Prado 2018, figures 12.1 and 12.2, which count from 1.
    paths = backtest_paths(folds=6, test_folds=2)
    assert paths.shape == (5, 6)
    np.testing.assert_array_equal(paths[:2] + 1, [[1, 1, 2, 3, 4, 5], [2, 6, 6, 7, 8, 9]])


def test_twelve_samples_in_four_folds_by_hand() -> None:
    # Sample i's label spans i and i + 1. A fold f..l is tested: f - 1 reaches into it; l + 1 meets its last label, and
    # the embargo takes l + 2.
    splits = list(combinatorial_purged(of_horizon(12, 1), folds=4, test_folds=2, embargo=1))
    assert [split.train.tolist() for split in splits] == [
        [8, 9, 10, 11],  # testing 0-5
        [11],  # testing 0-2 and 6-8
        [5, 6, 7],  # testing 0-2 and 9-11
        [0, 1, 11],  # testing 3-8
        [0, 1],  # testing 3-5 and 9-11
        [0, 1, 2, 3, 4],  # testing 6-11
    ]
    assert splits[2].test.tolist() == [0, 1, 2, 9, 10, 11]
    assert backtest_paths(folds=4, test_folds=2).tolist() == [[0, 0, 1, 2], [1, 3, 3, 4], [2, 4, 5, 5]]


@settings(max_examples=200)
@given(
    spans=label_spans(),
    train_size=st.integers(1, 30),
    test_size=st.integers(1, 20),
    embargo=st.integers(0, 8),
    window=st.sampled_from(WINDOWS),
)
def test_walking_forward_learns_from_all_labels_known_before_the_test_and_from_no_other(
    spans: LabelSpans, train_size: int, test_size: int, embargo: int, window: Window
) -> None:
    n = len(spans)

    def known_before(sample: int) -> np.ndarray:
        return np.flatnonzero(spans.end + embargo < spans.begin[sample])

    first = next((sample for sample in range(n) if len(known_before(sample)) >= train_size), n)
    try:
        splits = list(walk_forward(spans, train_size=train_size, test_size=test_size, window=window, embargo=embargo))
    except DataError:
        assert first == n
        return
    np.testing.assert_array_equal(np.concatenate([split.test for split in splits]), np.arange(first, n))
    assert len(splits) == math.ceil((n - first) / test_size)
    for split in splits:
        assert len(split.test) == test_size or split.test[-1] == n - 1
        known = known_before(split.test[0])
        np.testing.assert_array_equal(split.train, known if window == "anchored" else known[-train_size:])
        assert len(split.train) == train_size or window == "anchored"
        assert split.train.max() < split.test.min()
        assert spans.end[split.train].max() + embargo < spans.begin[split.test].min()


def test_walking_forward_by_hand() -> None:
    def walk(window: Window) -> list[tuple[list[int], list[int]]]:
        splits = walk_forward(of_horizon(12, 1), train_size=3, test_size=3, window=window, embargo=1)
        return [(split.train.tolist(), split.test.tolist()) for split in splits]

    # The labels of 0 to 2 are known at 3, and the embargo takes 4.
    assert walk("rolling") == [([0, 1, 2], [5, 6, 7]), ([3, 4, 5], [8, 9, 10]), ([6, 7, 8], [11])]
    assert walk("anchored") == [
        ([0, 1, 2], [5, 6, 7]),
        ([0, 1, 2, 3, 4, 5], [8, 9, 10]),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], [11]),
    ]


def replaced(bars: Bars, where: np.ndarray) -> Bars:
    """Other prices, each bar's by its own factor, on the bars `where`."""
    factor = np.where(where, np.random.default_rng(5).uniform(0.5, 2.0, len(bars)), 1.0)
    prices = [bars[name] * factor for name in ("open", "high", "low", "close")]
    return Bars(bars.ts, *prices, bars.volume)


@pytest.mark.parametrize("kind", sorted(_KINDS))
@pytest.mark.parametrize(
    "split_up",
    [
        lambda spans, embargo: purged_k_fold(spans, folds=4, embargo=embargo),
        lambda spans, embargo: combinatorial_purged(spans, folds=6, test_folds=2, embargo=embargo),
        lambda spans, embargo: walk_forward(spans, train_size=50, test_size=60, window="anchored", embargo=embargo),
    ],
    ids=["k-fold", "combinatorial", "walk-forward"],
)
def test_other_prices_in_the_test_leave_every_training_label_as_it_was(
    kind: str, split_up: Callable[[LabelSpans, int], Iterator[TrainTest]]
) -> None:
    bars = market(3, 400)
    config = LabelConfig.model_validate({"kind": kind, "horizon": 4, "volatility_window": 20})
    labels = make_labels(bars, config, max_gap=5)
    rows = np.flatnonzero(np.isfinite(labels.value))
    # The barriers of triple_barrier are as wide as the volatility of the bars before: an embargo as long covers them.
    spans = LabelSpans(begin=rows, end=labels.end[rows])
    for split in split_up(spans, config.volatility_window):
        seen = np.zeros(len(bars), dtype=bool)
        for row in rows[split.test]:
            seen[row : labels.end[row] + 1] = True
        changed = make_labels(replaced(bars, seen), config, max_gap=5)
        train, test = rows[split.train], rows[split.test]
        np.testing.assert_array_equal(changed.value[train], labels.value[train])
        np.testing.assert_array_equal(changed.forward_return[train], labels.forward_return[train])
        assert (changed.forward_return[test] != labels.forward_return[test]).all()


@settings(max_examples=60)
@given(data=st.data(), folds=st.integers(3, 7), fold_size=st.integers(3, 12))
def test_skfolio_makes_the_same_combinatorial_splits_and_paths(data: st.DataObject, folds: int, fold_size: int) -> None:
    witness = pytest.importorskip("skfolio.model_selection", reason=NEEDS_SKFOLIO)
    test_folds = data.draw(st.integers(2, folds - 1))
    # It takes a purge and an embargo that are shorter than a fold by two samples, together.
    horizon = data.draw(st.integers(0, fold_size - 2))
    embargo = data.draw(st.integers(0, fold_size - 2 - horizon))
    n = folds * fold_size
    theirs = witness.CombinatorialPurgedCV(
        n_folds=folds, n_test_folds=test_folds, purged_size=horizon, embargo_size=embargo
    )
    expected = [(train, np.concatenate(tests)) for train, tests in theirs.split(np.zeros((n, 1)))]
    np.testing.assert_array_equal(backtest_paths(folds=folds, test_folds=test_folds), theirs.recombined_paths.T)
    try:
        splits = list(combinatorial_purged(of_horizon(n, horizon), folds=folds, test_folds=test_folds, embargo=embargo))
    except DataError:
        assert not all(len(train) for train, _ in expected), "refused, although each split has something to learn from"
        return
    for split, (train, test) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, test)


def test_skfolio_gives_the_rest_of_the_samples_to_the_last_fold_and_we_one_each_to_the_first() -> None:
    witness = pytest.importorskip("skfolio.model_selection", reason=NEEDS_SKFOLIO)
    theirs = witness.CombinatorialPurgedCV(n_folds=3, n_test_folds=2).split(np.zeros((14, 1)))
    ours = combinatorial_purged(of_horizon(14, 0), folds=3, test_folds=2, embargo=0)
    assert [len(train) for train, _ in theirs] == [6, 4, 4]
    assert [len(split.train) for split in ours] == [4, 5, 5]


@given(
    train_size=st.integers(1, 20),
    test_size=st.integers(1, 15),
    horizon=st.integers(0, 5),
    embargo=st.integers(0, 5),
    window=st.sampled_from(WINDOWS),
)
def test_skfolio_walks_forward_the_same_way(
    train_size: int, test_size: int, horizon: int, embargo: int, window: Window
) -> None:
    witness = pytest.importorskip("skfolio.model_selection", reason=NEEDS_SKFOLIO)
    theirs = witness.WalkForward(
        train_size=train_size,
        test_size=test_size,
        purged_size=horizon + embargo,
        expand_train=window == "anchored",
        reduce_test=True,  # keeps a last block that is shorter
    )
    for split, (train, test) in zip(
        walk_forward(
            of_horizon(50, horizon), train_size=train_size, test_size=test_size, window=window, embargo=embargo
        ),
        theirs.split(np.zeros((50, 1))),
        strict=True,
    ):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, test)


@pytest.mark.parametrize(
    ("begin", "end", "message"),
    [
        ([0, 1], [0], "begin and end must be of one dimension and length, found (2,) and (1,)"),
        ([[0, 1]], [[0, 1]], "begin and end must be of one dimension and length, found (1, 2) and (1, 2)"),
        ([0.0, 1.0], [0, 1], "begin must be int64, found float64"),
        ([0, 1, 2], [0, 1, 1], "end must not lie before begin, found 2 to 1 at sample 2"),
        ([0, 5, 4], [5, 5, 5], "begin must not fall from sample to sample, found 5 at sample 1 and 4 at sample 2"),
    ],
)
def test_spans_that_are_none_are_refused_in_words(begin: list[float], end: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LabelSpans(begin=np.array(begin), end=np.array(end))


TEN = of_horizon(10, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: walk_forward(TEN, train_size=0, test_size=1, window="rolling", embargo=0),
            "train_size must be at least 1 sample, found 0",
        ),
        (
            lambda: walk_forward(TEN, train_size=1, test_size=-1, window="rolling", embargo=0),
            "test_size must be at least 1 sample, found -1",
        ),
        (
            lambda: walk_forward(TEN, train_size=1, test_size=1, window="sliding", embargo=0),  # type: ignore[arg-type]
            "window must be 'anchored' or 'rolling', found 'sliding'",
        ),
        (
            lambda: walk_forward(TEN, train_size=1, test_size=1, window="rolling", embargo=-1),
            "embargo must be a whole number of at least 0, found -1",
        ),
        (
            lambda: purged_k_fold(TEN, folds=2, embargo=0.01),  # type: ignore[arg-type]
            "embargo must be a whole number of at least 0, found 0.01",
        ),
        (lambda: purged_k_fold(TEN, folds=1, embargo=0), "folds must be at least 2, found 1"),
        (lambda: purged_k_fold(TEN, folds=11, embargo=0), "folds must be at most the number of samples, 10, found 11"),
        (
            lambda: combinatorial_purged(TEN, folds=4, test_folds=4, embargo=0),
            "test_folds must be 1 to 3, one less than folds, found 4",
        ),
        (lambda: backtest_paths(folds=4, test_folds=0), "test_folds must be 1 to 3, one less than folds, found 0"),
        (
            lambda: backtest_paths(folds=40, test_folds=20),
            "20 of 40 folds make 137846528820 splits, each a training; at most 10000 are allowed",
        ),
        (
            lambda: along_paths(np.zeros((5, 10)), backtest_paths(folds=4, test_folds=2)),
            "values must have the shape (6, at least 4), found (5, 10)",
        ),
    ],
)
def test_a_wrong_call_is_refused_in_words(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_splits_with_nothing_to_learn_from_or_to_test_on_are_refused_before_the_first_is_made() -> None:
    with pytest.raises(DataError) as error:
        combinatorial_purged(TEN, folds=5, test_folds=2, embargo=4)
    assert str(error.value) == (
        "no samples left to learn from when testing on folds 1, 3 of 5: 10 samples, embargo 4; "
        "give more samples, or lower embargo, the label's horizon or the number of folds"
    )
    with pytest.raises(DataError, match="when testing on fold 1 of 2: 10 samples, embargo 9;"):
        purged_k_fold(TEN, folds=2, embargo=9)
    for train_size in (9, 11):
        with pytest.raises(DataError) as error:
            walk_forward(TEN, train_size=train_size, test_size=2, window="anchored", embargo=3)
        assert str(error.value) == (
            f"no samples left to test on: 10 samples, train_size {train_size}, embargo 3; "
            f"give more samples, or lower train_size, embargo or the label's horizon"
        )


def test_the_example_on_the_validation_page_runs_and_yields_five_whole_paths() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "validation.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    names = {
        "bars": market(3, 1000),
        "config": LabelConfig.model_validate({"kind": "logret_fwd", "horizon": 4}),
        "trained_on": lambda train, test: test - train.mean(),
    }
    exec(blocks[0], names)
    assert names["paths"].shape == (5, 996)
    assert np.isfinite(names["paths"]).all()
