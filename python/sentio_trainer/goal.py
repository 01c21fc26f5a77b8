"""What the loss compares a forecast with: a target and a weight for each label."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sentio_trainer.bars import Float64
from sentio_trainer.cache import CHUNK_ROWS, Float32
from sentio_trainer.errors import DataError
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import LabelConfig

# A crash bar weighs as much as this many ordinary ones, not as a thousand.
MAX_MOVE_WEIGHT = 5.0

Weighting = Literal["move", "class", "none"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Direction: 1 after a rise, else 0, and a bar that did not move weighs nothing. Regression: the label itself."""

    objective: Literal["direction", "regression"]
    weighting: Weighting  # of the objective direction
    mean_size: float  # of a training label, without its sign
    rise_share: float  # of the training labels that are not 0

    def __call__(self, learned: Float64) -> tuple[Float32, Float32]:
        """Targets and weights of labels, all of one shape; labels that are not known have any target and weight."""
        if self.objective == "regression":
            return np.nan_to_num(learned).astype(np.float32), np.ones(learned.shape, dtype=np.float32)
        rise = learned > 0.0
        match self.weighting:
            case "move":
                weight = np.minimum(np.abs(learned) / self.mean_size, MAX_MOVE_WEIGHT)
            case "class":
                # Both directions weigh the same in all, and a sample 1 on average.
                weight = np.where(rise, 0.5 / self.rise_share, 0.5 / (1.0 - self.rise_share))
            case "none":
                weight = np.ones(learned.shape)
        weight[learned == 0.0] = 0.0
        return rise.astype(np.float32), weight.astype(np.float32)


def make_goal(learned: Float64, training: RowSet, config: LabelConfig, *, weighting: Weighting) -> Goal:
    """The goal of a training, from its labels alone.

    Args:
        learned: label of each row, shape [n]; NaN where not known.
        training: the rows to learn from.

    Raises:
        DataError: every training label is 0, or with weighting "class" all are of one direction.
    """
    size, rises, moves, count = 0.0, 0, 0, 0
    for chunk in training.chunks(CHUNK_ROWS):
        values = learned[chunk][training.usable[chunk]]
        size += float(np.abs(values).sum())
        rises += int(np.count_nonzero(values > 0.0))
        moves += int(np.count_nonzero(values))
        count += len(values)
    if config.objective == "direction":
        if moves == 0:
            raise DataError("every label of the training rows is 0: there is no direction to learn")
        if weighting == "class" and rises in (0, moves):
            raise DataError("training.weighting class needs labels of both directions: all training labels are of one")
    return Goal(
        objective=config.objective,
        weighting=weighting,
        mean_size=size / max(count, 1),
        rise_share=rises / max(moves, 1),
    )
