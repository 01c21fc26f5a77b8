"""Training rows out of a memory-mapped matrix, a batch at a time.

A batch is made of contiguous blocks of rows, taken in a shuffled order, so that reading stays sequential within a block
while neighbouring days are mixed within a batch. Only the batches in flight are copied, never the data set, and what is
known of an epoch beforehand is its blocks, not its rows.

Shapes: n rows of the matrix, B rows of a batch, T rows of a window, F features.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from sentio_features import gather_windows, usable_rows
from torch import Tensor

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.cache import CHUNK_ROWS, Float32
from sentio_trainer.errors import DataError
from sentio_trainer.goal import Goal
from sentio_trainer.rows import RowSet

# Rows of one block at most: 56 kB of 55 columns, long enough to read fast, short enough that a batch mixes many days.
BLOCK_ROWS = 256
# A batch holds at least this many blocks, so that small batches are mixed as well…
BLOCKS_PER_BATCH = 8
# …unless an epoch had more blocks than these: 24 bytes each while it lasts, 80 while it is planned.
MAX_BLOCKS = 1 << 19

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Valid until the next batch is asked for: its memory is used again."""

    x: Tensor  # float32 [B, F], or [B, T, F] where a window has several rows
    target: Tensor  # float32 [B]
    weight: Tensor  # float32 [B]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The blocks of an epoch in the order in which they are taken; k of them."""

    begin: Int64  # [k], the first row
    stop: Int64  # [k], the row after the last; rows between them that are not usable are passed over
    taken: Int64  # [k], usable rows of this block and of all before it


def gather(x: Float32, last_rows: Int64, *, window: int) -> Float32:
    """Windows of `x` that end with these rows, in fresh memory: [B, F] for a window of 1, else [B, T, F].

    Raises:
        ValueError: a window lies not wholly within `x`.
    """
    windows = np.empty((len(last_rows), window, x.shape[1]), dtype=np.float32)
    gather_windows(x, last_rows, window, windows)
    return windows[:, 0] if window == 1 else windows


class _Slot:
    """Memory of one batch, filled again and again."""

    def __init__(self, size: int, window: int, features: int, *, pinned: bool) -> None:
        self.x = torch.empty((size, window, features), pin_memory=pinned)
        self.target = torch.empty(size, pin_memory=pinned)
        self.weight = torch.empty(size, pin_memory=pinned)
        self.copied: torch.cuda.Event | None = None  # when the accelerator has read it


class Batches:
    """Batches of a set of rows, or this process's share of them.

    The global batch is cut the same whatever the number of processes: with `world` of them, each gets its part of the
    batch that one process would have with `world` times the batch size.
    """

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
        device: torch.device = CPU,
    ) -> None:
        """Nothing is read yet but which rows are usable.

        Args:
            x: shape [n, F], C-contiguous; memory-mapped.
            learned: label of each row, shape [n]; known where `rows` are usable.
            rows: what an epoch goes through. Each has the window that ends at it.
            goal: turns labels into targets and weights.
            batch_size: rows of a batch at most, in this process.
            window: T, 1 for rows without those before them.
            num_workers: threads that gather batches ahead of the one in use; 0 gathers on demand.
            prefetch_factor: batches that each of them keeps ready.
            rank: which of the `world` processes this is.
            device: where the batches are wanted.

        Raises:
            DataError: there are fewer rows than processes.
        """
        self._x, self._learned = np.asarray(x), np.asarray(learned)  # a memory map's own class takes longer
        self._rows, self._goal, self._window = rows, goal, window
        self._num_workers, self._ahead = num_workers, num_workers * prefetch_factor
        self._rank, self._world, self._device = rank, world, device
        self._row_count = rows.count()
        if self._row_count < world:
            raise DataError(f"{world} processes need as many rows to learn from, found {self._row_count}")
        self._batch_count = -(-self._row_count // (batch_size * world))
        self._slot_size = -(-self._row_count // (self._batch_count * world))
        block_rows = min(BLOCK_ROWS, batch_size * world // BLOCKS_PER_BATCH)
        self._block_rows = max(1, block_rows, -(-self._row_count // MAX_BLOCKS))

    def __len__(self) -> int:
        """Batches of an epoch, the same for each epoch and process."""
        return self._batch_count

    def epoch(self, rng: np.random.Generator | None, *, start: int = 0) -> Generator[Batch, None, None]:
        """All rows once, in batches whose sizes differ by one row at most; in the rows' own order if `rng` is None.

        Close it where it is left early: that ends its threads. An error in one of them is raised here.

        Args:
            rng: the blocks' order; the same state yields the same batches.
            start: the first batch to yield, counted from 0; those before it are not read.
        """
        plan = self._plan(rng)
        numbers = iter(range(start, self._batch_count))
        slots = [self._new_slot() for _ in range(min(self._ahead + 1, self._batch_count - start))]
        if self._num_workers == 0:
            for number in numbers:
                yield self._moved(self._filled(plan, number, slots[0]), slots[0])
            return
        pool = ThreadPoolExecutor(self._num_workers, thread_name_prefix="batches")
        try:
            # One slot is in the consumer's hands; once it asks for more, that one is filled for the last in line.
            line: deque[tuple[_Slot, Future[Batch]]] = deque()
            for slot, number in zip(slots, numbers, strict=False):
                line.append((slot, pool.submit(self._filled, plan, number, slot)))
            while line:
                slot, future = line.popleft()
                yield self._moved(future.result(), slot)
                if (number := next(numbers, -1)) >= 0:
                    line.append((slot, pool.submit(self._filled, plan, number, slot)))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _plan(self, rng: np.random.Generator | None) -> _Plan:
        # A random phase: over the epochs a row has other neighbours.
        phase = int(rng.integers(self._block_rows)) if rng else 0
        begins, stops, counts = [], [], []
        for each in self._rows.ranges:
            begin, count = self._blocks(each, phase)
            begins.append(begin)
            stops.append(np.append(begin[1:], each.stop)[: len(begin)])
            counts.append(count)
        begin, stop, count = (np.concatenate(parts) for parts in (begins, stops, counts))
        if rng:
            order = rng.permutation(len(begin))
            begin, stop, count = begin[order], stop[order], count[order]
        return _Plan(begin=begin, stop=stop, taken=np.cumsum(count))

    def _blocks(self, within: slice, phase: int) -> tuple[Int64, Int64]:
        """First row and number of usable rows of the blocks of a range: `phase` rows, then whole blocks, then the rest.

        A block ends where its range does, so that it never reaches into rows of another use.
        """
        size, seen = self._block_rows, 0
        begins = []
        for chunk in RowSet(ranges=(within,), usable=self._rows.usable).chunks(CHUNK_ROWS):
            rows = chunk.start + np.flatnonzero(self._rows.usable[chunk])
            if seen == 0 and phase > 0:
                begins.append(rows[:1].copy())  # a view would keep all row numbers
            begins.append(rows[(phase - seen) % size :: size].copy())
            seen += len(rows)
        edges = np.unique(np.concatenate([[0], np.arange(phase, seen, size), [seen]]))
        return np.concatenate(begins) if begins else np.empty(0, dtype=np.int64), np.diff(edges)

    def _rows_of(self, plan: _Plan, number: int) -> Int64:
        """The rows of this process's share of a batch."""
        first, stop = (k * self._row_count // self._batch_count for k in (number, number + 1))
        first, stop = (first + k * (stop - first) // self._world for k in (self._rank, self._rank + 1))
        # The share may begin and end within a block.
        begin, end = np.searchsorted(plan.taken, [first, stop - 1], side="right")
        before = int(plan.taken[begin - 1]) if begin else 0
        blocks = slice(begin, end + 1)
        count = int(plan.taken[end]) - before
        rows = usable_rows(self._rows.usable, plan.begin[blocks], plan.stop[blocks], count)
        return rows[first - before : stop - before]

    def _new_slot(self) -> _Slot:
        pinned = self._device.type == "cuda"
        return _Slot(self._slot_size, self._window, self._x.shape[1], pinned=pinned)

    def _filled(self, plan: _Plan, number: int, slot: _Slot) -> Batch:
        rows = self._rows_of(plan, number)
        if slot.copied is not None:
            slot.copied.synchronize()
        x, target, weight = (each[: len(rows)] for each in (slot.x, slot.target, slot.weight))
        for each in (x, target, weight):
            # A backward pass through what is overwritten here then fails instead of being wrong.
            torch.autograd.graph.increment_version(each)
        gather_windows(self._x, rows, self._window, x.numpy())
        target.numpy()[:], weight.numpy()[:] = self._goal(self._learned[rows])
        return Batch(x=x[:, 0] if self._window == 1 else x, target=target, weight=weight)

    def _moved(self, batch: Batch, slot: _Slot) -> Batch:
        """The batch on the device; a copy to CUDA is only ordered here, and `slot` is told when it is done."""
        x, target, weight = (
            each.to(self._device, non_blocking=self._device.type == "cuda")
            for each in (batch.x, batch.target, batch.weight)
        )
        if self._device.type == "cuda":
            slot.copied = torch.cuda.current_stream(self._device).record_event()
        return Batch(x=x, target=target, weight=weight)
