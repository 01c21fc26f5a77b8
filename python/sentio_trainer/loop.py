"""The training loop: AdamW, warm-up and cosine, validation after each epoch, early stopping, the best epoch kept."""

import copy
import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.batches import Batch, Batches
from sentio_trainer.cache import Float32
from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.forecast import outputs
from sentio_trainer.metrics import auc, correlation, rank_correlation
from sentio_trainer.report import Report
from sentio_trainer.schema import TrainingConfig

# output [B, 1], target [B], weight [B] → the weighted mean loss
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


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
class Epoch:
    """One row of the training log; metrics are those of the validation rows, None where undefined."""

    epoch: int
    lr: float  # at the epoch's first step
    train_loss: float
    loss: float
    auc: float | None
    ic: float | None
    rank_ic: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    epochs: list[Epoch]
    best: Epoch


def direction_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy of a logit against 0 or 1."""
    loss = nn.functional.binary_cross_entropy_with_logits(output[:, 0], target, reduction="none")
    return _weighted_mean(loss, weight)


def regression_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Huber's loss, linear beyond one volatility."""
    return _weighted_mean(nn.functional.huber_loss(output[:, 0], target, reduction="none"), weight)


def _weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    # A batch of bars that did not move weighs nothing, and its loss is 0.
    return (loss * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)


def pick_device(name: str) -> torch.device:
    """`auto` is cuda, mps or cpu, the first that is there.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"training.device: '{name}' cannot be used here; auto picks one that can") from error
    return device


def fit(
    model: nn.Module,
    batches: Batches,
    validation: Held,
    loss: Loss,
    config: TrainingConfig,
    *,
    device: torch.device,
    report: Report,
) -> Fit:
    """Trains `model` in place and leaves it with the weights of its best epoch, on `device`.

    Raises:
        SentioError: the loss is not finite.
    """
    model.to(device)
    total_steps = config.epochs * len(batches)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = LambdaLR(optimizer, lambda step: _lr_share(step, total_steps, config.warmup))
    epochs: list[Epoch] = []
    best: Epoch | None = None
    best_weights: dict[str, Tensor] = {}
    with report.steps(total_steps) as advance:
        for number in range(1, config.epochs + 1):
            began = time.perf_counter()
            lr = float(schedule.get_last_lr()[0])
            with closing(batches.epoch(np.random.default_rng([config.seed, number]))) as epoch_batches:
                train_loss = _learn(model, epoch_batches, loss, optimizer, schedule, device, advance)
            _require_finite("training", train_loss, number, config)
            epoch = _validate(model, validation, loss, device, number=number, lr=lr, train_loss=train_loss, began=began)
            _require_finite("validation", epoch.loss, number, config)
            epochs.append(epoch)
            is_best = best is None or _goodness(epoch, config) > _goodness(best, config)
            if best is None or is_best:
                best, best_weights = epoch, copy.deepcopy(model.state_dict())
            report.say(_line(epoch, is_best=is_best))
            if number - best.epoch >= config.patience:
                report.say(f"no better {config.monitor} for {config.patience} epochs: training stops")
                break
    assert best is not None  # a configuration has at least one epoch
    model.load_state_dict(best_weights)
    return Fit(epochs=epochs, best=best)


def _learn(
    model: nn.Module,
    batches: Iterable[Batch],
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    device: torch.device,
    advance: Callable[[], None],
) -> float:
    """One pass over the batches; their mean loss."""
    model.train()
    losses = []
    for batch in batches:
        x, target, weight = (each.to(device) for each in (batch.x, batch.target, batch.weight))
        optimizer.zero_grad(set_to_none=True)
        batch_loss = loss(model(x), target, weight)
        batch_loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(batch_loss.detach())
        advance()
    return float(torch.stack(losses).mean())


def _require_finite(what: str, value: float, epoch: int, config: TrainingConfig) -> None:
    if not math.isfinite(value):
        raise SentioError(
            f"the {what} loss became {value} in epoch {epoch}; try a learning rate (training.lr) below {config.lr:g}"
        )


def _lr_share(step: int, total: int, warmup: float) -> float:
    """Linear from 0 over the warm-up, then half a cosine to 0, sampled in the middle of each step."""
    rise = warmup * total
    at = step + 0.5
    if at < rise:
        return at / rise
    return 0.5 * (1.0 + math.cos(math.pi * (at - rise) / (total - rise)))


def _validate(
    model: nn.Module,
    held: Held,
    loss: Loss,
    device: torch.device,
    *,
    number: int,
    lr: float,
    train_loss: float,
    began: float,
) -> Epoch:
    output = outputs(model, held.x, held.rows, window=held.window, device=device)
    moved = held.forward_return != 0.0
    held_loss = loss(
        torch.from_numpy(output)[:, None],
        torch.from_numpy(held.target).double(),
        torch.from_numpy(held.weight).double(),
    )
    return Epoch(
        epoch=number,
        lr=lr,
        train_loss=train_loss,
        loss=float(held_loss),
        auc=auc(output[moved], held.forward_return[moved] > 0.0),
        ic=correlation(output, held.forward_return),
        rank_ic=rank_correlation(output, held.forward_return),
        seconds=time.perf_counter() - began,
    )


def _goodness(epoch: Epoch, config: TrainingConfig) -> float:
    """The monitored metric, higher is better; undefined is worst."""
    match config.monitor:
        case "loss":
            return -epoch.loss
        case "auc":
            value = epoch.auc
        case "ic":
            value = epoch.ic
        case "rank_ic":
            value = epoch.rank_ic
    return -math.inf if value is None else value


def _line(epoch: Epoch, *, is_best: bool) -> str:
    def shown(value: float | None) -> str:
        return "      –" if value is None else f"{value:+.4f}"

    auc_text = "     –" if epoch.auc is None else f"{epoch.auc:.4f}"
    return (
        f"epoch {epoch.epoch:3d}  train {epoch.train_loss:.5f}  validation {epoch.loss:.5f}  AUC {auc_text}  "
        f"IC {shown(epoch.ic)}  rank IC {shown(epoch.rank_ic)}  {epoch.seconds:.1f} s{'  *' if is_best else ''}"
    )
