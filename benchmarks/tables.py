"""What a run found, as tables of plain values: written to JSON, and read by everything that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import Result, ratios

Cell = str | float | int | None


@dataclass(frozen=True, kw_only=True)
class Table:
    key: str
    title: str
    text: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A promise, and what was found of it. `at_least` turns the comparison round."""

    what: str
    limit: float
    found: float | None
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.found is None:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit


PEER_HEADINGS = ("who", "features", "ns a bar", "median", "time / Sentio's", "median", "cores", "note")
RACE_HEADINGS = ("who", "ns a bar", "median", "time / Sentio's", "median", "cores", "note")


def race_rows(results: Sequence[Result], *, bars: int, ours: Result) -> list[list[Cell]]:
    """A row a contender; the ratios are to `ours`."""
    rows: list[list[Cell]] = []
    for result in results:
        if not result.seconds:
            rows.append([result.who, None, None, None, None, None, result.note])
            continue
        best, middle = (1.0, 1.0) if result is ours else ratios(result, ours)
        per_bar = 1e9 / bars
        rows.append(
            [result.who, result.best * per_bar, result.median * per_bar, best, middle, result.cores, result.note]
        )
    return rows


def peer_rows(theirs: Result, ours: Result | None, *, bars: int) -> list[list[Cell]]:
    """A peer, and below it ours with the same features."""
    if ours is None:
        return [[theirs.who, None, None, None, None, None, None, theirs.note]]
    rows = race_rows([theirs, ours], bars=bars, ours=ours)
    return [[row[0], len(theirs.covered), *row[1:]] for row in rows]
