"""What training sees of the bars: several symbols in one matrix, and windows that no night cuts."""

from pathlib import Path

import numpy as np
import pytest
from sentio_features import FeatureBuilder, read_csv
from training_support import make_project, write_market_beside

from sentio_trainer.errors import DataError
from sentio_trainer.report import Silence
from sentio_trainer.samples import load_samples


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
