"""Data sets larger than memory: what it costs to build one, to open it and to make its labels, in time and in memory
of one's own (what no file stands behind, RssAnon). Each is measured in a fresh process.

Run by hand, for it needs disk (370 bytes a row): python -m benchmarks.large --rows 10000000
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from sentio_features import FeatureBuilder, FeatureSpec, iter_csv, read_csv

from benchmarks.bars import PROJECT, STATIONARY
from benchmarks.memory import status
from sentio_trainer.data_set import DataSet, open_data_set
from sentio_trainer.labels import label_set
from sentio_trainer.market import MarketSpec, write_market
from sentio_trainer.samples import whole_windows
from sentio_trainer.schema import LabelConfig

# A million bars; twenty times these, one after another, stay within the years that nanoseconds can hold.
_DAYS = 2_600
_WEEK_S = 7 * 86_400
_MAX_GAP = 5


@dataclass(frozen=True, kw_only=True)
class Cost:
    seconds: float
    own_before: int  # bytes, once everything is imported
    own_peak: int


def measured(job: Callable[[], object]) -> Cost:
    """Runs a job and looks at the process every 5 ms meanwhile."""
    before = peak = status()["RssAnon"]
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, status()["RssAnon"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    job()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return Cost(seconds=seconds, own_before=before, own_peak=max(peak, status()["RssAnon"]))


def write_long_csv(path: Path, rows: int) -> None:
    """The synthetic market's bars, again and again, each time whole weeks later."""
    once = path.with_name("once.csv")
    write_market(MarketSpec(days=min(_DAYS, rows // 300 + 1), seed=1), once, overwrite=True)
    seconds = (read_csv(once).ts // 1_000_000_000).tolist()
    values = [line.partition(",")[2] for line in once.read_text().splitlines(keepends=True)[1:]]
    once.unlink()
    once.with_name("once.csv.synthetic.json").rename(f"{path}.synthetic.json")
    weeks = (seconds[-1] - seconds[0]) // _WEEK_S + 1
    with path.open("w") as file:
        file.write("ts,open,high,low,close,volume\n")
        for copy in range(-(-rows // len(values))):
            later = copy * weeks * _WEEK_S
            count = min(len(values), rows - copy * len(values))
            file.writelines(f"{seconds[i] + later},{values[i]}" for i in range(count))


def copy_for_others(folder: Path, symbols: int) -> None:
    """A file for each symbol; the same bars twice would be refused, so each has a last one of its own."""
    bars = folder / "bars0.csv"
    with bars.open("rb") as file:
        file.seek(-200, os.SEEK_END)
        time_s, values = file.read().decode().splitlines()[-1].split(",", 1)
    for i in range(1, symbols):
        copy = folder / f"bars{i}.csv"
        shutil.copy(bars, copy)
        shutil.copy(f"{bars}.synthetic.json", f"{copy}.synthetic.json")
        with copy.open("a") as file_of_copy:
            file_of_copy.write(f"{int(time_s) + 60 * i},{values}\n")


def opened(folder: Path, symbols: int) -> DataSet:
    sources = {f"S{i}": folder / f"bars{i}.csv" for i in range(symbols)}
    spec = FeatureSpec.load(STATIONARY)
    return open_data_set(sources, spec, on_bad_bar="refuse", cache_dir=folder / "cache", say=lambda _: None)


def forget_pages(folder: Path) -> None:
    """Drops what the system keeps of the files in memory."""
    os.sync()
    for path in folder.rglob("*.*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def work(what: str, folder: Path, symbols: int) -> Cost:
    """One of the jobs; run in a process of its own."""
    if what == "open cold":
        forget_pages(folder / "cache")
    if what in ("build", "open cold", "open"):
        cost = measured(lambda: opened(folder, symbols))
        check(opened(folder, symbols), folder)
        return cost
    data = opened(folder, symbols)
    if what == "windows":
        return measured(lambda: whole_windows(data, window=32, max_gap=_MAX_GAP))
    config = LabelConfig(kind="triple_barrier" if what == "barrier labels" else "logret_fwd")
    return measured(lambda: label_set(data, config, max_gap=_MAX_GAP, say=lambda _: None))


JOBS = ("build", "open cold", "open", "labels", "barrier labels", "windows")


def check(data: DataSet, folder: Path) -> None:
    """The first rows of the first and the last symbol are what one builder makes of them."""
    first = next(iter(iter_csv(folder / "bars0.csv", chunk_bars=20_000)))
    expected = FeatureBuilder(data.spec).build(first)
    for series in (data.series[0], data.series[-1]):
        found = data.x[series.rows][: len(expected)]
        if not np.array_equal(found.view(np.uint32), expected.view(np.uint32)):
            raise SystemExit("the data set and one builder differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--symbols", type=int, help="parts of the rows [one a ten million]")
    parser.add_argument("--folder", type=Path, help="where the files go, for a while [the system's temporary folder]")
    given = parser.parse_args()
    symbols = given.symbols or -(-given.rows // 10_000_000)
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        write_long_csv(folder / "bars0.csv", given.rows // symbols)
        copy_for_others(folder, symbols)
        console.print(f"{given.rows:,} rows of {symbols} symbols, 55 features; MB are 10^6 bytes")
        console.print(f"{'':>16}{'seconds':>12}{'own MB before':>16}{'own MB, most':>16}")
        for what in JOBS:
            command = [sys.executable, "-m", "benchmarks.large", "--work", what, str(folder), str(symbols)]
            done = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True)
            cost = Cost(**json.loads(done.stdout))
            console.print(f"{what:>16}{cost.seconds:>12.4g}{cost.own_before / 1e6:>16.0f}{cost.own_peak / 1e6:>16.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        print(json.dumps(asdict(work(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))))  # noqa: T201 - to the parent
    else:
        main()
