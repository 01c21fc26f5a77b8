"""Forecasts that a model must beat to be worth its trouble. What they learn, they learn from training rows alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.cache import CHUNK_ROWS, Float32
from sentio_trainer.goal import Goal
from sentio_trainer.moments import Moments
from sentio_trainer.rows import RowSet

# Of squared coefficients of normalised features: keeps columns that repeat each other apart, and is nothing beside
# the thousands of rows that a training period has.
RIDGE = 1.0
# A hundred coefficients are sure long before; more rows would only make each pass longer.
MAX_ROWS = 1_000_000
_PASSES = 100
_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class LogisticRegression:
    """logit = (z, 1) · coefficients, of normalised and clipped features z."""

    coefficients: Float64  # [F + 1], the intercept last
    moments: Moments
    clip: float

    def logits(self, x: Float32, rows: Int64) -> Float64:
        """Of these rows of a matrix, shape [rows]."""
        parts = [
            _normalised(x[rows[begin : begin + CHUNK_ROWS]], self.moments, self.clip)
            @ torch.from_numpy(self.coefficients)
            for begin in range(0, len(rows), CHUNK_ROWS)
        ]
        logits: Float64 = torch.cat(parts).numpy()
        return logits


def last_return(close: Float64, rows: Int64) -> Float64:
    """Log return of the bar at each of these rows from the one before, which is of the same symbol, shape [rows]."""
    change: Float64 = np.log(close[rows]) - np.log(close[np.maximum(rows - 1, 0)])
    return change


def last_sign(returns: Float64) -> Float64:
    """+1 after a rise, -1 after a fall, 0 after neither."""
    return np.sign(returns)


def up_share(forward_return: Float64, rows: RowSet) -> float:
    """How often a price that moved rose: what knows nothing of a bar forecasts; one half where none moved."""
    rises = moves = 0
    for chunk in rows.chunks(CHUNK_ROWS):
        returns = forward_return[chunk][rows.usable[chunk]]
        rises += int(np.count_nonzero(returns > 0.0))
        moves += int(np.count_nonzero(returns))
    return rises / moves if moves else 0.5


def fit_logistic(
    x: Float32, learned: Float64, training: RowSet, goal: Goal, moments: Moments, *, clip: float
) -> LogisticRegression:
    """Learns the sign of the label from the rows of `training`, weighted as the model's loss weights them.

    Each step uses the largest curvature that the loss can have, p (1 - p) = 1/4, so that one inversion does for
    all of them and no step can make the loss worse: Böhning & Lindsay, Annals of the Institute of Statistical
    Mathematics 40, 1988. Where directions are nearly a coin's, as here, that is nearly Newton's method. The rows are
    read in chunks and never held as a whole. Of more than `MAX_ROWS` some are left out, evenly.
    """
    training = training.thinned(MAX_ROWS)

    def chunks() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Features with a column of ones, 1 where the label is a rise, and weights."""
        for rows in training.chunks(CHUNK_ROWS):
            usable = training.usable[rows]
            labels = learned[rows][usable]
            _, weight = goal(labels)
            up = torch.from_numpy(labels > 0.0)
            yield _normalised(x[rows][usable], moments, clip), up.double(), torch.from_numpy(weight).double()

    width = x.shape[1]
    ridge = torch.full((width + 1,), RIDGE, dtype=torch.float64)
    ridge[-1] = 0.0  # the intercept is free
    bound = torch.diag(ridge)
    for z, _, weight in chunks():
        bound += (z * (0.25 * weight)[:, None]).T @ z
    inverse = torch.linalg.inv(bound)
    coefficients = torch.zeros_like(ridge)
    for _ in range(_PASSES):
        gradient = -ridge * coefficients
        for z, up, weight in chunks():
            gradient += z.T @ (weight * (up - torch.sigmoid(z @ coefficients)))
        change = inverse @ gradient
        coefficients += change
        if float(change.abs().max()) < _TOLERANCE:
            break
    return LogisticRegression(coefficients=coefficients.numpy(), moments=moments, clip=clip)


def _normalised(x: Float32, moments: Moments, clip: float) -> Tensor:
    """[rows, F + 1]; the last column is 1."""
    # By torch, not NumPy: its threads sleep while they wait (see the command line), NumPy's starve a busy machine.
    z = torch.ones((len(x), x.shape[1] + 1), dtype=torch.float64)
    z[:, :-1] = torch.from_numpy(np.array(x))
    z[:, :-1].sub_(torch.from_numpy(moments.mean)).div_(torch.from_numpy(moments.std)).clamp_(-clip, clip)
    return z
