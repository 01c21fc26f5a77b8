"""The folder that `sentio_cli backtest --out` and `tpa_test --out` write, read and checked against itself."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.errors import DataError
from sentio_trainer.files import sha256_file
from sentio_trainer.paths import shown_path

REPORT = "report.json"
EQUITY = "equity.csv"
FILLS = "fills.csv"
DECISIONS = "decisions.csv"
SUMMARY = "summary.json"  # of several symbols
WALK_FORWARD, WALKED = "walkforward.json", "reports"  # of sentio walkforward
SCHEMA = 2  # the major version of report.json that this reads

_REQUIRED = ("symbol", "strategy", "bars", "costs", "broker", "measured", "verdict", "notes", "metrics", "buy_and_hold",
             "fills_hash")  # fmt: skip
_TIME_WIDTH = 30  # 2024-03-26T13:30:00.123456789Z
_BAD_NUMBER = re.compile(r"could not convert string (.+) to (\w+) at row (\d+), column (\d+)")
_BAD_WIDTH = re.compile(r"from (\d+) to (\d+) at row (\d+)")


@dataclass(frozen=True, kw_only=True)
class Fills:
    """fills.csv: one value a fill, oldest first. Money in the currency of the prices."""

    ts: Int64
    at: npt.NDArray[np.bytes_]  # what it met: open, limit or stop
    quantity: Float64
    price: Float64
    commission: Float64
    spread: Float64
    slippage: Float64
    borrow: Float64
    position: Float64  # after the fill

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, kw_only=True)
class ReportFolder:
    """A run: n measured bars, oldest first."""

    folder: Path
    document: dict[str, Any]  # report.json
    ts: Int64  # [n], open times in nanoseconds since 1970, UTC
    open: Float64  # [n]
    close: Float64  # [n]
    position: Float64  # [n], units at the close
    equity: Float64  # [n], at the close
    held_equity: Float64  # [n], the same of buy-and-hold
    fills: Fills
    decided_ts: Int64  # [m], of the bars decided on
    probability: Float64  # [m], NaN where the strategy gave none

    @property
    def capital(self) -> float:
        return float(self.document["broker"]["capital"])

    @property
    def symbol(self) -> str:
        return str(self.document["symbol"])

    @property
    def strategy(self) -> str:
        return str(self.document["strategy"].get("name", "unnamed"))

    def at(self, path: str) -> Any:
        """The value at "metrics.trades.count" of report.json; None where there is none."""
        value: Any = self.document
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def number(self, path: str) -> float | None:
        """The same where it is a number."""
        value = self.at(path)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def report_folders(folder: Path) -> list[Path]:
    """`folder` itself if it holds a report, else its folders that do: a run of several symbols, in the order given.

    Of a walk-forward's folder those in `reports`.

    Raises:
        DataError: there is none.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        raise DataError(f"{shown_path(folder)}: {found}; what a backtest wrote with --out is wanted")
    if (folder / REPORT).is_file():
        return [folder]
    if (folder / WALK_FORWARD).is_file():
        return report_folders(folder / WALKED)
    inner = sorted(path.parent for path in folder.glob(f"*/{REPORT}"))
    if (folder / SUMMARY).is_file():
        order = [each.get("symbol") for each in _read_summary(folder / SUMMARY)["symbols"]]
        inner.sort(key=lambda path: order.index(path.name) if path.name in order else len(order))
    if not inner:
        raise DataError(f"{shown_path(folder)}: holds no {REPORT}, nor does a folder in it; make one with --out")
    return inner


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The `summary` of a run of several symbols; None where there is none.

    Raises:
        DataError: summary.json is no summary.
    """
    return _read_summary(folder / SUMMARY) if (folder / SUMMARY).is_file() else None


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads(path.read_bytes())["summary"]
        whole = all(isinstance(each["symbol"], str) for each in summary["symbols"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{shown_path(path)}: is not the summary of several symbols: {error!r}") from error
    if not whole:
        raise DataError(f"{shown_path(path)}: is not the summary of several symbols: a symbol has no name")
    return summary


def read_folder(folder: Path) -> ReportFolder:
    """Reads a report's four files.

    Raises:
        DataError: a file is missing, is not what was written, or belongs to another run; it names the file and line.
    """
    document = _read_document(folder / REPORT)
    equity = _columns(folder / EQUITY, ("ts", "open", "close", "position", "equity", "buy_and_hold_equity"))
    _require_rows(folder / EQUITY, len(equity["ts"]), document["measured"].get("bars"))
    fills = _read_fills(folder / FILLS, document)
    decisions = _columns(folder / DECISIONS, ("ts", "probability"), empty=("probability",))
    _require_decisions(folder / DECISIONS, decisions["ts"], equity["ts"])
    return ReportFolder(
        folder=folder,
        document=document,
        ts=equity["ts"],
        open=equity["open"],
        close=equity["close"],
        position=equity["position"],
        equity=equity["equity"],
        held_equity=equity["buy_and_hold_equity"],
        fills=fills,
        decided_ts=decisions["ts"],
        probability=decisions["probability"],
    )


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", 1)
        raise DataError(f"{shown_path(path)}:{line}: is not JSON: {error}") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        raise DataError(f"{shown_path(path)}: is not a report: schema_version must be a text such as {SCHEMA}.0, "
                        f"found {version!r}")  # fmt: skip
    if int(version.split(".")[0]) != SCHEMA:
        raise DataError(
            f"{shown_path(path)}: schema_version must be {SCHEMA}.x, found {version}; run the backtest again"
        )
    report: dict[str, Any] = document
    for key in _REQUIRED:
        if key not in report:
            raise DataError(f"{shown_path(path)}: {key} is missing")
    for key, inner in (("measured", "bars"), ("broker", "capital"), ("strategy", "name")):
        if not isinstance(report[key], dict) or inner not in report[key]:
            raise DataError(f"{shown_path(path)}: {key}.{inner} is missing")
    return report


def _columns(
    path: Path, names: Iterable[str], *, empty: Iterable[str] = (), texts: Iterable[str] = ()
) -> dict[str, Any]:
    """Columns of a CSV file by name: times as int64 nanoseconds, numbers as float64.

    Args:
        path: its first line names the columns.
        names: wanted columns; "ts" is a time, the others are numbers.
        empty: columns whose empty fields are NaN.
        texts: columns of text, which stay bytes.
    """
    if not path.is_file():
        raise DataError(f"{shown_path(path)}: is missing, half a report")
    with path.open(encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split(",")
    for name in names:
        if name not in header:
            raise DataError(f"{shown_path(path)}:1: has no column {name}; found {','.join(header)}")
    as_text = {"ts": _TIME_WIDTH, **dict.fromkeys((*empty, *texts), _TIME_WIDTH)}
    dtype = [(name, f"S{as_text[name]}" if name in as_text else "f8") for name in names]
    rows: Any = np.empty(0, dtype=dtype)
    if path.stat().st_size > len(",".join(header).encode()) + 1:
        wanted = [header.index(name) for name in names]
        try:
            rows = np.loadtxt(path, delimiter=",", dtype=dtype, skiprows=1, usecols=wanted, comments=None, ndmin=1)
        except ValueError as error:
            raise DataError(f"{shown_path(path)}:{_place(str(error), header)}") from error
    columns: dict[str, Any] = {name: np.ascontiguousarray(rows[name]) for name in names}
    columns["ts"] = _times(path, columns["ts"])
    for name in empty:
        columns[name] = _numbers_or_nan(path, name, columns[name])
    for name in names:
        if name not in as_text and not np.all(np.isfinite(columns[name])):
            row = int(np.flatnonzero(~np.isfinite(columns[name]))[0])
            raise DataError(f"{shown_path(path)}:{row + 2}: {name} is not a finite number")
    return columns


def _place(message: str, header: list[str]) -> str:
    """NumPy's message as "line: what". Its rows count from 0 below the header, or from 1 where widths differ."""
    if found := _BAD_NUMBER.search(message):
        text, _, row, column = found.groups()
        return f"{int(row) + 2}: {header[int(column) - 1]} is not a number: {text}"
    if found := _BAD_WIDTH.search(message):
        return f"{int(found.group(3)) + 1}: must have {len(header)} fields, found {found.group(2)}"
    return f" {message}"


def _times(path: Path, texts: npt.NDArray[np.bytes_]) -> Int64:
    try:
        times = np.char.rstrip(texts, b"Z").astype("datetime64[ns]").astype(np.int64)
    except ValueError as error:
        raise DataError(f"{shown_path(path)}: ts: {error}") from error
    backwards = np.flatnonzero(np.diff(times) < 0)
    if len(backwards):
        raise DataError(f"{shown_path(path)}:{int(backwards[0]) + 3}: ts is before that of the line above")
    return np.asarray(times)


def _numbers_or_nan(path: Path, name: str, texts: npt.NDArray[np.bytes_]) -> Float64:
    try:
        return np.where(texts == b"", b"nan", texts).astype(np.float64)
    except ValueError as error:
        raise DataError(f"{shown_path(path)}: {name}: {error}") from error


def _require_rows(path: Path, found: int, wanted: object) -> None:
    if found != wanted or found == 0:
        raise DataError(f"{shown_path(path)}: must have {wanted} rows, one a measured bar of {REPORT}, found {found}")


def _require_decisions(path: Path, decided: Int64, measured: Int64) -> None:
    if len(decided) - len(measured) not in (0, 1) or not np.array_equal(decided[-len(measured) :], measured):
        raise DataError(f"{shown_path(path)}: must have the bars of {EQUITY}, and one before them where there is one; "
                        f"found {len(decided)} for {len(measured)}")  # fmt: skip


def _read_fills(path: Path, document: dict[str, Any]) -> Fills:
    names = ("ts", "at", "quantity", "price", "commission", "spread_cost", "slippage_cost", "borrow", "position")
    columns = _columns(path, names, texts=("at",))
    if (found := sha256_file(path)) != document["fills_hash"]:
        raise DataError(f"{shown_path(path)}: is not of this {REPORT}: fills_hash is {document['fills_hash']}, "
                        f"found {found}")  # fmt: skip
    return Fills(
        ts=columns["ts"],
        at=columns["at"],
        quantity=columns["quantity"],
        price=columns["price"],
        commission=columns["commission"],
        spread=columns["spread_cost"],
        slippage=columns["slippage_cost"],
        borrow=columns["borrow"],
        position=columns["position"],
    )
