"""Times the CSV reader and the feature engine beside peers, in one run; every answer is checked before it is timed.

Run by `make bench`. Absolute times depend on the machine; quote the ratios.
"""

import argparse
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib
from pyarrow import csv as arrow_csv
from rich.console import Console
from rich.table import Table
from sentio_features import Bars, FeatureBuilder, FeatureSpec, read_csv

from sentio_trainer.market import MarketSpec, write_market

PROJECT = Path(__file__).resolve().parents[1]
LEVELS = PROJECT / "configs" / "features" / "sentio_55_levels.json"
STATIONARY = PROJECT / "configs" / "features" / "sentio_55.json"
RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Timing:
    job: str
    who: str
    seconds: float
    rows: int


def best_of(job: Callable[[], object], runs: int = RUNS) -> float:
    """The shortest of several runs after a warm-up, in seconds: the one that the machine disturbed least."""
    job()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    return min(times)


def csv_timings(path: Path) -> list[Timing]:
    """Reading one file of plain six-column bars, times parsed."""
    bars = read_csv(path)
    frame = pd.read_csv(path, parse_dates=["ts"])
    table = arrow_csv.read_csv(path)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(bars[name], table[name].to_numpy()), name
        # pandas' default parser is off by an ulp now and then.
        np.testing.assert_allclose(bars[name], frame[name], rtol=1e-15)
    assert np.array_equal(bars.ts, frame["ts"].dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype(np.int64))
    jobs: dict[str, Callable[[], object]] = {
        "sentio": lambda: read_csv(path),
        "pandas": lambda: pd.read_csv(path, parse_dates=["ts"]),
        "pyarrow, its threads": lambda: arrow_csv.read_csv(path),
    }
    return [Timing(job="read CSV", who=who, seconds=best_of(job), rows=len(bars)) for who, job in jobs.items()]


def talib_matrix(bars: Bars, out: npt.NDArray[np.float32]) -> None:
    """The rows of the plain 55 that TA-Lib has, 43 of them, and NumPy for the others; into `out` [n, 55]."""
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume  # noqa: E741 - the field's letters
    r = np.zeros_like(c)
    r[1:] = np.log(c[1:] / c[:-1])
    columns: list[npt.NDArray[np.float64]] = []
    for k in (1, 5, 15, 30, 60):
        x = np.zeros_like(c)
        x[k:] = np.log(c[k:] / c[:-k])
        columns.append(x)
    columns += [talib.ROCP(c, k) for k in (5, 10, 20)]
    columns += [talib.STDDEV(r, k) for k in (10, 20, 30)]
    columns += [talib.ATR(h, l, c, k) for k in (14, 21)]
    hl, co = np.log(h / l) ** 2, np.log(c / o) ** 2
    columns.append(np.sqrt(talib.SMA(hl, 20) / (4 * np.log(2))))
    columns.append(np.sqrt(np.maximum(0.0, talib.SMA(0.5 * hl - (2 * np.log(2) - 1) * co, 20))))
    columns += [talib.RSI(c, k) for k in (14, 21, 30)]
    columns += [talib.SMA(c, k) for k in (5, 10, 20, 50, 200)]
    columns += [talib.EMA(c, k) for k in (5, 10, 20, 50, 200)]
    for k in (20, 50):
        columns += talib.BBANDS(c, k)
    columns += talib.MACD(c)
    columns += talib.STOCHF(h, l, c, 14, 3)
    columns += [talib.WILLR(h, l, c), talib.CCI(h, l, c, 20), talib.ADX(h, l, c)]
    columns += [talib.SMA(v, k) for k in (10, 20, 50)]
    columns.append(talib.ROCP(v, 10))
    simple = np.zeros_like(c)
    simple[1:] = c[1:] / c[:-1] - 1
    columns += [talib.OBV(c, v), np.cumsum(v * simple), talib.AD(h, l, c, v), talib.MFI(h, l, c, v)]
    spread = 1e4 * (h - l) / ((h + l) / 2)
    width = np.where(h > l, h - l, 1.0)
    columns += [spread, 1e6 * np.abs(simple) / np.sqrt(v)]
    columns += [np.where(h > l, ((c - l) - (h - c)) / width, 0.0) * v, v / (1 + spread)]
    columns.append(np.where(h > l, (c - l) / width, 0.5))
    for i, column in enumerate(columns):
        out[:, i] = column


def feature_timings(bars: Bars) -> list[Timing]:
    """55 features of all bars into a warm float32 matrix, on one core."""
    levels, stationary = FeatureSpec.load(LEVELS), FeatureSpec.load(STATIONARY)
    ours, theirs = np.zeros((2, len(bars), levels.width), dtype=np.float32)
    FeatureBuilder(levels).build(bars, out=ours)
    talib_matrix(bars, theirs)
    warm = slice(levels.warmup, None)
    # float32 rounds at 6e-8; tests/python/test_talib.py compares more closely, and says where TA-Lib drifts.
    np.testing.assert_allclose(ours[warm], theirs[warm], rtol=1e-5, atol=1e-4)
    jobs: dict[str, Callable[[], object]] = {
        "sentio, plain 55": lambda: FeatureBuilder(levels).build(bars, out=ours),
        "TA-Lib and NumPy, plain 55": lambda: talib_matrix(bars, theirs),
        "sentio, stationary 55": lambda: FeatureBuilder(stationary).build(bars, out=ours),
    }
    return [Timing(job="55 features", who=who, seconds=best_of(job), rows=len(bars)) for who, job in jobs.items()]


def push_timings(bars: Bars, count: int = 20_000) -> list[Timing]:
    """Features bar by bar from Python."""
    spec = FeatureSpec.load(STATIONARY)
    columns = [bars[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    rows = list(zip(bars.ts.tolist(), *columns, strict=True))
    expected = FeatureBuilder(spec).build(bars[:count])
    builder = FeatureBuilder(spec)
    assert all(np.array_equal(builder.push(*row), want) for row, want in zip(rows[:count], expected, strict=True))

    def push_all() -> None:
        push = FeatureBuilder(spec).push
        for row in rows[:count]:
            push(*row)

    return [Timing(job="push from Python", who="sentio, stationary 55", seconds=best_of(push_all), rows=count)]


def table_of(timings: list[Timing]) -> Table:
    table = Table(title=f"best of {RUNS}, one process")
    for heading in ("job", "who", "rows", "ns a row", "rows a second", "time / sentio"):
        table.add_column(heading, justify="left" if heading in ("job", "who") else "right")
    for timing in timings:
        ours = next(each for each in timings if each.job == timing.job)
        table.add_row(
            timing.job,
            timing.who,
            f"{timing.rows:,}",
            f"{timing.seconds / timing.rows * 1e9:,.0f}",
            f"{timing.rows / timing.seconds:,.0f}",
            f"{timing.seconds / ours.seconds:.2f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=750, help="sessions of the synthetic bars")
    arguments = parser.parse_args()
    console = Console()
    commit = subprocess.run(
        ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    revision = commit.stdout.strip() or "unknown"
    console.print(f"commit {revision}, {platform.machine()}, {os.cpu_count()} cores, make bench")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        write_market(MarketSpec(days=arguments.days, seed=1, ic=0.1), path, overwrite=False)
        bars = read_csv(path)
        timings = csv_timings(path) + feature_timings(bars) + push_timings(bars)
    console.print(table_of(timings))


if __name__ == "__main__":
    main()
