"""What training sees of the bars: several symbols in one matrix, and windows that no night cuts."""

import functools
from pathlib import Path

import numpy as np
import pytest
from sentio_features import FeatureBuilder, in_regular_hours, read_csv
from training_support import bars_of, data_set_of, make_project, write_market_beside

from sentio_trainer import samples
from sentio_trainer.data_set import Series
from sentio_trainer.errors import DataError
from sentio_trainer.report import Silence
from sentio_trainer.samples import load_samples, regular_hours, split_samples, whole_windows


def test_each_symbol_has_its_own_features_and_labels(tmp_path: Path) -> None:
    project = make_project(tmp_path, days=3)
    write_market_beside(project, "other.csv", days=2, seed=9)
    loaded = project.load(data__symbol=None, data__bars_csv=None, data__files={"A": "bars.csv", "B": "other.csv"})
    samples = load_samples(loaded, Silence())
    data = samples.data
    assert [series.symbol for series in data.series] == ["A", "B"]
    for series, name in zip(data.series, ("bars.csv", "other.csv"), strict=True):
        bars = read_csv(str(tmp_path / name))
        assert len(series) == len(bars)
        np.testing.assert_array_equal(data.x[series.rows], FeatureBuilder(data.spec).build(bars))
        np.testing.assert_array_equal(data.close[series.rows], bars.close)
        known = np.flatnonzero(np.isfinite(samples.labels.value[series.rows])) + series.rows.start
        assert samples.labels.end[known].max() < series.rows.stop
        assert not samples.eligible[series.rows][: data.spec.emit_from].any()


def test_a_window_holds_rows_of_one_session_and_one_symbol(tmp_path: Path) -> None:
    project = make_project(tmp_path, days=3)
    loaded = project.load(model__kind="transformer", model__sequence_length=16, model__hidden=16)
    samples = load_samples(loaded, Silence())
    assert samples.window == 16
    time_ns = samples.data.time_ns
    for row in np.flatnonzero(samples.eligible):
        assert (np.diff(time_ns[row - 15 : row + 1]) == 60_000_000_000).all()
        assert row - 15 >= samples.data.spec.emit_from
    # The first windows of the second session end with its 16th bar.
    second = int(np.argmax(np.diff(time_ns) > 60_000_000_000)) + 1
    assert not samples.eligible[second : second + 15].any()
    assert samples.eligible[second + 15]


def test_symbols_with_bars_of_different_intervals_are_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path, days=2)
    lines = (tmp_path / "bars.csv").read_text().splitlines()
    (tmp_path / "slow.csv").write_text("\n".join([lines[0], *lines[1::5]]) + "\n")
    loaded = project.load(data__symbol=None, data__bars_csv=None, data__files={"A": "bars.csv", "B": "slow.csv"})
    with pytest.raises(DataError, match="bars of 300 s, but those of A are of 60 s"):
        load_samples(loaded, Silence())


def test_a_symbol_without_a_row_to_use_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path, days=2)
    lines = (tmp_path / "bars.csv").read_text().splitlines()
    (tmp_path / "short.csv").write_text("\n".join(lines[:50]) + "\n")
    loaded = project.load(data__symbol=None, data__bars_csv=None, data__files={"A": "bars.csv", "B": "short.csv"})
    with pytest.raises(DataError, match=r"^B: no row to use: of 49 bars 48 have a label and 0 end a whole window"):
        load_samples(loaded, Silence())
    # A session has 390 bars, and a night is a hole.
    loaded = project.load(model__kind="transformer", model__sequence_length=400, model__hidden=16)
    with pytest.raises(DataError, match=r"0 end a whole window of 400 rows .*lower model\.sequence_length$"):
        load_samples(loaded, Silence())


def test_a_symbol_that_a_part_lacks_is_told(tmp_path: Path) -> None:
    class Warnings(Silence):
        def __init__(self) -> None:
            self.told: list[str] = []

        def warn(self, text: str) -> None:
            self.told.append(text)

    project = make_project(tmp_path, days=5)
    header, *lines = (tmp_path / "bars.csv").read_text().splitlines()
    for name, part in (("early", lines[:390]), ("late", lines[-200:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    files = {"ALL": "bars.csv", "OLD": "early.csv", "NEW": "late.csv"}
    loaded = project.load(data__symbol=None, data__bars_csv=None, data__files=files)
    report = Warnings()
    split_samples(load_samples(loaded, Silence()), loaded.config.data.split, report)
    assert report.told == ["OLD: no rows to choose by, to test on", "NEW: no rows to learn from, to choose by"]


def test_windows_and_hours_are_the_same_however_many_rows_are_looked_at_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path, days=3)
    write_market_beside(project, "other.csv", days=2, seed=9)
    config = {"data__symbol": None, "data__bars_csv": None, "data__files": {"A": "bars.csv", "B": "other.csv"}}
    data = load_samples(project.load(**config), Silence()).data
    first = max(data.spec.emit_from, data.spec.warmup)
    for window in (1, 2, 40):
        expected = np.zeros(len(data), dtype=bool)
        for series in data.series:
            time_ns = data.time_ns[series.rows]
            for row in range(first + window - 1, len(series)):
                inside = time_ns[row - window + 1 : row + 1]
                expected[series.rows.start + row] = (np.diff(inside) <= 5 * 60_000_000_000).all()
        for chunk in (1, 100, 390, 10_000):
            monkeypatch.setattr(Series, "chunks", functools.partialmethod(Series.chunks, chunk))
            np.testing.assert_array_equal(whole_windows(data, window=window, max_gap=5), expected)
            monkeypatch.undo()
    for calendar in ("us_equity", "utc_day"):
        parts = [in_regular_hours(data.time_ns[series.rows], calendar) for series in data.series]
        for chunk in (100, 390, 10_000):
            monkeypatch.setattr(samples, "CHUNK_ROWS", chunk)
            np.testing.assert_array_equal(regular_hours(data, calendar), np.concatenate(parts))


def test_daily_bars_are_inside_regular_hours(tmp_path: Path) -> None:
    days = np.arange(100) * 24 * 60
    assert regular_hours(data_set_of(tmp_path, bars_of(np.ones(100), minutes=days)), "us_equity").all()


def test_two_bars_days_apart_do_not_make_minute_bars_daily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "CHUNK_ROWS", 49)
    night = 12 * 60 + np.arange(51)
    night[-1] += 3 * 24 * 60
    assert not regular_hours(data_set_of(tmp_path, bars_of(np.ones(51), minutes=night)), "us_equity").any()
