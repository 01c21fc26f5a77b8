"""Bars out of Parquet: the same table as CSV and as Parquet gives the same bars and the same complaints."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from market_bars import market
from sentio_features import InputError, read_csv

from sentio_trainer.bars import iter_bars, read_through
from sentio_trainer.errors import DataError
from sentio_trainer.parquet import COLUMNS, ParquetChunks

pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FIRST = 1_704_205_800  # 2024-01-02T14:30:00Z
PRICES: dict[str, Any] = {"open": [1.0, 1.5], "high": [2.0, 3.0], "low": [0.5, 1.0], "close": [1.5, 2.5]}
GOOD = {"ts": [FIRST, FIRST + 60], **PRICES, "volume": [10.0, 0.0]}
READ = [[FIRST * 10**9, (FIRST + 60) * 10**9], *PRICES.values(), [10.0, 0.0]]


def written(folder: Path, columns: dict[str, Any], **how: Any) -> Path:
    path = folder / "bars.parquet"
    parquet.write_table(pa.table(columns), path, **how)
    return path


def columns_of(path: Path, *, on_bad_bar: Any = "refuse", chunk_bars: int = 1000) -> list[list[float]]:
    chunks = list(iter_bars(path, on_bad_bar=on_bad_bar, chunk_bars=chunk_bars))
    assert all(1 <= len(chunk) <= chunk_bars for chunk in chunks)
    return [np.concatenate([chunk[name] for chunk in chunks]).tolist() for name in COLUMNS]


def complaint_of(path: Path) -> str:
    with pytest.raises(InputError) as error:
        columns_of(path)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("chunk_bars", [1, 7, 500, 10_000])
def test_bars_are_read_in_pieces_across_row_groups(tmp_path: Path, chunk_bars: int) -> None:
    bars = market(1, 700)
    path = written(tmp_path, {name: bars[name] for name in COLUMNS}, row_group_size=300)
    assert columns_of(path, chunk_bars=chunk_bars) == [bars[name].tolist() for name in COLUMNS]
    assert read_through(path, on_bad_bar="refuse", chunk_bars=chunk_bars).count == 700


@pytest.mark.parametrize(
    "ts",
    [
        *(pa.array(GOOD["ts"], pa.timestamp("s")).cast(pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
        pa.array(GOOD["ts"], pa.timestamp("s", "UTC")),
        pa.array(GOOD["ts"], pa.timestamp("s", "America/New_York")),  # stored in UTC, shown in New York
        *(pa.array([second * 10**digits for second in GOOD["ts"]]) for digits in (0, 3, 6, 9)),
        pa.array(GOOD["ts"], pa.uint32()),
    ],
    ids=["s", "ms", "us", "ns", "UTC", "New York", "epoch s", "epoch ms", "epoch us", "epoch ns", "uint32"],
)
def test_times_are_of_any_unit_and_zone(tmp_path: Path, ts: Any) -> None:
    assert columns_of(written(tmp_path, {**GOOD, "ts": ts})) == READ


@pytest.mark.parametrize("kind", ["date32", "date64"])
def test_a_date_is_its_midnight_in_utc(tmp_path: Path, kind: str) -> None:
    days = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    found = columns_of(written(tmp_path, {**GOOD, "ts": pa.array(days).cast(getattr(pa, kind)())}))
    assert found[0] == days.astype("datetime64[ns]").astype(np.int64).tolist()


def test_numbers_are_of_any_type(tmp_path: Path) -> None:
    texts = ["1.05", "1.07"]
    columns = {
        **GOOD,
        "open": pa.array([Decimal(text) for text in texts], pa.decimal128(10, 4)),
        "close": pa.array([1.25, 1.5], pa.float32()),
        "low": pa.array([1, 1], pa.int8()),
        "high": pa.array([2, 3], pa.uint64()),
    }
    found = columns_of(written(tmp_path, columns))
    assert found[1:5] == [[float(text) for text in texts], [2.0, 3.0], [1.0, 1.0], [1.25, 1.5]]


def test_columns_are_named_as_in_csv_and_others_are_ignored(tmp_path: Path) -> None:
    names = ("Date", "o", "HIGH", "l", "Close", "vol")
    columns = {"symbol": ["A", "A"], **dict(zip(names, GOOD.values(), strict=True))}
    assert columns_of(written(tmp_path, dict(reversed(columns.items())))) == READ


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"ts": GOOD["ts"], "open": [1.0, 1.0]}, "has no column high, found 'ts, open'"),
        ({**GOOD, "o": [1.0, 1.0]}, "two columns give open, found 'open' and 'o'"),
        ({**GOOD, "ts": [1.5, 2.5]}, "ts must be times, dates or whole epoch numbers, found a column of double"),
        ({**GOOD, "low": ["a", "b"]}, "low must be numbers, found a column of string"),
        ({name: pa.array([], pa.int64()) for name in COLUMNS}, "has no valid bars"),
        ({**GOOD, "ts": [FIRST, None]}, "row 1: ts is missing, found null"),
        ({**GOOD, "close": [None, 2.5]}, "row 0: close is missing, found null"),
        ({**GOOD, "volume": [1.0, float("nan")]}, "row 1: volume nan is not finite"),
        ({**GOOD, "high": [2.0, 1.25]}, "row 1: high 1.25 is below max(open, close) 2.5"),
        (
            {**GOOD, "ts": [FIRST, FIRST]},
            "row 1: ts 2024-01-02T14:30:00Z is not after the bar before, 2024-01-02T14:30:00Z",
        ),
        ({**GOOD, "ts": [FIRST, FIRST * 1000]}, "row 1: ts changes its unit from s to ms: 1704205800000"),
        (
            {**GOOD, "ts": pa.array([0, 10**11], pa.timestamp("s"))},
            "row 1: ts is not a time of 64-bit nanoseconds: 100000000000000",  # Parquet has no seconds
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_row_and_what_was_found(
    tmp_path: Path, columns: dict[str, Any], complaint: str
) -> None:
    assert complaint_of(written(tmp_path, columns)) == complaint


ROWS = st.sampled_from(
    [
        (0, 1.0, 2.0, 0.5, 1.5, 10.0),
        (0, 1.0, 2.0, 0.5, 1.5, 10.0),
        (0, 1.0, 2.0, 0.5, 1.5, -1.0),
        (0, -1.0, 2.0, 0.5, 1.5, 10.0),
        (0, 1.0, 1.2, 0.5, 1.5, 10.0),
        (0, 1.0, 2.0, 0.5, None, 10.0),
        (-(10**6), 1.0, 2.0, 0.5, 1.5, 10.0),  # back in time
        (10**12, 1.0, 2.0, 0.5, 1.5, 10.0),  # another unit
        (10**12, 1.0, 2.0, 0.5, 1.5, -1.0),
        (None, 1.0, 2.0, 0.5, 1.5, 10.0),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=12), chunk_bars=st.integers(1, 13))
def test_what_csv_skips_is_skipped(tmp_path: Path, rows: list[tuple[Any, ...]], chunk_bars: int) -> None:
    timed = [(None if row[0] is None else FIRST + 60 * i + row[0], *row[1:]) for i, row in enumerate(rows)]
    csv = tmp_path / "bars.csv"
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in timed]
    csv.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    types = [pa.int64(), *[pa.float64()] * 5]
    table = {
        name: pa.array(values, kind)
        for name, values, kind in zip(COLUMNS, zip(*timed, strict=True), types, strict=True)
    }
    path = written(tmp_path, table)
    try:
        expected = read_csv(csv, on_bad_bar="skip")
    except InputError:
        with pytest.raises(InputError, match="has no valid bars; first bad one: "):
            columns_of(path, on_bad_bar="skip")
        return
    chunks = iter_bars(path, on_bad_bar="skip", chunk_bars=chunk_bars)
    found = [np.concatenate(column).tolist() for column in zip(*([c[n] for n in COLUMNS] for c in chunks), strict=True)]
    assert found == [expected[name].tolist() for name in COLUMNS]
    assert [(kind["kind"], kind["count"]) for kind in chunks.skipped] == [
        (kind["kind"], kind["count"]) for kind in expected.skipped
    ]
    if expected.skipped:
        first = int(expected.skipped[0]["first"].removeprefix(f"{csv}:").split(":")[0]) - 2  # below the header
        assert chunks.skipped[0]["first"].startswith(f"{path}: row {first}: ")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:-20])
    assert complaint_of(path).startswith("cannot be read as Parquet: ")


def test_a_file_with_a_damaged_page_is_refused(tmp_path: Path) -> None:
    bars = market(1, 700)
    path = written(tmp_path, {name: bars[name] for name in COLUMNS})
    data = bytearray(path.read_bytes())
    data[100:400] = bytes(300)
    path.write_bytes(data)
    assert complaint_of(path).startswith("cannot be read as Parquet: ")


def test_a_missing_pyarrow_is_one_line_that_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"a Parquet file needs pyarrow: pip install 'sentio\[parquet\]'$"):
        ParquetChunks(path, on_bad_bar="refuse", chunk_bars=10)
