"""Logits and probabilities of features in Python: without a copy, without the GIL, and never of a NaN."""

import _thread
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import sentio_features
from numpy.lib.stride_tricks import as_strided
from sentio_features import FeatureBuilder, FeatureSpec
from sentio_inference import Artifact, backtest
from training_support import make_project

from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

Array = npt.NDArray[np.float32]

WINDOW = 12
SEQUENCE_MODEL = {"model__kind": "transformer", "model__sequence_length": WINDOW, "model__heads": 2}
# More than what is converted at once: 32,768 rows.
MANY = 70_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose bars are bars.csv."""
    return tmp_path_factory.mktemp("predict") / "project"


@pytest.fixture(scope="module")
def flat(folder: Path, one_thread: None) -> Artifact:
    project = make_project(folder)
    train(project.load(training__epochs=1), overwrite=False, report=Silence())
    return Artifact.load(project.artifact)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Artifact:
    project = make_project(tmp_path_factory.mktemp("sequence") / "project", days=3)
    train(project.load(training__epochs=1, **SEQUENCE_MODEL), overwrite=False, report=Silence())
    return Artifact.load(project.artifact)


@pytest.fixture(scope="module")
def rows(folder: Path, flat: Artifact) -> Array:
    """Features of bars, shape [n, F]."""
    bars = sentio_features.read_csv(folder / "bars.csv")
    return FeatureBuilder(FeatureSpec.from_json(flat.spec_json)).build(bars)[flat.warmup :]


def windows_of(rows: Array) -> Array:
    """Each row with those before it, shape [n - T + 1, T, F], without a copy."""
    (n, width), (row_bytes, cell_bytes) = rows.shape, rows.strides
    return as_strided(rows, (n - WINDOW + 1, WINDOW, width), (row_bytes, row_bytes, cell_bytes), writeable=False)


def test_probabilities_are_those_that_trading_decides_by(folder: Path, flat: Artifact, rows: Array) -> None:
    probability = flat.predict(rows)
    assert (probability.dtype, probability.shape) == (np.float64, (len(rows),))
    bars = sentio_features.read_csv(folder / "bars.csv")
    traded = backtest(bars, "tfa", artifact=flat, begin=flat.warmup)["series"]["probability"]
    np.testing.assert_array_equal(probability, traded)


def test_probabilities_are_the_logits_through_a_sigmoid(flat: Artifact, rows: Array) -> None:
    logits = flat.logits(rows)
    assert logits.dtype == np.float32
    expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(flat.predict(rows), expected, rtol=1e-15)  # 2.5 ulp of ours, 2 of NumPy's


def test_rows_that_lie_apart_give_the_logits_of_rows_in_one_piece(flat: Artifact, rows: Array, tmp_path: Path) -> None:
    expected = flat.logits(rows)
    wide = np.full((2 * len(rows), rows.shape[1] + 3), np.nan, np.float32)
    wide[::2, 2:-1] = rows  # what lies between them is not looked at
    np.save(tmp_path / "x.npy", rows)
    on_disk = np.load(tmp_path / "x.npy", mmap_mode="r")
    unaligned = np.frombuffer(b"x" + rows.tobytes(), np.uint8)[1:].view(np.float32).reshape(rows.shape)
    for x in (
        wide[::2, 2:-1],
        on_disk,
        unaligned,
        rows.astype(np.float64),
        np.asfortranarray(rows),
        rows.astype(">f4"),
    ):
        np.testing.assert_array_equal(flat.logits(x), expected)
    np.testing.assert_array_equal(flat.logits(rows[::-1]), flat.logits(rows[::-1].copy()))
    np.testing.assert_array_equal(flat.logits(rows[:5].tolist()), flat.logits(rows[:5]))
    repeated = np.broadcast_to(rows[0], (100, rows.shape[1]))
    np.testing.assert_array_equal(flat.logits(repeated), flat.logits(repeated.copy()))


def test_overlapping_windows_give_the_logits_of_windows_in_one_piece(sequence: Artifact, rows: Array) -> None:
    windows = windows_of(rows[:1500])
    expected = sequence.logits(windows.copy())
    for x in (windows, windows.astype(np.float64), windows.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
        np.testing.assert_array_equal(sequence.logits(x), expected)
    np.testing.assert_array_equal(sequence.logits(windows[::3]), sequence.logits(windows[::3].copy()))


def high_water(reset: bool) -> int:
    """The most memory that this process held since the last reset, in bytes, files and what C++ holds included."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def test_float32_is_not_copied_and_other_numbers_only_in_parts(flat: Artifact, rows: Array) -> None:
    n, width = 2_000_000, rows.shape[1]
    lone = np.broadcast_to(rows[0], (n, width))  # 64 MB of cells in 32 bytes
    doubles = np.broadcast_to(rows[0].astype(np.float64), (n, width))
    part = 32_768 * 4 * width
    flat.logits(lone[:MANY])
    for x, copied in ((lone, 0), (doubles, part)):
        before = high_water(reset=True)
        tracemalloc.start()
        assert flat.logits(x).nbytes == 4 * n
        _, peak = tracemalloc.get_traced_memory()  # what NumPy allocated
        tracemalloc.stop()
        assert copied <= peak - 4 * n < copied + part // 2
        assert high_water(reset=False) - before < 4 * n + 8_000_000  # and C++: a pass of the network


def test_other_threads_run_meanwhile(sequence: Artifact, rows: Array) -> None:
    """A thread of Python goes on while another one is in a call, within a single part of its windows."""
    x = windows_of(rows[: 32_768 // WINDOW])
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(1e-4)

    clock = threading.Thread(target=tick)
    clock.start()
    begin = time.perf_counter()
    for _ in range(3):
        sequence.predict(x)
    end = time.perf_counter()
    done.set()
    clock.join()
    within = [t for t in ticks if begin < t < end]
    assert len(within) > 10, f"{len(within)} ticks in {end - begin} s"


def test_an_interrupt_ends_a_long_call(flat: Artifact, rows: Array) -> None:
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        flat.predict(np.broadcast_to(rows[0], (20_000_000, rows.shape[1])))
    timer.join()


def test_threads_share_an_artifact(flat: Artifact, sequence: Artifact, rows: Array) -> None:
    for artifact, x in ((flat, rows), (sequence, windows_of(rows[:1500]))):
        expected = artifact.logits(x)
        with ThreadPoolExecutor(4) as pool:
            for logits in pool.map(artifact.logits, [x] * 4):
                np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("row", [0, 7, MANY - 1])
def test_what_is_not_finite_is_refused_by_row_and_column(flat: Artifact, value: float, row: int) -> None:
    x = np.zeros((MANY, len(flat.feature_names)))
    x[row, 3] = value
    x[row + 1 :, :] = np.nan  # the first is named
    message = rf"x\[{row}, 3\], the feature 'ret_60', must be finite in float32, found -?(nan|inf)"
    with np.errstate(over="ignore"):
        kinds = [x.astype(np.float32), np.repeat(x.astype(np.float32), 2, axis=1)[:, ::2]]
    for each in (*kinds, x):
        with pytest.raises(ValueError, match=message), np.errstate(over="ignore"):
            flat.predict(each)


def test_a_window_with_a_nan_is_named(sequence: Artifact, rows: Array) -> None:
    bad = rows[:100].copy()
    bad[50, 2] = np.nan
    first = 50 - WINDOW + 1
    for x in (windows_of(bad), windows_of(bad).copy(), windows_of(bad)[::1]):
        with pytest.raises(ValueError, match=rf"x\[{first}, {WINDOW - 1}, 2\], the feature 'ret_20', must be finite"):
            sequence.logits(x)
    apart = windows_of(bad)[::WINDOW]
    with pytest.raises(ValueError, match=rf"x\[{50 // WINDOW}, {50 % WINDOW}, 2\], the feature 'ret_20'"):
        sequence.logits(apart)
    bad = rows[:100].copy()
    bad[4, 1] = np.inf
    with pytest.raises(ValueError, match=r"x\[0, 4, 1\], the feature 'ret_5', must be finite in float32, found inf"):
        sequence.predict(windows_of(bad))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros(8, np.float32), ValueError, r"x must have the shape \[n, 8\], found \(8,\)"),
        (np.zeros((3, 7), np.float32), ValueError, r"x must have the shape \[n, 8\], found \(3, 7\)"),
        (np.zeros((3, 2, 8), np.float32), ValueError, r"x must have the shape \[n, 8\], found \(3, 2, 8\)"),
        (np.zeros((3, 8), complex), TypeError, "x must be an array of real numbers, found complex128"),
        (np.zeros((3, 8), bool), TypeError, "x must be an array of real numbers, found bool"),
        ([["a"] * 8], TypeError, "x must be an array of real numbers, found <U1"),
    ],
)
def test_other_shapes_and_kinds_are_refused(flat: Artifact, x: npt.ArrayLike, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        flat.predict(x)


def test_windows_of_another_length_are_refused(sequence: Artifact) -> None:
    with pytest.raises(ValueError, match=r"x must have the shape \[n, 12, 8\], found \(3, 11, 8\)"):
        sequence.predict(np.zeros((3, 11, 8), np.float32))


def test_no_rows_give_no_probabilities(flat: Artifact, sequence: Artifact) -> None:
    assert flat.predict(np.zeros((0, 8), np.float32)).shape == (0,)
    assert sequence.predict(np.zeros((0, WINDOW, 8))).shape == (0,)
