"""How far a figure might lie from the truth: a bootstrap of blocks, so that samples which depend on each other stay
together.

A resample of n samples is given as how often it holds each of them: counts of shape [n] whose sum is n.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Float64

# A standard error of 200 resamples is itself sure to 1 / sqrt(2 · 200) = 5 %.
RESAMPLES = 200
# Returns over h bars share bars with h - 1 neighbours on each side. Blocks of L lose what crosses their ends, about
# h / (3 L) of the variance: 3 % here.
_BLOCKS_PER_HORIZON = 10
# Fewer blocks cannot show how much blocks differ.
_FEWEST_BLOCKS = 10
# counts [n] → figures [k], NaN where undefined
Statistic = Callable[[Float64], Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float


def block_length(samples: int, *, horizon: int) -> int:
    """Samples of one block: ten horizons, and at least the cube root of all samples.

    The cube root is the rate at which blocks should grow: Künsch, Annals of Statistics 17, 1989.

    Args:
        samples: n.
        horizon: samples that share one return.
    """
    return max(_BLOCKS_PER_HORIZON * horizon, round(math.pow(samples, 1.0 / 3.0)))


def resample_counts(samples: int, *, block: int, resamples: int, seed: int) -> Iterator[Float64]:
    """How often each sample is drawn, shape [samples], for one resample after the other.

    Blocks start anywhere and go on at the first sample after the last, so that each sample is drawn equally often:
    Politis & Romano, A circular block-resampling procedure, 1992. The last block is cut to make `samples` in all.
    """
    rng = np.random.default_rng(seed)
    blocks = -(-samples // block)
    lengths = np.full(blocks, block)
    lengths[-1] = samples - (blocks - 1) * block
    for _ in range(resamples):
        starts = rng.integers(samples, size=blocks)
        # Blocks that begin, less blocks that have ended; past the last sample they go on at the first.
        steps = np.bincount(starts, minlength=2 * samples) - np.bincount(starts + lengths, minlength=2 * samples)
        twice = steps.cumsum()
        yield (twice[:samples] + twice[samples:]).astype(np.float64)


def block_bootstrap_errors(
    statistic: Statistic, samples: int, *, horizon: int, resamples: int = RESAMPLES, seed: int = 0
) -> Float64 | None:
    """Standard errors of k figures, shape [k]: their spread over resamples.

    NaN where a figure is undefined in a resample; None where the samples are fewer than ten blocks.
    """
    found = block_bootstrap(statistic, samples, horizon=horizon, resamples=resamples, seed=seed)
    return None if found is None else spread(found)


def block_bootstrap(
    statistic: Statistic, samples: int, *, horizon: int, resamples: int = RESAMPLES, seed: int = 0
) -> Float64 | None:
    """k figures of each resample, shape [resamples, k]; None where the samples are fewer than ten blocks.

    The same seed draws the same resamples, for whatever statistic.
    """
    block = block_length(samples, horizon=horizon)
    if samples < _FEWEST_BLOCKS * block:
        return None
    found = [statistic(counts) for counts in resample_counts(samples, block=block, resamples=resamples, seed=seed)]
    return np.array(found)


def spread(figures: Float64) -> Float64:
    """Standard deviation of each figure over the resamples, shape [k]."""
    errors: Float64 = np.std(figures, axis=0, ddof=1)
    return errors


def interval_around(value: float, standard_error: float, *, standard_errors: float) -> Interval:
    """`value` and that many of its standard errors to each side.

    Two of them hold the truth in 95 of 100 cases where there are hundreds of blocks, in 92 where there are twenty.
    Not quantiles of the resamples: these need thousands to be as sure.
    """
    return Interval(low=value - standard_errors * standard_error, high=value + standard_errors * standard_error)
