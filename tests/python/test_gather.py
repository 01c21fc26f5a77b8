"""Windows out of a matrix: what NumPy's indexing yields, and nothing from beyond the matrix."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentio_features import gather_windows, usable_rows

X = np.arange(60, dtype=np.float32).reshape(20, 3)


def gathered(x: np.ndarray, last_rows: np.ndarray, window: int) -> np.ndarray:
    out = np.full((len(last_rows), window, x.shape[1]), -1.0, dtype=np.float32)
    gather_windows(x, last_rows, window, out)
    return out


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 50), width=st.integers(1, 9), window=st.integers(1, 12), data=st.data(), narrow=st.booleans())
def test_windows_are_those_of_numpy(n: int, width: int, window: int, data: st.DataObject, narrow: bool) -> None:
    x = np.random.default_rng(n).standard_normal((n, width)).astype(np.float32)
    if window > n:
        return
    starts = data.draw(st.lists(st.integers(window - 1, n - 1), max_size=5))
    last_rows = np.concatenate([[], *(np.arange(r, min(r + 4, n)) for r in starts)]).astype(np.int64)
    expected = x[last_rows[:, None] + np.arange(1 - window, 1)]
    np.testing.assert_array_equal(gathered(x, last_rows.astype(np.int32) if narrow else last_rows, window), expected)


def test_a_memory_map_is_read_where_it_lies(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(gathered(x, np.array([19, 3, 4]), 1)[:, 0], X[[19, 3, 4]])


@pytest.mark.parametrize("window", [1, 2, 20])
@pytest.mark.parametrize("row", [-(2**63), -1, 20, 21, 2**31, 2**32 + 5, 2**62, 2**63 - 1])
def test_a_row_beyond_the_matrix_is_refused_by_its_number(row: int, window: int) -> None:
    message = rf"^last_rows\[2\] must lie in \[{window - 1}, 20\), found {row}$"
    with pytest.raises(ValueError, match=message):
        gathered(X, np.array([19, 19, row, 19]), window)


def test_a_window_that_begins_before_the_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^last_rows\[0\] must lie in \[2, 20\), found 1$"):
        gathered(X, np.array([1]), 3)
    with pytest.raises(ValueError, match=r"^window must be at most x's 20 rows, found 21$"):
        gathered(X, np.array([19]), 21)


def test_arrays_that_do_not_fit_are_refused_and_never_converted() -> None:
    rows, out = np.array([4, 5]), np.zeros((2, 1, 3), dtype=np.float32)
    read_only = np.zeros((2, 1, 3), dtype=np.float32)
    read_only.flags.writeable = False
    for x in (X.astype(np.float64), X[::2], X.T, X[0], X.astype(">f4"), X.tolist()):
        with pytest.raises(ValueError, match=r"^x must be a C-contiguous float32 array of 2 dimensions$"):
            gather_windows(x, rows, 1, out)  # type: ignore[arg-type]
    for wrong in (out[:, 0], out.astype(np.float64), np.zeros((2, 2, 3), np.float32)[:, ::2]):
        with pytest.raises(ValueError, match=r"^out must be a C-contiguous float32 array of 3 dimensions$"):
            gather_windows(X, rows, 1, wrong)
    for wrong in (out[:1], np.zeros((2, 1, 4), np.float32), np.zeros((2, 2, 3), np.float32), read_only):
        with pytest.raises(ValueError, match=r"^out must be writable and of shape \(2, 1, 3\)$"):
            gather_windows(X, rows, 1, wrong)
    with pytest.raises(ValueError, match=r"^window must be at least 1 row, found 0$"):
        gather_windows(X, rows, 0, out[:, :0])
    with pytest.raises(ValueError, match=r"^last_rows must have one dimension, found 2$"):
        gather_windows(X, rows[None], 1, out)
    with pytest.raises(TypeError, match=r"^last_rows must be int64"):
        gather_windows(X, rows.astype(np.float64), 1, out)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^out must not overlap x$"):
        gather_windows(X, rows, 1, X[7:9].reshape(2, 1, 3))


@settings(max_examples=100, deadline=None)
@given(n=st.integers(0, 60), data=st.data())
def test_usable_rows_are_those_of_numpy(n: int, data: st.DataObject) -> None:
    usable = np.random.default_rng(n).random(n) < 0.6
    ranges = data.draw(st.lists(st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted), max_size=6))
    begin, stop = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    expected = [row for a, b in ranges for row in range(a, b) if usable[row]]
    np.testing.assert_array_equal(usable_rows(usable, begin, stop, len(expected)), expected)


def test_ranges_beyond_the_rows_and_other_counts_are_refused() -> None:
    usable = np.array([True, False, True])
    zero = np.array([0])
    for begin, stop in ((-1, 2), (0, 4), (2, 1), (-(2**63), 2**63 - 1), (4, 4)):
        with pytest.raises(ValueError, match=rf"^range 0 must lie in \[0, 3\], found {begin} to {stop}$"):
            usable_rows(usable, np.array([begin]), np.array([stop]), 0)
    for count in (1, 3):
        with pytest.raises(ValueError, match=rf"^out must hold the 2 usable rows, found {count}$"):
            usable_rows(usable, zero, zero + 3, count)
    with pytest.raises(ValueError, match=r"^count must be at least 0, found -1$"):
        usable_rows(usable, zero, zero, -1)
    with pytest.raises(ValueError, match=r"^begin and stop must have the same length, found 1 and 2$"):
        usable_rows(usable, zero, np.array([0, 1]), 0)
    with pytest.raises(ValueError, match=r"^usable must be an array of bool$"):
        usable_rows(usable.astype(np.uint8), zero, zero, 0)  # type: ignore[arg-type]
