"""Which of several strategies is better, and how sure that is: a bootstrap of the sessions that all of them traded.

Every resample draws the same sessions for all models, in blocks, so that what they have in common (the market) cancels
in their differences. Legend: n sessions, k models, R resamples. Undefined is None, never 0.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Float64
from sentio_trainer.bootstrap import Interval, resample_counts

RESAMPLES = 4_000
CONFIDENCE = 0.95
# With fewer, a handful of blocks would have to tell how much blocks differ.
FEWEST_SESSIONS = 20
# A figure that more of the resamples leave undefined has no interval: those that are left would be a selection.
_MOST_UNDEFINED = 0.05
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its interval; `p` is how often chance alone gives one as far from zero, two-sided."""

    value: float
    interval: Interval | None
    p: float | None = None
    p_adjusted: float | None = None  # the same for the farthest of all pairs: what luck does among that many


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The first model less the second."""

    first: str
    second: str
    mean_return: Estimate
    sharpe: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One model among the others, by the Sharpe ratio of its session returns."""

    model: str
    mean_return: Estimate
    sharpe: Estimate | None
    rank: int | None  # 1 is best; equal models share a rank
    rank_interval: tuple[int, int] | None
    best_share: float | None  # of the resamples in which it is first; equal models share a first place


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """All models against each other over one series of sessions."""

    sessions: int
    block: int | None  # sessions of a block; None: too few sessions to resample
    resamples: int
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]


def compare_sessions(returns: Mapping[str, Float64], *, resamples: int = RESAMPLES, seed: int = 0) -> PairedComparison:
    """Standings and differences.

    Circular blocks of the cube root of n sessions (Politis & Romano 1992; Künsch 1989). Intervals are quantiles of the
    resampled figures, their distance from the figure made sqrt(n / (n - block)) times as large: blocks of L draw
    (1 - L / n) of a mean's variance. Adjusted p values are those of the largest standardised difference among all
    pairs in a resample (Romano & Wolf, Econometrica 73, 2005, in one step).

    Args:
        returns: each model's simple returns, shape [n], of the same sessions, n at least 2.
        resamples: R.
        seed: the same seed draws the same sessions.

    Raises:
        ValueError: the series have different lengths, or fewer than two sessions.
    """
    models = list(returns)
    lengths = {len(series) for series in returns.values()}
    if len(lengths) != 1 or min(lengths) < 2:
        raise ValueError(f"returns must have one length of at least 2 sessions, found {sorted(lengths)}")
    n = lengths.pop()
    found = np.array([_mean_and_sharpe(returns[model]) for model in models])  # [k, 2]
    block = max(1, round(math.pow(n, 1.0 / 3.0))) if n >= FEWEST_SESSIONS else None
    drawn = None if block is None else _resampled(list(returns.values()), found, block, resamples=resamples, seed=seed)
    return PairedComparison(
        sessions=n,
        block=block,
        resamples=0 if block is None else resamples,
        standings=_standings(models, found, drawn),
        pairs=_pairs(models, found, drawn),
    )


def _mean_and_sharpe(series: Float64) -> tuple[float, float]:
    """Mean and mean / sample standard deviation, per session; the ratio is NaN where returns do not vary."""
    mean = float(np.mean(series))
    std = float(np.std(series, ddof=1))
    return mean, mean / std if np.ptp(series) > 0.0 else math.nan


def _resampled(series: Sequence[Float64], found: Float64, block: int, *, resamples: int, seed: int) -> Float64:
    """Mean and Sharpe ratio of each model in each resample, widened around what was found, shape [R, k, 2]."""
    n = len(series[0])
    drawn = np.empty((resamples, len(series), 2))
    counts = resample_counts(n, block=block, resamples=resamples, seed=seed)
    for begin in range(0, resamples, _CHUNK):
        weights = np.array(list(itertools.islice(counts, _CHUNK))) / n
        # A model at a time: equal series then have equal bits, and no difference.
        for j, values in enumerate(series):
            centre = values.mean()
            mean, square = weights @ (values - centre), weights @ (values - centre) ** 2
            variance = (square - mean**2) * n / (n - 1)
            # Rounding leaves about 1e-16 of the squares of a resample whose returns do not vary.
            varies = variance > 1e-12 * np.maximum(square, np.finfo(float).tiny)
            with np.errstate(invalid="ignore", divide="ignore"):
                sharpe = np.where(varies, (mean + centre) / np.sqrt(variance), np.nan)
            drawn[begin : begin + len(weights), j] = np.stack([mean + centre, sharpe], axis=1)
    widened: Float64 = found + math.sqrt(n / (n - block)) * (drawn - found)
    return widened


def _interval(drawn: Float64) -> Interval | None:
    """The middle `CONFIDENCE` of resampled figures, shape [R]."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < (1.0 - _MOST_UNDEFINED) * len(drawn):
        return None
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(low=float(low), high=float(high))


def _standings(models: Sequence[str], found: Float64, drawn: Float64 | None) -> tuple[Standing, ...]:
    intervals: list[list[Interval | None]] = [
        [None if drawn is None else _interval(drawn[:, j, figure]) for figure in (0, 1)] for j in range(len(models))
    ]
    ranked = [j for j in range(len(models)) if math.isfinite(found[j, 1])]
    ranks = dict(zip(ranked, _ranks(found[None, ranked, 1])[0], strict=True))
    among = [j for j in ranked if drawn is not None and intervals[j][1] is not None]
    rank_intervals: dict[int, tuple[int, int]] = {}
    best: dict[int, float] = {}
    # Ranks of some models alone would not be those that stand beside them.
    if drawn is not None and among == ranked:
        sharpes = drawn[:, ranked, 1]
        sharpes = sharpes[np.isfinite(sharpes).all(axis=1)]
        resampled = _ranks(sharpes)
        first = resampled == 1
        shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
        tail = (1.0 - CONFIDENCE) / 2.0
        low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=0, method="inverted_cdf")
        rank_intervals = {j: (int(low[i]), int(high[i])) for i, j in enumerate(ranked)}
        best = {j: float(shares[i]) for i, j in enumerate(ranked)}
    return tuple(
        Standing(
            model=model,
            mean_return=Estimate(value=float(found[j, 0]), interval=intervals[j][0]),
            sharpe=Estimate(value=float(found[j, 1]), interval=intervals[j][1]) if j in ranks else None,
            rank=int(ranks[j]) if j in ranks else None,
            rank_interval=rank_intervals.get(j),
            best_share=best.get(j),
        )
        for j, model in enumerate(models)
    )


def _ranks(values: Float64) -> Float64:
    """1 and the number of larger values in the row, shape [R, k]."""
    ranks: Float64 = 1.0 + (values[:, None, :] > values[:, :, None]).sum(axis=2)
    return ranks


def _pairs(models: Sequence[str], found: Float64, drawn: Float64 | None) -> tuple[Pair, ...]:
    both = list(itertools.combinations(range(len(models)), 2))
    estimates = []
    for figure in (0, 1):
        values = [float(found[i, figure] - found[j, figure]) for i, j in both]
        resampled = None if drawn is None else [drawn[:, i, figure] - drawn[:, j, figure] for i, j in both]
        estimates.append(_differences(values, resampled))
    return tuple(
        Pair(
            first=models[i], second=models[j], mean_return=mean, sharpe=sharpe if math.isfinite(sharpe.value) else None
        )
        for (i, j), mean, sharpe in zip(both, *estimates, strict=True)
    )


def _differences(values: Sequence[float], drawn: Sequence[Float64] | None) -> list[Estimate]:
    """Each difference with its interval and both p values."""
    if drawn is None:
        return [Estimate(value=value, interval=None) for value in values]
    intervals = [_interval(each) for each in drawn]
    errors = [
        float(np.nanstd(each, ddof=1)) if interval else math.nan
        for each, interval in zip(drawn, intervals, strict=True)
    ]
    # How far each resample strays from what was found, in standard errors: what chance alone does.
    strays = {
        i: np.abs(each - value) / error
        for i, (each, value, error) in enumerate(zip(drawn, values, errors, strict=True))
        if error > 0.0
    }
    farthest = np.fmax.reduce(list(strays.values())) if strays else np.zeros(0)
    estimates = []
    for i, (value, interval) in enumerate(zip(values, intervals, strict=True)):
        if i in strays:
            distance = abs(value) / errors[i]
            p, adjusted = _share_beyond(strays[i], distance), _share_beyond(farthest, distance)
        elif interval is None:
            estimates.append(Estimate(value=value, interval=None))
            continue
        else:  # a difference that no resample changes
            p = adjusted = 1.0 if value == 0.0 else 1.0 / (len(drawn[i]) + 1)
        estimates.append(Estimate(value=value, interval=interval, p=p, p_adjusted=adjusted))
    return estimates


def _share_beyond(strays: Float64, distance: float) -> float:
    """Of the resamples and the sample itself, which is one of what chance may bring: no p value is 0."""
    known = strays[np.isfinite(strays)]
    return float((1 + np.count_nonzero(known >= distance)) / (len(known) + 1))
