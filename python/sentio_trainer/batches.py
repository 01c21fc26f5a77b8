"""Batches out of a memory-mapped matrix. Shapes: B batch, T rows of a window, F features, n rows of the matrix.

A batch is made of contiguous blocks of rows, taken in a shuffled order, so that reading stays sequential within a block
while neighbouring days are mixed within a batch. Only the batches in flight are copied, never the data set.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.cache import Float32
from sentio_trainer.goal import Goal
from sentio_trainer.rows import RowSet

# Rows of one block at most: 56 kB of 55 columns, long enough to read fast, short enough that a batch mixes many days.
BLOCK_ROWS = 256
# A batch holds at least this many blocks, so that small batches are mixed as well.
BLOCKS_PER_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Batch:
    x: Tensor  # [B, F] or [B, T, F]
    target: Tensor  # [B]
    weight: Tensor  # [B]


def gather(x: Float32, last_rows: Int64, *, window: int) -> Float32:
    """Windows that end with these rows: [B, F] for a window of 1, else [B, T, F]."""
    rows: Float32 = x[last_rows] if window == 1 else x[last_rows[:, None] + np.arange(1 - window, 1)]
    return rows


class Batches:
    """Batches of a set of rows."""

    def __init__(
        self,
        x: Float32,
        learned: Float64,
        rows: RowSet,
        goal: Goal,
        *,
        batch_size: int,
        window: int,
        num_workers: int,
        prefetch_factor: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """`num_workers` threads gather batches ahead of the one in use, `prefetch_factor` each; 0 gathers on demand."""
        self._x, self._learned, self._rows, self._goal = x, learned, rows, goal
        self._window, self._rank, self._world = window, rank, world
        size = batch_size * world
        self._block_rows = max(1, min(BLOCK_ROWS, size // BLOCKS_PER_BATCH))
        self._num_workers = num_workers
        self._ahead = num_workers * prefetch_factor
        self._row_count = rows.count()
        self._batch_count = -(-self._row_count // (size - self._block_rows + 1))

    def __len__(self) -> int:
        """Batches of an epoch, at most."""
        return self._batch_count

    def epoch(self, rng: np.random.Generator | None, *, start: int = 0) -> Generator[Batch, None, None]:
        """All usable rows once, in near equal batches from number `start` on; in the rows' own order if `rng` is None.

        Close it where it is left early: that ends its threads.
        """
        plan = self._plan(rng)[start:]
        if self._num_workers == 0:
            yield from map(self._gather, plan)
            return
        pool = ThreadPoolExecutor(self._num_workers, thread_name_prefix="batches")
        try:
            remaining = iter(plan)
            ready: deque[Future[Batch]] = deque(pool.submit(self._gather, b) for b in islice(remaining, self._ahead))
            while ready:
                batch = ready.popleft().result()
                ready.extend(pool.submit(self._gather, blocks) for blocks in islice(remaining, 1))
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _plan(self, rng: np.random.Generator | None) -> list[list[slice]]:
        """Which blocks make which batch."""
        blocks = list(self._rows.chunks(self._block_rows))
        if rng:
            rng.shuffle(blocks)
        plan: list[list[slice]] = [[]]
        taken = 0
        for block in blocks:
            count = int(np.count_nonzero(self._rows.usable[block]))
            if not count:
                continue
            if taken * self._batch_count >= len(plan) * self._row_count:  # this batch has its share
                plan.append([])
            plan[-1].append(block)
            taken += count
        return plan

    def _gather(self, blocks: list[slice]) -> Batch:
        usable = self._rows.usable
        rows = np.concatenate([block.start + np.flatnonzero(usable[block]) for block in blocks])[
            self._rank :: self._world
        ]
        target, weight = self._goal(self._learned[rows])
        x = gather(self._x, rows, window=self._window)
        return Batch(x=torch.from_numpy(x), target=torch.from_numpy(target), weight=torch.from_numpy(weight))
