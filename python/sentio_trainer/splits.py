"""Splits in time order: train, then validation, then test, and no label that looks across a border."""

from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Bool, Int64
from sentio_trainer.errors import DataError
from sentio_trainer.schema import SplitConfig


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows `begin <= row < stop` that are marked in the split's `usable`."""

    begin: int
    stop: int

    @property
    def rows(self) -> slice:
        return slice(self.begin, self.stop)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Three ranges of rows, and which rows in them may be used. The bool per row keeps a split small on long data."""

    train: Part
    validation: Part
    test: Part
    usable: Bool  # shape [n]

    def count(self, part: Part) -> int:
        """Number of usable rows in `part`."""
        return int(np.count_nonzero(self.usable[part.rows]))

    def indices(self, part: Part) -> Int64:
        """The usable rows of `part`, ascending."""
        return part.begin + np.flatnonzero(self.usable[part.rows])


def purged_split(end: Int64, eligible: Bool, config: SplitConfig) -> Split:
    """Cuts the rows from the first eligible one on by the configured shares.

    A row is purged where its label ends at or after the border that follows it; the embargo leaves out that many rows
    after each border as well. So no label of an earlier part looks at a bar that a later part uses.

    Args:
        end: last bar of each row's label, shape [n].
        eligible: rows with features and a label, shape [n].

    Raises:
        DataError: a part is left without rows.
    """
    n = len(end)
    first = int(np.argmax(eligible)) if eligible.any() else n
    borders = [first + round(share * (n - first)) for share in (config.train, config.train + config.validation)]
    train = Part(begin=first, stop=borders[0])
    validation = Part(begin=min(borders[0] + config.embargo, borders[1]), stop=borders[1])
    test = Part(begin=min(borders[1] + config.embargo, n), stop=n)

    usable = np.zeros(n, dtype=np.bool_)
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        usable[part.rows] = eligible[part.rows] & (end[part.rows] < part.stop)
        if not usable[part.rows].any():
            raise DataError(
                f"no rows left to {'learn from' if name == 'train' else f'use as {name}'}: {n} bars, "
                f"{int(np.count_nonzero(eligible))} with features and a label, embargo {config.embargo}; "
                f"give more bars, or lower data.split.embargo or label.horizon"
            )
    return Split(train=train, validation=validation, test=test, usable=usable)
