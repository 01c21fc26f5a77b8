"""How much each feature moved a model's logit at one bar. Legend: T rows of a window, F features, S steps, D draws.

Integrated gradients: Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017. Permutation: the
feature's values are replaced by those of other bars; after Breiman, Random Forests, 2001, at a single bar.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sentio_trainer.bars import Float64
from sentio_trainer.cache import Float32
from sentio_trainer.errors import SentioError

# Of the difference of the logits, and at least of a logit of one: what the contributions may fail to add up to.
TOLERANCE = 1e-4
_FIRST_STEPS, _MOST_STEPS = 256, 1 << 15
# Windows of a forward pass.
_BATCH = 1024

# Features, shape [m, T, F] → logits, shape [m].
Logits = Callable[[Float32], Float64]


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """Contributions that add up to logit - baseline_logit, but for `error`."""

    contributions: Float64  # logits, shape [F], summed over the rows of the window
    logit: float  # of the module that gives the gradients, in double precision
    baseline_logit: float
    error: float  # |sum of contributions - (logit - baseline_logit)|
    steps: int


@dataclass(frozen=True, kw_only=True)
class Permutation:
    """By how much the logit is above its mean with a feature taken from other bars. They need not add up."""

    contributions: Float64  # logits, shape [F]
    standard_errors: Float64  # of them, as draws vary, shape [F]
    draws: int


def integrated_gradients(module: nn.Module, window: Float32, baseline: Float64) -> IntegratedGradients:
    """(x - b) · mean gradient on the straight way from b to x, by the midpoint rule, in double precision.

    The number of steps is doubled until the contributions add up.

    Args:
        module: features [B, F], or [B, T, F] where T is above 1, → logits [B, 1], of double precision.
        window: x, shape [T, F].
        baseline: b, shape [F], the same for every row of the window.

    Raises:
        SentioError: they do not add up.
    """
    x = torch.from_numpy(window.astype(np.float64))
    b = torch.from_numpy(baseline).expand_as(x)
    logit, baseline_logit = (float(_forward(module, end[None]).item()) for end in (x, b))
    gap = logit - baseline_logit
    allowed = TOLERANCE * max(1.0, abs(gap))
    steps = _FIRST_STEPS
    while True:
        gradient = _mean_gradient(module, x, b, steps)
        contributions: Float64 = ((x - b) * gradient).sum(dim=0).numpy()
        error = abs(float(contributions.sum()) - gap)
        if error <= allowed:
            return IntegratedGradients(
                contributions=contributions, logit=logit, baseline_logit=baseline_logit, error=error, steps=steps
            )
        if steps >= _MOST_STEPS or not math.isfinite(error):
            raise SentioError(
                f"integrated gradients do not add up: off by {error:.2g} of {gap:+.2g} after {steps:,} steps; "
                "use --method permutation"
            )
        steps *= 2


def _forward(module: nn.Module, windows: Tensor) -> Tensor:
    """Logits [B] of windows [B, T, F]; a module of single rows takes [B, F]."""
    inputs = windows[:, 0] if windows.size(1) == 1 else windows
    logits: Tensor = module(inputs).reshape(-1)
    return logits


def _mean_gradient(module: nn.Module, x: Tensor, b: Tensor, steps: int) -> Tensor:
    total = torch.zeros_like(x)
    for begin in range(0, steps, _BATCH):
        part = (torch.arange(begin, min(begin + _BATCH, steps), dtype=torch.float64) + 0.5) / steps
        points = (b + part[:, None, None] * (x - b)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(_forward(module, points).sum(), points)
        total += gradient.sum(dim=0)
    return total / steps


def permutation(logits: Logits, window: Float32, history: Float32) -> Permutation:
    """The logit less its mean where one feature is that of other bars, over the whole window, and all others are kept.

    Args:
        logits: the model.
        window: x, shape [T, F].
        history: windows of other bars, shape [D, T, F].

    Raises:
        ValueError: D is below 2.
    """
    draws, _, width = history.shape
    if draws < 2:
        raise ValueError(f"history must have at least 2 windows, found {draws}")
    here = float(logits(window[None])[0])
    contributions, errors = np.empty(width), np.empty(width)
    for feature in range(width):
        changed = np.repeat(window[None], draws, axis=0)
        changed[:, :, feature] = history[:, :, feature]
        found = logits(changed)
        contributions[feature] = here - found.mean()
        errors[feature] = found.std(ddof=1) / math.sqrt(draws)
    return Permutation(contributions=contributions, standard_errors=errors, draws=draws)
