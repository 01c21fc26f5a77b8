"""Batches: each row once, the same whatever the threads and processes, from any batch on, and no thread left behind."""

import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_trainer.bars import Float64
from sentio_trainer.batches import Batch, Batches
from sentio_trainer.errors import DataError
from sentio_trainer.goal import Goal
from sentio_trainer.rows import RowSet

IDENTITY = Goal(objective="regression", weighting="none", mean_size=1.0, rise_share=0.5)


def usable_rows(n: int, *, seed: int = 1, share: float = 0.8, ranges: tuple[slice, ...] | None = None) -> RowSet:
    return RowSet(ranges=ranges or (slice(0, n),), usable=np.random.default_rng(seed).random(n) < share)


def batches_of(rows: RowSet, *, goal: Goal = IDENTITY, **given: int) -> Batches:
    """Row r of the matrix is (r, -r), and its label is r."""
    number = np.arange(len(rows.usable), dtype=np.float64)
    x = np.stack([number, -number], axis=1).astype(np.float32)
    chosen = {"batch_size": 64, "window": 1, "num_workers": 0, "prefetch_factor": 2, **given}
    return Batches(x, number, rows, goal, **chosen)


def taken(epoch: Iterator[Batch]) -> list[list[int]]:
    """The rows of each batch, read out of its targets."""
    return [batch.target.long().tolist() for batch in epoch]


def shuffled(batches: Batches, *, seed: int = 3, start: int = 0) -> list[list[int]]:
    return taken(batches.epoch(np.random.default_rng(seed), start=start))


def flat(batches: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


@st.composite
def row_sets(draw: st.DrawFn) -> RowSet:
    n = draw(st.integers(1, 3000))
    borders = sorted(draw(st.sets(st.integers(0, n), min_size=2, max_size=8)))
    ranges = tuple(slice(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False))
    return usable_rows(n, seed=draw(st.integers(0, 1000)), share=draw(st.sampled_from([0.01, 0.5, 1.0])), ranges=ranges)


@settings(max_examples=80, deadline=None)
@given(
    rows=row_sets(),
    batch_size=st.integers(1, 600),
    workers=st.integers(0, 3),
    ahead=st.integers(1, 3),
    seed=st.integers(0, 1000),
    place=st.floats(0, 1),
)
def test_an_epoch_holds_each_row_once_and_begins_at_any_batch(
    rows: RowSet, batch_size: int, workers: int, ahead: int, seed: int, place: float
) -> None:
    expected = rows.indices().tolist()
    if not expected:
        return
    batches = batches_of(rows, batch_size=batch_size, num_workers=workers, prefetch_factor=ahead)
    epoch = shuffled(batches, seed=seed)
    sizes = [len(batch) for batch in epoch]
    assert len(epoch) == len(batches) == -(-len(expected) // batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert sorted(flat(epoch)) == expected
    assert flat(taken(batches.epoch(None))) == expected
    start = round(place * len(batches))
    assert shuffled(batches, seed=seed, start=start) == epoch[start:]


@settings(max_examples=60, deadline=None)
@given(rows=row_sets(), batch_size=st.integers(2, 100), world=st.integers(2, 4), seed=st.integers(0, 1000))
def test_processes_share_the_batches_of_one_process(rows: RowSet, batch_size: int, world: int, seed: int) -> None:
    if rows.count() < world:
        return
    whole = shuffled(batches_of(rows, batch_size=batch_size * world), seed=seed)
    shares = [
        shuffled(batches_of(rows, batch_size=batch_size, rank=rank, world=world), seed=seed) for rank in range(world)
    ]
    assert {len(share) for share in shares} == {len(whole)}
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert flat(parts) == batch
        sizes = [len(part) for part in parts]
        assert 1 <= min(sizes) <= max(sizes) <= min(sizes) + 1
        assert max(sizes) <= batch_size


def test_with_one_row_a_batch_a_process_may_get_an_empty_share() -> None:
    rows = usable_rows(3, share=1.0)
    shares = [shuffled(batches_of(rows, batch_size=1, rank=rank, world=2)) for rank in (0, 1)]
    assert sorted(flat(shares[0] + shares[1])) == [0, 1, 2]
    assert [[len(batch) for batch in share] for share in shares] == [[0, 1], [1, 1]]


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(DataError, match=r"^4 processes need as many rows to learn from, found 3$"):
        batches_of(usable_rows(3, share=1.0), world=4)
    with pytest.raises(DataError, match=r"^1 processes need as many rows to learn from, found 0$"):
        batches_of(usable_rows(3, share=0.0))


def test_threads_change_speed_and_not_the_batches() -> None:
    rows = usable_rows(5000)
    assert shuffled(batches_of(rows, num_workers=0)) == shuffled(batches_of(rows, num_workers=3))


def test_an_epoch_has_other_neighbours_than_the_one_before() -> None:
    batches = batches_of(usable_rows(5000, share=1.0), batch_size=512)
    first, second = (flat(shuffled(batches, seed=seed)) for seed in (1, 2))
    borders = [{a for a, b in pairwise(epoch) if b != a + 1} for epoch in (first, second)]
    assert len(borders[0] & borders[1]) < 0.2 * len(borders[0])


def test_a_batch_mixes_days_that_lie_apart() -> None:
    first = np.array(shuffled(batches_of(usable_rows(50_000), batch_size=4096))[0])
    assert np.ptp(first) > 25_000
    assert np.count_nonzero(np.abs(np.diff(first)) <= 5) > 0.9 * len(first)  # yet it is made of contiguous blocks


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_come_with_the_window_that_ends_at_them_and_with_their_goal(workers: int) -> None:
    rows = usable_rows(900, ranges=(slice(20, 400), slice(700, 900)))
    goal = Goal(objective="direction", weighting="move", mean_size=300.0, rise_share=0.5)
    for window in (1, 5):
        for batch in batches_of(rows, goal=goal, window=window, num_workers=workers).epoch(np.random.default_rng(1)):
            assert batch.x.dtype == batch.target.dtype == batch.weight.dtype == torch.float32
            last = batch.x if window == 1 else batch.x[:, -1]
            assert batch.x.shape == (len(batch.target), *([] if window == 1 else [window]), 2)
            target, weight = goal(last[:, 0].double().numpy())
            np.testing.assert_array_equal(batch.target, target)
            np.testing.assert_array_equal(batch.weight, weight)
            if window > 1:
                np.testing.assert_array_equal(batch.x[:, :, 0], last[:, :1] + torch.arange(1 - window, 1))
                np.testing.assert_array_equal(batch.x[:, :, 1], -batch.x[:, :, 0])


def test_the_plan_of_an_epoch_is_small() -> None:
    n = 4_000_000
    x = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (n, 1), (0, 4))  # never read here
    labels = np.lib.stride_tricks.as_strided(np.zeros(1), (n,), (0,))
    rows = RowSet(ranges=(slice(0, n),), usable=np.ones(n, dtype=np.bool_))
    batches = Batches(x, labels, rows, IDENTITY, batch_size=8192, window=1, num_workers=0, prefetch_factor=1)
    tracemalloc.start()
    batches._plan(np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 50 MB at 10^8 rows; a chunk of row numbers, 0.5 MB each, is there at any length.
    assert peak < 2_000_000 + 2_000_000


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_threads_end_when_an_epoch_is_left_early() -> None:
    epoch = batches_of(usable_rows(5000), num_workers=3, prefetch_factor=4).epoch(np.random.default_rng(0))
    next(epoch)
    assert threads()
    epoch.close()
    assert not threads()


def test_threads_end_when_the_consumer_fails() -> None:
    def consume() -> None:
        for _ in batches_of(usable_rows(5000), num_workers=2).epoch(np.random.default_rng(0)):
            raise RuntimeError("a step failed")

    with pytest.raises(RuntimeError, match="a step failed"):
        consume()
    assert not threads()


class Failing:
    """A goal that fails at a row."""

    def __call__(self, learned: Float64) -> tuple[Float64, Float64]:
        if 2500.0 in learned:
            raise ZeroDivisionError("the goal failed")
        return learned, learned


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_thread_reaches_the_consumer(workers: int) -> None:
    rows = usable_rows(5000, share=1.0)
    batches = batches_of(rows, goal=Failing(), num_workers=workers)  # type: ignore[arg-type]
    seen: list[int] = []

    def consume() -> None:
        for batch in batches.epoch(None):
            seen.extend(batch.target.long().tolist())

    with pytest.raises(ZeroDivisionError, match="the goal failed"):
        consume()
    assert seen == list(range(len(seen)))  # what came before it arrived
    assert 2400 < len(seen) <= 2500
    assert not threads()


def test_a_row_without_a_whole_window_is_an_error_and_not_memory_of_others() -> None:
    with pytest.raises(ValueError, match=r"last_rows\[\d+\] must lie in \[4, 50\), found \d"):
        list(batches_of(usable_rows(50, share=1.0), window=5, num_workers=1).epoch(None))


INTERRUPTED = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from test_batches import Batches, batches_of, usable_rows

class Slow:
    def __call__(self, learned):
        time.sleep(0.02)
        return learned, learned

epoch = batches_of(usable_rows(500_000), goal=Slow(), num_workers=2, prefetch_factor=4).epoch(None)
try:
    for k, batch in enumerate(epoch):
        if k == 3:
            print("running", flush=True)
except KeyboardInterrupt:
    if sys.argv[2] == "close":
        epoch.close()
    else:
        raise
print("left:", [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")], flush=True)
"""


@pytest.mark.parametrize("way", ["close", "raise"])
def test_an_interrupt_ends_the_process_and_its_threads(way: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(Path(__file__).parent), way],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "running\n"
    child.send_signal(signal.SIGINT)
    said, errors = child.communicate(timeout=60)
    if way == "close":
        assert (child.returncode, said, errors) == (0, "left: []\n", "")
    else:
        assert child.returncode == -signal.SIGINT
        assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_backward_pass_through_a_batch_that_is_gone_fails() -> None:
    layer = torch.nn.Linear(2, 1)
    epoch = batches_of(usable_rows(1000)).epoch(np.random.default_rng(0))
    layer(next(epoch).x).sum().backward()  # in time
    loss = layer(next(epoch).x).sum()
    next(epoch)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_on_cuda_are_those_of_the_cpu(workers: int) -> None:
    rows = usable_rows(200_000)
    here, there = (
        Batches(
            np.random.default_rng(0).standard_normal((200_000, 3)).astype(np.float32),
            np.arange(200_000.0),
            rows,
            IDENTITY,
            batch_size=1000,
            window=4,
            num_workers=workers,
            prefetch_factor=2,
            device=torch.device(device),
        )
        for device in ("cpu", "cuda")
    )
    rows.usable[:3] = False
    busy = torch.randn(4000, 4000, device="cuda")
    copies = []
    for batch in there.epoch(np.random.default_rng(1)):
        busy = busy @ busy * 1e-3  # copies wait behind it
        copies.append(batch.x.clone())
    for batch, copy in zip(here.epoch(np.random.default_rng(1)), copies, strict=True):
        assert torch.equal(batch.x, copy.cpu())
