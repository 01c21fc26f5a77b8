"""Many splits of one set of samples: for each, the rows to learn from, to choose by and to test on.

docs/validation.md tells which scheme answers what. The test part of `data.split` belongs to no split, so that it can
still be looked at once, by a training.

Shapes: n rows of the data set; m samples, in the order of their bars' times; N folds, P paths.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sentio_trainer.assessment import in_time_order
from sentio_trainer.bars import Int64
from sentio_trainer.data_set import DataSet
from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.rows import RowSet
from sentio_trainer.samples import Samples
from sentio_trainer.schema import Config, CrossValidationConfig
from sentio_trainer.splits import (
    LabelSpans,
    TrainTest,
    backtest_paths,
    before_test,
    combinatorial_purged,
    fold_edges,
    fold_list,
    purged_k_fold,
    walk_forward,
)


@dataclass(frozen=True, kw_only=True)
class CrossSplit:
    """One training. Its sets are ranges of rows of one symbol each, between which lies no other set's row."""

    train: RowSet
    validation: RowSet
    folds: tuple[int, ...]  # the tested ones


@dataclass(frozen=True, kw_only=True)
class Plan:
    splits: tuple[CrossSplit, ...]
    folds: tuple[RowSet, ...]  # rows to test on, from the earliest fold to the latest
    paths: Int64  # number of the split that forecasts a fold on a path, shape [P, N]


def plan_splits(samples: Samples, config: Config) -> Plan:
    """The splits of `evaluation.cross_validation`, checked before the first training.

    Of what a split may learn from, the last rows in time are its validation: as large a share as `data.split` gives it
    beside the training rows, and after an embargo of its own.

    Raises:
        ConfigError: folds and test folds do not fit each other.
        DataError: there are too few samples.
    """
    scheme = config.evaluation.cross_validation
    data = samples.data
    usable = before_test(
        data.time_ns, [series.rows for series in data.series], samples.labels.end, samples.eligible, config.data.split
    )
    usable_rows = np.flatnonzero(usable)
    order = in_time_order(data, usable_rows)
    spans = label_spans(samples, order)
    share = config.data.split.validation / (config.data.split.train + config.data.split.validation)

    def rows(numbers: Int64) -> RowSet:
        return RowSet(ranges=stretches(data, usable_rows, order[numbers]), usable=usable)

    edges = fold_edges(len(order), scheme.folds)
    splits, blocks = [], []
    for i, split in enumerate(_splits(spans, scheme)):
        if scheme.scheme == "walk_forward":
            blocks.append(rows(split.test))
            folds: tuple[int, ...] = (i,)
        else:
            tested = np.unique(np.searchsorted(edges, split.test, side="right") - 1)
            folds = tuple(int(fold) for fold in tested)
        train, validation = cut_validation(spans, split.train, share=share, embargo=scheme.embargo)
        for what, part in (("learn from", train), ("choose an epoch by", validation)):
            if not len(part):
                raise DataError(
                    f"no rows left to {what} when testing on {fold_list(folds)}: {len(order)} samples, "
                    f"embargo {scheme.embargo}; give more bars, or lower evaluation.cross_validation.embargo or folds"
                )
        splits.append(CrossSplit(train=rows(train), validation=rows(validation), folds=folds))
    if scheme.scheme == "walk_forward":
        return Plan(splits=tuple(splits), folds=tuple(blocks), paths=np.arange(len(blocks))[None, :])
    return Plan(
        splits=tuple(splits),
        folds=tuple(rows(np.arange(edges[fold], edges[fold + 1])) for fold in range(scheme.folds)),
        paths=backtest_paths(folds=scheme.folds, test_folds=len(splits[0].folds)),
    )


def label_spans(samples: Samples, order: Int64) -> LabelSpans:
    """From which bar to which the labels of these rows reach, as numbers on a clock of bars.

    The clock ticks at each time at which any symbol has a bar, and not in between: an embargo of 60 bars before a night
    reaches 60 bars into the next session, as the windows of features do.
    """
    data, end = samples.data, samples.labels.end[order]
    if len(data.series) == 1:
        return LabelSpans(begin=order, end=end)
    clock = np.unique(data.time_ns)
    return LabelSpans(begin=np.searchsorted(clock, data.time_ns[order]), end=np.searchsorted(clock, data.time_ns[end]))


def cut_validation(spans: LabelSpans, learnable: Int64, *, share: float, embargo: int) -> tuple[Int64, Int64]:
    """Samples to learn from, and the last `share` of them in time to choose by.

    Labels to learn from end more than `embargo` before the first label to choose by begins.
    """
    border = spans.begin[learnable[min(round((1.0 - share) * len(learnable)), len(learnable) - 1)]]
    begin, end = spans.begin[learnable], spans.end[learnable]
    return learnable[end < border - embargo], learnable[begin >= border]


def _splits(spans: LabelSpans, config: CrossValidationConfig) -> Iterator[TrainTest]:
    m = len(spans)
    if m < config.folds:
        raise DataError(f"{m} samples are too few for {config.folds} folds; give more bars")
    try:
        match config.scheme:
            case "walk_forward":
                train_size = max(1, round(config.train * m))
                return walk_forward(
                    spans,
                    train_size=train_size,
                    test_size=-(-(m - train_size) // config.folds),
                    window=config.window,
                    embargo=config.embargo,
                )
            case "purged_k_fold":
                return purged_k_fold(spans, folds=config.folds, embargo=config.embargo)
            case "combinatorial_purged":
                return combinatorial_purged(
                    spans, folds=config.folds, test_folds=config.test_folds, embargo=config.embargo
                )
    except ValueError as error:
        raise ConfigError(f"evaluation.cross_validation: {error}") from error


def stretches(data: DataSet, usable_rows: Int64, chosen: Int64) -> tuple[slice, ...]:
    """The ranges that hold the chosen ones of the usable rows, and no other usable row."""
    is_chosen = np.zeros(len(data), dtype=np.bool_)
    is_chosen[chosen] = True
    found = []
    for series in data.series:
        first, stop = np.searchsorted(usable_rows, [series.rows.start, series.rows.stop])
        rows = usable_rows[first:stop]
        inside = np.concatenate([[False], is_chosen[rows], [False]])
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        found += [slice(int(rows[a]), int(rows[b - 1]) + 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return tuple(found)
