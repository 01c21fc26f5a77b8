"""Which rows of a long matrix are meant, in a byte per row and a few ranges."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Bool, Int64

# Rows that stay together where a set is thinned.
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class RowSet:
    """The rows within `ranges` that `usable` marks. Several sets may share one `usable`."""

    ranges: tuple[slice, ...]  # start:stop without a step, ascending, disjoint
    usable: Bool  # shape [n], n rows of the matrix

    @staticmethod
    def of_indices(indices: Int64, *, n: int) -> "RowSet":
        """The rows of these numbers, out of `n`."""
        usable = np.zeros(n, dtype=np.bool_)
        usable[indices] = True
        return RowSet(ranges=(slice(0, n),), usable=usable)

    def chunks(self, size: int) -> Iterator[slice]:
        """The ranges in order, cut into pieces of at most `size` rows, usable or not."""
        for each in self.ranges:
            for begin in range(each.start, each.stop, size):
                yield slice(begin, min(begin + size, each.stop))

    def thinned(self, rows: int) -> "RowSet":
        """About `rows` of the usable rows, in blocks spread evenly; the set itself where it has no more."""
        step = -(-self.count() // rows)
        return self if step <= 1 else RowSet(ranges=tuple(self.chunks(_BLOCK))[::step], usable=self.usable)

    def count(self) -> int:
        """Number of usable rows."""
        return sum(int(np.count_nonzero(self.usable[each])) for each in self.ranges)

    def indices(self) -> Int64:
        """Numbers of the usable rows, ascending: 8 bytes a row."""
        parts = [each.start + np.flatnonzero(self.usable[each]) for each in self.ranges]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
