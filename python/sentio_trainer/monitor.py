"""Which epoch is better: the validation metric that `training.monitor` names."""

import math
from collections.abc import Sequence

from sentio_trainer.watch import Epoch


def monitored(epoch: Epoch, monitor: str) -> float | None:
    """The metric; None where undefined."""
    value: float | None = getattr(epoch, monitor)
    return value


def goodness(epoch: Epoch, monitor: str) -> float:
    """Higher is better; undefined is worst."""
    value = monitored(epoch, monitor)
    if value is None:
        return -math.inf
    return -value if lower_is_better(monitor) else value


def lower_is_better(monitor: str) -> bool:
    return monitor == "loss"


def best_epoch(epochs: Sequence[Epoch], monitor: str) -> Epoch:
    """The first of the best, of at least one."""
    return max(epochs, key=lambda epoch: goodness(epoch, monitor))
