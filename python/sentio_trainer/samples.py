"""Everything that training sees of the bars: features, labels, and which rows are for what."""

from dataclasses import dataclass

import numpy as np
from sentio_features import FeatureSpec, InputError, in_regular_hours

from sentio_trainer.bars import Bool, Float64, iso_time
from sentio_trainer.cache import CHUNK_ROWS
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import DataSet, Series, open_data_set
from sentio_trainer.errors import DataError
from sentio_trainer.forecast import first_forecast
from sentio_trainer.labels import Labels, label_set, learned_labels, longest_gap_ns
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import Config, SplitConfig
from sentio_trainer.splits import Split, purged_split

_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Arrays of shape [n], n rows of the data set."""

    data: DataSet
    labels: Labels
    learned: Float64  # what the model learns; NaN where not known
    eligible: Bool  # rows with whole windows of features and a label
    window: int  # rows that one forecast reads


def load_samples(loaded: LoadedConfig, report: Report) -> Samples:
    """Bars, features and labels of a configuration.

    Raises:
        DataError: the bars or the feature spec are absent or wrong, or a symbol has no row to use.
    """
    config = loaded.config
    spec = load_spec(loaded)
    for warning in spec.warnings:
        report.warn(warning)
    data = open_data_set(
        {symbol: loaded.path(path) for symbol, path in config.data.sources.items()},
        spec,
        on_bad_bar=config.data.on_bad_bar,
        cache_dir=loaded.path(config.data.cache_dir),
        say=report.say,
    )
    _tell(data, report)
    labels = label_set(data, config.label, max_gap=config.data.max_gap, say=report.say)
    learned = learned_labels(data, labels, config.label, max_gap=config.data.max_gap, say=report.say)
    window = config.model.window
    labelled = np.isfinite(labels.value) & np.isfinite(learned)
    whole = whole_windows(data, window=window, max_gap=config.data.max_gap)
    eligible = labelled & whole
    if config.data.hours == "regular":
        eligible &= regular_hours(data, config.data.calendar)
    _require_rows(data, config, labelled=labelled, whole=whole, eligible=eligible)
    return Samples(data=data, labels=labels, learned=learned, eligible=eligible, window=window)


def split_samples(samples: Samples, config: SplitConfig, report: Report) -> Split:
    """Train, validation and test, by time."""
    data = samples.data
    series = [each.rows for each in data.series]
    split = purged_split(data.time_ns, series, samples.labels.end, samples.eligible, config)
    uses = {"learn from": split.train, "choose by": split.validation, "test on": split.test}
    for each in data.series:
        if lacking := [use for use, rows in uses.items() if not _has_rows(rows, each)]:
            report.warn(f"{each.symbol}: no rows to {', to '.join(lacking)}")
    counts = [rows.count() for rows in (split.train, split.validation, split.test)]
    report.say(
        f"rows: {counts[0]:,} train, {counts[1]:,} validation, {counts[2]:,} test; "
        f"{len(data) - sum(counts):,} left out (warm-up, no label, holes, borders)"
    )
    return split


def _has_rows(rows: RowSet, series: Series) -> bool:
    within = (each for each in rows.ranges if series.rows.start <= each.start < series.rows.stop)
    return any(rows.usable[each].any() for each in within)


def _require_rows(data: DataSet, config: Config, *, labelled: Bool, whole: Bool, eligible: Bool) -> None:
    """A symbol that adds nothing must not be named as learned from."""
    for series in data.series:
        if eligible[series.rows].any():
            continue
        labels, windows = (np.count_nonzero(each[series.rows]) for each in (labelled, whole))
        window = config.model.window
        raise DataError(
            f"{series.symbol}: no row to use: of {len(series):,} bars {labels:,} have a label and {windows:,} end a "
            f"whole window of {window} rows (warm-up {first_forecast(data, window=1)}, no hole longer than "
            f"{config.data.max_gap}); give more bars{', or lower model.sequence_length' if window > 1 else ''}"
        )


def whole_windows(data: DataSet, *, window: int, max_gap: int) -> Bool:
    """Whether the window that ends with a row holds its symbol's own settled features and no long hole, shape [n]."""
    whole = np.zeros(len(data), dtype=np.bool_)
    for series in data.series:
        limit_ns = longest_gap_ns(series.interval_s, max_gap=max_gap)
        earliest = series.rows.start + first_forecast(data, window=1)  # row that a window may begin with
        for rows in series.chunks():
            numbers = np.arange(rows.start, rows.stop)
            before = data.time_ns[max(rows.start - 1, series.rows.start)]
            holes = np.diff(data.time_ns[rows], prepend=before) > limit_ns
            begins = np.maximum(np.where(holes, numbers, 0), earliest)
            np.maximum.accumulate(begins, out=begins)
            whole[rows] = numbers - begins >= window - 1
            earliest = int(begins[-1])
    return whole


def regular_hours(data: DataSet, calendar: str) -> Bool:
    """Whether each row's bar opens within regular hours, shape [n]; true throughout for bars a day or more apart."""
    inside = np.ones(len(data), dtype=np.bool_)
    for series in data.series:
        if series.interval_s >= _DAY_S:
            continue
        for rows in series.chunks(CHUNK_ROWS):
            # Never a few bars alone, whose distances would be taken for those of daily bars.
            whole = slice(max(series.rows.start, rows.stop - CHUNK_ROWS), rows.stop)
            inside[whole] = in_regular_hours(data.time_ns[whole], calendar)
    return inside


def load_spec(loaded: LoadedConfig) -> FeatureSpec:
    """The feature spec of the configuration.

    Raises:
        DataError: it is absent or wrong.
    """
    path = loaded.path(loaded.config.features.spec)
    if not path.is_file():
        raise DataError(f"{shown_path(path)}: no such feature spec (features.spec)")
    try:
        return FeatureSpec.load(str(path))
    except InputError as error:
        raise DataError(str(error)) from error


def row_span(samples: Samples, rows: RowSet) -> list[str]:
    """Open times of the first bar of a set of rows and of the last bar that its labels look at."""
    time_ns, firsts, lasts = samples.data.time_ns, [], []
    for chunk in rows.chunks(CHUNK_ROWS):
        usable = rows.usable[chunk]
        if usable.any():
            firsts.append(int(time_ns[chunk.start + int(np.argmax(usable))]))
            lasts.append(int(time_ns[samples.labels.end[chunk][usable].max()]))
    first, last = min(firsts), max(lasts)
    return [iso_time(first), iso_time(last)]


def _tell(data: DataSet, report: Report) -> None:
    for series in data.series:
        time_ns = data.time_ns[series.rows]
        report.say(
            f"{series.symbol}: {len(series):,} bars of {series.interval_s:g} s from {iso_time(time_ns[0])} "
            f"to {iso_time(time_ns[-1])}, {shown_path(series.path)}"
        )
        if series.synthetic:
            generator = series.synthetic.get("generator", "generator not stated")
            report.warn(f"SYNTHETIC bars ({generator}): this says nothing about a real market")
        for kind in series.skipped:
            report.warn(f"{kind['count']} bad bars left out: {kind['kind']}, first {kind['first']}")
