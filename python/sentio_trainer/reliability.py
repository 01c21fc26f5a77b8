"""Whether probabilities mean what they say."""

from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Bool, Float64

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Samples of similar probability."""

    predicted: float  # their mean probability
    observed: float  # the share that came true
    count: int


def brier(probability: Float64, happened: Bool) -> float | None:
    """Mean squared distance of a probability from what happened; None without samples. Brier, 1950.

    One half for everything gives 0.25; lower is better.
    """
    return float(np.mean((probability - happened) ** 2)) if len(probability) else None


def reliability_table(probability: Float64, happened: Bool, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal count, lowest probability first; counts differ by one at most, and no bin is empty.

    Equal probabilities may fall into neighbouring bins: which of them goes where follows their order in time.
    """
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    return [
        Bin(predicted=float(probability[part].mean()), observed=float(happened[part].mean()), count=len(part))
        for part in parts
    ]
