"""What CMake builds for us: the op benchmark, the latency program, and two bindings of the same core."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sentio_features import FeatureBuilder, FeatureSpec

from benchmarks.bars import FIELDS, LEVELS, STATIONARY, Stored
from benchmarks.tables import Cell, Table, Target
from benchmarks.timing import AnswerDiffersError, Contender, Ready, race


def output_of(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def google_benchmark(program: Path, *, seconds: float, times: int) -> list[dict[str, Any]]:
    """What a program on Google Benchmark reports of each run of at least `seconds`, `times` for every benchmark."""
    found = json.loads(
        output_of(
            program,
            f"--benchmark_min_time={seconds}",
            f"--benchmark_repetitions={times}",
            "--benchmark_format=json",
        )
    )
    return [run for run in found["benchmarks"] if run["run_type"] == "iteration"]


def ops(native: Path, *, quick: bool) -> Table:
    """Every op of the registry, by Google Benchmark."""
    # Three short runs each: the shortest of them is the one that the machine disturbed least.
    seconds, times = (0.01, 1) if quick else (0.04, 3)
    best: dict[str, dict[str, float]] = {}
    for run in google_benchmark(native / "sentio_bench_ops", seconds=seconds, times=times):
        mode, op = run["run_name"].split("/")
        # A counter of seconds comes out in nanoseconds, as bars are counted in thousand millions.
        per_bar = run["ns_a_bar"]
        best.setdefault(op, {})[mode] = min(per_bar, best.get(op, {}).get(mode, per_bar))
    return Table(
        key="ops",
        title="Every op, in C++",
        text="Google Benchmark, default parameters, one feature a spec: taking a bar and writing its cell is in each "
        "figure, and IDENT has hardly any other cost.",
        headings=("op", "batch, ns a bar", "push, ns a bar"),
        rows=[[op, times_of["batch"], times_of["step"]] for op, times_of in best.items()],
    )


def latency(native: Path, stored: Stored, *, passes: int) -> tuple[Table, list[Target]]:
    """One push after the other in C++."""
    found = json.loads(output_of(native / "sentio_bench_latency", stored.csv, passes, STATIONARY, LEVELS))
    points = ("p50", "p99", "p99.9", "max")
    rows: list[list[Cell]] = []
    targets: list[Target] = []
    for spec in found["specs"]:
        # The pass that the machine disturbed least, and all of them beside it.
        best = min(spec["warm"], key=lambda one: one["p99"])
        middle = {point: median(one[point] for one in spec["warm"]) for point in points}
        allocations = max(one["allocations"] for one in [*spec["warm"], spec["cold"]])
        rows.append([f"{spec['spec']}, best pass", *(best[point] for point in points), best["allocations"]])
        rows.append([f"{spec['spec']}, median of {passes} passes", *middle.values(), None])
        cold = spec["cold"]
        rows.append(
            [f"{spec['spec']}, cold: 4 MiB walked before each bar", *(cold[p] for p in points), cold["allocations"]]
        )
        name = f"push in C++, {spec['spec']}"
        targets += [
            Target(what=f"{name}, p50", limit=500.0, found=best["p50"], unit="ns"),
            Target(what=f"{name}, p99", limit=1500.0, found=best["p99"], unit="ns"),
            Target(what=f"{name}, allocations after construction", limit=0.0, found=allocations, unit="calls"),
        ]
    rows.append(["the clock alone", *(found["clock"][point] for point in points), None])
    table = Table(
        key="latency",
        title="One bar in C++",
        text=f"Nanoseconds, each of {found['bars']:,} pushes timed alone with `steady_clock`, from the first bar on; "
        "the clock's own time is inside the figures and not subtracted. Allocations are calls of `operator new` during "
        "all pushes of the row.",
        headings=("who", *points, "allocations"),
        rows=rows,
    )
    return table, targets


# Bindings. Each module is timed in a process of its own.

SPEC_TEXT = STATIONARY.read_text()
MODULES = ("bench_pybind11", "bench_nanobind", "sentio_features")


def fresh_builder(module: str, native: str) -> object:
    sys.path.insert(0, native)
    made = importlib.import_module(module)
    if module == "sentio_features":
        return FeatureBuilder(FeatureSpec.from_json(SPEC_TEXT))
    return made.FeatureBuilder(SPEC_TEXT)


def call(stored: Stored, native: str, module: str, method: str, count: int, runs: int) -> Ready:
    """`count` calls with push's arguments a run; the runs continue one stream of bars."""
    bars = stored.load()[: count * (runs + 1)]
    columns = [bars[name].tolist() for name in FIELDS]
    rows = list(zip(bars.ts.tolist(), *columns, strict=True))
    row = np.zeros(FeatureSpec.load(STATIONARY).width, dtype=np.float32)
    into = method == "push_into"
    if into:
        rows = [(*bar, row) for bar in rows]
    turns = iter([rows[k * count : (k + 1) * count] for k in range(runs + 1)])

    def checked(bound: Callable[..., object]) -> None:
        expected = FeatureBuilder(FeatureSpec.load(STATIONARY)).build(bars[:count])
        for arguments, want in zip(rows, expected, strict=False):
            found = bound(*arguments)
            if not np.array_equal(row if into else np.asarray(found), want):
                raise AnswerDiffersError("push yields other rows")

    if method != "nothing":
        checked(getattr(fresh_builder(module, native), method))
    bound = getattr(fresh_builder(module, native), method)

    def run() -> None:
        for arguments in next(turns):
            bound(*arguments)

    return Ready(run=run)


def import_seconds(module: str, native: Path) -> float:
    """In a fresh interpreter that has NumPy already, which all of them need."""
    code = (
        f"import sys, time, numpy; sys.path.insert(0, {str(native)!r}); began = time.perf_counter(); "
        f"import {module}; print(time.perf_counter() - began)"
    )
    return float(output_of(sys.executable, "-c", code))


def size_of(module: str, native: Path) -> int:
    code = f"import sys; sys.path.insert(0, {str(native)!r}); import {module}; print({module}.__file__)"
    return Path(output_of(sys.executable, "-c", code).strip()).stat().st_size


def bindings(native: Path, stored: Stored, *, count: int, rounds: int) -> Table:
    def contender(module: str, method: str) -> Contender:
        arguments = {"stored": stored, "native": str(native), "module": module, "method": method}
        arguments |= {"count": count, "runs": rounds + 1}
        return Contender(who=module, setup=f"{__name__}:call", arguments=arguments)

    imports: dict[str, list[float]] = {module: [] for module in MODULES}
    for _ in range(min(rounds, 10)):
        for module in MODULES:
            imports[module].append(import_seconds(module, native))
    empty, push, into = (
        {result.who: result for result in race([contender(module, method) for module in modules], rounds=rounds)}
        for method, modules in (("nothing", MODULES[:2]), ("push", MODULES), ("push_into", MODULES[:2]))
    )
    return Table(
        key="bindings",
        title="pybind11 and nanobind",
        text=f"The same core and the same functions bound twice, each built as its library's CMake function builds "
        "a module; below them the module that ships, which has more in it. The empty call takes push's arguments and "
        "does nothing; push makes a fresh array a bar, or fills the caller's row. Best of "
        f"{rounds} rounds; import in a fresh interpreter that has NumPy.",
        headings=("module", "empty call, ns", "push, ns a bar", "into one row, ns a bar", "import, ms", "size, kB"),
        rows=[
            [
                module,
                empty[module].best / count * 1e9 if module in empty else None,
                push[module].best / count * 1e9,
                into[module].best / count * 1e9 if module in into else None,
                min(imports[module]) * 1e3,
                size_of(module, native) / 1e3,
            ]
            for module in MODULES
        ],
    )


def measure(native: Path, stored: Stored, *, quick: bool) -> tuple[list[Table], list[Target]]:
    if not (native / "sentio_bench_ops").exists():
        text = f"Not built: {native} has no sentio_bench_ops; `make bench` builds it."
        return [Table(key="native", title="In C++", text=text, headings=(), rows=[])], []
    latencies, targets = latency(native, stored, passes=2 if quick else 5)
    bound = bindings(native, stored, count=2_000, rounds=3 if quick else 35)
    return [latencies, ops(native, quick=quick), bound], targets
