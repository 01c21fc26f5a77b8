"""The feature cache, the moments and the batches."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentio_features import FeatureBuilder, FeatureSpec
from training_support import FEATURE_SPEC, bars_of

from sentio_trainer import cache
from sentio_trainer.bars import bars_hash
from sentio_trainer.cache import feature_matrix
from sentio_trainer.dataset import BlockBatches, Rows, training_moments
from sentio_trainer.errors import DataError
from sentio_trainer.splits import Part

SPEC = FeatureSpec.from_json(json.dumps(FEATURE_SPEC))
BARS = bars_of(100.0 * np.exp(0.001 * np.cumsum(np.random.default_rng(1).standard_normal(500))))


def matrix(folder: Path, said: list[str]) -> np.ndarray:
    return feature_matrix(BARS, SPEC, bars_hash=bars_hash(BARS), cache_dir=folder, say=said.append)


def entry_of(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.is_dir())


def test_a_matrix_is_built_once_and_then_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CHUNK_ROWS", 64)  # several chunks
    said: list[str] = []
    first, second = matrix(tmp_path, said), matrix(tmp_path, said)
    assert [line.split(" the cache")[0] for line in said] == ["8 features built into", "8 features from"]
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(second, FeatureBuilder(SPEC).build(BARS))
    assert [path.name for path in tmp_path.iterdir()] == [entry_of(tmp_path).name]


def test_other_bars_have_another_entry(tmp_path: Path) -> None:
    said: list[str] = []
    matrix(tmp_path, said)
    shorter = BARS[:400]
    found = feature_matrix(shorter, SPEC, bars_hash=bars_hash(shorter), cache_dir=tmp_path, say=said.append)
    assert found.shape == (400, 8)
    assert len(list(tmp_path.iterdir())) == 2


def flip_a_byte(entry: Path) -> None:
    data = bytearray((entry / "X.npy").read_bytes())
    data[-100] ^= 1
    (entry / "X.npy").write_bytes(data)


def truncate(entry: Path) -> None:
    data = (entry / "X.npy").read_bytes()
    (entry / "X.npy").write_bytes(data[:-100])


def lose_the_entry(entry: Path) -> None:
    (entry / "entry.json").unlink()


def empty_the_entry(entry: Path) -> None:
    (entry / "entry.json").write_text("")


def lose_the_matrix(entry: Path) -> None:
    (entry / "X.npy").unlink()


def reshape(entry: Path) -> None:
    np.save(entry / "X.npy", np.zeros((500, 7), dtype=np.float32))


@pytest.mark.parametrize(
    "damage",
    [flip_a_byte, truncate, lose_the_entry, empty_the_entry, lose_the_matrix, reshape],
    ids=lambda f: f.__name__,
)
def test_a_damaged_entry_is_built_again_and_said_so(tmp_path: Path, damage: object) -> None:
    said: list[str] = []
    expected = np.array(matrix(tmp_path, said))
    assert callable(damage)
    damage(entry_of(tmp_path))
    np.testing.assert_array_equal(matrix(tmp_path, said), expected)
    assert "is damaged" in said[1]
    assert "built again" in said[2]
    matrix(tmp_path, said)
    assert "from the cache" in said[3]


BUILD_IN_A_PROCESS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_dataset
from sentio_trainer import cache
build = cache._build
cache._build = lambda *arguments: (build(*arguments), time.sleep(2))  # slow, so that the others come meanwhile
said = []
test_dataset.matrix(Path(sys.argv[2]), said)
print(said[-1])
"""


def test_processes_that_want_one_matrix_build_it_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_IN_A_PROCESS, str(Path(__file__).parent), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = sorted(process.communicate()[0].split(" the cache")[0] for process in processes)
    assert said == ["8 features built into", "8 features from", "8 features from"]


def test_what_a_killed_build_left_is_not_used(tmp_path: Path) -> None:
    said: list[str] = []
    expected = np.array(matrix(tmp_path, said))
    entry = entry_of(tmp_path)
    partial = entry.with_name(f"{entry.name}.partial")
    entry.rename(partial)  # all but the last step of a build
    flip_a_byte(partial)
    np.testing.assert_array_equal(matrix(tmp_path, said), expected)
    assert not partial.exists()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_moments_are_those_of_the_usable_training_rows(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, chunk = data.draw(st.integers(4, 300)), data.draw(st.integers(1, 50))
    x = (rng.standard_normal((n, 3)) * [1.0, 1e-4, 1e3] + [0.0, 5.0, -1e4]).astype(np.float32)
    usable = rng.random(n) < 0.7
    part = Part(begin=n // 4, stop=n - n // 4)
    usable[part.begin] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentio_trainer.dataset.CHUNK_ROWS", chunk)
        found = training_moments(x, usable=usable, part=part, names=["a", "b", "c"])
    rows = x[part.rows][usable[part.rows]].astype(np.float64)
    expected = rows.std(axis=0)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, np.where(expected > 1e-12, expected, 1.0), rtol=1e-9)


def test_a_constant_column_has_std_1() -> None:
    x = np.full((100, 2), 0.1, dtype=np.float32)
    x[:, 1] = np.arange(100)
    found = training_moments(x, usable=np.ones(100, dtype=bool), part=Part(begin=0, stop=100), names=["a", "b"])
    assert found.std[0] == 1.0
    assert found.mean[0] == np.float64(np.float32(0.1))


def test_rows_outside_training_do_not_move_the_moments() -> None:
    x = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    usable, part = np.arange(100) % 3 != 0, Part(begin=10, stop=60)
    before = training_moments(x, usable=usable, part=part, names=["a", "b"])
    x[60:], x[:10], x[::3] = 1e9, -1e9, np.inf
    after = training_moments(x, usable=usable, part=part, names=["a", "b"])
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.std, after.std)


def test_a_feature_that_is_not_finite_is_named() -> None:
    x = np.ones((10, 2), dtype=np.float32)
    x[5, 1] = np.nan
    with pytest.raises(DataError, match=r"^feature b \(column 1\) is not finite in the training rows$"):
        training_moments(x, usable=np.ones(10, dtype=bool), part=Part(begin=0, stop=10), names=["a", "b"])


def rows_of(n: int, seed: int) -> Rows:
    number = np.arange(n, dtype=np.float32)
    usable = np.random.default_rng(seed).random(n) < 0.8
    return Rows(x=number[:, None], target=number, weight=number, usable=usable)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3000),
    batch_size=st.integers(1, 600),
    workers=st.integers(0, 3),
    ahead=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_an_epoch_holds_every_usable_row_once_in_batches_of_at_most_the_size(
    n: int, batch_size: int, workers: int, ahead: int, seed: int
) -> None:
    rows = rows_of(n, seed)
    part = Part(begin=n // 5, stop=n)
    rows.usable[part.begin] = True
    batches = BlockBatches(rows, part, batch_size=batch_size, num_workers=workers, prefetch_factor=ahead)
    epoch = list(batches.epoch(np.random.default_rng(seed)))
    assert len(epoch) <= len(batches)
    assert all(1 <= len(batch.target) <= batch_size for batch in epoch)
    for batch in epoch:
        np.testing.assert_array_equal(batch.x[:, 0], batch.target)
        np.testing.assert_array_equal(batch.weight, batch.target)
    taken = np.concatenate([batch.target for batch in epoch])
    np.testing.assert_array_equal(np.sort(taken), part.begin + np.flatnonzero(rows.usable[part.rows]))
    in_order = np.concatenate([batch.target for batch in batches.epoch(None)])
    np.testing.assert_array_equal(in_order, np.sort(taken))


def test_threads_change_speed_and_not_the_batches() -> None:
    def epoch(workers: int) -> list[np.ndarray]:
        batches = BlockBatches(
            rows_of(5000, 1), Part(begin=0, stop=5000), batch_size=300, num_workers=workers, prefetch_factor=2
        )
        return [batch.target for batch in batches.epoch(np.random.default_rng(9))]

    for one, other in zip(epoch(0), epoch(3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_batch_mixes_days_that_lie_apart() -> None:
    batches = BlockBatches(
        rows_of(50_000, 1), Part(begin=0, stop=50_000), batch_size=4096, num_workers=0, prefetch_factor=1
    )
    first = next(iter(batches.epoch(np.random.default_rng(0)))).target
    assert np.ptp(first) > 25_000
    assert np.count_nonzero(np.diff(first) <= 2) > 0.9 * len(first)  # yet it is made of contiguous blocks


def test_threads_end_when_an_epoch_is_left_early() -> None:
    import threading

    batches = BlockBatches(rows_of(5000, 1), Part(begin=0, stop=5000), batch_size=64, num_workers=3, prefetch_factor=4)
    epoch = batches.epoch(np.random.default_rng(0))
    next(epoch)
    epoch.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
