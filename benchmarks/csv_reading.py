"""Reading one CSV file of plain six-column bars, times parsed: each reader in a process of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentio_features import read_csv

from benchmarks.bars import FIELDS, Stored
from benchmarks.tables import RACE_HEADINGS, Table, Target, race_rows
from benchmarks.timing import AnswerDiffersError, Contender, Ready, race

Column = npt.NDArray[np.generic]
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


def compared(path: str, read: Callable[[], object], column: Callable[[str], Column], *, note: str = "") -> Ready:
    """`column` yields one column of what `read` gave."""
    bars = read_csv(path)
    times = column("ts").astype("datetime64[ns]").astype(np.int64)
    if not np.array_equal(times, bars.ts):
        raise AnswerDiffersError("reads other times")
    exact = True
    for name in FIELDS:
        theirs, ours = column(name).astype(np.float64), getattr(bars, name)
        exact = exact and np.array_equal(theirs, ours)
        # A fast parser may be off by an ulp; more is another number.
        if not np.allclose(theirs, ours, rtol=1e-15, atol=0.0):
            raise AnswerDiffersError(f"reads other numbers in {name}")
    return Ready(run=read, note=note if exact else f"{note}; some numbers off by an ulp".removeprefix("; "))


def sentio(path: str) -> Ready:
    return Ready(run=lambda: read_csv(path), note="checks every bar")


def pandas(path: str, engine: str) -> Ready:
    import pandas as pd

    # The C engine is faster when it is told; the other finds times by itself, and would do it twice.
    date_format = "ISO8601" if engine == "c" else None

    def read() -> "pd.DataFrame":
        return pd.read_csv(path, parse_dates=["ts"], date_format=date_format, engine=engine)

    frame = read()
    frame["ts"] = frame["ts"].dt.tz_convert(None)
    return compared(path, read, lambda name: frame[name].to_numpy())


def pyarrow(path: str, threads: bool) -> Ready:
    import pyarrow as pa
    from pyarrow import csv

    if not threads:
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
    options = csv.ReadOptions(use_threads=threads)

    def read() -> "pa.Table":
        return csv.read_csv(path, read_options=options)

    table = read()
    return compared(path, read, lambda name: table[name].to_numpy())


def polars(path: str) -> Ready:
    import polars as pl

    def read() -> "pl.DataFrame":
        # Three times as fast as try_parse_dates.
        times = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="ns")
        return pl.read_csv(path).with_columns(times)

    frame = read()
    return compared(path, read, lambda name: frame[name].to_numpy(), note="is told the format of the times")


def duckdb(path: str, threads: int) -> Ready:
    import duckdb as db

    connection = db.connect(config={"threads": threads})
    connection.execute("SET TimeZone = 'UTC'")

    def read() -> dict[str, Column]:
        return connection.read_csv(path).fetchnumpy()

    columns = read()
    return compared(path, read, lambda name: columns[name])


def contenders(path: Path) -> list[Contender]:
    cores = os.cpu_count() or 1

    def reader(who: str, function: str, environment: dict[str, str] | None = None, **arguments: object) -> Contender:
        return Contender(
            who=who,
            setup=f"{__name__}:{function}",
            arguments={"path": str(path), **arguments},
            environment=environment or {},
        )

    return [
        reader("Sentio", "sentio"),
        reader("pandas", "pandas", engine="c"),
        reader("pandas, engine pyarrow", "pandas", engine="pyarrow"),
        reader("pyarrow, one thread", "pyarrow", ONE_THREAD, threads=False),
        reader("polars, one thread", "polars", ONE_THREAD),
        reader("duckdb, one thread", "duckdb", threads=1),
        reader(f"pyarrow, {cores} threads", "pyarrow", threads=True),
        reader(f"polars, {cores} threads", "polars"),
        reader(f"duckdb, {cores} threads", "duckdb", threads=cores),
    ]


def measure(stored: Stored, *, rounds: int) -> tuple[list[Table], list[Target]]:
    results = race(contenders(stored.csv), rounds=rounds)
    ours = results[0]
    bars = len(np.load(stored.column("ts"), mmap_mode="r"))
    rows = [
        [*row[:1], bars / result.best / 1e6 if result.seconds else None, *row[1:]]
        for result, row in zip(results, race_rows(results, bars=bars, ours=ours), strict=True)
    ]
    megabytes = stored.csv.stat().st_size / 1e6
    table = Table(
        key="csv",
        title="Reading CSV",
        text=f"{bars:,} bars, {megabytes:.0f} MB, ISO times parsed, the file in the page cache. Every reader's columns "
        "were compared with ours. Sentio uses one core whatever there is.",
        headings=("who", "million rows a second", *RACE_HEADINGS[1:]),
        rows=rows,
    )
    target = Target(
        what="CSV on one core", limit=6.0, found=bars / ours.best / 1e6, unit="million rows a second", at_least=True
    )
    return [table], [target]
