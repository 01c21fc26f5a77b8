"""Labels: values by hand, and the laws that every kind obeys."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentio_features import Bars
from training_support import bars_of, data_set_of

from sentio_trainer import labels as labels_module
from sentio_trainer.labels import (
    _KINDS,
    Labels,
    gap_count,
    label_set,
    learned_labels,
    make_labels,
    scaled_return,
    trailing_volatility,
)
from sentio_trainer.schema import LabelConfig

KINDS = sorted(_KINDS)
NO_GAPS = 1_000_000


def label(kind: str, **parameters: object) -> LabelConfig:
    return LabelConfig.model_validate({"kind": kind, **parameters})


def test_logret_fwd_is_the_log_ratio_of_closes_a_horizon_apart() -> None:
    labels = make_labels(bars_of([100.0, 110.0, 121.0, 121.0]), label("logret_fwd", horizon=2), max_gap=NO_GAPS)
    np.testing.assert_allclose(labels.value, [2 * math.log(1.1), math.log(1.1), np.nan, np.nan])
    np.testing.assert_array_equal(labels.end, [2, 3, 2, 3])
    np.testing.assert_array_equal(labels.forward_return, labels.value)


def test_close_diff_is_in_the_unit_of_price_and_its_return_is_not() -> None:
    labels = make_labels(bars_of([100.0, 110.0, 99.0]), label("close_diff"), max_gap=NO_GAPS)
    np.testing.assert_allclose(labels.value, [10.0, -11.0, np.nan])
    np.testing.assert_allclose(labels.forward_return, [0.1, -0.1, np.nan])


def test_direction_is_zero_within_the_dead_band() -> None:
    bars = bars_of([100.0, 101.0, 101.0, 99.0, 99.05])
    labels = make_labels(bars, label("direction", dead_band=0.001), max_gap=NO_GAPS)
    np.testing.assert_array_equal(labels.value, [1.0, 0.0, -1.0, 0.0, np.nan])


def test_open_to_open_is_what_a_fill_at_the_next_open_earns() -> None:
    bars = bars_of([1.0, 1.0, 1.0, 1.0], open_=[10.0, 20.0, 40.0, 20.0])
    labels = make_labels(bars, label("open_to_open"), max_gap=NO_GAPS)
    np.testing.assert_allclose(labels.value, [math.log(2), -math.log(2), np.nan, np.nan])
    np.testing.assert_array_equal(labels.end, [2, 3, 2, 3])


def test_triple_barrier_takes_the_barrier_that_is_touched_first() -> None:
    # Returns of ±1 % make a volatility of 1 %; with horizon 4 and barrier 1 the barriers lie 2 % away.
    steps = [0, 1, -1, 1, -1, 1, 1, -1, -1, -1, 0, 0, 0, 0, 0]
    close = 100.0 * np.exp(0.01 * np.cumsum(steps))
    config = label("triple_barrier", horizon=4, barrier=0.999, volatility_window=2)
    labels = make_labels(bars_of(close), config, max_gap=NO_GAPS)
    assert labels.value[4] == 1.0  # +1 %, +2 %: touched
    np.testing.assert_allclose(labels.forward_return[4], 0.02)
    assert labels.value[5] == -1.0  # +1 %, 0, -1 %, -2 %
    np.testing.assert_allclose(labels.forward_return[5], -0.02)
    assert labels.value[8] == 0.0  # -1 %, and then nothing: neither within the horizon
    np.testing.assert_allclose(labels.forward_return[8], -0.01)
    assert np.isnan(labels.value[:2]).all()  # volatility is not known yet
    assert np.isnan(labels.value[-4:]).all()  # the window leaves the data
    assert labels.end[4] == 8  # the whole horizon, though touched early


def test_a_label_across_a_hole_is_dropped_and_others_stay() -> None:
    bars = bars_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], minutes=[0, 1, 2, 8, 9, 10])  # 6 minutes between bars 2 and 3
    assert np.isfinite(make_labels(bars, label("logret_fwd"), max_gap=6).value[:5]).all()
    dropped = make_labels(bars, label("logret_fwd", horizon=2), max_gap=5)
    np.testing.assert_array_equal(np.isfinite(dropped.value), [True, False, False, True, False, False])
    np.testing.assert_array_equal(dropped.end, [2, 1, 2, 5, 4, 5])
    np.testing.assert_array_equal(gap_count(bars, max_gap=5), [0, 0, 0, 1, 1, 1])


def test_a_night_does_not_count_as_volatility() -> None:
    close = np.array([100.0, 101.0, 100.0, 101.0, 150.0, 151.5, 150.0, 151.5])
    bars = bars_of(close, minutes=[0, 1, 2, 3, 1000, 1001, 1002, 1003])
    volatility = trailing_volatility(bars, gap_count(bars, max_gap=5), window=3)
    np.testing.assert_allclose(volatility[3:], math.log(1.01))
    assert np.isnan(volatility[:3]).all()


def test_a_scaled_return_is_in_volatilities_of_the_horizon() -> None:
    close = 100.0 * np.exp(0.01 * np.cumsum([0, 1, -1, 1, -1, 1, 1, 1, 1]))
    config = label("logret_fwd", horizon=4, volatility_window=2)
    bars = bars_of(close)
    scaled = scaled_return(bars, make_labels(bars, config, max_gap=NO_GAPS), config, max_gap=NO_GAPS)
    np.testing.assert_allclose(scaled[4], 4 * 0.01 / (0.01 * 2.0))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_label_depends_on_no_bar_after_its_end(kind: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    minutes = np.cumsum(rng.choice([1, 1, 1, 2, 9], n))
    open_, close = 100.0 * np.exp(0.01 * np.cumsum(rng.standard_normal((2, n)), axis=1))
    config = label(kind, horizon=data.draw(st.integers(1, 8)), volatility_window=3)
    before = make_labels(bars_of(close, open_=open_, minutes=minutes), config, max_gap=5)
    cut = data.draw(st.integers(0, n - 1))
    close[cut + 1 :] *= np.exp(rng.standard_normal(n - cut - 1))
    open_[cut + 1 :] *= np.exp(rng.standard_normal(n - cut - 1))
    after = make_labels(bars_of(close, open_=open_, minutes=minutes), config, max_gap=5)
    settled = before.end <= cut
    np.testing.assert_array_equal(before.value[settled], after.value[settled])
    np.testing.assert_array_equal(before.forward_return[settled], after.forward_return[settled])
    np.testing.assert_array_equal(before.end, after.end)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_is_known_exactly_where_it_looks_ahead(kind: str) -> None:
    close = 100.0 * np.exp(0.01 * np.cumsum(np.random.default_rng(3).standard_normal(50)))
    labels = make_labels(bars_of(close), label(kind, horizon=5, volatility_window=4), max_gap=NO_GAPS)
    rows = np.arange(50)
    known = np.isfinite(labels.value)
    assert known.any()
    assert (labels.end[known] > rows[known]).all()
    np.testing.assert_array_equal(labels.end[~known], rows[~known])
    np.testing.assert_array_equal(np.isfinite(labels.forward_return), known)


@pytest.mark.parametrize("kind", KINDS)
def test_bars_fewer_than_the_horizon_have_no_labels(kind: str) -> None:
    labels = make_labels(bars_of([1.0, 2.0, 3.0]), label(kind, horizon=10), max_gap=NO_GAPS)
    assert np.isnan(labels.value).all()


# --- labels of a data set, a part at a time ---


def restless(seed: int, n: int) -> Bars:
    """Bars with nights among them."""
    rng = np.random.default_rng(seed)
    minutes = np.cumsum(rng.choice([1, 2, 4, 60], n, p=[0.8, 0.1, 0.07, 0.03]))
    open_, close = 100.0 * np.exp(0.01 * np.cumsum(rng.standard_normal((2, n)), axis=1))
    return bars_of(close, open_=open_, minutes=minutes)


def same(one: Any, other: Any) -> bool:
    """To the bit; a NaN equals itself."""
    return bool(np.array_equal(np.asarray(one).view(np.int64), np.asarray(other).view(np.int64)))


CHUNKS = [1, 7, 50, 150, 151, 10_000]


@pytest.mark.parametrize("chunk_rows", CHUNKS)
@pytest.mark.parametrize("kind", KINDS)
def test_labels_made_in_parts_are_those_of_each_symbol_alone(
    kind: str, chunk_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "CHUNK_ROWS", chunk_rows)
    series = [restless(1, 300), restless(2, 2), restless(3, 151)]
    data = data_set_of(tmp_path, *series)
    config = label(kind, horizon=5, volatility_window=20)
    found = label_set(data, config, max_gap=3, say=lambda _: None)
    known = 0
    for each, bars in zip(data.series, series, strict=True):
        expected = make_labels(bars, config, max_gap=3)
        assert same(found.value[each.rows], expected.value)
        assert same(found.forward_return[each.rows], expected.forward_return)
        assert same(found.end[each.rows], expected.end + each.rows.start)
        known += np.count_nonzero(np.isfinite(expected.value))
    assert 0.3 * len(data) < known < 0.9 * len(data)


@pytest.mark.parametrize("chunk_rows", CHUNKS)
def test_scaled_returns_made_in_parts_are_those_of_each_symbol_alone(
    chunk_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "CHUNK_ROWS", chunk_rows)
    series = [restless(1, 300), restless(3, 151)]
    data = data_set_of(tmp_path, *series)
    config = label("open_to_open", horizon=3, volatility_window=60, objective="regression")
    labels = label_set(data, config, max_gap=3, say=lambda _: None)
    found = learned_labels(data, labels, config, max_gap=3, say=lambda _: None)
    for each, bars in zip(data.series, series, strict=True):
        expected = scaled_return(bars, make_labels(bars, config, max_gap=3), config, max_gap=3)
        assert same(found[each.rows], expected)
    plain = label("open_to_open", horizon=3, volatility_window=60)
    assert learned_labels(data, labels, plain, max_gap=3, say=lambda _: None) is labels.value


def test_labels_are_made_once_for_what_they_depend_on(tmp_path: Path) -> None:
    data = data_set_of(tmp_path, restless(1, 300))
    said: list[str] = []

    def made(config: Any, max_gap: int = 5) -> str:
        labels = label_set(data, config, max_gap=max_gap, say=said.append)
        assert isinstance(labels.value, np.memmap)
        assert not labels.value.flags.writeable
        return said[-1].split(" the cache")[0]

    assert made(label("logret_fwd")) == "labels built into"
    assert made(label("logret_fwd")) == "labels from"
    assert made(label("logret_fwd", objective="regression")) == "labels from"  # another way to learn the same
    assert made(label("logret_fwd"), max_gap=6) == "labels built into"
    assert made(label("logret_fwd", horizon=2)) == "labels built into"
    assert made(label("triple_barrier")) == "labels built into"
    assert made(label("triple_barrier", volatility_window=30)) == "labels built into"


@pytest.mark.parametrize("kind", KINDS)
def test_rows_up_to_a_border_do_not_change_with_the_future(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Look-ahead: everything is built twice, the second time with other bars behind the border."""
    monkeypatch.setattr(labels_module, "CHUNK_ROWS", 64)
    border, config = 200, label(kind, horizon=4, volatility_window=20)
    times = np.arange(300)

    def built(folder: Path, future: int) -> tuple[Any, Labels, Any]:
        rng = np.random.default_rng(5)
        steps = rng.standard_normal((2, 300))
        steps[:, border:] = np.random.default_rng(future).standard_normal((2, 300 - border))
        open_, close = 100.0 * np.exp(0.01 * np.cumsum(steps, axis=1))
        folder.mkdir()
        data = data_set_of(folder, bars_of(close, open_=open_, minutes=times), restless(1, 50))
        labels = label_set(data, config, max_gap=3, say=lambda _: None)
        return data.x, labels, learned_labels(data, labels, config, max_gap=3, say=lambda _: None)

    (x, labels, learned), (other_x, others, other_learned) = built(tmp_path / "a", 6), built(tmp_path / "b", 7)
    assert np.array_equal(x[:border].view(np.int32), other_x[:border].view(np.int32))
    assert not np.array_equal(x[border:300], other_x[border:300])
    settled = np.flatnonzero((labels.end < border) & np.isfinite(labels.value))
    assert len(settled) > border - 30 - 4
    for one, other in (
        (labels.value, others.value),
        (labels.forward_return, others.forward_return),
        (learned, other_learned),
    ):
        assert same(one[settled], other[settled])
        assert same(one[300:], other[300:])  # the other symbol's
    assert same(labels.end, others.end)
