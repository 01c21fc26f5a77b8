"""The feature cache, the moments and the batches."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentio_features import FeatureBuilder, FeatureSpec
from training_support import FEATURE_SPEC, bars_of

from sentio_trainer import cache
from sentio_trainer.bars import bars_hash
from sentio_trainer.cache import feature_matrix

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
