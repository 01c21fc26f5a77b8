"""Statistics of the last n values, docs/numerics.md, "Windows".

A window is put together from an older and a newer part, as a column is from columns: the older part of the window that
ends at bar t is the window of `a` values that ended at bar t - b.
"""

import math

from .column import Column, bar_by_bar, from_bar


def parts(n: int) -> tuple[int, int]:
    """How many of n > 1 values are the older part, and how many the newer one."""
    lowest_digit = n & -n
    newer = n // 2 if n == lowest_digit else lowest_digit
    return n - newer, newer


def total(x: Column, n: int) -> Column:
    if n == 1:
        return x
    a, b = parts(n)
    older = total(x, a)
    newer = older if a == b else total(x, b)
    return from_bar(x.first + n - 1, x.end, lambda t: older[t - b] + newer[t])


def mean(x: Column, n: int) -> Column:
    if n == 1:
        return x
    a, b = parts(n)
    older = mean(x, a)
    newer = older if a == b else mean(x, b)
    w = b / n
    return from_bar(x.first + n - 1, x.end, lambda t: older[t - b] + (newer[t] - older[t - b]) * w)


def squared_distances(x: Column, n: int) -> Column:
    """The sum of squared distances from the mean; n > 1."""
    first = x.first + n - 1
    if n == 2:
        return from_bar(first, x.end, lambda t: (x[t] - x[t - 1]) * (x[t] - x[t - 1]) * 0.5)
    a, b = parts(n)
    older, older_mean = squared_distances(x, a), mean(x, a)
    newer_mean = older_mean if a == b else mean(x, b)
    w = a * b / n

    def between(t: int) -> float:
        d = newer_mean[t] - older_mean[t - b]
        return d * d * w

    if b == 1:
        return from_bar(first, x.end, lambda t: older[t - b] + between(t))
    newer = older if a == b else squared_distances(x, b)
    return from_bar(first, x.end, lambda t: (older[t - b] + newer[t]) + between(t))


def standard_deviation(x: Column, n: int) -> Column:
    return bar_by_bar(lambda s: math.sqrt(s / n), squared_distances(x, n))


def larger(a: float, b: float) -> float:
    return a if a > b else b


def smaller(a: float, b: float) -> float:
    return a if a < b else b


def largest(x: Column, n: int) -> Column:
    y, covered = x, 1
    while covered < n:
        y, covered = widened(y, covered, n, largest_wins=True)
    return y


def smallest(x: Column, n: int) -> Column:
    y, covered = x, 1
    while covered < n:
        y, covered = widened(y, covered, n, largest_wins=False)
    return y


def widened(y: Column, covered: int, n: int, *, largest_wins: bool) -> tuple[Column, int]:
    """From the extremes of `covered` values to those of twice as many, or of n."""
    pick = larger if largest_wins else smaller
    k = covered if 2 * covered <= n else n - covered
    return from_bar(y.first + k, y.end, lambda t: pick(y[t - k], y[t])), covered + k
