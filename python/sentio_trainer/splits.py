"""Splits of samples for learning and testing, and no label that a test could know.

`purged_split` cuts the rows once, in time order: train, then validation, then test. The others split many times, to
learn how much a result depends on the period: `walk_forward`, `purged_k_fold` and `combinatorial_purged`, after López
de Prado, Advances in Financial Machine Learning, 2018, chapters 7 and 12. docs/validation.md tells which to use when.

Shapes: n samples, N folds, S splits, P backtest paths.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np

from sentio_trainer.bars import Bool, Float64, Int64
from sentio_trainer.errors import DataError
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import SplitConfig

# Each split is a training. More than these are a slip, and merely counting them off could take for ever.
MAX_SPLITS: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows to learn from, rows to choose by, and rows looked at once; all share one `usable`."""

    train: RowSet
    validation: RowSet
    test: RowSet


def purged_split(time_ns: Int64, series: Sequence[slice], end: Int64, eligible: Bool, config: SplitConfig) -> Split:
    """Cuts the rows from each symbol's first eligible one on by the configured shares, at one time for all symbols.

    A row is purged where its label ends at or after the border that follows it; the embargo leaves out that many rows
    of each symbol after each border as well. So no label of an earlier part looks at a bar that a later part uses.

    Args:
        time_ns: of each row, ascending within a symbol, shape [n].
        series: the rows of each symbol.
        end: last row of each row's label, shape [n].
        eligible: rows with features and a label, shape [n].

    Raises:
        DataError: a part is left without rows.
    """
    starts = [_first_marked(eligible, rows) for rows in series]
    times = _border_times(time_ns, series, eligible, config)
    usable = np.zeros(len(end), dtype=np.bool_)
    parts: dict[str, list[slice]] = {"train": [], "validation": [], "test": []}
    for rows, start in zip(series, starts, strict=True):
        first, second = (rows.start + int(np.searchsorted(time_ns[rows], time)) for time in times)
        first, second = max(first, start), max(second, start)
        cut = {
            "train": slice(start, first),
            "validation": slice(min(first + config.embargo, second), second),
            "test": slice(min(second + config.embargo, rows.stop), rows.stop),
        }
        for name, part in cut.items():
            usable[part] = eligible[part] & (end[part] < part.stop)
            if part.start < part.stop:
                parts[name].append(part)
    sets = {name: RowSet(ranges=tuple(ranges), usable=usable) for name, ranges in parts.items()}
    for name, rows_of_part in sets.items():
        if not rows_of_part.count():
            raise DataError(
                f"no rows left to {'learn from' if name == 'train' else f'use as {name}'}: {len(end)} bars, "
                f"{int(np.count_nonzero(eligible))} with features and a label, embargo {config.embargo}; "
                f"give more bars, or lower data.split.embargo or label.horizon"
            )
    return Split(train=sets["train"], validation=sets["validation"], test=sets["test"])


def before_test(time_ns: Int64, series: Sequence[slice], end: Int64, eligible: Bool, config: SplitConfig) -> Bool:
    """Rows of which neither the bar nor the label reaches the test part of `purged_split`, shape [n].

    What is learned about a configuration from these alone leaves that part to be looked at once. Arguments as there.
    """
    time = _border_times(time_ns, series, eligible, config)[-1]
    free = np.zeros(len(end), dtype=np.bool_)
    for rows in series:
        border = rows.start + int(np.searchsorted(time_ns[rows], time))
        before = slice(rows.start, border)
        free[before] = eligible[before] & (end[before] < border)
    return free


def _border_times(time_ns: Int64, series: Sequence[slice], eligible: Bool, config: SplitConfig) -> list[int]:
    """When the validation part and the test part begin."""
    starts = [_first_marked(eligible, rows) for rows in series]
    total = sum(rows.stop - start for rows, start in zip(series, starts, strict=True))
    shares = (config.train, config.train + config.validation)
    return [_time_of_row(time_ns, series, starts, round(share * total)) for share in shares]


def _first_marked(marked: Bool, rows: slice) -> int:
    """The first marked row of a range, its end if there is none."""
    within = marked[rows]
    first = int(np.argmax(within)) if within.any() else len(within)
    return int(rows.start) + first


def _time_of_row(time_ns: Int64, series: Sequence[slice], starts: Sequence[int], count: int) -> int:
    """The earliest time that at least `count` rows, from each symbol's start on, lie before. By bisection: no sort."""
    columns = [time_ns[start : rows.stop] for rows, start in zip(series, starts, strict=True) if start < rows.stop]
    if not columns:
        return 0
    low, high = min(int(each[0]) for each in columns), max(int(each[-1]) for each in columns) + 1
    while low < high:
        middle = (low + high) // 2
        if sum(int(np.searchsorted(each, middle)) for each in columns) >= count:
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True, kw_only=True)
class LabelSpans:
    """When each sample's label begins and ends, both included, in whole bars or any other whole unit of time.

    Samples are in the order in which their labels begin; several may begin at once, as those of several symbols do.

    Raises:
        ValueError: the arrays differ in shape or are not int64, a span ends before it begins, or one begins before
            that of the sample in front of it.
    """

    begin: Int64  # shape [n]
    end: Int64  # shape [n]

    def __post_init__(self) -> None:
        if self.begin.ndim != 1 or self.begin.shape != self.end.shape:
            raise ValueError(
                f"begin and end must be of one dimension and length, found {self.begin.shape} and {self.end.shape}"
            )
        for name, values in (("begin", self.begin), ("end", self.end)):
            if values.dtype != np.int64:  # an embargo could lead a smaller or unsigned type over its border
                raise ValueError(f"{name} must be int64, found {values.dtype}")
        if (backwards := self.end < self.begin).any():
            at = int(np.argmax(backwards))
            raise ValueError(f"end must not lie before begin, found {self.begin[at]} to {self.end[at]} at sample {at}")
        if (falls := self.begin[1:] < self.begin[:-1]).any():
            at = int(np.argmax(falls))
            raise ValueError(
                f"begin must not fall from sample to sample, found {self.begin[at]} at sample {at} and "
                f"{self.begin[at + 1]} at sample {at + 1}"
            )

    def __len__(self) -> int:
        return len(self.begin)


@dataclass(frozen=True, kw_only=True)
class TrainTest:
    """Sample numbers to learn from and to test on, each ascending."""

    train: Int64
    test: Int64


def walk_forward(
    spans: LabelSpans, *, train_size: int, test_size: int, window: Literal["anchored", "rolling"], embargo: int
) -> Iterator[TrainTest]:
    """Tests on block after block of samples, each time after learning from what was known before the block.

    A label is known before a block if it ends more than `embargo` before the block's first label begins. The first
    block follows as soon as `train_size` samples are known; together the blocks hold all samples from there on.

    Args:
        spans: n label spans.
        train_size: samples of the first training. A rolling window has as many in each; an anchored one grows.
        test_size: samples of a block; the last block may have fewer.
        window: "anchored" learns from all known samples, "rolling" from the latest `train_size` of them.
        embargo: time left out before each block, in the spans' unit.

    Raises:
        ValueError: a size below 1, an embargo below 0 or an unknown window.
        DataError: no sample is left to test on.
    """
    for name, size in (("train_size", train_size), ("test_size", test_size)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1 sample, found {size}")
    if window not in ("anchored", "rolling"):
        raise ValueError(f"window must be 'anchored' or 'rolling', found {window!r}")
    _check_embargo(embargo)
    n = len(spans)
    first = n
    if train_size <= n:
        known_at = np.partition(spans.end, train_size - 1)[train_size - 1] + embargo
        first = int(np.searchsorted(spans.begin, known_at, side="right"))
    if first == n:
        raise DataError(
            f"no samples left to test on: {n} samples, train_size {train_size}, embargo {embargo}; "
            f"give more samples, or lower train_size, embargo or the label's horizon"
        )

    def at(start: int) -> TrainTest:
        known = np.flatnonzero(spans.end[:start] < spans.begin[start] - embargo)
        train = known if window == "anchored" else known[-train_size:]
        return TrainTest(train=train, test=np.arange(start, min(start + test_size, n)))

    return map(at, range(first, n, test_size))


def purged_k_fold(spans: LabelSpans, *, folds: int, embargo: int) -> Iterator[TrainTest]:
    """Tests on each fold once, after learning from all others. López de Prado 2018, section 7.4.

    It is `combinatorial_purged` with one fold in the test; see there for folds, purge, embargo and errors.
    """
    return combinatorial_purged(spans, folds=folds, test_folds=1, embargo=embargo)


def combinatorial_purged(spans: LabelSpans, *, folds: int, test_folds: int, embargo: int) -> Iterator[TrainTest]:
    """Tests on each choice of `test_folds` folds, after learning from the others. López de Prado 2018, section 12.4.

    Folds are runs of consecutive samples; where n is no multiple of `folds`, the first ones have a sample more. From
    training are left out: samples whose label span meets that of a tested sample (purge), and those whose label begins
    within `embargo` after the end of one. The splits come in lexical order of their tested folds.

    Args:
        spans: n label spans.
        folds: N, 2 to n.
        test_folds: k, 1 to N - 1.
        embargo: time left out after each tested fold, counted from the end of its last label, in the spans' unit.

    Returns:
        S = C(N, k) splits, each made when it is asked for: the numbers of all may not fit in memory.

    Raises:
        ValueError: `folds`, `test_folds` or `embargo` is out of range, or more than `MAX_SPLITS` splits would follow.
        DataError: a split has nothing to learn from; raised by the call, before the first split is made.
    """
    n = len(spans)
    _check_folds(folds=folds, test_folds=test_folds)
    _check_embargo(embargo)
    if folds > n:
        raise ValueError(f"folds must be at most the number of samples, {n}, found {folds}")
    edges = fold_edges(n, folds)

    def training(tested: tuple[int, ...]) -> Bool:
        # One comparison with a whole fold does for all of its spans: as samples are in the order of their begin, what
        # reaches over the fold's edge meets the sample there, and what begins before the fold's last end meets that
        # label. The tested samples themselves meet their own spans.
        keep = np.ones(n, dtype=np.bool_)
        for fold in tested:
            first, last = spans.begin[edges[fold]], spans.end[edges[fold] : edges[fold + 1]].max()
            keep &= (spans.end < first) | (spans.begin > last + embargo)
        return keep

    def split(tested: tuple[int, ...]) -> TrainTest:
        test = np.concatenate([np.arange(edges[fold], edges[fold + 1]) for fold in tested])
        return TrainTest(train=np.flatnonzero(training(tested)), test=test)

    for tested in combinations(range(folds), test_folds):
        if not training(tested).any():
            raise DataError(
                f"no samples left to learn from when testing on {fold_list(tested)} of {folds}: {n} samples, "
                f"embargo {embargo}; give more samples, or lower embargo, the label's horizon or the number of folds"
            )
    return map(split, combinations(range(folds), test_folds))


def backtest_paths(*, folds: int, test_folds: int) -> Int64:
    """Which split of `combinatorial_purged` forecasts which fold on which path. López de Prado 2018, section 12.4.

    A path passes each fold once, and each test of each split is on one path.

    Args:
        folds: N, at least 2.
        test_folds: k, 1 to N - 1.

    Returns:
        Shape [P, N], P = C(N, k) k / N; split numbers, counted from 0, that rise from path to path.

    Raises:
        ValueError: `folds` or `test_folds` is out of range, or more than `MAX_SPLITS` splits would follow.
    """
    _check_folds(folds=folds, test_folds=test_folds)
    tested = np.array(list(combinations(range(folds), test_folds)))  # [S, k]
    return np.column_stack([np.flatnonzero((tested == fold).any(axis=1)) for fold in range(folds)])


def along_paths(values: Float64, paths: Int64) -> Float64:
    """Puts what the splits yielded for their tested samples together, one whole series a path.

    Args:
        values: shape [S, n], row s from split s of `combinatorial_purged`; ignored where s does not test the sample.
        paths: shape [P, N], from `backtest_paths`.

    Returns:
        Shape [P, n].

    Raises:
        ValueError: `values` has not a row for each split of `paths`, or fewer samples than folds.
    """
    splits, folds = int(paths.max()) + 1, paths.shape[1]
    if values.ndim != 2 or len(values) != splits or values.shape[1] < folds:
        raise ValueError(f"values must have the shape ({splits}, at least {folds}), found {values.shape}")
    n = values.shape[1]
    fold_of_sample = np.repeat(np.arange(folds), np.diff(fold_edges(n, folds)))
    return values[paths[:, fold_of_sample], np.arange(n)]


def fold_edges(n: int, folds: int) -> Int64:
    """Fold f of `combinatorial_purged` holds samples edges[f] to edges[f + 1], the latter excluded; shape [N + 1]."""
    size, longer = divmod(n, folds)
    fold = np.arange(folds + 1)
    return fold * size + np.minimum(fold, longer)


def fold_list(folds: tuple[int, ...]) -> str:
    """For a reader, who counts from 1."""
    return ("fold " if len(folds) == 1 else "folds ") + ", ".join(str(fold + 1) for fold in folds)


def _check_folds(*, folds: int, test_folds: int) -> None:
    if folds < 2:
        raise ValueError(f"folds must be at least 2, found {folds}")
    if not 1 <= test_folds < folds:
        raise ValueError(f"test_folds must be 1 to {folds - 1}, one less than folds, found {test_folds}")
    if (splits := math.comb(folds, test_folds)) > MAX_SPLITS:
        raise ValueError(
            f"{test_folds} of {folds} folds make {splits} splits, each a training; at most {MAX_SPLITS} are allowed"
        )


def _check_embargo(embargo: int) -> None:
    # Elsewhere an embargo is a share of the samples; 0.01 would pass for next to nothing here.
    if not isinstance(embargo, (int, np.integer)) or embargo < 0:
        raise ValueError(f"embargo must be a whole number of at least 0, found {embargo}")
