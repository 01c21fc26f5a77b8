"""One optimizer step: AdamW on the mean loss of all samples that the step sees, whatever batches they came in."""

import copy
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sentio_trainer.device import compiles, pick_dtype
from sentio_trainer.distributed import Group
from sentio_trainer.losses import LOSSES, Objective, smoothed
from sentio_trainer.products import OneDnnLinear, onednn_pays
from sentio_trainer.schema import TrainingConfig


def learning_rate_share(step: int, total: int, warmup: float) -> float:
    """Linear from 0 over the warm-up, then half a cosine to 0, sampled in the middle of each step."""
    rise = warmup * total
    at = step + 0.5
    if at < rise:
        return at / rise
    return 0.5 * (1.0 + math.cos(math.pi * (at - rise) / (total - rise)))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The weights of linear layers decay; biases, norms and positions do not."""
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    return [
        {"params": [each for each in model.parameters() if id(each) in linear], "weight_decay": weight_decay},
        {"params": [each for each in model.parameters() if id(each) not in linear], "weight_decay": 0.0},
    ]


def fuses(device: torch.device, dtype: torch.dtype | None) -> bool:
    """Whether AdamW takes its step in one operation; `dtype` is that of autocast."""
    # The fused step of MPS is taken even where the scaler found a gradient that is not finite: pytorch/pytorch#186360.
    return device.type in ("cpu", "cuda") or (device.type == "mps" and dtype is not torch.float16)


class Optimisation:
    """Weights on their way down.

    `add` takes the batches of a step, `step` takes the step. The loss is Σ w·l / Σ w over all samples of these batches,
    in all processes: cutting a batch into pieces does not change it.
    """

    def __init__(self, model: nn.Module, objective: Objective, config: TrainingConfig, group: Group) -> None:
        self._model = model
        self._group = group
        self._smoothing = config.label_smoothing if objective == "direction" else 0.0
        self._max_norm = config.max_grad_norm
        # Keeps gradients of a sum within the range of fp16, until the sum of the weights is known.
        self._nominal = float(config.batch_size)
        self._decay = config.ema
        self._averaged_steps = 0
        self._average = copy.deepcopy(model).requires_grad_(False).eval() if config.ema else model
        self._parameters = list(model.parameters())
        # All gradients in one run of memory, with the sums of the step at its end: summed over processes, measured
        # and scaled by one operation each.
        count = sum(parameter.numel() for parameter in self._parameters)
        self._flat = torch.zeros(count + 3, device=group.device)
        self._gradient, self._sums = self._flat[:count], self._flat[count:]
        begin = 0
        for parameter in self._parameters:
            parameter.grad = self._gradient[begin : begin + parameter.numel()].view_as(parameter)
            begin += parameter.numel()
        self._is_open = False  # whether samples wait for their step
        self._dtype = pick_dtype(config.precision, group.device)
        self._adamw = torch.optim.AdamW(
            parameter_groups(model, config.weight_decay), lr=config.lr, fused=fuses(group.device, self._dtype)
        )
        self._scaler = torch.amp.GradScaler(group.device.type, enabled=self._dtype is torch.float16)
        loss = LOSSES[objective]

        def weighted_sum(x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
            return (weight * loss(model(x).float(), target)).sum()

        # A compiled function, not a compiled module: the names of the weights stay as they are. Batches have two or
        # three sizes, a row apart: each is compiled for itself, and none again for any size.
        compiled = compiles(config.compile, group.device)
        self._weighted_sum = torch.compile(weighted_sum, dynamic=False) if compiled else weighted_sum
        by_onednn = group.device.type == "cpu" and not compiled and onednn_pays()
        self._products: Callable[[], AbstractContextManager[object]] = OneDnnLinear if by_onednn else nullcontext

    @property
    def model(self) -> nn.Module:
        """The weights to use: the averaged ones if there are such, else those that move."""
        return self._average

    @property
    def sums(self) -> Tensor:
        """Σ w·l, Σ w and number of the samples of the last step, on the device, shape [3]; valid until `add`."""
        return self._sums

    def add(self, x: Tensor, target: Tensor, weight: Tensor) -> None:
        """Adds samples to the open step: x [B, ...], target [B], weight [B], on the device."""
        if not self._is_open:
            self._flat.zero_()
            self._is_open = True
        if self._smoothing:
            target = smoothed(target, self._smoothing)
        with torch.autocast(self._group.device.type, self._dtype, enabled=self._dtype is not None), self._products():
            loss = self._weighted_sum(x, target, weight)
        self._scaler.scale(loss / self._nominal).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self._sums += torch.stack((loss.detach(), weight.sum(), torch.full_like(loss, len(weight))))

    def step(self, lr: float) -> Tensor:
        """Moves the weights; the norm of the gradient before clipping, on the device."""
        self._is_open = False
        self._group.sum(self._flat)
        self._scaler.unscale_(self._adamw)
        weight = self._sums[1]
        # A step of bars that did not move weighs nothing and has no gradient.
        scale = torch.where(weight > 0.0, self._nominal / weight, 0.0)
        norm: Tensor = torch.linalg.vector_norm(self._gradient) * scale
        if self._max_norm is not None:
            scale = scale * torch.clamp(self._max_norm / (norm + 1e-6), max=1.0)
        self._gradient.mul_(scale)
        for group in self._adamw.param_groups:
            group["lr"] = lr
        self._scaler.step(self._adamw)
        self._scaler.update()
        if self._decay:
            self._update_average()
        return norm

    def _update_average(self) -> None:
        """Kingma & Ba 2015, section 3: an exponential mean divided by the sum of its weights, as one update of it."""
        self._averaged_steps += 1
        share = (1.0 - self._decay) / (1.0 - self._decay**self._averaged_steps)
        update = get_ema_multi_avg_fn(1.0 - share)  # type: ignore[no-untyped-call]
        update(list(self._average.parameters()), self._parameters, None)

    def state(self) -> dict[str, Any]:
        """All that a later step depends on: tensors, numbers and texts."""
        return {
            "model": self._model.state_dict(),
            "average": self._average.state_dict() if self._decay else {},
            "averaged_steps": self._averaged_steps,
            "optimizer": self._adamw.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self._model.load_state_dict(state["model"])
        if self._decay:
            self._average.load_state_dict(state["average"])
        self._averaged_steps = state["averaged_steps"]
        self._adamw.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
