"""Metrics of a resample that is given as how often it holds each of n samples: counts of shape [n].

What does not depend on the counts, the sorting above all, is done once.
"""

import math

import numpy as np

from sentio_trainer.bars import Bool, Float64

# Below this share of its full variance a side is constant but for rounding.
_CONSTANT = 1e-12


class Order:
    """Where each of n values stands among them."""

    def __init__(self, values: Float64) -> None:
        distinct, self._place, sizes = np.unique(values, return_inverse=True, return_counts=True)
        self._sorted = np.argsort(self._place, kind="stable")
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._has_ties = len(distinct) < len(values)

    def totals(self, counts: Float64) -> Float64:
        """How often each distinct value is held, lowest first."""
        in_order = counts.take(self._sorted)
        return np.add.reduceat(in_order, self._first) if self._has_ties else in_order

    def ranks(self, counts: Float64) -> Float64:
        """Each sample's rank within the resample, ties averaged, shape [n]."""
        totals = self.totals(counts)
        ranks: Float64 = (totals.cumsum() - (totals - 1.0) / 2.0).take(self._place)
        return ranks


class Correlation:
    """Pearson's, of two series; NaN where one side does not vary."""

    def __init__(self, x: Float64, y: Float64) -> None:
        dx, dy = _standardised(x), _standardised(y)
        self._moments = np.stack([dx, dy, dx * dx, dy * dy, dx * dy])

    def __call__(self, counts: Float64) -> float:
        total = float(counts.sum())
        x, y, xx, yy, xy = (_dot(moment, counts) / total for moment in self._moments)
        variance_x, variance_y = xx - x * x, yy - y * y
        if min(variance_x, variance_y) < _CONSTANT:
            return math.nan
        return (xy - x * y) / math.sqrt(variance_x * variance_y)


def rank_correlation(x: Order, y_ranks: Float64, counts: Float64) -> float:
    """Spearman's; `y_ranks` are the other side's within the resample. NaN where one side does not vary."""
    middle = (counts.sum() + 1.0) / 2.0
    dx, dy = x.ranks(counts) - middle, y_ranks - middle
    weighted = counts * dx
    scale = math.sqrt(_dot(weighted, dx) * _dot(counts * dy, dy))
    return _dot(weighted, dy) / scale if scale > 0.0 else math.nan


def auc(order: Order, up: Bool, down: Bool, counts: Float64) -> float:
    """AUC of the score that `order` is of; NaN without a sample of each kind."""
    ups, downs = order.totals(counts * up), order.totals(counts * down)
    pairs = float(ups.sum() * downs.sum())
    return _dot(ups, downs.cumsum() - downs / 2.0) / pairs if pairs > 0.0 else math.nan


def mean(values: Float64, counts: Float64) -> float:
    """NaN where the counts are all 0."""
    total = float(counts.sum())
    return _dot(values, counts) / total if total > 0.0 else math.nan


def _standardised(values: Float64) -> Float64:
    centred = values - values.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    standardised: Float64 = centred / spread if spread > 0.0 else centred
    return standardised


def _dot(x: Float64, y: Float64) -> float:
    """Without BLAS, whose threads wake for each of thousands of calls and wait for each other on a busy machine."""
    return float(np.einsum("i,i->", x, y))
