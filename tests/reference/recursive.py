"""Means and totals that go back to the first bar, docs/numerics.md, "Recursive means"."""

from .column import Column


def recursive_mean(x: Column, alpha: float, *, seed: int, divisor: int, skip: int = 0) -> Column:
    """Starts as the sum of `seed` values over `divisor`, after `skip` values that are passed over."""
    seeded = x.first + skip + seed - 1
    y, values = 0.0, []
    for t in range(x.first + skip, x.end):
        if t <= seeded:
            y = y + x[t]
        if t == seeded:
            y = y / divisor
        if t > seeded:
            y = y + alpha * (x[t] - y)
        if t >= seeded:
            values.append(y)
    return Column(seeded, x.end, values)


def ema(x: Column, n: int, *, skip: int = 0) -> Column:
    return recursive_mean(x, 2 / (n + 1), seed=n, divisor=n, skip=skip)


def ema_from_first(x: Column, n: int) -> Column:
    return recursive_mean(x, 2 / (n + 1), seed=1, divisor=1)


def wilder(x: Column, n: int) -> Column:
    return recursive_mean(x, 1 / n, seed=n, divisor=n)


def directional(x: Column, n: int) -> Column:
    """Wilder's mean as the directional movement system begins it: with one value fewer, yet over n."""
    return recursive_mean(x, 1 / n, seed=n - 1, divisor=n).since(x.first + n - 1)


def running_total(x: Column) -> Column:
    total, values = 0.0, []
    for t in range(x.first, x.end):
        total = total + x[t]
        values.append(total)
    return Column(x.first, x.end, values)
