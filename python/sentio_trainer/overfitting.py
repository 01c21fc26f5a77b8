"""How much of the best of many backtests is luck: the probability of overfitting, and the deflated Sharpe ratio.

Shapes: T observations of N strategies; S blocks, C = C(S, S/2) ways to choose half of them.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Final

import numpy as np

from sentio_trainer.bars import Bool, Float64

# 12,870 ways to choose half of the blocks; 20 blocks have 184,756 and say the same.
BLOCKS: Final = 16
MOST_BLOCKS: Final = 20
# Numbers held at a time while many ways and strategies are looked at.
_NUMBERS: Final = 1 << 22
_EULER_MASCHERONI: Final = 0.5772156649015329


@dataclass(frozen=True, kw_only=True)
class OverfittingProbability:
    """What choosing the best half after half comes to."""

    probability: float  # PBO: share of the ways in which the chosen strategy does no better than the median elsewhere
    logits: Float64  # ln(w / (1 - w)) of its relative rank w elsewhere, shape [C]
    chosen_sharpe: Float64  # of the chosen strategy where it was chosen, shape [C], an observation, not annualised
    other_sharpe: Float64  # of the same strategy in the other half, shape [C]
    degradation_slope: float | None  # of `other_sharpe` on `chosen_sharpe`, least squares; None where all are equal
    probability_of_loss: float  # share of the ways in which `other_sharpe` is below 0
    strategies: int  # N
    observations: int  # used: the largest multiple of S
    blocks: int  # S


def probability_of_overfitting(returns: Float64, *, blocks: int = BLOCKS) -> OverfittingProbability:
    """The probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

    Bailey, Borwein, López de Prado & Zhu, The Probability of Backtest Overfitting, Journal of Computational Finance
    20(4), 2017 (first published 2015), section 2. The rows are cut into S blocks of neighbours, as many rows each. For
    each of the C(S, S/2) choices of half of the blocks: take the strategy n* with the highest Sharpe ratio (mean over
    sample standard deviation) in the chosen half; let r be its rank by the Sharpe ratio in the other half, 1 for the
    worst, N for the best; w = r / (N + 1), logit = ln(w / (1 - w)). PBO is the share of logits that are at most 0.

    Where the paper leaves a choice: the oldest T mod S rows are left out; of equal best ones the first is chosen; equal
    ones share the mean of their ranks; the Sharpe ratio of a strategy whose returns in a half are all 0 is 0.

    Args:
        returns: of one period, net of costs, oldest first, shape [T, N]; the same periods for all strategies.
        blocks: S, even.

    Raises:
        ValueError: N is below 2, T below 2 S, S is odd, below 2 or above 20, a return is not finite, or the returns of
            a strategy in some half are all equal and not 0: it has no Sharpe ratio there, and PBO is not defined.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"returns must have the shape [T, N] with N of at least 2, found {list(values.shape)}")
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise ValueError(f"blocks must be an even number, 2 to {MOST_BLOCKS}, found {blocks}")
    size, left_out = divmod(len(values), blocks)
    if size < 2:
        raise ValueError(f"returns must have at least 2 rows a block, {2 * blocks}, found {len(values)}")
    if not np.isfinite(values).all():
        raise ValueError("returns must be finite")
    halves = _Halves(values[left_out:].reshape(blocks, size, -1))
    ways = np.array(list(combinations(range(blocks), blocks // 2)))  # [C, S/2]
    chosen = np.zeros((len(ways), blocks), dtype=np.bool_)
    np.put_along_axis(chosen, ways, values=True, axis=1)
    step = max(1, _NUMBERS // (blocks * values.shape[1]))
    parts = [_one_way(halves, chosen[begin : begin + step]) for begin in range(0, len(ways), step)]
    logits, inside, outside = (np.concatenate(column) for column in zip(*parts, strict=True))
    return OverfittingProbability(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        chosen_sharpe=inside,
        other_sharpe=outside,
        degradation_slope=_slope(inside, outside),
        probability_of_loss=float(np.mean(outside < 0.0)),
        strategies=values.shape[1],
        observations=size * blocks,
        blocks=blocks,
    )


class _Halves:
    """Sharpe ratios over any half of the blocks."""

    def __init__(self, values: Float64) -> None:
        """Values of shape [S, T/S, N]."""
        self._rows = values.shape[1] * len(values) // 2
        self._sums = values.sum(axis=1)  # [S, N]
        # About each strategy's own mean, so that the squares do not lose a small spread beside it.
        self._mean = values.mean(axis=(0, 1))  # [N]
        self._squares = ((values - self._mean) ** 2).sum(axis=1)
        self._lowest, self._highest = values.min(axis=1), values.max(axis=1)

    def sharpe(self, chosen: Bool) -> Float64:
        """Of each strategy in the chosen blocks: `chosen` [C, S] to [C, N]."""
        weights = chosen.astype(np.float64)
        mean = weights @ self._sums / self._rows
        variance = (weights @ self._squares - self._rows * (mean - self._mean) ** 2) / (self._rows - 1)
        inside = chosen[:, :, None]
        lowest = np.where(inside, self._lowest, np.inf).min(axis=1)
        constant = lowest == np.where(inside, self._highest, -np.inf).max(axis=1)
        if (undefined := constant & (lowest != 0.0)).any():
            strategy = int(np.argmax(undefined.any(axis=0)))
            raise ValueError(f"not defined: the returns of strategy {strategy} are all equal in a half, and not 0")
        ratio = mean / np.sqrt(np.where(constant, 1.0, np.maximum(variance, np.finfo(np.float64).tiny)))
        return np.where(constant, 0.0, ratio)


def _one_way(halves: _Halves, chosen: Bool) -> tuple[Float64, Float64, Float64]:
    """Logits and the two Sharpe ratios of who is chosen, [C] each."""
    inside, outside = halves.sharpe(chosen), halves.sharpe(~chosen)
    at = np.arange(len(chosen)), np.argmax(inside, axis=1)
    found = outside[at]
    below = np.count_nonzero(outside < found[:, None], axis=1)
    equal = np.count_nonzero(outside == found[:, None], axis=1)
    rank = below + (equal + 1) / 2.0
    # ln(w / (1 - w)) with w = rank / (N + 1), in one quotient: exactly 0 at the median.
    return np.log(rank / (outside.shape[1] + 1 - rank)), inside[at], found


def _slope(x: Float64, y: Float64) -> float | None:
    distance = x - x.mean()
    spread = float(distance @ distance)
    return float(distance @ (y - y.mean())) / spread if spread > 0.0 else None


@dataclass(frozen=True, kw_only=True)
class DeflatedSharpe:
    """Whether one of many is more than the best of as many without any skill would be."""

    probability: float  # DSR: that the true Sharpe ratio is above `expected_maximum`
    sharpe: float  # of one observation, not annualised
    expected_maximum: float  # of the best of as many without skill, SR0
    observations: int
    trials: int


def sharpe_ratio(returns: Float64) -> float | None:
    """Mean over sample standard deviation, of one observation; None for fewer than 2, or where all are equal."""
    if len(returns) < 2 or returns.min() == returns.max():
        return None
    return float(returns.mean() / returns.std(ddof=1))


def expected_maximum_sharpe(*, trials: int, variance: float) -> float:
    """SR0: the highest Sharpe ratio to be expected of `trials` strategies without skill.

    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), with g of Euler and Mascheroni, Z the normal quantile: Bailey &
    López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5), 2014. 0 for a single trial.

    Args:
        trials: N.
        variance: V, of the trials' Sharpe ratios, in the unit of one observation.
    """
    if trials < 2:
        return 0.0
    normal = NormalDist()
    first, second = normal.inv_cdf(1.0 - 1.0 / trials), normal.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER_MASCHERONI) * first + _EULER_MASCHERONI * second)


def deflated_sharpe(returns: Float64, *, trials: int, variance: float) -> DeflatedSharpe | None:
    """The deflated Sharpe ratio of a strategy that was picked from many.

    DSR = F((SR - SR0) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR²)), F the normal distribution, g3 and g4 skewness
    and kurtosis (3 for a normal one) of the returns: Bailey & López de Prado 2014, as for `expected_maximum_sharpe`.

    Args:
        returns: of the one that was picked, shape [T].
        trials: N, of how many it was picked.
        variance: V, of the Sharpe ratios of those.

    Returns:
        None where it is not defined: fewer than 2 returns, or all equal, or moments under which the root is not real.
    """
    sharpe = sharpe_ratio(returns)
    if sharpe is None:
        return None
    z = (returns - returns.mean()) / returns.std()
    maximum = expected_maximum_sharpe(trials=trials, variance=variance)
    probability = deflated_probability(
        sharpe, maximum, observations=len(returns), skewness=float(np.mean(z**3)), kurtosis=float(np.mean(z**4))
    )
    if probability is None:
        return None
    return DeflatedSharpe(
        probability=probability, sharpe=sharpe, expected_maximum=maximum, observations=len(returns), trials=trials
    )


def deflated_probability(
    sharpe: float, maximum: float, *, observations: int, skewness: float, kurtosis: float
) -> float | None:
    """DSR of given moments; None where the variance of the Sharpe ratio that they imply is not above 0."""
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread <= 0.0:
        return None
    return NormalDist().cdf((sharpe - maximum) * math.sqrt(observations - 1) / math.sqrt(spread))
