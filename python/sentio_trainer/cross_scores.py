"""What many trainings say together: figures of folds and of paths, and whether there is an edge over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sentio_trainer import resampled
from sentio_trainer.bars import Float64
from sentio_trainer.bootstrap import Interval, block_bootstrap, interval_around, spread
from sentio_trainer.cache import Float32
from sentio_trainer.evaluation import needed_standard_errors
from sentio_trainer.metrics import auc, correlation, rank_correlation
from sentio_trainer.reliability import brier
from sentio_trainer.scores import Estimate
from sentio_trainer.thresholds import probability_of

FIGURES: Final = ("ic", "rank_ic", "auc", "brier")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How forecasts did; None where undefined."""

    ic: float | None
    rank_ic: float | None
    auc: float | None
    brier: float | None


@dataclass(frozen=True, kw_only=True)
class Overall:
    """Mean figures of the folds, with intervals by block bootstrap of the bars."""

    ic: Estimate | None
    rank_ic: Estimate | None
    auc: Estimate | None
    brier: Estimate | None


def figures_of(logit: Float32, forward_return: Float64) -> Figures:
    """AUC and Brier score of the direction (bars that did not move are left out), IC and rank IC of the return."""
    score = logit.astype(np.float64)
    moved = forward_return != 0.0
    up = forward_return[moved] > 0.0
    return Figures(
        ic=correlation(score, forward_return),
        rank_ic=rank_correlation(score, forward_return),
        auc=auc(score[moved], up),
        brier=brier(probability_of(score[moved]), up),
    )


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """The mean of each; None where one of them is undefined."""
    return Figures(**{name: mean_of([getattr(each, name) for each in figures]) for name in FIGURES})


def overall_figures(
    said: Sequence[Sequence[Float32]], forward_returns: Sequence[Float64], *, horizon: int, standard_errors: float
) -> Overall:
    """Means over the folds and over those who forecast each, with what resampled bars make of them.

    Within a fold a figure is of one model's forecasts: those of different trainings are not on one scale. All models
    of a fold are scored on the same resamples, so that what they share is not taken for sure; folds share no bar, so
    that their errors add up as independent ones do.

    Args:
        said: of each fold, the logits of each model that is tested on it.
        forward_returns: of each fold, what came, in time order.
        horizon: samples that share one return.
        standard_errors: how many of them an interval reaches to each side.
    """
    found = mean_figures(
        [figures_of(logit, came) for logits, came in zip(said, forward_returns, strict=True) for logit in logits]
    )
    of_folds = [_fold_errors(*each, horizon=horizon) for each in zip(said, forward_returns, strict=True)]
    errors = np.sqrt(np.sum(np.square(of_folds), axis=0)) / len(of_folds)

    def estimate(name: str) -> Estimate | None:
        value: float | None = getattr(found, name)
        if value is None:
            return None
        error = float(errors[FIGURES.index(name)])
        sure = math.isfinite(error)
        return Estimate(
            value=value,
            interval=interval_around(value, error, standard_errors=standard_errors) if sure else None,
        )

    return Overall(**{name: estimate(name) for name in FIGURES})


def _fold_errors(logits: Sequence[Float32], forward_return: Float64, *, horizon: int) -> Float64:
    """Standard errors of the models' mean figures, in the order of FIGURES; NaN where the bars are too few to tell."""
    total: Float64 = np.zeros(len(FIGURES))
    for logit in logits:  # one after the other: what is sorted for one takes a hundred bytes a bar
        figures = block_bootstrap(_Resampled(logit, forward_return), len(forward_return), horizon=horizon)
        if figures is None:
            return np.full(len(FIGURES), np.nan)
        total = total + figures / len(logits)
    return spread(total)


class _Resampled:
    """The figures of one model for one resample, in the order of FIGURES."""

    def __init__(self, logit: Float32, forward_return: Float64) -> None:
        score = logit.astype(np.float64)
        self._up, self._down = forward_return > 0.0, forward_return < 0.0
        self._moved = self._up | self._down
        self._return_order = resampled.Order(forward_return)
        self._order = resampled.Order(score)
        self._correlation = resampled.Correlation(score, forward_return)
        self._distance = (probability_of(score) - self._up) ** 2

    def __call__(self, counts: Float64) -> list[float]:
        return [
            self._correlation(counts),
            resampled.rank_correlation(self._order, self._return_order.ranks(counts), counts),
            resampled.auc(self._order, self._up, self._down, counts),
            resampled.mean(self._distance, counts * self._moved),
        ]


def mean_of(values: Sequence[float | None]) -> float | None:
    """None where one of them is, or where there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


@dataclass(frozen=True, kw_only=True)
class Spread:
    low: float
    middle: float
    high: float


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """Lowest, median and highest; None where one of them is undefined."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(low=min(known), middle=float(np.median(known)), high=max(known))


def mean_over_folds(values: Sequence[float], *, test_share: float, standard_errors: float) -> Estimate:
    """The mean of a figure of each fold, and how sure it is.

    Folds share no tested bar, but their trainings share rows, so that they err together more than independent ones
    would. Their variance is taken not over N but times 1/N + test rows / training rows: Nadeau & Bengio, Inference for
    the Generalization Error, Machine Learning 52, 2003.

    Args:
        values: of the folds, shape [N].
        test_share: a fold's rows over a training's rows.
        standard_errors: how many of them the interval reaches to each side.
    """
    value = float(np.mean(values))
    if len(values) < 2:
        return Estimate(value=value, interval=None)
    error = float(np.std(values, ddof=1)) * math.sqrt(1.0 / len(values) + test_share)
    return Estimate(value=value, interval=interval_around(value, error, standard_errors=standard_errors))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the verdict rests on; an IC that is undefined, as of a constant forecast, is 0."""

    split_ics: tuple[float, ...]
    fold_ic: Estimate  # mean over the folds
    resampled_ic: Estimate | None  # the same mean, with what resampled bars make of it; None where undefined
    rivals: dict[str, float]  # mean IC over the folds of forecasts that need no network, by name
    learned: str | None  # the learned one of the rivals: if it is as good, no network is needed, but there is an edge
    returns: tuple[float | None, ...]  # after costs, of the paths
    standard_errors: float  # that an edge of a single configuration needs
    looks: int  # configurations that were scored on these bars, this one included
    what: str = "split"  # how a reader knows a training
    over: str = "fold"  # and what it is tested on


def judge(case: Case) -> tuple[bool, str]:
    """Whether there is an edge before costs, and why."""
    above = sum(ic > 0.0 for ic in case.split_ics)
    mean, interval = case.fold_ic.value, case.fold_ic.interval
    splits = f"IC above 0 in {above} of {len(case.split_ics)} {case.what}s, mean {mean:+.4f}"
    if interval is None:
        return False, f"no edge: {splits}; one {case.over} is too few to tell it from none"
    splits += f" ({_between(interval)} over the {case.over}s)"
    if interval.low <= 0.0:
        return False, f"no edge: {splits} is not surely above 0"
    needed = needed_standard_errors(case.standard_errors, looks=case.looks)
    distance = mean - interval.low
    found = case.standard_errors * mean / distance if distance > 0.0 else math.inf
    if found <= needed:
        return False, (
            f"no edge: {splits} is {found:.1f} standard errors above 0, and the best of {case.looks} configurations "
            f"tried on these bars needs {needed:.1f}"
        )
    by_bars = None if case.resampled_ic is None else case.resampled_ic.interval
    if by_bars is None:
        return False, f"no edge: {splits}; the bars are too few to tell it from none"
    if by_bars.low <= 0.0:
        return False, f"no edge: {splits}, and {_between(by_bars)} over resampled bars, is not surely above 0"
    rival, of_rival = max(
        ((name, ic) for name, ic in case.rivals.items() if name != case.learned),
        key=lambda each: each[1],
        default=("", -math.inf),
    )
    if mean <= of_rival:
        return False, f"no edge of its own: {splits}; {rival} has {of_rival:+.4f}"
    verdict = f"edge before costs: {splits}"
    if case.learned is not None:
        learned = case.rivals[case.learned]
        verdict += f", {'above' if mean > learned else 'no more than'} {case.learned}'s {learned:+.4f}"
    return True, verdict + _after_costs(case.returns)


def _after_costs(returns: Sequence[float | None]) -> str:
    mean = mean_of(returns)
    if mean is None:
        return ""
    if all(each == 0.0 for each in returns):
        return "; nothing was traded"
    of = "on the tested bars" if len(returns) == 1 else f"on {len(returns)} paths, in the mean"
    return f"; none after costs: {mean:+.2%} {of}" if mean < 0.0 else f"; {mean:+.2%} after costs {of}"


def _between(interval: Interval) -> str:
    return f"between {interval.low:+.4f} and {interval.high:+.4f}"
