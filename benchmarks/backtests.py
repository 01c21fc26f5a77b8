"""Simulators that trade the same target positions, and what a whole backtest takes. One thread each.

Run by itself, in the process that is measured: python -m benchmarks.backtests whole FOLDER
"""

import importlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from sentio_features import Bars, read_csv
from sentio_inference import trade

from benchmarks.backtest_orders import CAPITAL, Orders, Traded, require_same, simulate, write_orders
from benchmarks.bars import PROJECT, Float64, Stored
from benchmarks.inference_models import train_artifact
from benchmarks.inference_networks import NETWORKS, Prepared
from benchmarks.native import google_benchmark
from benchmarks.tables import Cell, Table, Target
from benchmarks.timing import Contender, Ready, Result, race, ratios
from sentio_trainer.market import MarketSpec, write_market

RECORDED = ("SPY_1m.csv.gz", "SPY_1m_2011.csv.gz", "BTCUSD_1m.csv.gz", "SPY_1d.csv", "EURUSD_1h.csv")
FEW, MANY = 20_000, 1_000_000
OURS = "Sentio, with its report"
PEERS = ("vectorbt", "backtesting", "backtrader")
ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def sentio(orders: Orders) -> Callable[[], Traded]:
    bars, wanted, _ = orders.load()

    def run() -> Traded:
        report = trade(bars, wanted, orders.costs, capital=CAPITAL, session="utc_day")
        fills = report["fills"]
        return Traded(
            bar=np.searchsorted(bars.ts, fills["ts"]),
            quantity=fills["quantity"],
            price=fills["price"],
            equity=report["metrics"]["end_equity"],
        )

    return run


def plain(orders: Orders) -> Callable[[], Traded]:
    bars, wanted, _ = orders.load()
    return lambda: simulate(bars.open, bars.close, wanted)[1]


def peer(name: str, orders: Orders) -> Callable[[], Traded]:
    bars, _, units = orders.load()
    prepare: Callable[[Bars, Float64], Callable[[], Traded]] = importlib.import_module(
        f"benchmarks.peers.with_{name}"
    ).prepare
    return prepare(bars, units)


def contend(who: str, timed: Orders, checked: list[Orders]) -> Ready:
    """Compares the trades of every set of orders with the plain simulator's, and is ready to trade `timed`."""
    fills = 0
    for orders in [*checked, timed]:
        expected = plain(orders)()
        require_same(simulator(who, orders)(), expected)
        fills += len(expected.bar)
    sets = f"{len(checked) + 1} sets of bars" if checked else "the same bars"
    return Ready(run=simulator(who, timed), note=f"the same {fills:,} fills on {sets}")


def simulator(who: str, orders: Orders) -> Callable[[], Traded]:
    if who in PEERS:
        return peer(who, orders)
    return sentio(orders) if who == OURS else plain(orders)


def measure_simulators(stored: Stored, *, rounds: int, quick: bool) -> list[Table]:
    """All on few bars, and those that work by columns on many."""
    folder = stored.folder / "orders"
    files = [PROJECT.parent / "shared" / "data" / name for name in RECORDED]
    checked = [write_orders(folder / path.name, read_csv(path)[-FEW:]) for path in files if path.exists()]
    whole = stored.load()
    few, many = write_orders(folder / "few", whole[:FEW]), write_orders(folder / "many", whole[:MANY])
    recorded = ", ".join(f"`{path.name}`" for path in files if path.exists()) or "none, as they are not here"
    tables = []
    for key, orders, names, check in (
        ("simulators", few, (OURS, "NumPy, a loop over orders", *PEERS), checked),
        ("simulators_many", many, (OURS, "NumPy, a loop over orders", "vectorbt"), []),
    ):
        if quick and key != "simulators":
            continue
        contenders = [
            Contender(
                who=name,
                setup=f"{__name__}:contend",
                arguments={"who": name, "timed": orders, "checked": check},
                environment=ONE_THREAD,
            )
            for name in names
        ]
        results = race(contenders, rounds=rounds)
        bars = len(np.load(orders.folder / "ts.npy", mmap_mode="r"))
        tables.append(
            Table(
                key=key,
                title=f"Given positions, {bars:,} bars",
                text="The same target positions, long, flat and half short, filled at the next open with 5 bps of "
                "commission. Before it is timed, each contender's fills (bar, units, price) and final equity, to a "
                "cent, are compared with those of a plain simulator in NumPy, here and on the last "
                f"{FEW:,} bars of the recorded files: {recorded if check else 'see above'}. Sentio sizes its orders "
                "from exposures; the others are given whole units. Sentio's time includes all metrics, the "
                "buy-and-hold run and the report.",
                headings=("who", "ns a bar", "median", "time / Sentio's", "median", "cores", "note"),
                rows=rows_of(results, bars),
            )
        )
    return tables


def rows_of(results: list[Result], bars: int) -> list[list[Cell]]:
    ours = next(result for result in results if result.who == OURS)
    rows: list[list[Cell]] = []
    for result in results:
        if not result.seconds or not ours.seconds:
            rows.append([result.who, None, None, None, None, None, result.note])
            continue
        best, middle = ratios(result, ours)
        rows.append(
            [result.who, result.best / bars * 1e9, result.median / bars * 1e9, best, middle, result.cores, result.note]
        )
    return rows


def measure_core(native: Path, *, quick: bool) -> tuple[Table, list[Target]]:
    """The simulation alone, in C++."""
    seconds, times = (0.01, 1) if quick else (0.5, 5)
    found: dict[str, list[float]] = {}
    for run in google_benchmark(native / "sentio_bench_backtest", seconds=seconds, times=times):
        found.setdefault(run["run_name"], []).append(run["real_time"] / 1e6)
    goals = {"given exposures": 20.0, "sma_cross": 60.0}
    table = Table(
        key="simulation",
        title="A backtest in C++, a million bars",
        text="Milliseconds, Google Benchmark. From exposures, or from bars, to fills and equity; then what the report "
        "says about them.",
        headings=("what", "ms", "median"),
        rows=[[name, min(values), median(values)] for name, values in found.items()],
    )
    targets = [
        Target(what=f"{name}, 10⁶ bars, to fills and equity", limit=limit, found=min(found[name]), unit="ms")
        for name, limit in goals.items()
        if name in found
    ]
    return table, targets


def measure_whole(stored: Stored, *, rounds: int) -> tuple[Table, list[Target]]:
    """One process from a CSV file to a report: features, the network, trading, metrics."""
    made = Prepared(stored.folder / "whole")
    made.folder.mkdir()
    write_market(MarketSpec(days=130, seed=1, ic=0.1), made.bars, overwrite=False)
    train_artifact(NETWORKS["mlp"], made)
    rows: list[list[Cell]] = []
    targets: list[Target] = []
    for what, options in (("a table", []), ("a table and a folder", ["--out", str(stored.folder / "report")])):
        times, peaks = [], []
        for _ in range(max(3, rounds // 2)):
            command = [sys.executable, "-m", "benchmarks.backtests", "whole", str(made.artifact), str(stored.csv)]
            done = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
            seconds, peak = done.stdout.split()
            times.append(float(seconds))
            peaks.append(float(peak))
        rows.append([what, min(times), median(times), max(peaks)])
        if not options:
            targets += [
                Target(what="10⁶ bars: features, MLP, backtest, report", limit=2.0, found=min(times), unit="s"),
                Target(what="the same, peak memory", limit=300.0, found=max(peaks), unit="MB"),
            ]
    return (
        Table(
            key="whole",
            title="A whole backtest of a model",
            text="`sentio_cli backtest --strategy tfa` on the million bars, from the start of the process to its end: "
            "reading the CSV file, 55 features, the MLP by the native backend, trading, metrics, the report.",
            headings=("writes", "seconds", "median", "MB at its peak"),
            rows=rows,
        ),
        targets,
    )


def whole(artifact: Path, bars: Path, *options: str) -> None:
    """Runs sentio_cli as a child of this process and prints its seconds and its peak memory in MB."""
    models = artifact.parent
    program = Path(sys.executable).with_name("sentio_cli")
    place = ["--artifacts", models.parent, "--model", models.name, "--version", artifact.name]
    began = time.perf_counter()
    subprocess.run(
        [program, "backtest", "QQQ", "--bars", bars, "--strategy", "tfa", *place, *options],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - began
    sys.stdout.write(f"{seconds} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6}\n")


def measure(native: Path, stored: Stored, *, rounds: int, quick: bool) -> tuple[list[Table], list[Target]]:
    core, targets = measure_core(native, quick=quick)
    model, more = measure_whole(stored, rounds=rounds)
    return [core, model, *measure_simulators(stored, rounds=rounds, quick=quick)], [*targets, *more]


if __name__ == "__main__":
    _, _, folder, csv, *rest = sys.argv
    whole(Path(folder), Path(csv), *rest)
