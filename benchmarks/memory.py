"""How much memory of its own a process needs to build a matrix that is larger than that: bars come in chunks from
memory-mapped columns, rows go into a memory map. The process is fresh, so that nothing else is in its peak.

Run by itself, in the process that is measured: python -m benchmarks.memory FOLDER CHUNK
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sentio_features import Bars, FeatureBuilder, FeatureSpec

from benchmarks.bars import COLUMNS, PROJECT, STATIONARY, Stored
from benchmarks.tables import Table, Target

CHUNK = 65_536


def status() -> dict[str, int]:
    """Bytes of each kind of memory that this process has, as Linux counts them."""
    fields = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {field[0].rstrip(":"): int(field[1]) * 1024 for field in fields if field[-1] == "kB"}


def repeat_bars(stored: Stored, folder: Path, *, times: int) -> None:
    """`times` copies of the bars one after the other, as memory-mapped columns."""
    for name in COLUMNS:
        column = np.load(stored.column(name))
        shape = (len(column) * times,)
        longer = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=column.dtype, shape=shape)
        length = column[-1] - column[0] + column[1] - column[0]
        for k in range(times):
            part = longer[k * len(column) : (k + 1) * len(column)]
            part[:] = column + k * length if name == "ts" else column


def build_in_chunks(folder: Path, chunk: int) -> dict[str, float]:
    columns = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS]
    spec = FeatureSpec.load(STATIONARY)
    shape = (len(columns[0]), spec.width)
    out = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.float32, shape=shape)
    builder = FeatureBuilder(spec)
    before, own = status()["RssAnon"], 0
    began = time.perf_counter()
    for begin in range(0, len(out), chunk):
        rows = slice(begin, begin + chunk)
        bars = Bars(*(column[rows] for column in columns))
        builder.build(bars, out=out[rows])
        own = max(own, status()["RssAnon"])
    seconds = time.perf_counter() - began

    first = slice(0, min(20_000, len(out)))
    expected = FeatureBuilder(spec).build(Bars(*(column[first] for column in columns)))
    if not np.array_equal(out[first], expected):
        raise SystemExit("chunks and one run differ")
    peak = status()["VmHWM"]
    return {"rows": len(out), "seconds": seconds, "before": before, "own": own, "peak": peak, "matrix": out.nbytes}


def measure(stored: Stored, *, times: int) -> tuple[list[Table], list[Target]]:
    if not Path("/proc/self/status").exists():
        note = Table(key="memory", title="Memory", text="Not measured: only Linux tells.", headings=(), rows=[])
        return [note], [Target(what="own memory for 10^7 bars", limit=200.0, found=None, unit="MB")]
    folder = stored.folder / "memory"
    folder.mkdir()
    repeat_bars(stored, folder, times=times)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(folder), str(CHUNK)],
        cwd=PROJECT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout)
    for path in folder.iterdir():
        path.unlink()
    megabyte = 1e6
    table = Table(
        key="memory",
        title="Memory of one long build",
        text=f"{found['rows']:,} bars, 55 stationary features, in a fresh process: bars in chunks of {CHUNK:,} from "
        "memory-mapped columns, rows into a memory map. Own memory is what no file stands behind (RssAnon), the most "
        "that was seen after a chunk; the peak (VmHWM) counts the mapped pages too, which the system takes back when "
        "it wants them.",
        headings=("bars", "matrix MB", "own MB before", "own MB, largest", "peak with mapped pages MB", "ns a bar"),
        rows=[
            [
                found["rows"],
                found["matrix"] / megabyte,
                found["before"] / megabyte,
                found["own"] / megabyte,
                found["peak"] / megabyte,
                found["seconds"] / found["rows"] * 1e9,
            ]
        ],
    )
    what = f"own memory while {found['rows']:,} bars are built"
    return [table], [Target(what=what, limit=200.0, found=found["own"] / megabyte, unit="MB")]


if __name__ == "__main__":
    print(json.dumps(build_in_chunks(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201 - the answer to the parent
