"""Data sets: the bars and features of several symbols, kept on disk and found again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from market_bars import SPEC_55, bits, market, real_bars
from sentio_features import Bars, FeatureBuilder, FeatureSpec, read_csv
from training_support import FEATURE_SPEC, write_bars

from sentio_trainer import cache, data_set, sources
from sentio_trainer.data_set import DataSet, check_cached, median_interval_ns, open_data_set
from sentio_trainer.errors import DataError

SPEC = FeatureSpec.from_json(json.dumps(FEATURE_SPEC))
NAMES = ("open", "high", "low", "close", "volume")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces of 700 bars."""
    monkeypatch.setattr(data_set, "CHUNK_ROWS", 256)
    monkeypatch.setattr(cache, "_PIECE_BYTES", 2048)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two symbols and their bars."""
    return {name: write_bars(tmp_path / f"{name}.csv", market(seed, 700)) for seed, name in enumerate("AB")}


def opened(files: dict[str, Path], said: list[str] | None = None, **how: Any) -> DataSet:
    folder = next(iter(files.values())).parent / "cache"
    say = (said if said is not None else []).append
    return open_data_set(
        files, how.pop("spec", SPEC), on_bad_bar=how.pop("on_bad_bar", "refuse"), cache_dir=folder, say=say
    )


def entries(files: dict[str, Path]) -> list[Path]:
    return [path for path in (next(iter(files.values())).parent / "cache").iterdir() if path.name != "hashes"]


# --- what is in it ---


def test_rows_are_the_bars_and_features_of_one_symbol_after_another(files: dict[str, Path]) -> None:
    data = opened(files)
    assert [(each.symbol, each.rows, each.interval_s) for each in data.series] == [
        ("A", slice(0, 700), 60.0),
        ("B", slice(700, 1400), 60.0),
    ]
    for each in data.series:
        bars = read_csv(each.path)
        np.testing.assert_array_equal(data.time_ns[each.rows], bars.ts)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(data, name)[each.rows], bars[name])  # type: ignore[call-overload]
        np.testing.assert_array_equal(bits(data.x[each.rows]), bits(FeatureBuilder(SPEC).build(bars)))
        np.testing.assert_array_equal(data.bars(each.rows).close, bars.close)
    for column in (data.time_ns, data.open, data.x):
        assert isinstance(column, np.memmap)
        assert not column.flags.writeable


def test_recorded_bars_have_the_features_of_the_whole_file(tmp_path: Path) -> None:
    bars = real_bars("QQQ_1m.csv.gz")
    spec = FeatureSpec.load(SPEC_55)
    data = opened({"QQQ": write_bars(tmp_path / "bars.csv", bars)}, spec=spec)
    np.testing.assert_array_equal(bits(data.x), bits(FeatureBuilder(spec).build(bars)))


def test_parquet_gives_the_rows_of_csv(files: dict[str, Path], tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    bars = market(0, 700)
    table = pa.table({"date": bars.ts.astype("datetime64[ns]"), **{name: bars[name] for name in NAMES}})  # type: ignore[call-overload]
    parquet.write_table(table, tmp_path / "a.parquet")
    first, second = opened({"A": files["A"]}), opened({"A": tmp_path / "a.parquet"})
    np.testing.assert_array_equal(bits(first.x), bits(second.x))
    np.testing.assert_array_equal(first.time_ns, second.time_ns)


def test_bad_bars_are_refused_or_left_out_and_told(files: dict[str, Path]) -> None:
    lines = files["A"].read_text().splitlines()
    lines[400] = lines[400].rpartition(",")[0] + ",-1"
    files["A"].write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"A\.csv:401:\d+: volume -1 is below 0$"):
        opened(files)
    for _ in range(2):  # built, and found
        data = opened(files, on_bad_bar="skip")
        assert len(data) == 1399
        ((kind),) = data.series[0].skipped
        assert (kind["kind"], kind["count"]) == ("volume is not valid", 1)
        assert str(kind["first"]).startswith(f"{files['A']}:401:")


def test_bars_marked_as_generated_are_known_as_such(files: dict[str, Path]) -> None:
    assert opened(files).synthetic is None
    files["B"].with_name("B.csv.synthetic.json").write_text('{"generator": "by hand"}')
    data = opened(files)
    assert [each.synthetic for each in data.series] == [None, {"generator": "by hand"}]
    assert data.synthetic == {"generator": "by hand"}


def test_rows_across_symbols_are_no_bars(files: dict[str, Path]) -> None:
    data = opened(files)
    assert len(data.bars(slice(700, 700))) == 0
    with pytest.raises(ValueError, match=r"^rows must lie within one series, found 699 to 701$"):
        data.bars(slice(699, 701))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (None, r"C\.csv: no such bars file; give your own as data\.bars_csv or data\.files, or make a synthetic one"),
        (["ts,open,high,low,close,volume"], r"C\.csv: has no valid bars"),
        (["ts,open,high,low,close,volume", "60,1,1,1,1,1"], r"C\.csv: too few bars: at least 2 are needed, found 1"),
        (
            ["ts,open,high,low,close,volume", "0,1,1,1,1,1", "300,1,1,1,1,1", "600,1,1,1,1,1"],
            r"C\.csv: bars of 300 s, but those of A are of 60 s; one model learns from bars of one interval",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    files: dict[str, Path], tmp_path: Path, lines: list[str] | None, complaint: str
) -> None:
    files["C"] = tmp_path / "C.csv"
    if lines is not None:
        files["C"].write_text("\n".join(lines))
    with pytest.raises(DataError, match=complaint):
        opened(files)
    assert not (tmp_path / "cache").exists() or entries(files) == []


def test_equal_bars_under_two_names_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    files["C"] = tmp_path / "C.csv"
    files["C"].write_bytes(files["A"].read_bytes())
    message = r"C\.csv: the bars of C are those of A, byte for byte$"
    with pytest.raises(DataError, match=message):
        opened(files)
    with pytest.raises(DataError, match=message):
        check_cached(files, SPEC, on_bad_bar="refuse", cache_dir=tmp_path / "cache", say=lambda _: None)


@given(
    gaps=arrays.arrays(np.int64, st.integers(1, 40), elements=st.sampled_from([1, 60, 2**20, 2**33, 2**50])),
    chunk=st.integers(1, 50),
)
def test_the_interval_is_the_median_that_bars_have(gaps: np.ndarray, chunk: int) -> None:
    ts = np.cumsum(np.concatenate([[-(2**60)], gaps]))
    one = np.ones(len(ts))
    assert median_interval_ns(ts, chunk=chunk) / 1e9 == Bars(ts, one, one, one, one, one).interval_s


# --- what is found again ---


def test_a_data_set_is_built_once_and_found_by_content(files: dict[str, Path]) -> None:
    said: list[str] = []
    first = opened(files, said)
    assert [line.split(" the cache")[0] for line in said] == [
        f"A: reading {files['A']}",
        f"B: reading {files['B']}",
        "8 features built into",
    ]
    said.clear()
    os.utime(files["A"])  # touched
    files["B"].write_bytes(files["B"].read_bytes())  # written again
    again = opened(files, said)
    assert [line.split(" the cache")[0] for line in said] == ["8 features from"]
    assert (again.folder, again.content_hash) == (first.folder, first.content_hash)
    assert entries(files) == [first.folder]

    files["B"].write_text(files["B"].read_text().replace("\n", "\r\n"))
    changed = opened(files, said)
    assert said[-1].startswith("8 features built into")
    assert changed.content_hash != first.content_hash
    np.testing.assert_array_equal(bits(changed.x), bits(first.x))


def test_what_its_content_depends_on_has_another_data_set(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = [opened(files).content_hash, opened({"A": files["A"]}).content_hash]
    hashes.append(opened({"A": files["B"], "B": files["A"]}).content_hash)
    hashes.append(opened({"A": files["A"], "C": files["B"]}).content_hash)
    hashes.append(opened(files, on_bad_bar="skip").content_hash)
    hashes.append(opened(files, spec=FeatureSpec.load(SPEC_55)).content_hash)
    monkeypatch.setattr(data_set, "ENGINE_VERSION", "another")
    hashes.append(opened(files).content_hash)
    assert len(set(hashes)) == len(hashes) == len(entries(files))


def test_a_file_that_is_as_it_was_is_not_read_again(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_SETTLED_NS", 0)  # the files were written just now
    time.sleep(0.05)  # yet not in this tick of the clock
    first = opened(files)
    monkeypatch.setattr(sources, "sha256_file", None)  # to be called is an error
    assert opened(files).content_hash == first.content_hash
    stat = files["A"].stat()
    text = files["A"].read_text()
    files["A"].write_text(text.replace("0", "1", 1))
    os.utime(files["A"], ns=(stat.st_atime_ns, stat.st_mtime_ns))  # of one size, and back in time
    with pytest.raises(TypeError):
        opened(files)


def test_a_file_that_was_written_just_now_is_not_trusted_to_stay(files: dict[str, Path]) -> None:
    opened(files)
    assert not (files["A"].parent / "cache" / "hashes").exists()


def test_a_file_that_changes_while_it_is_read_is_refused(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    iter_bars = data_set.iter_bars

    def slow(path: Path, **how: Any) -> object:
        with path.open("a") as file:
            file.write("\n")
        return iter_bars(path, **how)

    monkeypatch.setattr(data_set, "iter_bars", slow)
    with pytest.raises(DataError, match=r"A\.csv: changed while it was read; start again when it is complete"):
        opened(files)
    assert entries(files) == []


# --- what is damaged ---


def flip_a_byte(entry: Path) -> None:
    data = bytearray((entry / "X.npy").read_bytes())
    data[-100] ^= 1
    (entry / "X.npy").write_bytes(data)


def cut_off(entry: Path) -> None:
    os.truncate(entry / "close.npy", 1000)


def lose_the_entry(entry: Path) -> None:
    (entry / "entry.json").unlink()


def empty_the_entry(entry: Path) -> None:
    (entry / "entry.json").write_text("")


def empty_the_checksums(entry: Path) -> None:
    document = json.loads((entry / "entry.json").read_text())
    (entry / "entry.json").write_text(json.dumps({**document, "crc32": {}}))


def lose_a_column(entry: Path) -> None:
    (entry / "X.npy").unlink()


def reshape(entry: Path) -> None:
    x = np.load(entry / "X.npy")
    np.save(entry / "X.npy", x.reshape(2 * len(x), -1))


@pytest.mark.parametrize(
    "damage",
    [flip_a_byte, cut_off, lose_the_entry, empty_the_entry, empty_the_checksums, lose_a_column, reshape],
    ids=lambda f: f.__name__,
)
def test_a_damaged_entry_is_built_again_and_said_so(files: dict[str, Path], damage: Callable[[Path], None]) -> None:
    said: list[str] = []
    expected = np.array(opened(files).x)
    damage(*entries(files))
    np.testing.assert_array_equal(bits(opened(files, said).x), bits(expected))
    assert "is damaged (" in said[0]
    assert said[0].endswith("; it is built again")
    assert "built again" in said[-1]
    opened(files, said)
    assert "from the cache" in said[-1]


def test_damage_anywhere_is_found_when_the_sources_are_checked(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_RANDOM_PIECES", 0)
    folder = opened(files).folder
    path = folder / "high.npy"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    said: list[str] = []
    opened(files, said)
    assert "from the cache" in said[-1]  # neither the first piece nor the last
    how: dict[str, Any] = {"on_bad_bar": "refuse", "cache_dir": folder.parent, "say": said.append}
    check_cached(files, SPEC, **how)
    assert "is damaged (high.npy has a wrong checksum in rows from 512); it is removed" in said[-1]
    assert not folder.exists()
    opened(files)
    count = len(said)
    check_cached(files, SPEC, **how)
    assert len(said) == count


def test_random_pieces_find_what_the_first_and_the_last_do_not(files: dict[str, Path]) -> None:
    folder = opened(files).folder
    path = folder / "high.npy"
    path.write_bytes(path.read_bytes()[:2500] + bytes(6000) + path.read_bytes()[8500:])
    said: list[str] = []
    for _ in range(200):
        opened(files, said)
        if "built again" in said[-1]:
            return
    pytest.fail("not found in 200 openings")


def test_what_a_killed_build_left_is_not_used(files: dict[str, Path]) -> None:
    expected = opened(files)
    partial = expected.folder.with_name(f"{expected.folder.name}.partial")
    expected.folder.rename(partial)  # all but the last step of a build
    flip_a_byte(partial)
    np.testing.assert_array_equal(bits(opened(files).x[:700]), bits(FeatureBuilder(SPEC).build(market(0, 700))))
    assert not partial.exists()


BUILD_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_data_set
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    test_data_set.opened({"A": Path(sys.argv[2])})
except OSError as error:
    print(error.strerror)
"""


def in_a_process(program: str, *arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, str(Path(__file__).parent), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_full_disk_is_an_error_and_leaves_nothing(files: dict[str, Path]) -> None:
    assert in_a_process(BUILD_ON_A_FULL_DISK, files["A"]).communicate()[0] == "File too large\n"
    assert entries(files) == []


BUILD_SLOWLY = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_data_set
from sentio_trainer import data_set
build = data_set._build
data_set._build = lambda *arguments: (build(*arguments), time.sleep(2))[0]  # so that the others come meanwhile
said = []
test_data_set.opened({"A": Path(sys.argv[2])}, said)
print(said[-1])
"""


def test_processes_that_want_one_data_set_build_it_once(files: dict[str, Path]) -> None:
    processes = [in_a_process(BUILD_SLOWLY, files["A"]) for _ in range(3)]
    said = sorted(process.communicate()[0].split(" the cache")[0] for process in processes)
    assert said == ["8 features built into", "8 features from", "8 features from"]
