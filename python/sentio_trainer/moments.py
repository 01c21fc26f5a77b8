"""Mean and spread of each feature over the training rows."""

from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Float64
from sentio_trainer.cache import CHUNK_ROWS, Float32
from sentio_trainer.errors import DataError
from sentio_trainer.rows import RowSet


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and standard deviation of each column over the training rows, float64, shape [F]."""

    mean: Float64
    std: Float64


def training_moments(x: Float32, training: RowSet, *, names: list[str]) -> Moments:
    """Mean and population standard deviation in one pass over the rows of `training`; constant columns get std 1.

    Chan, Golub & LeVeque, The American Statistician 37, 1983: moments of chunks, merged.

    Raises:
        DataError: a feature is NaN or infinite, named by `names`.
    """
    count, mean, squares = 0, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    # Deviations from the first usable row: those of a constant column are exactly 0.
    pivot: Float64 | None = None
    for rows in training.chunks(CHUNK_ROWS):
        chunk = x[rows][training.usable[rows]].astype(np.float64)
        if not len(chunk):
            continue
        pivot = chunk[0].copy() if pivot is None else pivot
        chunk -= pivot
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
    assert pivot is not None  # a split has rows to learn from
    return Moments(mean=mean + pivot, std=np.where(std > 0.0, std, 1.0))
