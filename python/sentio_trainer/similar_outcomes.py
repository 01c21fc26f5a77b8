"""An interval of a probability: what followed when the model said nearly the same, on bars that it had not seen."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sentio_trainer.bars import Bool, Float64
from sentio_trainer.bootstrap import Interval

# Neighbours in probability: a tenth of what there is, and at least so many.
_SHARE, _FEWEST = 0.1, 200
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class SimilarOutcomes:
    """The neighbours of a probability among past forecasts, and what became of them."""

    count: int  # k, of neighbours
    independent: float  # k over the bars that their outcomes share
    nearest: Interval  # their probabilities
    rose: float  # share of them after which the price rose
    interval: Interval  # Wilson's, of that share


def similar_outcomes(probability: float, past: Float64, rose: Bool, *, horizon: int) -> SimilarOutcomes | None:
    """The share of rises among the past forecasts nearest to a probability; None where there are fewer than 200.

    Args:
        probability: of the bar that is looked at.
        past: forecasts of earlier bars that the model had not seen, their outcomes known by now, shape [m].
        rose: their outcomes, shape [m].
        horizon: bars of an outcome. Overlapping ones say the same again: k of them count as k / horizon.
    """
    if len(past) < _FEWEST:
        return None
    count = max(_FEWEST, round(_SHARE * len(past)))
    nearest = np.argsort(np.abs(past - probability), kind="stable")[:count]
    share = float(rose[nearest].mean())
    independent = count / horizon
    return SimilarOutcomes(
        count=count,
        independent=independent,
        nearest=Interval(low=float(past[nearest].min()), high=float(past[nearest].max())),
        rose=share,
        interval=wilson(share, independent),
    )


def wilson(share: float, n: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a share of n. Wilson, Journal of the American Statistical Association 22, 1927.

    (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n).
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    middle = share + z * z / (2.0 * n)
    reach = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return Interval(low=(middle - reach) / (1.0 + z * z / n), high=(middle + reach) / (1.0 + z * z / n))
