"""How well scores forecast returns. Undefined is None, never 0."""

import numpy as np

from sentio_trainer.bars import Bool, Float64


def ranks(values: Float64) -> Float64:
    """Ranks from 1, ties averaged, shape [n]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def auc(score: Float64, positive: Bool) -> float | None:
    """Probability that a positive sample scores above a negative one, ties counting one half.

    Mann & Whitney, Annals of Mathematical Statistics 18, 1947. None without a sample of each kind.
    """
    positives = int(np.count_nonzero(positive))
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    rank_sum = float(ranks(score)[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2.0) / (positives * negatives)


def correlation(x: Float64, y: Float64) -> float | None:
    """Pearson's correlation; None where one side does not vary."""
    if len(x) < 2 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)))


def rank_correlation(x: Float64, y: Float64) -> float | None:
    """Spearman's correlation: Pearson's, of the ranks with ties averaged; None where one side does not vary."""
    return correlation(ranks(x), ranks(y))
