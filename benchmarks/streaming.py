"""Features bar by bar from Python, by us and by others' incremental indicators."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from sentio_features import Bars, FeatureBuilder, FeatureSpec

from benchmarks.bars import FIELDS, LEVELS, STATIONARY, Stored
from benchmarks.batch import TOLERANCE
from benchmarks.subset import spec_with
from benchmarks.tables import PEER_HEADINGS, RACE_HEADINGS, Cell, Table, Target, peer_rows, race_rows
from benchmarks.timing import AnswerDiffersError, Contender, Ready, like_for_like, race

HISTORY = 6_000
"""Bars before the first that is timed: the longest recursive mean has forgotten where it began."""

ROUNDS = 21
"""Many short ones: between two interruptions of the machine there is room for one."""
TURNS = ROUNDS + 1

Row = tuple[int, float, float, float, float, float]
Push = Callable[[int, float, float, float, float, float], Sequence[float]]


class Feed:
    """The bars after the history, `size` a turn, as Python numbers. After the last one it starts over, at later
    times."""

    def __init__(self, bars: Bars, size: int) -> None:
        self._rows = list(zip(*(bars[name][HISTORY:].tolist() for name in FIELDS), strict=True))
        self._interval = int(bars.ts[1] - bars.ts[0])
        # Later than all bars, also where sessions leave gaps.
        self._time = int(bars.ts[-1])
        self._size, self._next = size, 0

    def turn(self) -> list[Row]:
        rows = []
        for _ in range(self._size):
            self._time += self._interval
            rows.append((self._time, *self._rows[self._next]))
            self._next = (self._next + 1) % len(self._rows)
        return rows

    def run_of(self, push: Push) -> Callable[[], None]:
        """Each run pushes the next turn. All rows are made before anything is timed."""
        turns = iter([self.turn() for _ in range(TURNS)])

        def run() -> None:
            for row in next(turns):
                push(*row)

        return run


def sentio(stored: Stored, spec_path: Path, size: int, features: Sequence[str] | None = None) -> Ready:
    bars = stored.load()[: HISTORY + 4 * size]
    spec = FeatureSpec.load(spec_path) if features is None else spec_with(features, spec_path)
    expected = FeatureBuilder(spec).build(bars)[HISTORY : HISTORY + size]
    builder = FeatureBuilder(spec)
    builder.build(bars[:HISTORY])
    feed = Feed(bars, size)
    if not all(np.array_equal(builder.push(*row), want) for row, want in zip(feed.turn(), expected, strict=True)):
        raise AnswerDiffersError("push and build differ")
    return Ready(run=feed.run_of(builder.push))


def peer(stored: Stored, module: str, size: int) -> Ready:
    """A module of peers/ with `Stream(history, names)`, an object with `names` and `push`."""
    make = import_module(f"benchmarks.peers.{module}").Stream
    bars = stored.load()[: HISTORY + 4 * size]
    spec = FeatureSpec.load(LEVELS)
    ours = FeatureBuilder(spec).build(bars)[HISTORY : HISTORY + size].astype(np.float64)

    stream = make(bars[:HISTORY], set(spec.names))
    theirs = np.array([stream.push(*row) for row in Feed(bars, size).turn()], dtype=np.float64)
    wrong = []
    for i, name in enumerate(stream.names):
        want = ours[:, spec.names.index(name)]
        if not np.all(np.abs(theirs[:, i] - want) <= TOLERANCE * (np.abs(want) + np.std(want))):
            wrong.append(name)

    covered = [name for name in stream.names if name not in wrong]
    if not covered:
        raise AnswerDiffersError("no feature has our values")
    note = f"other values, left out: {', '.join(wrong)}" if wrong else ""
    again = make(bars[:HISTORY], set(covered))
    return Ready(run=Feed(bars, size).run_of(again.push), note=note, covered=again.names)


def measure(stored: Stored, *, size: int, rounds: int = ROUNDS) -> tuple[list[Table], list[Target]]:
    def ours(who: str, spec: Path, bars: int, features: Sequence[str] | None = None) -> Contender:
        arguments = {"stored": stored, "spec_path": spec, "size": bars, "features": features}
        return Contender(who=who, setup=f"{__name__}:sentio", arguments=arguments)

    all_55 = race([ours("Sentio, stationary", STATIONARY, size), ours("Sentio, plain", LEVELS, size)], rounds=rounds)
    push = Table(
        key="push",
        title="One bar from Python, 55 features",
        text=f"`FeatureBuilder.push` over {size:,} bars after a history of {HISTORY:,}; a fresh NumPy array a row.",
        headings=RACE_HEADINGS,
        rows=race_rows(all_55, bars=size, ours=all_55[0]),
    )

    rows: list[list[Cell]] = []
    # talipp is pure Python: fewer bars say as much.
    for who, module, bars in (
        ("TA-Lib, stream handles", "with_talib", size),
        ("wickra, update", "with_wickra", size),
        ("talipp, add", "with_talipp", max(size // 20, 200)),
    ):
        contender = Contender(
            who=who, setup=f"{__name__}:peer", arguments={"stored": stored, "module": module, "size": bars}
        )

        def same_features(covered: Sequence[str], bars: int = bars) -> Contender:
            return ours("Sentio, the same features", LEVELS, bars, covered)

        theirs, same = like_for_like(contender, same_features, rounds=rounds)
        rows += peer_rows(theirs, same, bars=bars)
    peers = Table(
        key="stream_peers",
        title="One bar from Python, the features that a peer has",
        text="A list of Python floats a bar from the peers, a NumPy array from ours; compared as above.",
        headings=PEER_HEADINGS,
        rows=rows,
    )
    found = max(result.best for result in all_55) / size * 1e6
    return [push, peers], [Target(what="push from Python, 55 features", limit=3.0, found=found, unit="µs a bar")]
