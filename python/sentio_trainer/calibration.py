"""Turns a regression's output into the logit of a direction."""

from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Bool, Float64


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """logit = slope · output + intercept."""

    slope: float
    intercept: float


def fit_calibration(output: Float64, up: Bool) -> Calibration:
    """Logistic regression of direction on one output, by Newton's method. Platt, 1999.

    Args:
        output: shape [m].
        up: whether the price rose, shape [m].
    """
    if np.ptp(output) == 0.0:
        return Calibration(slope=1.0, intercept=0.0)
    spread = float(np.std(output))
    x = np.stack([output / spread, np.ones_like(output)], axis=1)
    weights = np.zeros(2)
    # A trace of ridge keeps the optimum finite where outputs separate the directions perfectly.
    ridge = np.diag([1e-3, 1e-6])
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-(x @ weights)))
        gradient = x.T @ (up - probability) - ridge @ weights
        curvature = (x * (probability * (1.0 - probability))[:, None]).T @ x + ridge
        change = np.linalg.solve(curvature, gradient)
        weights += change
        if float(np.abs(change).max()) < 1e-10:
            break
    return Calibration(slope=float(weights[0] / spread), intercept=float(weights[1]))
