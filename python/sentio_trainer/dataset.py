"""Training rows out of a memory-mapped matrix: their mean and spread, and batches.

A batch is made of contiguous blocks of rows, taken in a shuffled order, so that reading stays sequential within a block
while neighbouring days are mixed within a batch. Only the batches in flight are copied, never the data set.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

from sentio_trainer.bars import Bool, Float64
from sentio_trainer.cache import CHUNK_ROWS, Float32
from sentio_trainer.errors import DataError
from sentio_trainer.splits import Part

# Rows of one block at most: 56 kB of 55 columns, long enough to read fast, short enough that a batch mixes many days.
BLOCK_ROWS = 256
# A batch holds at least this many blocks, so that small batches are mixed as well.
BLOCKS_PER_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and standard deviation of each column over the training rows, float64, shape [F]."""

    mean: Float64
    std: Float64


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Samples by row of the matrix; all arrays have n rows."""

    x: Float32  # [n, F], memory-mapped
    target: Float32  # [n], what the loss compares with; any value where not usable
    weight: Float32  # [n]
    usable: Bool  # [n]


@dataclass(frozen=True, kw_only=True)
class Batch:
    x: Float32  # [B, F]
    target: Float32  # [B]
    weight: Float32  # [B]


def training_moments(x: Float32, *, usable: Bool, part: Part, names: list[str]) -> Moments:
    """Mean and population standard deviation in one pass over the usable rows of `part`; constant columns get std 1.

    Chan, Golub & LeVeque, The American Statistician 37, 1983: moments of chunks, merged.

    Raises:
        DataError: a feature is NaN or infinite, named by `names`.
    """
    count, mean, squares = 0, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    # Deviations from the first usable row: those of a constant column are exactly 0.
    pivot = x[part.begin + int(np.argmax(usable[part.rows]))].astype(np.float64)
    for begin in range(part.begin, part.stop, CHUNK_ROWS):
        stop = min(begin + CHUNK_ROWS, part.stop)
        chunk = x[begin:stop][usable[begin:stop]].astype(np.float64) - pivot
        if not len(chunk):
            continue
        chunk_mean = chunk.mean(axis=0)
        chunk_squares = ((chunk - chunk_mean) ** 2).sum(axis=0)
        total = count + len(chunk)
        shift = chunk_mean - mean
        mean += shift * (len(chunk) / total)
        squares += chunk_squares + shift**2 * (count * len(chunk) / total)
        count = total
    if not (finite := np.isfinite(squares)).all():
        column = int(np.argmin(finite))
        raise DataError(f"feature {names[column]} (column {column}) is not finite in the training rows")
    std = np.sqrt(squares / count)
    return Moments(mean=mean + pivot, std=np.where(std > 0.0, std, 1.0))


class BlockBatches:
    """Batches of the usable rows of one part."""

    def __init__(self, rows: Rows, part: Part, *, batch_size: int, num_workers: int, prefetch_factor: int) -> None:
        """`num_workers` threads gather batches ahead of the one in use, `prefetch_factor` each; 0 gathers on demand."""
        self._rows = rows
        self._part = part
        self._block_rows = max(1, min(BLOCK_ROWS, batch_size // BLOCKS_PER_BATCH))
        self._num_workers = num_workers
        self._ahead = num_workers * prefetch_factor
        self._row_count = int(np.count_nonzero(rows.usable[part.rows]))
        # Batches are cut where a block ends, so each may hold up to one block less one row more than its share.
        self._batch_count = -(-self._row_count // (batch_size - self._block_rows + 1))

    @property
    def row_count(self) -> int:
        return self._row_count

    def __len__(self) -> int:
        """Batches of an epoch, at most."""
        return self._batch_count

    def epoch(self, rng: np.random.Generator | None) -> Generator[Batch, None, None]:
        """All usable rows once, in near equal batches; in the rows' own order if `rng` is None.

        Close it where it is left early: that ends its threads.
        """
        plan = self._plan(rng)
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
        # A random phase: over the epochs a row has other neighbours.
        phase = int(rng.integers(self._block_rows)) if rng else 0
        edges = [*range(self._part.begin + phase, self._part.stop, self._block_rows), self._part.stop]
        edges = sorted({self._part.begin, *edges})
        blocks = [slice(begin, stop) for begin, stop in pairwise(edges)]
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
        rows = self._rows
        keep = [rows.usable[block] for block in blocks]

        def take(array: Float32) -> Float32:
            return np.concatenate([array[block][mask] for block, mask in zip(blocks, keep, strict=True)])

        return Batch(x=take(rows.x), target=take(rows.target), weight=take(rows.weight))
