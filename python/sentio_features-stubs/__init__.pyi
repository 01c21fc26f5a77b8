"""Market bars and features: the C++ engine that training, backtests and live trading share.

Shapes: n bars, F emitted features.
"""

from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, TypedDict, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENGINE_VERSION: Final[str]
"""Changes whenever a bit of any feature may change."""

class InputError(ValueError):
    """The input is wrong: one line, where, what is wrong, what was found."""

class SkippedBars(TypedDict):
    """Bars that were dropped for one reason."""

    kind: str
    count: int
    first: str

class Bars:
    """OHLCV bars as columns, oldest first; checked, not to be changed."""

    def __init__(
        self, ts: ArrayLike, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike
    ) -> None:
        """Copies the columns, shape [n] each; `ts` is nanoseconds since 1970 in UTC, or datetime64, of the bars' open.

        Raises:
            TypeError: a column is not of whole numbers or times (`ts`), or of real numbers.
            ValueError: "bar I: what is wrong" at the first bar that is not valid, or the columns differ in length.
        """

    @property
    def ts(self) -> NDArray[np.int64]:
        """Open times, nanoseconds since 1970 in UTC, shape [n]; a view."""

    @property
    def open(self) -> NDArray[np.float64]: ...
    @property
    def high(self) -> NDArray[np.float64]: ...
    @property
    def low(self) -> NDArray[np.float64]: ...
    @property
    def close(self) -> NDArray[np.float64]: ...
    @property
    def volume(self) -> NDArray[np.float64]: ...
    @property
    def skipped(self) -> list[SkippedBars]:
        """What was dropped while the bars were read with `on_bad_bar="skip"`."""

    @property
    def synthetic(self) -> dict[str, Any] | None:
        """The mark beside the file of generated bars, `<file>.synthetic.json`; None for recorded ones."""

    @property
    def interval_s(self) -> float:
        """Median distance of neighbouring bars in seconds; 0 for fewer than two."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: Literal["ts"]) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, key: Literal["open", "high", "low", "close", "volume"]) -> NDArray[np.float64]: ...
    @overload
    def __getitem__(self, key: slice) -> Bars: ...

def read_csv(path: str | PathLike[str], on_bad_bar: Literal["refuse", "skip"] = "refuse") -> Bars:
    """Reads bars from a CSV file, plain or gzip.

    Raises:
        InputError: "file:line:column: what is wrong, what was found".
    """

class CsvChunks:
    """The bars of a CSV file in pieces; an iterator, which ends behind an error. Threads take turns."""

    def __iter__(self) -> CsvChunks: ...
    def __next__(self) -> Bars:
        """The next bars, with the mark of generated ones; what was skipped is told by the iterator alone.

        Raises:
            InputError: as `read_csv`.
        """

    @property
    def skipped(self) -> list[SkippedBars]:
        """What was dropped so far."""

    @property
    def synthetic(self) -> dict[str, Any] | None:
        """As that of `Bars`."""

def iter_csv(
    path: str | PathLike[str], chunk_bars: int = 65_536, on_bad_bar: Literal["refuse", "skip"] = "refuse"
) -> CsvChunks:
    """The bars that `read_csv` reads, `chunk_bars` at a time, in memory that does not grow with the file.

    Raises:
        InputError: the file cannot be read or lacks a column; its lines are looked at later.
        ValueError: `chunk_bars` is below 1.
    """

class BadBar(TypedDict):
    """A bar that was left out."""

    index: int
    kind: str
    """What is wrong, the same for all that have it: "high below open or close"."""
    what: str
    """What is wrong and what was found."""

def valid_bars(
    ts: ArrayLike,
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    after: int | None = None,
) -> tuple[Bars, list[BadBar]]:
    """The bars that are valid, each later than the one kept before it, and those that are not, in order.

    Args:
        ts: as the columns of `Bars`, shape [n] each.
        after: the time that the first must be later than.

    Raises:
        TypeError: as `Bars`.
        ValueError: the columns differ in length.
    """

def synthetic_mark(path: str | PathLike[str]) -> dict[str, Any] | None:
    """What `<path>.synthetic.json` says of generated bars; None where there is no such file.

    Raises:
        InputError: it is not a JSON object.
    """

def find_bars(data_dir: str | PathLike[str], symbol: str) -> Path:
    """The bars file of a symbol: SYMBOL.csv, SYMBOL_*.csv or SYMBOL-*.csv in `data_dir`, each also with .gz.

    Raises:
        InputError: none fits.
        ValueError: several do.
    """

def bar_column(name: str) -> Literal["ts", "open", "high", "low", "close", "volume"] | None:
    """The column that a header means by `name`, in any case and by its aliases."""

def epoch_units_ns(epochs: ArrayLike) -> NDArray[np.int64]:
    """Nanoseconds of the unit that each epoch number is counted in, told by its size, shape [n]."""

class FeatureSpec:
    """A list of features, checked and ready to be computed."""

    @staticmethod
    def load(path: str | PathLike[str]) -> FeatureSpec:
        """Reads a JSON document of schema 1.0.

        Raises:
            InputError: "file: JSON path: what is wrong, what was found, what is known".
        """

    @staticmethod
    def from_json(text: str) -> FeatureSpec:
        """The same from a text."""

    @property
    def names(self) -> list[str]:
        """The emitted features in column order."""

    @property
    def width(self) -> int:
        """F, the number of emitted features."""

    @property
    def warmup(self) -> int:
        """The first bar at which every emitted feature is defined."""

    @property
    def settle(self) -> int | None:
        """The first bar at which the start of the data no longer shows; None if it always does."""

    @property
    def emit_from(self) -> int:
        """Rows before this bar hold `pad_value`."""

    @property
    def pad_value(self) -> float: ...
    @property
    def hash(self) -> str:
        """ "sha256:" and the SHA-256 of the canonical form."""

    @property
    def warnings(self) -> list[str]:
        """What is legal but surprising, one line each."""

    def canonical(self) -> str:
        """The canonical JSON form: defaults filled in, keys sorted, no white space."""

    def to_json(self) -> str:
        """The canonical form for people, indented, with its content_hash."""

class FeatureBuilder:
    """Turns bars into feature rows, in blocks or one by one: the same bits. Calls continue one stream of bars.

    One thread uses a builder at a time; a call while another thread is in one raises RuntimeError.
    """

    def __init__(self, spec: FeatureSpec) -> None: ...
    @property
    def spec(self) -> FeatureSpec: ...
    @property
    def bars_seen(self) -> int: ...
    def build(self, bars: Bars, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Continues with `bars`; releases the GIL.

        Args:
            bars: n bars after those already seen.
            out: filled in place if given, a memory map too: C-contiguous, writable, shape [n, F].

        Returns:
            Shape [n, F]: `out`, or a fresh array.

        Raises:
            ValueError: `out` does not fit, or the bars do not come after those already seen; nothing has changed then.
        """

    def push(self, ts: int, open: float, high: float, low: float, close: float, volume: float) -> NDArray[np.float32]:
        """Continues with one bar and returns its row, shape [F].

        Raises:
            ValueError: the bar is not valid; nothing has changed then.
        """

    def state(self) -> bytes:
        """All that the next row depends on."""

    def restore(self, state: bytes) -> None:
        """Continues from a state, with the same bits, also in another process.

        Raises:
            InputError: the state is cut off, altered, or another spec's or version's; nothing has changed then.
        """

    def copy(self) -> FeatureBuilder: ...

class Op(TypedDict):
    """A row of the registry, with the facts of its default parameters."""

    name: str
    formula: str
    reference: str
    sources: int
    params: list[dict[str, Any]]
    degree: int | None
    recursive: bool
    warmup: int
    settle: int | None

def build_features_from_spec(
    symbol: str,
    ts: ArrayLike,
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    spec_json: str,
) -> NDArray[np.float32]:
    """The feature matrix of one symbol's bars, shape [n, F].

    Raises:
        InputError: the spec is wrong.
        ValueError: a bar is not valid.
    """

def gather_windows(x: NDArray[np.float32], last_rows: NDArray[np.int64], window: int, out: NDArray[np.float32]) -> None:
    """Copies rows, each with the `window` - 1 rows before it, out of a matrix; releases the GIL.

    Args:
        x: shape [n, F], C-contiguous, a memory map too; it is never copied as a whole.
        last_rows: number of each window's last row, shape [B]; rows that follow each other are copied in one piece.
        window: rows of a window, T.
        out: filled in place, shape [B, T, F], C-contiguous.

    Raises:
        ValueError: a window lies not wholly within `x`, or an array does not fit; `out` then holds anything.
    """

def usable_rows(
    usable: NDArray[np.bool_], begin: NDArray[np.int64], stop: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Numbers of the rows that `usable` marks within [begin[i], stop[i]), range after range, shape [count].

    Args:
        usable: shape [n].
        begin: shape [k].
        stop: shape [k].
        count: how many there are.

    Raises:
        ValueError: a range lies not within `usable`, or there are not `count` such rows.
    """

def ops() -> list[Op]:
    """All ops of the registry."""

def session_days(ts: ArrayLike, calendar: str = "us_equity") -> NDArray[np.int32]:
    """The session of each bar, as days since 1970 of its local date, shape [n]."""

def in_regular_hours(ts: ArrayLike, calendar: str = "us_equity") -> NDArray[np.bool_]:
    """Whether each bar opens within regular hours, shape [n]; true throughout for bars a day or more apart.

    Holidays, weekends and the afternoons of half days are outside.
    """

def session_hours(days: ArrayLike, calendar: str = "us_equity") -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The opening times, nanoseconds since 1970 in UTC, and lengths in minutes of local dates, shape [n] each.

    Args:
        days: local dates as days since 1970, shape [n].
        calendar: the rules of us_equity hold since 1993; before, each weekday counts as a full session.

    Returns:
        A length of 0 where a date has no session.

    Raises:
        ValueError: a date lies more than 100,000 days from 1970.
    """
