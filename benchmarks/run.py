"""Times the CSV reader, the feature engine, training and inference beside others, and writes what it found.

Run by `make bench`. Absolute times depend on the machine; quote the ratios.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from rich.console import Console

from benchmarks import backtests, batch, csv_reading, inference, memory, native, report, streaming, symbols, training
from benchmarks.bars import PROJECT, make_bars
from benchmarks.tables import Table, Target

Section = Callable[[], tuple[list[Table], list[Target]]]
LIBRARIES = (
    "numpy",
    "torch",
    "onnxruntime",
    "TA-Lib",
    "pandas",
    "polars",
    "pyarrow",
    "duckdb",
    "vectorbt",
    "backtesting",
    "backtrader",
    "wickra",
    "talipp",
    "pybind11",
    "nanobind",
)


def version_of(library: str) -> str:
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return f"{library} not installed"


def processor() -> str:
    """The kind of processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def provenance(command: str, compiler: str) -> dict[str, str]:
    described = subprocess.run(
        ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": described.stdout.strip() or "unknown",
        "machine": f"{platform.system()}, {platform.machine()}, {processor()}, {os.cpu_count()} cores",
        "command": command,
        "built with": compiler,
        "Python": platform.python_version(),
        "libraries": ", ".join(version_of(library) for library in LIBRARIES),
    }


def compiler_of(folder: Path) -> str:
    """What CMake found when it configured `folder`'s build."""
    for described in sorted(folder.parents[1].glob("CMakeFiles/*/CMakeCXXCompiler.cmake")):
        words = dict(
            line[4:-1].split(" ", 1)
            for line in described.read_text().splitlines()
            if line.startswith("set(CMAKE_CXX_COMPILER_")
        )
        return " ".join(words.get(f"CMAKE_CXX_COMPILER_{key}", "").strip('"') for key in ("ID", "VERSION"))
    return "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few bars and rounds: does it run, not how fast is it")
    parser.add_argument(
        "--native", type=Path, default=PROJECT / "build-bench" / "benchmarks" / "cpp", help="what CMake built"
    )
    parser.add_argument("--out", type=Path, default=PROJECT / "benchmarks", help="folder of results.json, .md and .svg")
    parser.add_argument("--only", action="append", help="a section; may be given several times")
    given = parser.parse_args()
    quick: bool = given.quick
    rounds = 3 if quick else 7
    # 2,600 sessions are a million minutes.
    days = 130 if quick else 2_600
    console = Console()

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        console.print(f"making {days:,} sessions of bars", style="dim")
        stored = make_bars(Path(folder), days=days)
        sections: dict[str, Section] = {
            "batch": lambda: batch.measure(stored, rounds=rounds),
            "streaming": lambda: streaming.measure(stored, size=1_000 if quick else 4_000),
            "csv": lambda: csv_reading.measure(stored, rounds=rounds),
            "symbols": lambda: (symbols.measure(stored, rounds=rounds), []),
            "native": lambda: native.measure(given.native, stored, quick=quick),
            "backtests": lambda: backtests.measure(given.native, stored, rounds=rounds, quick=quick),
            "memory": lambda: memory.measure(stored, times=2 if quick else 10),
            "inference": lambda: inference.measure(given.native, stored, rounds=rounds, quick=quick),
            "training": lambda: training.measure(stored, rounds=rounds, quick=quick),
        }
        unknown = set(given.only or ()) - set(sections)
        if unknown:
            parser.error(f"--only must be one of {', '.join(sections)}, found {', '.join(sorted(unknown))}")
        tables: list[Table] = []
        targets: list[Target] = []
        for name, section in sections.items():
            if given.only and name not in given.only:
                continue
            found, aimed = section()
            for table in found:
                console.print(report.as_rich(table))
            tables += found
            targets += aimed

    command = "make bench" if not quick and not given.only else "python -m benchmarks.run, in part"
    results = {
        "made": provenance(command, compiler_of(given.native)),
        "rounds": rounds,
        "seconds": round(time.monotonic() - began),
        "targets": [asdict(target) for target in targets],
        "tables": [asdict(table) for table in tables],
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    report.write(given.out)
    console.print(f"{given.out / 'results.md'}, after {results['seconds']} s")


if __name__ == "__main__":
    main()
