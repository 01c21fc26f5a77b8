"""Fewer points of a long line that draw the same picture, and what is told of it."""

import numpy as np

from sentio_trainer.bars import Float64, Int64

MOST_POINTS = 8_000  # of a line; above it, its buckets are drawn
_A_BUCKET = 4


def kept_points(values: Float64, *, most: int = MOST_POINTS) -> Int64:
    """Indices of the points to draw, ascending: all, or of each of most/4 buckets of equal count the first, the lowest,
    the highest and the last.

    No high and no low is lost, and a line through these points colours the pixels that the whole line would, as long
    as a bucket is no wider than a pixel. Jugel, Jerzak, Hackenbroich, Markl, "M4", VLDB 7, 2014.

    Args:
        values: shape [n], finite.
        most: points to keep at most, at least 4.
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    edges = np.linspace(0, n, most // _A_BUCKET + 1).astype(np.int64)
    kept = []
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[begin:end]
        kept += [begin, begin + int(part.argmin()), begin + int(part.argmax()), end - 1]
    return np.unique(np.array(kept))


def thinning_note(count: int, what: str, *, most: int = MOST_POINTS) -> str:
    """A sentence for the reader where `count` points are more than are drawn; else empty."""
    if count <= most:
        return ""
    each = count / (most // _A_BUCKET)
    return (
        f"{count:,} {what} are drawn as {most // _A_BUCKET:,} groups of about {each:,.0f}: "
        "first, lowest, highest and last of each."
    )
