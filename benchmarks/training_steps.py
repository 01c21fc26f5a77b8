"""The contenders of training.py, each called in a process of its own: training steps, fed in different ways."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.bars import Float32, Float64, Stored
from benchmarks.timing import AnswerDiffersError, Ready
from sentio_trainer.allocator import keep_freed_memory
from sentio_trainer.batches import CPU, Batches
from sentio_trainer.distributed import Group
from sentio_trainer.goal import Goal
from sentio_trainer.models import Normalised, build_model
from sentio_trainer.moments import training_moments
from sentio_trainer.optimisation import Optimisation
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import ModelConfig, TrainingConfig

Samples = tuple[Tensor, Tensor, Tensor]  # features, targets, weights
MLP = ModelConfig(kind="mlp", hidden=128, layers=2)
TRANSFORMER = ModelConfig(kind="transformer", hidden=96, layers=2, sequence_length=32)
WINDOW = TRANSFORMER.window
ROWS_FOR_MOMENTS = 100_000


def opened(stored: Stored, samples: int | None) -> tuple[Float32, Float64, Goal]:
    x = np.load(stored.folder / "x.npy", mmap_mode="r")[:samples]
    label = np.load(stored.folder / "label.npy")[:samples]
    moved = label[label != 0.0]
    rise_share = float(np.mean(moved > 0.0))
    size = float(np.abs(label).mean())
    return x, label, Goal(objective="direction", weighting="move", mean_size=size, rise_share=rise_share)


def all_rows(n: int, *, window: int = 1) -> RowSet:
    return RowSet(ranges=(slice(window - 1, n),), usable=np.ones(n, dtype=np.bool_))


def make_step(
    model: ModelConfig, x: Float32, device: torch.device = CPU, *, precision: str = "fp32", compiled: bool = False
) -> Callable[[Samples], None]:
    """What the trainer's loop does with a batch."""
    torch.manual_seed(0)
    names = [str(i) for i in range(x.shape[1])]
    moments = training_moments(x, all_rows(min(len(x), ROWS_FOR_MOMENTS)), names=names)
    network = Normalised(build_model(model, inputs=x.shape[1]), moments, clip=model.clip).to(device).train()
    config = TrainingConfig.model_validate({"precision": precision, "compile": "on" if compiled else "off"})
    optimisation = Optimisation(network, "direction", config, Group(device=device))

    def step(samples: Samples) -> None:
        optimisation.add(*samples)
        optimisation.step(config.lr)

    return step


def fingerprint(samples: Iterable[Samples]) -> tuple[int, int]:
    """Number of samples, and a checksum of them that does not depend on their order."""
    odd = np.random.default_rng(0).integers(1, 2**63, 512, dtype=np.uint64) | np.uint64(1)
    count, total = 0, 0
    for batch in samples:
        cells = np.concatenate([each.numpy().reshape(len(each), -1) for each in batch], axis=1)
        hashes = cells.view(np.uint32).astype(np.uint64) @ odd[: cells.shape[1]]
        hashes ^= hashes >> np.uint64(29)
        total += int((hashes * hashes).sum())
        count += len(cells)
    return count, total % 2**64


def expected(x: Float32, label: Float64, goal: Goal) -> Iterator[Samples]:
    for begin in range(0, len(x), 65_536):
        rows = slice(begin, begin + 65_536)
        target, weight = goal(label[rows])
        yield torch.from_numpy(np.array(x[rows])), torch.from_numpy(target), torch.from_numpy(weight)


def trained_on(
    epochs: Callable[[], Iterable[Samples]], x: Float32, label: Float64, goal: Goal, note: str = ""
) -> Ready:
    """One pass a run, after the samples of one pass were compared."""
    if fingerprint(epochs()) != fingerprint(expected(x, label, goal)):
        raise AnswerDiffersError("other samples than the data set's")
    step = make_step(MLP, x)

    def run() -> None:
        for samples in epochs():
            step(samples)

    return Ready(run=run, note=note)


def our_batches(
    stored: Stored, *, batch: int, samples: int | None, workers: int, window: int = 1, **given: Any
) -> Batches:
    x, label, goal = opened(stored, samples)
    rows = all_rows(len(x), window=window)
    return Batches(
        x, label, rows, goal, batch_size=batch, window=window, num_workers=workers, prefetch_factor=4, **given
    )


def passes(batches: Batches) -> Callable[[], Iterator[Samples]]:
    """An epoch a call, each in another order."""
    seeds = iter(range(1_000_000))

    def epoch() -> Iterator[Samples]:
        with closing(batches.epoch(np.random.default_rng(next(seeds)))) as each:
            for batch in each:
                yield batch.x, batch.target, batch.weight

    return epoch


# The set-ups of the contenders.


def bound(stored: Stored, batch: int) -> Ready:
    keep_freed_memory()
    batches = our_batches(stored, batch=batch, samples=None, workers=0)
    with closing(batches.epoch(np.random.default_rng(0))) as epoch:
        first = next(epoch)
    samples = (first.x, first.target, first.weight)
    x = opened(stored, None)[0]
    step = make_step(MLP, x)

    def run() -> None:
        for _ in range(len(batches)):
            step(samples)

    return Ready(run=run)


def ours(stored: Stored, batch: int, workers: int, samples: int | None = None, neighbour: bool = False) -> Ready:
    keep_freed_memory()
    epoch = passes(our_batches(stored, batch=batch, samples=samples, workers=workers))
    ready = trained_on(epoch, *opened(stored, samples))
    return beside_a_neighbour(ready) if neighbour else ready


# It ends by itself if nobody ends it.
NEIGHBOUR = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: sum(range(100_000))"


def beside_a_neighbour(ready: Ready) -> Ready:
    """The same while another process computes without a pause."""

    def run() -> None:
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", NEIGHBOUR]) as other:
            try:
                ready.run()
            finally:
                other.kill()

    return Ready(run=run, note=ready.note)


class Blocks(Dataset[Samples]):
    """Contiguous blocks, each a batch."""

    def __init__(self, x: Float32, target: Float32, weight: Float32, batch: int) -> None:
        self.arrays, self.batch = (x, target, weight), batch

    def __len__(self) -> int:
        return -(-len(self.arrays[0]) // self.batch)

    def __getitem__(self, k: int) -> Samples:
        rows = slice(k * self.batch, (k + 1) * self.batch)
        features, target, weight = (torch.from_numpy(np.array(each[rows])) for each in self.arrays)
        return features, target, weight


class SingleRows(Dataset[Any]):
    """A row at a time, which the DataLoader puts together."""

    def __init__(self, x: Float32, target: Float32, weight: Float32) -> None:
        self.arrays = (x, target, weight)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, row: int) -> tuple[npt.NDArray[np.float32] | np.float32, ...]:
        return tuple(np.array(each[row]) for each in self.arrays)


# Its workers stay, and each keeps as many batches ready as ours.
LOADING: dict[str, Any] = {"num_workers": 2, "prefetch_factor": 4, "persistent_workers": True}


def blocks(stored: Stored, batch: int) -> Ready:
    keep_freed_memory()
    x, label, goal = opened(stored, None)
    loader = DataLoader(Blocks(x, *goal(label), batch), batch_size=None, shuffle=True, **LOADING)
    return trained_on(lambda: loader, x, label, goal, "a batch is one block: days are not mixed")


def row_by_row(stored: Stored, batch: int, samples: int) -> Ready:
    keep_freed_memory()
    x, label, goal = opened(stored, samples)
    loader = DataLoader(SingleRows(x, *goal(label)), batch_size=batch, shuffle=True, **LOADING)
    return trained_on(lambda: loader, x, label, goal)


def transformer_step(stored: Stored, batch: int, steps: int, keep: bool = True) -> Ready:
    if keep:
        keep_freed_memory()
    batches = our_batches(stored, batch=batch, samples=None, workers=0, window=WINDOW)
    with closing(batches.epoch(np.random.default_rng(0))) as epoch:
        first = next(epoch)
    x = opened(stored, None)[0]
    step = make_step(TRANSFORMER, x)

    def run() -> None:
        for _ in range(steps):
            step((first.x, first.target, first.weight))

    return Ready(run=run)


def transformer_gather(stored: Stored, batch: int, steps: int) -> Ready:
    keep_freed_memory()
    x, label, goal = opened(stored, None)
    batches = our_batches(stored, batch=batch, samples=None, workers=0, window=WINDOW)
    with closing(batches.epoch(None)) as epoch:
        stop = WINDOW - 1
        for each in islice(epoch, 3):
            rows = np.arange(stop, stop + len(each.x))
            stop += len(rows)
            windows = x[rows[:, None] + np.arange(1 - WINDOW, 1)]
            if not np.array_equal(each.x, windows) or not np.array_equal(each.target, goal(label[rows])[0]):
                raise AnswerDiffersError("other windows than NumPy's")
    endless = (each for seed in cycle(range(1_000)) for each in batches.epoch(np.random.default_rng(seed)))
    return Ready(run=lambda: [None for _ in islice(endless, steps)])


def cuda(stored: Stored, rounds: int, quick: bool, out: Path) -> Ready:
    """Everything is measured in the set-up: a row for each model, batch, precision and way to run it."""
    if not torch.cuda.is_available():
        return Ready(run=lambda: None, note="Not measured: there is no CUDA device here.")
    x = opened(stored, None)[0]
    rows = []
    for model, batch, precision, compiled in product(
        (MLP, TRANSFORMER), (8192, 65_536), ("fp32", "bf16"), (False, True)
    ):
        step = make_step(model, x, torch.device("cuda"), precision=precision, compiled=compiled)
        seconds, waiting = _on_cuda(stored, step, batch, model.window, steps=5 if quick else 20 * rounds)
        rows.append([model.kind, batch, precision, "yes" if compiled else "no", batch / seconds, waiting])
    out.write_text(json.dumps(rows))
    device = torch.cuda.get_device_name()
    return Ready(
        run=lambda: None,
        note=f"{device}; 2 workers, batches through pinned memory. Waiting for data is the share by which a step on "
        "one batch, which never waits, is shorter.",
    )


def _on_cuda(
    stored: Stored, step: Callable[[Samples], None], batch: int, window: int, *, steps: int
) -> tuple[float, float]:
    """Seconds a step, and the share of it that waits for data."""
    batches = our_batches(stored, batch=batch, samples=None, workers=2, window=window, device=torch.device("cuda"))
    endless = (each for seed in cycle(range(1_000)) for each in batches.epoch(np.random.default_rng(seed)))
    fed = ((each.x, each.target, each.weight) for each in endless)
    first: Samples = next(fed)
    same = cycle([first])

    def timed(samples: Iterator[Samples]) -> float:
        for each in islice(samples, 5):
            step(each)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for each in islice(samples, steps):
            step(each)
        torch.cuda.synchronize()
        return (time.perf_counter() - began) / steps

    seconds, alone = timed(fed), timed(same)
    return seconds, max(0.0, 1.0 - alone / seconds)
