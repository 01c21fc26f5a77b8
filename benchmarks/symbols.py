"""Several symbols at once: threads over FeatureBuilder.build, which releases the GIL."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sentio_features import Bars, FeatureBuilder, FeatureSpec

from benchmarks.bars import STATIONARY, Stored
from benchmarks.tables import Table
from benchmarks.timing import AnswerDiffersError, Contender, Ready, race

SYMBOLS_A_CORE = 2


def build_all(stored: Stored, threads: int, symbols: int) -> Ready:
    """Each symbol has its own bars and its own matrix, all of one length."""
    bars = stored.load()
    size = len(bars) // symbols
    parts = [bars[k * size : (k + 1) * size] for k in range(symbols)]
    spec = FeatureSpec.load(STATIONARY)
    matrices = np.zeros((symbols, size, spec.width), dtype=np.float32)
    pool = ThreadPoolExecutor(threads)

    def build(part: Bars, out: "np.typing.NDArray[np.float32]") -> None:
        FeatureBuilder(spec).build(part, out=out)

    def run() -> None:
        list(pool.map(build, parts, matrices))

    run()
    if not all(
        np.array_equal(FeatureBuilder(spec).build(part), out) for part, out in zip(parts, matrices, strict=True)
    ):
        raise AnswerDiffersError("threads and one thread differ")
    return Ready(run=run)


def measure(stored: Stored, *, rounds: int) -> list[Table]:
    cores = os.cpu_count() or 1
    symbols = SYMBOLS_A_CORE * cores
    counts = sorted({1, cores, *(2**k for k in range(cores.bit_length()) if 2**k <= cores)})
    results = race(
        [
            Contender(
                who=f"{threads} thread{'s' if threads > 1 else ''}",
                setup=f"{__name__}:build_all",
                arguments={"stored": stored, "threads": threads, "symbols": symbols},
            )
            for threads in counts
        ],
        rounds=rounds,
    )
    bars = len(np.load(stored.column("ts"), mmap_mode="r")) // symbols * symbols
    alone = results[0]
    rows = [
        [
            result.who,
            bars / result.best / 1e6,
            alone.best / result.best,
            alone.best / result.best / threads,
            result.cores,
        ]
        for threads, result in zip(counts, results, strict=True)
    ]
    return [
        Table(
            key="symbols",
            title="Several symbols at once",
            text=f"{symbols} symbols of {bars // symbols:,} bars, 55 stationary features, a thread pool over "
            "`FeatureBuilder.build`.",
            headings=("who", "million bars a second", "speed-up", "of the ideal", "cores"),
            rows=rows,
        )
    ]
