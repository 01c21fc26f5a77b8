"""What a user waits for: from a bar to a decision, and from a command to its answer; and what our programs weigh."""

import json
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.bars import PROJECT, Stored
from benchmarks.inference_networks import Prepared
from benchmarks.native import google_benchmark, output_of
from benchmarks.tables import Cell, Table, Target

TORCH = "sentio_cli inspect --backend torch"
FEWER = 6
REAL_BARS = PROJECT.parent / "shared" / "data" / "SPY_1m.csv.gz"


def decision(native: Path, made: Prepared, stored: Stored, *, passes: int) -> tuple[Table, list[Target]]:
    """Bar in, decision out, in C++."""
    recorded = REAL_BARS.exists()
    csv = REAL_BARS if recorded else stored.csv
    points = ("p50", "p99", "p99.9", "max")
    rows: list[list[Cell]] = []
    targets: list[Target] = []
    bars = 0
    clock: dict[str, int] | None = None
    for backend, count in (("native", passes), ("torch", 1)):
        found = json.loads(output_of(native / "sentio_bench_decision", backend, made.artifact, csv, count))
        if "refused" in found:
            rows.append([backend, None, None, None, None, None, found["refused"]])
            continue
        bars, clock = found["bars"], found["clock"]
        best = min(found["passes"], key=lambda one: one["p50"])
        rows.append([f"{backend}, best of {count}", *(best[point] / 1e3 for point in points), best["allocations"], ""])
        if backend == "native":
            targets += [
                Target(what="bar in, decision out, p50", limit=5.0, found=best["p50"] / 1e3, unit="µs"),
                Target(what="bar in, decision out, p99", limit=20.0, found=best["p99"] / 1e3, unit="µs"),
                Target(what="bar in, decision out, allocations", limit=0.0, found=best["allocations"], unit="calls"),
            ]
    if clock is not None:
        rows.append(["the clock alone", *(clock[point] / 1e3 for point in points), None, ""])
    which = "the recorded minutes of SPY" if recorded else "generated minutes"
    table = Table(
        key="decision",
        title="Bar in, decision out, in C++",
        text=f"Microseconds. `TFAStrategy::on_bar` on {which}: 55 features, the MLP and the decision rule, each of "
        f"{bars:,} bars timed alone with `steady_clock`, from the second one that has a logit on; the clock's own time "
        "is inside the figures and not subtracted. Allocations are calls of `operator new` during all of them.",
        headings=("backend", *points, "allocations", "note"),
        rows=rows,
    )
    return table, targets


def start_up(made: Prepared, *, runs: int) -> tuple[Table, list[Target]]:
    """Wall milliseconds of whole processes, in turns."""
    program = shutil.which("sentio_cli", path=str(Path(sys.executable).parent))
    commands: dict[str, list[str]] = {
        "sentio_cli --version": ["--version"],
        "sentio_cli inspect": ["inspect", str(made.artifact)],
        TORCH: ["inspect", str(made.artifact), "--backend", "torch"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    refused: dict[str, str] = {}
    for turn in range(runs):
        for name, words in commands.items():
            # Loading LibTorch takes so long that few runs must do.
            if program is None or name in refused or (name == TORCH and turn % FEWER):
                continue
            began = time.perf_counter()
            done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
            if done.returncode:
                refused[name] = done.stderr.strip().splitlines()[0] if done.stderr.strip() else "failed"
            else:
                times[name].append(seconds * 1e3)
    rows: list[list[Cell]] = [
        [name, min(each), median(each), max(each), ""] if each else [name, None, None, None, refused.get(name, "none")]
        for name, each in times.items()
    ]
    found = times["sentio_cli inspect"]
    table = Table(
        key="start_up",
        title="Start-up",
        text=f"Milliseconds from the start of a process to its end, {runs} runs in turns, {-(-runs // FEWER)} of them "
        "with LibTorch; `inspect` loads the MLP's artifact and verifies all of it.",
        headings=("command", "best", "median", "max", "note"),
        rows=rows,
    )
    what = "sentio_cli inspect, median"
    return table, [Target(what=what, limit=30.0, found=median(found) if found else None, unit="ms")]


def sizes() -> Table:
    """Of the programs beside this interpreter."""
    program = shutil.which("sentio_cli", path=str(Path(sys.executable).parent))
    packages = {name: find_spec(name) for name in ("sentio_features", "sentio_inference", "torch")}
    files: dict[str, Path | None] = {"sentio_cli": Path(program) if program else None}
    for name in ("sentio_features", "sentio_inference"):
        spec = packages[name]
        files[f"the Python module {name}"] = Path(spec.origin) if spec and spec.origin else None
    module = files["the Python module sentio_inference"]
    files["libsentio_torch.so, loaded when a run needs it"] = module.with_name("libsentio_torch.so") if module else None
    torch = packages["torch"]
    files["LibTorch's own, which that needs"] = Path(torch.origin).parent / "lib" if torch and torch.origin else None
    rows: list[list[Cell]] = [
        [name, sum(file.stat().st_size for file in files_of(path)) / 1e6 if path and path.exists() else None]
        for name, path in files.items()
    ]
    return Table(key="sizes", title="Size", text="As they are installed.", headings=("what", "MB"), rows=rows)


def files_of(path: Path) -> list[Path]:
    return [file for file in path.iterdir() if ".so" in file.name] if path.is_dir() else [path]


def kernels(native: Path, *, quick: bool) -> Table:
    """The evaluator's arithmetic by Google Benchmark."""
    seconds, times = (0.002, 1) if quick else (0.02, 3)
    best: dict[str, dict[str, float]] = {}
    sets: list[str] = []
    for run in google_benchmark(native / "sentio_bench_kernels", seconds=seconds, times=times):
        kind, what = run["run_name"].split("/", 1)
        sets += [kind] if kind not in sets else []
        each = best.setdefault(what, {})
        each[kind] = min(run["cpu_time"], each.get(kind, run["cpu_time"]))
    return Table(
        key="kernels",
        title="The evaluator's arithmetic, by set of kernels",
        text="Google Benchmark, nanoseconds of the processor: rows behind the stroke. All sets give the same bits.",
        headings=("what", *(f"{kind}, ns" for kind in sets)),
        rows=[[what, *(times_of.get(kind) for kind in sets)] for what, times_of in best.items()],
    )
