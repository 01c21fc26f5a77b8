"""How fast a model learns: what loading costs beside the arithmetic, other loaders, threads on a busy machine, CUDA.

The contenders are in training_steps.py: this module is imported before a contender's environment is set, and imports no
torch, which reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sentio_features import FeatureBuilder, FeatureSpec

from benchmarks.bars import STATIONARY, Stored
from benchmarks.tables import Cell, Table, Target
from benchmarks.timing import Contender, Result, race, ratios

PASSIVE = {"OMP_WAIT_POLICY": "passive"}
ACTIVE = {"OMP_WAIT_POLICY": "active"}
HEADINGS = ("who", "samples a second", "median", "of the bound", "median", "cores", "note")


def store_samples(stored: Stored) -> int:
    """The 55 features and a label of each row beside the bars; the number of rows, all of them usable."""
    bars = stored.load()
    spec = FeatureSpec.load(STATIONARY)
    x = np.lib.format.open_memmap(stored.folder / "x.npy", mode="w+", dtype=np.float32, shape=(len(bars), spec.width))
    FeatureBuilder(spec).build(bars, out=x)
    x.flush()
    label = np.zeros(len(bars))
    label[:-1] = np.diff(np.log(bars.close))
    np.save(stored.folder / "label.npy", label)
    return len(bars)


def contender(
    who: str, setup: str, stored: Stored, environment: Mapping[str, str] = PASSIVE, **arguments: Any
) -> Contender:
    return Contender(
        who=who,
        setup=f"benchmarks.training_steps:{setup}",
        arguments={"stored": stored, **arguments},
        environment=environment,
        has_children=True,
    )


def per_sample(result: Result, samples: int) -> Result:
    """Seconds a sample instead of seconds a run."""
    return replace(result, seconds=tuple(each / samples for each in result.seconds))


def share_of(bound: Result, result: Result) -> float | None:
    """How many samples it learns from while the bound learns from one."""
    return ratios(bound, result)[0] if bound.seconds and result.seconds else None


def rows_of(results: list[Result], bound: Result) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for each in results:
        if not each.seconds:
            rows.append([each.who, None, None, None, None, None, each.note])
            continue
        best, middle = ratios(bound, each)
        rows.append([each.who, 1 / each.best, 1 / each.median, best, middle, each.cores, each.note])
    return rows


def loaders(stored: Stored, samples: int, *, rounds: int, quick: bool) -> tuple[Table, list[Target]]:
    """A pass over all rows, by each loader."""
    batch = 1024 if quick else 8192
    few = min(samples, 8 * batch)
    chosen: list[tuple[str, str, dict[str, Any], int]] = [
        ("bound: one batch again and again", "bound", {}, samples),
        ("Sentio, 2 workers", "ours", {"workers": 2}, samples),
        ("Sentio, no workers", "ours", {"workers": 0}, samples),
        ("DataLoader, blocks, 2 workers", "blocks", {}, samples),
        ("DataLoader, row by row, 2 workers", "row_by_row", {"samples": few}, few),
    ]
    raced = race(
        [contender(who, setup, stored, batch=batch, **given) for who, setup, given, _ in chosen], rounds=rounds
    )
    results = [per_sample(result, count) for result, (*_, count) in zip(raced, chosen, strict=True)]
    bound, ours, inline, blocks, row_by_row = results
    table = Table(
        key="training",
        title="Training an MLP 55-128-128-1",
        text=f"{samples:,} rows in a memory map, batches of {batch:,}, AdamW; one pass a run, {few:,} rows where they "
        "are read one by one. Before they are timed, all loaders are asked for a pass whose rows, targets and weights "
        "are compared by a checksum. The bound is the same step on one batch, without loading.",
        headings=HEADINGS,
        rows=rows_of(results, bound),
    )

    def beside(other: Result) -> float | None:
        return share_of(other, ours)

    return table, [
        Target(what="MLP, of the bound", limit=0.97, found=share_of(bound, ours), unit="", at_least=True),
        Target(what="MLP, no workers, of the bound", limit=0.97, found=share_of(bound, inline), unit="", at_least=True),
        Target(what="MLP, beside a DataLoader of blocks", limit=1.4, found=beside(blocks), unit="×", at_least=True),
        Target(what="MLP, beside a DataLoader of rows", limit=7.0, found=beside(row_by_row), unit="×", at_least=True),
    ]


def transformer(stored: Stored, *, rounds: int, quick: bool) -> tuple[Table, list[Target]]:
    """A step on windows, what gathering them takes of it, and what keeping freed memory saves."""
    batch, steps = (64, 2) if quick else (1024, 4)
    given: dict[str, Any] = {"batch": batch, "steps": steps}
    results = [
        per_sample(each, batch * steps)
        for each in race(
            [
                contender("a step on one batch", "transformer_step", stored, **given),
                contender("gathering a batch", "transformer_gather", stored, **given),
                contender("a step, freed memory given back", "transformer_step", stored, keep=False, **given),
            ],
            rounds=rounds,
        )
    ]
    step, gathering, given_back = results
    table = Table(
        key="training_transformer",
        title="Training a transformer: 32 rows of 55 features, width 96, 2 layers",
        text=f"Batches of {batch:,} windows, gathered into memory that is used again, without workers. The trainer "
        "keeps the memory that a step frees; glibc alone gives it back, and takes it again page by page.",
        headings=("what", "µs a window", "median", "of a step"),
        rows=[[each.who, each.best * 1e6, each.median * 1e6, each.best / step.best] for each in results],
    )
    return table, [
        Target(what="transformer, gathering", limit=0.05, found=gathering.best / step.best, unit="of a step"),
        Target(
            what="transformer, freed memory kept",
            limit=1.1,
            found=given_back.best / step.best,
            unit="× without",
            at_least=True,
        ),
    ]


def busy(stored: Stored, samples: int, *, rounds: int, quick: bool) -> tuple[Table, list[Target]]:
    """Training while another process keeps one core busy."""
    batch, batches = (1024, 8) if quick else (8192, 24)
    count = min(samples, batch * batches)
    given: dict[str, Any] = {"batch": batch, "workers": 2, "samples": count}
    results = [
        per_sample(each, count)
        for each in race(
            [
                contender("alone, threads wait passively", "ours", stored, **given),
                contender("alone, threads wait actively", "ours", stored, ACTIVE, **given),
                contender("a core taken, threads wait passively", "ours", stored, neighbour=True, **given),
                contender("a core taken, threads wait actively", "ours", stored, ACTIVE, neighbour=True, **given),
            ],
            rounds=rounds,
        )
    ]
    table = Table(
        key="training_busy",
        title="The same beside a process that keeps a core busy",
        text="OMP_WAIT_POLICY decides whether a thread that waits for the others gives its core away. The trainer asks "
        "for passive ones.",
        headings=("who", "samples a second", "median", "of alone and passive", "median", "cores", "note"),
        rows=rows_of(results, results[0]),
    )
    share = share_of(results[0], results[2])
    # One core of two is left, or half of each.
    return table, [Target(what="MLP, a core taken", limit=0.4, found=share, unit="of alone", at_least=True)]


def cuda(stored: Stored, *, rounds: int, quick: bool) -> Table:
    """Samples a second and the share of time that waits for data, on an accelerator."""
    found = stored.folder / "cuda.json"
    [told] = race([contender("CUDA", "cuda", stored, rounds=rounds, quick=quick, out=found)], rounds=1)
    return Table(
        key="training_cuda",
        title="Training on CUDA",
        text=told.note,
        headings=("model", "batch", "precision", "compiled", "samples a second", "waiting for data"),
        rows=json.loads(found.read_text()) if found.exists() else [],
    )


def measure(stored: Stored, *, rounds: int, quick: bool) -> tuple[list[Table], list[Target]]:
    samples = store_samples(stored)
    speed, targets = loaders(stored, samples, rounds=rounds, quick=quick)
    windows, more = transformer(stored, rounds=rounds, quick=quick)
    beside, most = busy(stored, samples, rounds=min(rounds, 3), quick=quick)
    return [speed, windows, beside, cuda(stored, rounds=rounds, quick=quick)], [*targets, *more, *most]
