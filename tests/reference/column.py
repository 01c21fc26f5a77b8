"""Columns: one double a bar, from the first bar on at which it is defined."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """`column[t]` is the value of bar t, for first <= t < end. With too few bars it has none, and still its first."""

    first: int
    end: int
    values: list[float]

    def __getitem__(self, t: int) -> float:
        if not self.first <= t < self.end:
            raise IndexError(f"bar {t} is read of a column of the bars from {self.first} to below {self.end}")
        return self.values[t - self.first]

    def since(self, first: int) -> "Column":
        """The same column, first defined at a later bar."""
        assert first >= self.first
        return Column(first, self.end, self.values[first - self.first :])


def from_bar(first: int, end: int, formula: Callable[[int], float]) -> Column:
    """The column of formula(t)."""
    return Column(first, end, [formula(t) for t in range(first, end)])


def bar_by_bar(formula: Callable[..., float], *columns: Column) -> Column:
    """The column of formula(a[t], b[t], ...): defined from the latest of its columns on."""
    first = max(column.first for column in columns)
    return Column(first, columns[0].end, list(map(formula, *(column.since(first).values for column in columns))))


@dataclass(frozen=True)
class Bars:
    """Valid bars; `ts` is the open time of each in nanoseconds since 1970, UTC."""

    ts: list[int]
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    @property
    def end(self) -> int:
        return len(self.ts)


def bars_of(
    ts: list[int], open_: list[float], high: list[float], low: list[float], close: list[float], volume: list[float]
) -> Bars:
    return Bars(ts, *(Column(0, len(ts), values) for values in (open_, high, low, close, volume)))
