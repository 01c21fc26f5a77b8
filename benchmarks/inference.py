"""Trained networks in several runtimes: whether they agree, and how long each takes. One thread each."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bars import PROJECT, Stored
from benchmarks.inference_networks import FEATURES, NETWORKS, Network, Prepared
from benchmarks.inference_programs import decision, kernels, sizes, start_up
from benchmarks.inference_runtimes import TOLERANCE, Agreement, Running, Runtime, Timed, compare, take_turns
from benchmarks.tables import Cell, Table, Target
from benchmarks.timing import ratios

NATIVE, FROM_PYTHON = "Sentio, native", "Sentio, native, called from Python"
COMPILED, ONNX = "AOTInductor", "ONNX Runtime, called from Python"


def runtimes(native: Path, network: Network, made: Prepared) -> list[Runtime]:
    shape = [FEATURES] if network.window == 1 else [FEATURES, network.window]
    ours, libtorch = native / "sentio_bench_inference", native / "sentio_bench_libtorch"
    python = [sys.executable, "-m", "benchmarks.inference_peers"]
    archive = made.artifact / "model.pt"
    one, many = made.compiled("one"), made.compiled("many")
    weights = [made.artifact / "model.json", made.artifact / "weights.bin"]
    return [
        Runtime(who=NATIVE, command=[ours, "native", made.artifact, made.plain_rows], files=weights, rival=NATIVE),
        Runtime(
            who="Sentio, TorchScript",
            command=[ours, "torch", made.artifact, made.plain_rows],
            files=[archive],
            rival=NATIVE,
            note="the torch backend: plain graphs",
        ),
        Runtime(
            who="TorchScript",
            command=[libtorch, "frozen", archive, made.plain_rows, *shape],
            files=[archive],
            rival=NATIVE,
            note="optimize_for_inference",
        ),
        Runtime(
            who=COMPILED,
            command=[libtorch, "aotinductor", f"{one},{many}", made.plain_rows, *shape],
            files=[one],
            rival=NATIVE,
            note="batch 1 compiled apart",
        ),
        Runtime(
            who=FROM_PYTHON,
            command=[*python, "sentio", made.artifact, made.rows],
            files=weights,
            rival=FROM_PYTHON,
        ),
        Runtime(
            who=ONNX,
            command=[*python, "onnxruntime", made.onnx, made.rows],
            files=[made.onnx],
            rival=FROM_PYTHON,
            note="the file of `sentio export`",
        ),
        Runtime(
            who="PyTorch, eager",
            command=[*python, "eager", made.artifact, made.rows],
            files=[archive],
            rival=FROM_PYTHON,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a race of one network came to."""

    network: Network
    rows: int
    runtimes: Sequence[Runtime]
    agreed: Mapping[str, Agreement]
    refused: Mapping[str, str]
    timed: Mapping[int, Mapping[str, Timed]]
    """By batch, and by who took part."""

    def microseconds(self, who: str, batch: int) -> float | None:
        """Of a row, in the best round."""
        timed = self.timed[batch].get(who)
        return timed.result.best * 1e6 if timed else None

    def slowest_block(self, who: str) -> float | None:
        """Microseconds of a row, where there is more than one at once."""
        found = [self.microseconds(who, batch) for batch in self.network.batches[1:]]
        return max((each for each in found if each is not None), default=None)

    def lead(self, peer: str, ours: str) -> float | None:
        """How often the peer's time for a single row holds ours."""
        timed = self.timed[1]
        return ratios(timed[peer].result, timed[ours].result)[0] if {peer, ours} <= timed.keys() else None


def race(native: Path, network: Network, made: Prepared, *, rounds: int, seconds: float) -> Found:
    reference = np.load(made.reference)
    chosen = runtimes(native, network, made)
    with ExitStack() as stack:
        running = [stack.enter_context(Running(runtime)) for runtime in chosen]
        agreed, refused = compare(running, reference)
        able = [each for each in running if each.runtime.who in agreed]
        timed = {batch: take_turns(able, batch, rounds=rounds, seconds=seconds) for batch in network.batches}
    return Found(network=network, rows=len(reference), runtimes=chosen, agreed=agreed, refused=refused, timed=timed)


def agreement_table(name: str, found: Found) -> Table:
    last = found.network.batches[-1]
    rows: list[list[Cell]] = []
    for runtime in found.runtimes:
        who = runtime.who
        agreed = found.agreed.get(who)
        distances: list[Cell] = [None] * 4
        if agreed:
            distances = [agreed.ulp_median, agreed.ulp_largest, agreed.error / 1e-6, agreed.same_bits]
        times = [found.microseconds(who, batch) for batch in (1, last)]
        rows.append([who, *distances, runtime.kilobytes, *times, found.refused.get(who, "")])
    return Table(
        key=f"agreement_{name}",
        title=f"Runtimes of one network: {found.network.title}",
        text=f"{found.rows:,} rows, compared with torch in float64 on the same float32 weights; what is off by more "
        f"than {TOLERANCE:g} of the scale, max(1, |logit|), is not timed. ulp: units of the last place of a float32 "
        "logit; the largest is of a logit near zero. Same bits: rows whose logit in a batch of all is that of the row "
        "alone. Size: of the files that the runtime reads. One thread each, in C++ unless the row says otherwise.",
        headings=(
            "runtime",
            "ulp, median",
            "ulp, largest",
            "largest error, 1e-6 of the scale",
            "same bits",
            "size, kB",
            "batch 1, µs a row",
            f"{last} at once, µs a row",
            "note",
        ),
        rows=rows,
    )


def race_table(name: str, found: Found, *, seconds: float) -> Table:
    rows: list[list[Cell]] = []
    for batch in found.network.batches:
        timed = found.timed[batch]
        for runtime in found.runtimes:
            if runtime.who not in timed:
                continue
            own, rival = timed[runtime.who], timed.get(runtime.rival)
            best, middle = ratios(own.result, rival.result) if rival else (None, None)
            times = [each * 1e6 for each in (own.result.best, own.result.median, own.p99)]
            rows.append([runtime.who, batch, *times, best, middle, runtime.note])
    return Table(
        key=f"inference_{name}",
        title=f"Time of one network: {found.network.title}",
        text="Each pass is timed alone: the p50 of the best round, the median of the rounds' p50, and the p99 of the "
        f"best round, divided by the rows of a pass. Rounds of {seconds:g} s, in turns. What is called from Python is "
        "compared with ours called from Python, the others with ours in C++.",
        headings=("who", "rows at once", "µs a row", "median", "p99", "time / Sentio's", "median", "note"),
        rows=rows,
    )


def targets_of(name: str, found: Found) -> list[Target]:
    ours = found.agreed.get(NATIVE)
    what = f"native {found.network.title.split(':')[0].split()[0]}"
    targets = [
        Target(what=f"{what}, error", limit=2.0, found=ours.error * 1e6 if ours else None, unit="1e-6 of the scale"),
        Target(
            what=f"{what}, same bits alone and in a batch",
            limit=found.rows,
            found=ours.same_bits if ours else None,
            unit="rows",
            at_least=True,
        ),
    ]
    limit = {"mlp": 2.5, "transformer": 200.0}[name]
    targets.append(
        Target(what=f"{what}, batch 1, p50", limit=limit, found=found.microseconds(NATIVE, 1), unit="µs a row")
    )
    if name == "mlp":
        slowest = found.slowest_block(NATIVE)
        targets.append(Target(what=f"{what}, the slowest of the blocks", limit=1.2, found=slowest, unit="µs a row"))
    else:
        for peer, rival in ((COMPILED, NATIVE), (ONNX, FROM_PYTHON)):
            who, lead = peer.split(",")[0], found.lead(peer, rival)
            targets.append(Target(what=f"{what}, beside {who}", limit=1.0, found=lead, unit="×", at_least=True))
    return targets


def prepare(folder: Path) -> dict[str, Prepared]:
    """Trains and compiles all networks, each in a process of its own."""
    made = {name: Prepared(folder / name) for name in NETWORKS}
    processes = []
    for name, each in made.items():
        each.folder.mkdir(parents=True)
        command = [sys.executable, "-m", "benchmarks.inference_models", name, str(each.folder)]
        processes.append(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL))
    for name, process in zip(made, processes, strict=True):
        if process.wait():
            raise RuntimeError(f"the {name} could not be prepared; its message is above")
    return made


def measure(native: Path, stored: Stored, *, rounds: int, quick: bool) -> tuple[list[Table], list[Target]]:
    if not (native / "sentio_bench_inference").exists():
        text = f"Not built: {native} has no sentio_bench_inference; `make bench` builds it."
        return [Table(key="inference", title="Inference", text=text, headings=(), rows=[])], []
    seconds = 0.01 if quick else 0.03
    tables: list[Table] = []
    targets: list[Target] = []
    made = prepare(stored.folder / "inference")
    for name, network in NETWORKS.items():
        found = race(native, network, made[name], rounds=rounds, seconds=seconds)
        tables += [agreement_table(name, found), race_table(name, found, seconds=seconds)]
        targets += targets_of(name, found)
    for table, aimed in (
        decision(native, made["mlp"], stored, passes=1 if quick else 5),
        start_up(made["mlp"], runs=3 if quick else 31),
    ):
        tables.append(table)
        targets += aimed
    return [*tables, sizes(), kernels(native, quick=quick)], targets
