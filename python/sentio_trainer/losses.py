"""What training makes small. Shapes: B batch."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Objective = Literal["direction", "regression"]
# output [B, 1], target [B] → the loss of each sample [B]
Loss = Callable[[Tensor, Tensor], Tensor]


def direction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of a logit against a share of rises, 0 to 1."""
    return nn.functional.binary_cross_entropy_with_logits(output[:, 0], target, reduction="none")


def regression_loss(output: Tensor, target: Tensor) -> Tensor:
    """Huber's loss, linear beyond one volatility."""
    return nn.functional.huber_loss(output[:, 0], target, reduction="none")


LOSSES: dict[Objective, Loss] = {"direction": direction_loss, "regression": regression_loss}


def smoothed(target: Tensor, share: float) -> Tensor:
    """Directions moved towards one half (Szegedy et al. 2016): 0 and 1 become share/2 and 1 - share/2."""
    return target * (1.0 - share) + 0.5 * share


def weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Σ w·l / Σ w; 0 where nothing weighs, as in a batch of bars that did not move."""
    return (loss * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
