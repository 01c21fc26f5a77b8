"""What a model is worth on samples that it does not learn from."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.cache import Float32
from sentio_trainer.forecast import outputs
from sentio_trainer.losses import LOSSES, Objective, weighted_mean
from sentio_trainer.metrics import auc, correlation, rank_correlation


@dataclass(frozen=True, kw_only=True)
class Held:
    """Samples that are not learned from, m of them."""

    x: Float32  # [n, F], memory-mapped
    rows: Int64  # [m], the last row of each sample's window
    window: int
    target: Float32  # [m]
    weight: Float32  # [m]
    forward_return: Float64  # [m]


@dataclass(frozen=True, kw_only=True)
class Validated:
    """Metrics of one model; None where undefined."""

    loss: float
    auc: float | None
    ic: float | None
    rank_ic: float | None


def validated(model: nn.Module, held: Held, objective: Objective, *, device: torch.device) -> Validated:
    """The metrics of a model on held samples; targets are not smoothed."""
    output = outputs(model, held.x, held.rows, window=held.window, device=device)
    loss = LOSSES[objective](torch.from_numpy(output)[:, None], torch.from_numpy(held.target).double())
    moved = held.forward_return != 0.0
    return Validated(
        loss=float(weighted_mean(loss, torch.from_numpy(held.weight).double())),
        auc=_defined(auc(output[moved], held.forward_return[moved] > 0.0)),
        ic=_defined(correlation(output, held.forward_return)),
        rank_ic=_defined(rank_correlation(output, held.forward_return)),
    )


def _defined(value: float | None) -> float | None:
    """Outputs that vary by less than a double can square have no correlation."""
    return value if value is not None and math.isfinite(value) else None
