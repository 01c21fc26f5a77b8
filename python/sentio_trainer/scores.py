"""How forecasts of the same bars did, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentio_trainer import resampled
from sentio_trainer.bars import Float64
from sentio_trainer.bootstrap import Interval, block_bootstrap_errors, interval_around
from sentio_trainer.metrics import auc, correlation, rank_correlation
from sentio_trainer.reliability import brier


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What was said of each of m bars."""

    key: str  # names it in metadata
    name: str  # names it to a reader
    score: Float64  # higher for a higher return, shape [m]
    probability: Float64 | None  # of a rise, shape [m]; None for a forecast that states none


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and where the truth probably lies; the interval is None where there are too few bars to tell."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How one forecast did; None where undefined."""

    key: str
    name: str
    auc: Estimate | None
    ic: Estimate | None
    rank_ic: Estimate | None
    brier: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    scores: tuple[Scores, ...]  # as the forecasts were given
    # IC of the first forecast above that of each other one; None where either is undefined.
    ic_above: tuple[Estimate | None, ...]


def compare(
    forecasts: Sequence[Forecast], forward_return: Float64, *, horizon: int, standard_errors: float
) -> Comparison:
    """AUC and Brier score of the direction (bars that did not move are left out), IC and rank IC of the return.

    All forecasts are scored on the same resamples, so that a difference of two is as sure as the bars make it: what
    is luck for both cancels.

    Args:
        forecasts: the model's first, at least one.
        forward_return: what came, shape [m].
        horizon: bars of the forward return.
        standard_errors: how many of them an interval reaches to each side.
    """
    values = [_values(each, forward_return) for each in forecasts]
    first_ic = values[0][1]
    above = [None if first_ic is None or each[1] is None else first_ic - each[1] for each in values[1:]]
    figures = [*(value for each in values for value in each), *above]
    errors = block_bootstrap_errors(_Resampled(forecasts, forward_return), len(forward_return), horizon=horizon)
    if errors is None:
        errors = np.full(len(figures), np.nan)
    estimates = [
        _estimate(value, float(error), standard_errors=standard_errors)
        for value, error in zip(figures, errors, strict=True)
    ]
    scores = []
    for i, forecast in enumerate(forecasts):
        area, ic, rank_ic, distance = estimates[4 * i : 4 * i + 4]
        scores.append(Scores(key=forecast.key, name=forecast.name, auc=area, ic=ic, rank_ic=rank_ic, brier=distance))
    return Comparison(scores=tuple(scores), ic_above=tuple(estimates[4 * len(forecasts) :]))


def _values(forecast: Forecast, forward_return: Float64) -> tuple[float | None, ...]:
    """AUC, IC, rank IC, Brier score."""
    moved, up = forward_return != 0.0, forward_return > 0.0
    return (
        auc(forecast.score[moved], up[moved]),
        correlation(forecast.score, forward_return),
        rank_correlation(forecast.score, forward_return),
        None if forecast.probability is None else brier(forecast.probability[moved], up[moved]),
    )


def _estimate(value: float | None, error: float, *, standard_errors: float) -> Estimate | None:
    if value is None:
        return None
    sure = math.isfinite(error)
    interval = interval_around(value, error, standard_errors=standard_errors) if sure else None
    return Estimate(value=value, interval=interval)


class _Resampled:
    """The figures of `compare` for one resample, in its order."""

    def __init__(self, forecasts: Sequence[Forecast], forward_return: Float64) -> None:
        self._up, self._down = forward_return > 0.0, forward_return < 0.0
        self._moved = self._up | self._down
        self._return_order = resampled.Order(forward_return)
        self._orders = [resampled.Order(each.score) for each in forecasts]
        self._correlations = [resampled.Correlation(each.score, forward_return) for each in forecasts]
        self._distances = [
            None if each.probability is None else (each.probability - self._up) ** 2 for each in forecasts
        ]

    def __call__(self, counts: Float64) -> list[float]:
        moved = counts * self._moved
        return_ranks = self._return_order.ranks(counts)
        ics = [correlation(counts) for correlation in self._correlations]
        figures = []
        for order, ic, distance in zip(self._orders, ics, self._distances, strict=True):
            figures += [
                resampled.auc(order, self._up, self._down, counts),
                ic,
                resampled.rank_correlation(order, return_ranks, counts),
                math.nan if distance is None else resampled.mean(distance, moved),
            ]
        return [*figures, *(ics[0] - other for other in ics[1:])]
