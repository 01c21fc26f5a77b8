"""Which of several strategies is better, and how sure that is: a bootstrap of the sessions that all of them traded.

Every resample draws the same sessions for all models, in blocks, so that what they have in common (the market) cancels
in their differences. Legend: n sessions, k models, R resamples. Undefined is None, never 0.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

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

    Circular blocks of L sessions, the cube root of n (Politis & Romano 1992; Künsch 1989). Intervals are quantiles of
    the resampled figures. Their distance from the figure is made sqrt(n / (n - L)) times as large, for such blocks draw
    (1 - L / n) of a mean's variance, and as much larger as Student's t of n / L - 1 degrees of freedom is than the
    normal: the spread itself is found from no more than n / L blocks. Adjusted p values are those of the largest
    standardised difference among all pairs in a resample (Romano & Wolf, Econometrica 73, 2005, in one step).

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
    block = round(math.pow(n, 1.0 / 3.0)) if n >= FEWEST_SESSIONS else None
    drawn = None
    if block is not None:
        figures = _resampled(list(returns.values()), block, resamples=resamples, seed=seed)
        strays = math.sqrt(n / (n - block)) * (figures - found)
        drawn = _Drawn(strays=strays, freedom=n / block - 1.0)
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


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What the resamples gave."""

    strays: Float64  # mean and Sharpe ratio of each model, less those found, in each resample, shape [R, k, 2]
    freedom: float  # degrees of freedom of their spread


def t_of_normal(z: float, freedom: float) -> float:
    """The quantile of Student's t beyond which lies as much as beyond z of the normal: the inverse of `normal_of_t`."""
    scaled = z * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return math.copysign(math.sqrt(freedom * math.expm1(scaled * scaled / freedom)), z)


def normal_of_t(t: float, freedom: float) -> float:
    """The normal quantile that is as unlikely as t. Wallace, Annals of Mathematical Statistics 30, 1959.

    (8ν + 1) / (8ν + 3) sqrt(ν ln(1 + t² / ν)), right to 0.022 for ν of 5 and |t| up to 6, to 0.004 for ν of 21.
    """
    scale = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
    return math.copysign(scale * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def _resampled(series: Sequence[Float64], block: int, *, resamples: int, seed: int) -> Float64:
    """Mean and Sharpe ratio of each model in each resample, shape [R, k, 2]."""
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
    return drawn


def _interval(value: float, strays: Float64, freedom: float) -> Interval | None:
    """The middle `CONFIDENCE` of resampled figures that stray from a value, shape [R]."""
    known = strays[np.isfinite(strays)]
    if len(known) < (1.0 - _MOST_UNDEFINED) * len(strays):
        return None
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    z = NormalDist().inv_cdf(1.0 - tail)
    wider = t_of_normal(z, freedom) / z
    return Interval(low=value + wider * float(low), high=value + wider * float(high))


def _standings(models: Sequence[str], found: Float64, drawn: _Drawn | None) -> tuple[Standing, ...]:
    def interval(j: int, figure: int) -> Interval | None:
        if drawn is None:
            return None
        return _interval(float(found[j, figure]), drawn.strays[:, j, figure], drawn.freedom)

    intervals = [(interval(j, 0), interval(j, 1)) for j in range(len(models))]
    ranked = [j for j in range(len(models)) if math.isfinite(found[j, 1])]
    ranks = dict(zip(ranked, _ranks(found[None, ranked, 1])[0], strict=True))
    among = [j for j in ranked if drawn is not None and intervals[j][1] is not None]
    rank_intervals: dict[int, tuple[int, int]] = {}
    best: dict[int, float] = {}
    # Ranks of some models alone would not be those that stand beside them.
    if drawn is not None and among == ranked:
        sharpes = found[ranked, 1] + drawn.strays[:, ranked, 1]
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


def _pairs(models: Sequence[str], found: Float64, drawn: _Drawn | None) -> tuple[Pair, ...]:
    both = list(itertools.combinations(range(len(models)), 2))
    estimates = []
    for figure in (0, 1):
        values = [float(found[i, figure] - found[j, figure]) for i, j in both]
        if drawn is None:
            estimates.append([Estimate(value=value, interval=None) for value in values])
            continue
        strays = [drawn.strays[:, i, figure] - drawn.strays[:, j, figure] for i, j in both]
        estimates.append(_differences(values, strays, drawn.freedom))
    return tuple(
        Pair(
            first=models[i], second=models[j], mean_return=mean, sharpe=sharpe if math.isfinite(sharpe.value) else None
        )
        for (i, j), mean, sharpe in zip(both, *estimates, strict=True)
    )


def _differences(values: Sequence[float], strays: Sequence[Float64], freedom: float) -> list[Estimate]:
    """Each difference with its interval and both p values.

    Args:
        values: of the pairs.
        strays: of each resample from the value, shape [R] for each pair.
        freedom: of their spread.
    """
    intervals = [_interval(value, each, freedom) for value, each in zip(values, strays, strict=True)]
    errors = [
        float(np.nanstd(each, ddof=1)) if interval else math.nan
        for each, interval in zip(strays, intervals, strict=True)
    ]
    # In standard errors: what chance alone does.
    scaled = {i: np.abs(strays[i]) / error for i, error in enumerate(errors) if error > 0.0}
    farthest = np.fmax.reduce(list(scaled.values())) if scaled else np.zeros(0)
    estimates = []
    for i, (value, interval) in enumerate(zip(values, intervals, strict=True)):
        if i in scaled:
            distance = normal_of_t(abs(value) / errors[i], freedom)
            p, adjusted = _share_beyond(scaled[i], distance), _share_beyond(farthest, distance)
        elif interval is None:
            estimates.append(Estimate(value=value, interval=None))
            continue
        else:  # a difference that no resample changes
            p = adjusted = 1.0 if value == 0.0 else 1.0 / (len(strays[i]) + 1)
        estimates.append(Estimate(value=value, interval=interval, p=p, p_adjusted=adjusted))
    return estimates


def _share_beyond(strays: Float64, distance: float) -> float:
    """Of the resamples and the sample itself, which is one of what chance may bring: no p value is 0."""
    known = strays[np.isfinite(strays)]
    return float((1 + np.count_nonzero(known >= distance)) / (len(known) + 1))
