"""The 55 features of many bars at once, on one core, and by others."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from sentio_features import FeatureBuilder, FeatureSpec

from benchmarks.bars import FIELDS, LEVELS, STATIONARY, Float32, Stored
from benchmarks.subset import spec_with
from benchmarks.tables import PEER_HEADINGS, RACE_HEADINGS, Cell, Table, Target, peer_rows, race_rows
from benchmarks.timing import AnswerDiffersError, Contender, Ready, like_for_like, race

TOLERANCE = 1e-5
"""Of the value, or of the column's standard deviation: float32 rounds at 6e-8, running sums drift."""


def differing(theirs: npt.ArrayLike, ours: Float32) -> bool:
    """Whether a column is another one than ours. The first half of the bars is passed over: a recursive mean that
    starts elsewhere has forgotten it by then."""
    half = len(ours) // 2
    a, b = np.asarray(theirs, dtype=np.float64)[half:], ours[half:].astype(np.float64)
    return not np.all(np.abs(a - b) <= TOLERANCE * (np.abs(b) + np.std(b)))


# The set-ups below are called in a process of their own.


def floor(stored: Stored) -> Ready:
    """What any engine must do: look at each number of the bars, and write each cell of the matrix."""
    columns = [np.load(stored.column(name)) for name in FIELDS]
    out = np.zeros((len(columns[0]), FeatureSpec.load(LEVELS).width), dtype=np.float32)

    def run() -> None:
        for column in columns:
            column.sum()
        out.fill(1.0)

    return Ready(run=run, note="NumPy sums the columns and fills the matrix")


def sentio(stored: Stored, spec_path: Path, features: Sequence[str] | None = None, into: str = "warm") -> Ready:
    bars = stored.load()
    spec = FeatureSpec.load(spec_path) if features is None else spec_with(features, spec_path)
    shape = (len(bars), spec.width)
    if into == "fresh":
        return Ready(run=lambda: FeatureBuilder(spec).build(bars))
    if into == "map":
        folder = TemporaryDirectory(dir=stored.folder)

        def build_map() -> None:
            path = Path(folder.name) / "x.npy"
            path.unlink(missing_ok=True)
            out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            FeatureBuilder(spec).build(bars, out=out)

        return Ready(run=build_map, note="a new file each time; written back by the system when it likes")
    out = np.zeros(shape, dtype=np.float32)
    return Ready(run=lambda: FeatureBuilder(spec).build(bars, out=out))


def talib_matrix(stored: Stored, blocks: bool = True) -> Ready:
    """All of the plain 55 into a warm matrix, by TA-Lib and NumPy.

    Rows of a matrix are far apart in a column's eyes: stacking blocks that fit the cache is the fastest way that NumPy
    has to turn columns into rows. Assigning whole columns is what most people write.
    """
    from benchmarks.peers.with_talib import all_columns

    bars = stored.load()
    spec = FeatureSpec.load(LEVELS)
    out = np.zeros((len(bars), spec.width), dtype=np.float32)

    def run() -> None:
        columns = all_columns(bars, spec.names)
        if not blocks:
            for i, name in enumerate(spec.names):
                out[:, i] = columns[name]
            return
        for begin in range(0, len(bars), 4096):
            rows = slice(begin, begin + 4096)
            out[rows] = np.stack([columns[name][rows] for name in spec.names], axis=1)

    run()
    ours = FeatureBuilder(spec).build(bars)
    wrong = [name for i, name in enumerate(spec.names) if differing(out[:, i], ours[:, i])]
    if wrong:
        raise AnswerDiffersError(f"other values in {', '.join(wrong)}")
    return Ready(run=run)


def peer(stored: Stored, module: str) -> Ready:
    """The columns that a peer computes as we do, as columns of its own: it need not make a matrix of them."""
    compute = import_module(f"benchmarks.peers.{module}").columns
    bars = stored.load()
    spec = FeatureSpec.load(LEVELS)
    ours = FeatureBuilder(spec).build(bars)
    found = compute(bars, spec.names)
    wrong = [name for i, name in enumerate(spec.names) if name in found and differing(found[name], ours[:, i])]
    covered = [name for name in spec.names if name in found and name not in wrong]
    if not covered:
        raise AnswerDiffersError("no feature has our values")
    note = f"other values, left out: {', '.join(wrong)}" if wrong else ""
    return Ready(run=lambda: compute(bars, covered), note=note, covered=covered)


def all_features(stored: Stored, *, bars: int, rounds: int) -> tuple[Table, list[Target]]:
    def ours(who: str, spec: Path, into: str = "warm") -> Contender:
        arguments = {"stored": stored, "spec_path": spec, "into": into}
        return Contender(who=who, setup=f"{__name__}:sentio", arguments=arguments)

    results = race(
        [
            ours("Sentio, plain", LEVELS),
            ours("Sentio, plain, a fresh array", LEVELS, "fresh"),
            ours("Sentio, plain, a new memory map", LEVELS, "map"),
            ours("Sentio, stationary", STATIONARY),
            *(
                Contender(
                    who=f"TA-Lib and NumPy, plain, {way}",
                    setup=f"{__name__}:talib_matrix",
                    arguments={"stored": stored, "blocks": way == "block by block"},
                )
                for way in ("block by block", "column by column")
            ),
            Contender(who="floor: input and output alone", setup=f"{__name__}:floor", arguments={"stored": stored}),
        ],
        rounds=rounds,
    )
    table = Table(
        key="matrix",
        title="55 features into a row-major float32 matrix",
        text=f"{bars:,} bars. The matrix is the same array each time unless the row says otherwise.",
        headings=RACE_HEADINGS,
        rows=race_rows(results, bars=bars, ours=results[0]),
    )
    plain, talib = results[0], results[4]
    share = plain.best / talib.best if talib.seconds else None
    return table, [
        Target(what="55 plain features, warm matrix", limit=150.0, found=plain.best / bars * 1e9, unit="ns a bar"),
        Target(
            what="the same, of TA-Lib's and NumPy's time block by block", limit=1 / 3, found=share, unit="of their time"
        ),
    ]


def each_peer(stored: Stored, *, bars: int, rounds: int) -> Table:
    cores = os.cpu_count() or 1
    peers: list[tuple[str, str, dict[str, str]]] = [
        ("TA-Lib", "with_talib", {}),
        ("wickra", "with_wickra", {}),
        ("pandas", "with_pandas", {}),
        ("polars, one thread", "with_polars", {"POLARS_MAX_THREADS": "1"}),
        (f"polars, {cores} threads", "with_polars", {}),
    ]

    def same_features(covered: Sequence[str]) -> Contender:
        arguments = {"stored": stored, "spec_path": LEVELS, "features": covered}
        return Contender(who="Sentio, the same features", setup=f"{__name__}:sentio", arguments=arguments)

    rows: list[list[Cell]] = []
    for who, module, environment in peers:
        contender = Contender(
            who=who,
            setup=f"{__name__}:peer",
            arguments={"stored": stored, "module": module},
            environment=environment,
        )

        theirs, ours = like_for_like(contender, same_features, rounds=rounds)
        rows += peer_rows(theirs, ours, bars=bars)
    return Table(
        key="peers",
        title="The features that a peer has, beside the same features of ours",
        text=f"{bars:,} bars. Ours fill a warm matrix; the peers keep their own columns and make no matrix, which "
        "favours them. Their values were compared with ours first (to 1e-5 of the value or of the column's standard "
        "deviation, over the second half of the bars, where a mean that starts elsewhere has forgotten it); what "
        "differs is named and not computed.",
        headings=PEER_HEADINGS,
        rows=rows,
    )


def measure(stored: Stored, *, rounds: int) -> tuple[list[Table], list[Target]]:
    bars = len(np.load(stored.column("ts"), mmap_mode="r"))
    matrix, targets = all_features(stored, bars=bars, rounds=rounds)
    return [matrix, each_peer(stored, bars=bars, rounds=rounds)], targets
