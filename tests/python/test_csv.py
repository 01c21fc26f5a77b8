"""The CSV reader and the columns that it fills."""

import datetime
import gzip
import itertools
import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_bars import MINUTE_NS, REAL_BARS, market, real_bars
from sentio_features import Bars, InputError, iter_csv, read_csv

HEADER = "ts,open,high,low,close,volume"
FIRST = 1_704_205_800_000_000_000  # 2024-01-02T14:30:00Z
NAMES = ("open", "high", "low", "close", "volume")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named as the user names them: here without a folder."""
    monkeypatch.chdir(tmp_path)


def written(text: "str | bytes", name: str = "bars.csv") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def times_of(*stamps: str) -> list[int]:
    """What the reader makes of these times, each the open of a good bar."""
    lines = [HEADER, *(f"{stamp},1,2,0.5,1.5,10" for stamp in stamps)]
    times: list[int] = read_csv(written("\n".join(lines))).ts.tolist()
    return times


def message_of(text: "str | bytes", name: str = "bars.csv") -> str:
    with pytest.raises(InputError) as error:
        read_csv(written(text, name))
    return str(error.value)


def numbers_of(text: "str | bytes") -> list[tuple[float, ...]]:
    bars = read_csv(written(text))
    return list(zip(*(bars[name].tolist() for name in ("ts", *NAMES)), strict=True))  # type: ignore[call-overload]


GOOD = [(FIRST, 1.0, 2.0, 0.5, 1.5, 10.0), (FIRST + MINUTE_NS, 1.5, 3.0, 1.0, 2.5, 0.0)]
PLAIN = f"{HEADER}\n2024-01-02T14:30:00Z,1,2,0.5,1.5,10\n2024-01-02T14:31:00Z,1.5,3,1,2.5,0\n"


# --- what is read ---


def test_a_plain_file_is_read() -> None:
    bars = read_csv(written(PLAIN))
    assert numbers_of(PLAIN) == GOOD
    assert len(bars) == 2
    assert bars.interval_s == 60.0
    assert bars.skipped == []


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.removesuffix("\n"),
        PLAIN + "\n",
        PLAIN + "\n \t\n\n",
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r\n") + "\r\n",
        "\ufeff" + PLAIN,
        PLAIN.replace(",", " ,\t"),
        PLAIN.replace("10\n", '"10"\n').replace("2024-01-02T14:30:00Z", '"2024-01-02T14:30:00Z"'),
        PLAIN.replace("ts,", '"ts",').replace("volume", ' "Volume" '),
        PLAIN.replace("1.5,", "1.50000,").replace(",10\n", ",1e1\n").replace("0.5", "+5E-1"),
        PLAIN.replace("0.5", ".5").replace(",3,", ",3.,").replace(",0\n", ",-0\n"),
    ],
    ids=[
        "no line feed at the end",
        "an empty line at the end",
        "blank lines at the end",
        "CRLF",
        "CRLF and an empty line at the end",
        "byte order mark",
        "blanks around fields",
        "quoted fields",
        "quoted header",
        "exponents, signs and trailing zeros",
        "no digit on one side of the point",
    ],
)
def test_other_ways_to_write_the_same_bars_are_read_alike(text: str) -> None:
    assert numbers_of(text) == GOOD


def test_gzip_is_told_by_content_not_by_name() -> None:
    assert numbers_of(gzip.compress(PLAIN.encode())) == GOOD
    assert numbers_of(gzip.compress(PLAIN[:60].encode()) + gzip.compress(PLAIN[60:].encode())) == GOOD
    Path("plain.csv.gz").write_text(PLAIN)
    assert len(read_csv("plain.csv.gz")) == 2


def test_a_path_object_is_taken_as_well_as_a_text() -> None:
    assert len(read_csv(Path(written(PLAIN)))) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[::37])
def test_columns_may_stand_in_any_order_among_others_that_are_ignored(order: tuple[int, ...]) -> None:
    rows = [line.split(",") for line in PLAIN.splitlines()]
    rows = [["Symbol", *row, "note"] if i == 0 else ['"SPY, ""the"" ETF"', *row, ""] for i, row in enumerate(rows)]
    place = [0, *(i + 1 for i in order), 7]
    assert numbers_of("\n".join(",".join(row[i] for i in place) for row in rows)) == GOOD


@pytest.mark.parametrize("ts", ["ts", "TS", "timestamp", "Date", "time", "DateTime", "t"])
@pytest.mark.parametrize("names", ["open,high,low,close,volume", "o,h,l,c,v", "Open,HIGH,Low,cLOSE,Vol"])
def test_names_may_be_aliases_in_any_case(ts: str, names: str) -> None:
    assert numbers_of(PLAIN.replace(HEADER, f"{ts},{names}")) == GOOD


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("2024-01-02T14:30:00Z", FIRST),
        ("2024-01-02T14:30:00z", FIRST),
        ("2024-01-02t14:30:00Z", FIRST),
        ("2024-01-02 14:30:00Z", FIRST),
        ("2024-01-02T14:30:00", FIRST),
        ("2024-01-02 14:30:00", FIRST),
        ("2024-01-02T14:30", FIRST),
        ("2024-01-02T14:30Z", FIRST),
        ("2024-01-02T16:30:00+02:00", FIRST),
        ("2024-01-02T09:30:00-0500", FIRST),
        ("2024-01-02T09:30:00-05", FIRST),
        ("2024-01-02T20:00:00+05:30", FIRST),
        ("2024-01-02T14:30:00.5Z", FIRST + 500_000_000),
        ("2024-01-02T14:30:00.000000001+00:00", FIRST + 1),
        ("2024-01-02T14:30:00.123456", FIRST + 123_456_000),
        ("2024-01-02", FIRST - (14 * 60 + 30) * MINUTE_NS),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1678-01-01", -9_214_560_000_000_000_000),
        ("2261-12-31T23:59:59Z", 9_214_646_399_000_000_000),
        ("2024-02-29", 1_709_164_800_000_000_000),
        ("1704205800", FIRST),
        ("1704205800.25", FIRST + 250_000_000),
        ("1704205800.000000001", FIRST + 1),
        ("1704205800000", FIRST),
        ("1704205800000.5", FIRST + 500_000),
        ("1704205800000000", FIRST),
        ("1704205800000000.125", FIRST + 125),
        ("1704205800000000000", FIRST),
        ("0", 0),
        ("-1.5", -1_500_000_000),
        ("-0.5", -500_000_000),
    ],
)
def test_a_time_is_iso_8601_or_an_epoch_number(stamp: str, time: int) -> None:
    assert times_of(stamp) == [time]


def test_a_way_to_write_times_is_taken_on_every_line() -> None:
    """A day that was seen before is read by a shorter way, which takes what the longer one takes."""
    for form in ("2024-01-02T14:{}:00Z", "2024-01-02t14:{}:00Z", "2024-01-02 14:{}:00Z", "2024-01-02T14:{}:00z"):
        assert times_of(*(form.format(minute) for minute in (30, 31, 32))) == [FIRST + i * MINUTE_NS for i in range(3)]


@pytest.mark.parametrize("digits", [0, 3, 6, 9])
def test_epoch_numbers_of_one_unit_go_on_in_it(digits: int) -> None:
    assert times_of(*(f"{FIRST // 10 ** (9 - digits) + i * 60 * 10**digits}" for i in range(3))) == [
        FIRST + i * MINUTE_NS for i in range(3)
    ]


def test_iso_and_epoch_times_may_stand_in_one_file() -> None:
    assert times_of("2024-01-02T14:30:00Z", "1704205860", "2024-01-02T14:32:00Z") == [
        FIRST + i * MINUTE_NS for i in range(3)
    ]


# --- what is refused ---

NO_TIME = "3:1: ts is neither ISO-8601 nor an epoch number:"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("2024-01-02T14:31:00Z,1,2x,0.5,1.5,10", "3:24: high is not a number: '2x'"),
        ("2024-01-02T14:31:00Z,1,2,0.5,,10", "3:30: close is missing, found an empty field"),
        (",1,2,0.5,1.5,10", "3:1: ts is missing, found an empty field"),
        ("2024-01-02T14:31:00Z,nan,2,0.5,1.5,10", "3:22: open nan is not finite"),
        ("2024-01-02T14:31:00Z,1,inf,0.5,1.5,10", "3:24: high inf is not finite"),
        ("2024-01-02T14:31:00Z,1,2,-0.5,1.5,10", "3:26: low -0.5 is not above 0"),
        ("2024-01-02T14:31:00Z,1,2,0,1.5,10", "3:26: low 0 is not above 0"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1e31,10", "3:30: close 1e+31 is outside [1e-30, 1e+30]"),
        ("2024-01-02T14:31:00Z,1e-31,2,0.5,1.5,10", "3:22: open 1e-31 is outside [1e-30, 1e+30]"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5,-1", "3:34: volume -1 is below 0"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5,2e30", "3:34: volume 2e+30 is above 1e+30"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5,-inf", "3:34: volume -inf is not finite"),
        ("2024-01-02T14:31:00Z,1,2,1.2,1.5,10", "3:26: low 1.2 is above min(open, close) 1"),
        ("2024-01-02T14:31:00Z,1,1.4,0.5,1.5,10", "3:24: high 1.4 is below max(open, close) 1.5"),
        (
            "2024-01-02T14:30:00Z,1,2,0.5,1.5,10",
            "3:1: ts 2024-01-02T14:30:00Z is not after the bar before, 2024-01-02T14:30:00Z",
        ),
        (
            "2024-01-01,1,2,0.5,1.5,10",
            "3:1: ts 2024-01-01T00:00:00Z is not after the bar before, 2024-01-02T14:30:00Z",
        ),
        ("yesterday,1,2,0.5,1.5,10", f"{NO_TIME} 'yesterday'"),
        ("2024-02-30,1,2,0.5,1.5,10", f"{NO_TIME} '2024-02-30'"),
        ("2024-01-02T14:60:00Z,1,2,0.5,1.5,10", f"{NO_TIME} '2024-01-02T14:60:00Z'"),
        ("2024-01-02T24:00:00Z,1,2,0.5,1.5,10", f"{NO_TIME} '2024-01-02T24:00:00Z'"),
        ("2024-01-02T14:31:00X,1,2,0.5,1.5,10", f"{NO_TIME} '2024-01-02T14:31:00X'"),
        ("2024-01-02T14.31.00Z,1,2,0.5,1.5,10", f"{NO_TIME} '2024-01-02T14.31.00Z'"),
        ("01/02/2024,1,2,0.5,1.5,10", f"{NO_TIME} '01/02/2024'"),
        ("1704205860s,1,2,0.5,1.5,10", f"{NO_TIME} '1704205860s'"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5", "3:33: expected 6 fields as in the header, found 5"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5,10,7", "3:37: expected 6 fields as in the header, found 7"),
        ("2024-01-02T14:31:00Z;1;2;0.5;1.5;10", "3:36: expected 6 fields as in the header, found 1"),
        ('"2024-01-02T14:31:00Z",1,"2 000",0.5,1.5,10', "3:26: high is not a number: '2 000'"),
        ("2024-01-02T14:31:00Z,1,+-2,0.5,1.5,10", "3:24: high is not a number: '+-2'"),
        ("2024-01-02T14:31:00Z,1,0x2,0.5,1.5,10", "3:24: high is not a number: '0x2'"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5,1_0", "3:34: volume is not a number: '1_0'"),
        ("2024-01-02T14:31:00Z,1,1e999,0.5,1.5,10", "3:24: high is not a number: '1e999'"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5," + "9" * 50, "3:34: volume 1e+50 is above 1e+30"),
        ("2024-01-02T14:31:00Z,1,2,0.5,1.5," + "x" * 50, "3:34: volume is not a number: '" + "x" * 40 + "'"),
    ],
)
def test_the_first_bad_line_is_refused_with_its_place(line: str, complaint: str) -> None:
    good = "2024-01-02T14:30:00Z,1,2,0.5,1.5,10"
    assert message_of(f"{HEADER}\n{good}\n{line}\n2024-01-03,1,2,0.5,1.5,10\n") == f"bars.csv:{complaint}"


def test_a_complaint_points_at_the_begin_of_the_field_in_the_line_as_it_stands() -> None:
    text = 'c,o, note ,h,l,v,ts\n1.5,1,"a, b",2,0.5, bad ,2024-01-02T14:30:00Z\n'
    assert message_of(text) == "bars.csv:2:20: volume is not a number: 'bad'"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            b"ts,\xe9pen,high,low,close,volume\n",
            "1:1: the header has no column open, found 'ts,?pen,high,low,close,volume'",
        ),
        (b"\xff\xfet\0s\0", "1:1: the header has no column ts, found '??t?s?'"),
        (HEADER.replace(",", "\t").encode(), "1:1: the header has no column ts, found 'ts?open?high?low?close?volume'"),
        (f"{HEADER}\nDécembre,1,2,0.5,1.5,10".encode(), "2:1: ts is neither ISO-8601 nor an epoch number: 'Décembre'"),
        (
            f"{HEADER}\nDécembre,1,2,0.5,1.5,10".encode("latin-1"),
            "2:1: ts is neither ISO-8601 nor an epoch number: 'D?cembre'",
        ),
        (
            f"{HEADER}\n{'x' * 39}é,1,2,0.5,1.5,10".encode(),
            f"2:1: ts is neither ISO-8601 nor an epoch number: '{'x' * 39}?'",
        ),
        (f"{HEADER}\n2024-01-02,\x1b[31m\0,2,0.5,1.5,10".encode(), "2:12: open is not a number: '?[31m?'"),
    ],
    ids=["latin-1 header", "UTF-16", "tabs", "UTF-8", "latin-1", "cut within a character", "control characters"],
)
def test_a_complaint_is_one_printable_line_whatever_was_found(text: bytes, complaint: str) -> None:
    assert message_of(text) == f"bars.csv:{complaint}"


def test_a_unit_that_changes_within_a_file_is_refused() -> None:
    lines = [f"{stamp},1,2,0.5,1.5,10" for stamp in ("1704205800", "1704205860000")]
    assert message_of("\n".join([HEADER, *lines])) == "bars.csv:3:1: ts changes its unit from s to ms: '1704205860000'"
    lines = [f"{stamp},1,2,0.5,1.5,10" for stamp in ("1704205800000000", "1704205860000000000")]
    assert message_of("\n".join([HEADER, *lines])).endswith("ts changes its unit from us to ns: '1704205860000000000'")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "bars.csv: is empty"),
        (HEADER, "bars.csv: has no valid bars"),
        (HEADER + "\n", "bars.csv: has no valid bars"),
        ("\n" + PLAIN, "bars.csv:1:1: the header has no column ts, found ''"),
        (
            "ts,open,high,low,close\n",
            "bars.csv:1:1: the header has no column volume, found 'ts,open,high,low,close'",
        ),
        ("open,high,low,close,volume\n1,2,0.5,1.5,10\n", "bars.csv:1:1: the header has no column ts, found '"),
        ("2024-01-02,1,2,0.5,1.5,10\n", "bars.csv:1:1: the header has no column ts, found '2024-01-02,1,2,0.5,1.5,10'"),
        ("ts,open,high,o,low,close,volume\n", "bars.csv:1:14: two columns give open, found 'open' and 'o'"),
        ("Date,time,o,h,l,c,v\n", "bars.csv:1:6: two columns give ts, found 'date' and 'time'"),
        ("\ufeffts,open,high,low,close,v,vol\n", "bars.csv:1:26: two columns give volume, found 'v' and 'vol'"),
        (
            f"{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n\n2024-01-03,1,2,0.5,1.5,10\n",
            "bars.csv:3:1: empty line between bars",
        ),
        (HEADER + "\n" + "x" * (1 << 21), "bars.csv: has a line longer than 1 MiB, so it is no CSV file of bars"),
    ],
    ids=[
        "nothing",
        "header without line feed",
        "header only",
        "empty first line",
        "missing column",
        "missing ts",
        "no header",
        "open twice",
        "ts twice",
        "volume twice behind a byte order mark",
        "empty line between bars",
        "endless line",
    ],
)
def test_a_file_that_is_no_csv_of_bars_is_refused(text: str, complaint: str) -> None:
    assert message_of(text).startswith(complaint)


def test_a_file_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"^missing\.csv: No such file or directory$"):
        read_csv("missing.csv")
    Path("folder.csv").mkdir()
    with pytest.raises(InputError, match=r"^folder\.csv: is a directory, not a file$"):
        read_csv("folder.csv")


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_gzip_file_that_is_cut_off_is_refused(keep: float) -> None:
    whole = gzip.compress(csv_of(market(1, 2000)).encode())
    assert message_of(whole[: int(keep * len(whole))]) == "bars.csv: is cut off: the gzip stream has no end"


def test_a_gzip_file_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(gzip.compress(PLAIN.encode()))
    data[-8] ^= 1
    assert message_of(bytes(data)).startswith("bars.csv: ")


def test_on_bad_bar_names_its_choices() -> None:
    with pytest.raises(ValueError, match=r"^on_bad_bar must be 'refuse' or 'skip', found 'drop'$"):
        read_csv(written(PLAIN), on_bad_bar="drop")  # type: ignore[arg-type]


# --- skipping ---


def test_skipping_drops_bad_bars_and_counts_each_kind_with_its_first() -> None:
    lines = [
        HEADER,
        "2024-01-02T14:30:00Z,1,2,0.5,1.5,10",
        "2024-01-02T14:31:00Z,1,2,1.2,1.5,10",
        "2024-01-02T14:31:30Z,1,2,0.5,1.5,-1",
        "2024-01-02T14:29:00Z,1,2,0.5,1.5,10",
        "2024-01-02T14:32:00Z,1,2,1.4,1.5,10",
        "",
        "2024-01-02T14:31:40Z,1,2,0.5",
        "2024-01-02T14:31:45Z,1,2,0.5,1.5,10,11,12",
        "never,1,2,0.5,1.5,10",
        "2024-01-02T14:31:50Z,one,2,0.5,1.5,10",
        "2024-01-02T14:31:51Z,1,2,0.5,,10",
        "2024-01-02T14:31:00Z,1.5,3,1,2.5,0",
        "2024-01-02T14:31:00Z,1.5,3,1,2.5,0",
    ]
    bars = read_csv(written("\n".join(lines)), on_bad_bar="skip")
    assert list(zip(*(bars[name].tolist() for name in ("ts", *NAMES)), strict=True)) == GOOD  # type: ignore[call-overload]
    assert bars.skipped == [
        {
            "kind": "low above open or close",
            "count": 2,
            "first": "bars.csv:3:26: low 1.2 is above min(open, close) 1",
        },
        {"kind": "volume is not valid", "count": 1, "first": "bars.csv:4:34: volume -1 is below 0"},
        {
            "kind": "ts not after the bar before",
            "count": 2,
            "first": "bars.csv:5:1: ts 2024-01-02T14:29:00Z is not after the bar before, 2024-01-02T14:30:00Z",
        },
        {"kind": "empty line", "count": 1, "first": "bars.csv:7:1: empty line between bars"},
        {
            "kind": "too few fields",
            "count": 1,
            "first": "bars.csv:8:29: expected 6 fields as in the header, found 4",
        },
        {
            "kind": "too many fields",
            "count": 1,
            "first": "bars.csv:9:37: expected 6 fields as in the header, found 8",
        },
        {
            "kind": "ts is not a time",
            "count": 1,
            "first": "bars.csv:10:1: ts is neither ISO-8601 nor an epoch number: 'never'",
        },
        {"kind": "open is not a number", "count": 1, "first": "bars.csv:11:22: open is not a number: 'one'"},
        {"kind": "close is missing", "count": 1, "first": "bars.csv:12:30: close is missing, found an empty field"},
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("nan,2,0.5,1.5,10", "open is not a valid price"),
        ("1,inf,0.5,1.5,10", "high is not a valid price"),
        ("1,2,0,1.5,10", "low is not a valid price"),
        ("1,2,0.5,-1,10", "close is not a valid price"),
        ("1,1.2,0.5,1.5,10", "high below open or close"),
    ],
)
def test_skipped_kinds_have_names(line: str, kind: str) -> None:
    text = f"{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,{line}\n"
    assert [skipped["kind"] for skipped in read_csv(written(text), on_bad_bar="skip").skipped] == [kind]


def test_a_dropped_bar_does_not_move_the_clock() -> None:
    """A bad time in the future, alone, must not cost all bars after it."""
    lines = [HEADER, "2024-01-02,1,2,0.5,1.5,10", "2099-01-01,1,2,0.5,1.5,-1", "2024-01-03,1,2,0.5,1.5,10"]
    assert len(read_csv(written("\n".join(lines)), on_bad_bar="skip")) == 2


def test_nothing_is_left_when_every_bar_is_dropped() -> None:
    Path("bars.csv").write_text(f"{HEADER}\n2024-01-02,1,2,0.5,1.5,-10\n")
    with pytest.raises(
        InputError, match=r"^bars\.csv: has no valid bars; first bad one: bars\.csv:2:24: volume -10 is"
    ):
        read_csv("bars.csv", on_bad_bar="skip")


# --- a piece at a time ---

Outcome = tuple[list[list[float]], object] | str


def whole(path: str, policy: Any) -> Outcome:
    """The columns and what was skipped, or the complaint."""
    try:
        bars = read_csv(path, on_bad_bar=policy)
    except InputError as error:
        return str(error)
    return [bars[name].tolist() for name in ("ts", *NAMES)], bars.skipped  # type: ignore[call-overload]


def in_pieces(path: str, policy: Any, chunk_bars: int) -> Outcome:
    columns: list[list[float]] = [[] for _ in range(6)]
    try:
        chunks = iter_csv(path, chunk_bars=chunk_bars, on_bad_bar=policy)
        for chunk in chunks:
            assert 1 <= len(chunk) <= chunk_bars
            for name, column in zip(("ts", *NAMES), columns, strict=True):
                column.extend(chunk[name].tolist())  # type: ignore[call-overload]
    except InputError as error:
        return str(error)
    return columns, chunks.skipped


LINES = st.sampled_from(
    [
        "{},1,2,0.5,1.5,10",
        "{},1,2,0.5,1.5,10",
        "{},1,2,0.5,1.5,10",
        "{}000,1,2,0.5,1.5,10",  # another unit
        "{},1,2,0.5,1.5,-1",
        "{},1,2,0.5,1.5",
        "0,1,2,0.5,1.5,10",  # back in time
        "never,1,2,0.5,1.5,10",
        "",
    ]
)


@given(lines=st.lists(LINES, max_size=12), chunk_bars=st.integers(1, 13), policy=st.sampled_from(["refuse", "skip"]))
def test_pieces_of_a_file_are_the_file_whatever_their_size(lines: list[str], chunk_bars: int, policy: str) -> None:
    path = written("\n".join([HEADER, *(line.format(1_704_205_800 + i) for i, line in enumerate(lines))]))
    assert in_pieces(path, policy, chunk_bars) == whole(path, policy)


def test_pieces_of_a_long_file_are_the_file() -> None:
    bars = market(3, 3000)
    path = written(gzip.compress(csv_of(bars).encode()))
    expected = [bars[name].tolist() for name in ("ts", *NAMES)], []  # type: ignore[call-overload]
    for chunk_bars in (1, 999, 3000, 10**9):
        assert in_pieces(path, "refuse", chunk_bars) == expected


def test_pieces_bear_the_mark_of_generated_bars() -> None:
    Path("bars.csv.synthetic.json").write_text('{"generator": "by hand"}')
    chunks = iter_csv(written(PLAIN), chunk_bars=1)
    assert chunks.synthetic == {"generator": "by hand"}
    assert [chunk.synthetic for chunk in chunks] == [{"generator": "by hand"}] * 2


def test_pieces_end_behind_an_error() -> None:
    chunks = iter_csv(written(PLAIN + "2024-01-02T14:32:00Z,x,2,0.5,1.5,10\n" + PLAIN[-40:]), chunk_bars=1)
    assert [len(next(chunks)), len(next(chunks))] == [1, 1]
    with pytest.raises(InputError, match=r"^bars\.csv:4:22: open is not a number: 'x'$"):
        next(chunks)
    assert list(chunks) == []


def test_a_header_is_complained_of_before_the_first_piece() -> None:
    with pytest.raises(InputError, match="the header has no column ts"):
        iter_csv(written("a,b\n"))
    with pytest.raises(ValueError, match=r"^chunk_bars must be at least 1, found 0$"):
        iter_csv(written(PLAIN), chunk_bars=0)


def test_threads_that_share_pieces_each_get_their_own() -> None:
    chunks = iter_csv(written(csv_of(market(4, 20_000))), chunk_bars=100)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [int(chunk.ts[0]) for chunk in chunks], range(4)))
    assert sorted(itertools.chain(*found)) == market(4, 20_000).ts[::100].tolist()


# --- numbers and times as Python writes them ---

PRICES = st.floats(min_value=1e-30, max_value=1e30)
VOLUMES = st.one_of(st.just(0.0), st.floats(min_value=0.0, max_value=1e30))


def csv_of(bars: Bars) -> str:
    rows = zip(*(bars[name].tolist() for name in ("ts", *NAMES)), strict=True)  # type: ignore[call-overload]
    return "\n".join([HEADER, *(",".join(repr(value) for value in row) for row in rows)]) + "\n"


@given(st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES, VOLUMES), min_size=1, max_size=30))
def test_numbers_are_read_back_with_the_same_bits(rows: list[tuple[float, ...]]) -> None:
    prices = np.array([row[:4] for row in rows])
    ordered = np.sort(prices, axis=1)  # low, two in between, high
    volume = np.array([row[4] for row in rows])
    bars = Bars(FIRST + np.arange(len(rows)), ordered[:, 1], ordered[:, 3], ordered[:, 0], ordered[:, 2], volume)
    again = read_csv(written(csv_of(bars)))
    for name in ("ts", *NAMES):
        assert bars[name].tobytes() == again[name].tobytes()  # type: ignore[call-overload]


# Around 2^53 and 10^18 the fast way to read a number ends and the careful one takes over.
DIGITS = st.one_of(st.integers(0, 10**25), st.integers(2**53 - 9, 2**53 + 9), st.integers(10**15, 10**18))


@given(st.lists(st.tuples(DIGITS, st.integers(0, 24), st.sampled_from(["", "e0", "E-7", "e+4", "e-45"])), min_size=50))
def test_decimal_numbers_are_rounded_correctly(parts: list[tuple[int, int, str]]) -> None:
    """Python's own float() is correctly rounded."""
    texts = []
    for digits, places, exponent in parts:
        text = f"{digits:0{places + 1}d}"
        text = (f"{text[:-places]}.{text[-places:]}" if places else text) + exponent
        if float(text) <= 1e30:
            texts.append(text)
    lines = [HEADER, *(f"{t},1,2,0.5,1.5,{text}" for t, text in enumerate(texts)), f"{len(texts)},1,2,0.5,1.5,0"]
    volume = read_csv(written("\n".join(lines))).volume[:-1]
    assert volume.tobytes() == np.array([float(text) for text in texts]).tobytes()


MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))


@given(st.lists(st.tuples(MOMENTS, OFFSETS), min_size=1, max_size=20, unique_by=lambda pair: pair[0]))
def test_times_are_read_back_from_any_offset(moments: list[tuple[datetime.datetime, datetime.timezone]]) -> None:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    stamps, expected = [], []
    for moment, zone in sorted(moments, key=lambda pair: pair[0]):
        utc = moment.replace(tzinfo=datetime.timezone.utc)
        stamps.append(utc.astimezone(zone).isoformat())
        expected.append((utc - epoch) // datetime.timedelta(microseconds=1) * 1000)
    assert times_of(*stamps) == expected


# --- columns ---


def columns(n: int = 4) -> dict[str, Any]:
    close = np.linspace(10, 11, n)
    return {
        "ts": FIRST + MINUTE_NS * np.arange(n),
        "open": close.copy(),
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": np.ones(n),
    }


def test_columns_are_read_only_views_into_the_bars() -> None:
    bars = Bars(**columns())
    for name in ("ts", *NAMES):
        one, other = getattr(bars, name), bars[name]  # type: ignore[call-overload]
        assert np.shares_memory(one, other)
        assert not one.flags.writeable
        assert not one.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            one[0] = 1
    assert bars.ts.dtype == np.int64
    assert {bars[name].dtype for name in NAMES} == {np.dtype(np.float64)}  # type: ignore[call-overload]


def test_a_view_outlives_its_bars() -> None:
    close = read_csv(written(PLAIN)).close
    assert close.tolist() == [1.5, 2.5]


def test_bars_copy_what_they_are_made_of() -> None:
    given_columns = columns()
    bars = Bars(**given_columns)
    given_columns["close"][0] = 99.0
    assert bars.close[0] == 10.0
    assert not np.shares_memory(bars.close, given_columns["close"])


def test_lists_integers_and_strides_are_taken_as_columns() -> None:
    every = columns(8)
    strided = Bars(*(every[name][::2] for name in ("ts", *NAMES)))
    assert strided.close.tolist() == every["close"][::2].tolist()
    listed = Bars([1, 2], [10, 10], [11, 11], [9, 9], [10, 10], [0, 5])
    assert listed.volume.tolist() == [0.0, 5.0]


def test_slices_are_bars() -> None:
    bars = market(1, 20)
    part = bars[5:-3]
    assert isinstance(part, Bars)
    assert len(part) == 12
    np.testing.assert_array_equal(part.close, bars.close[5:-3])
    assert len(bars[30:]) == 0
    assert len(bars[:]) == 20
    with pytest.raises(ValueError, match=r"^bars can only be sliced with step 1, found 2$"):
        bars[::2]
    with pytest.raises(ValueError, match=r"^bars can only be sliced with step 1, found -1$"):
        bars[::-1]


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="unknown column 'closed'; did you mean 'close'"):
        market(1, 5)["closed"]  # type: ignore[call-overload]


def test_no_bars_at_all_are_bars() -> None:
    bars = Bars(*([],) * 6)
    assert len(bars) == 0
    assert bars.interval_s == 0.0


def test_the_interval_is_the_median_distance() -> None:
    ts = np.cumsum([0, 60, 60, 3600, 60, 86_400]) * 1_000_000_000
    assert Bars(ts, *(np.ones(6),) * 5).interval_s == 60.0
    assert Bars(ts[:1], *(np.ones(1),) * 5).interval_s == 0.0


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("open", math.nan, "bar 2: open nan is not finite"),
        ("high", math.inf, "bar 2: high inf is not finite"),
        ("low", 0.0, "bar 2: low 0 is not above 0"),
        ("low", 10.75, "bar 2: low 10.75 is above min(open, close) 10.5"),
        ("high", 10.25, "bar 2: high 10.25 is below max(open, close) 10.5"),
        ("close", 2e30, "bar 2: close 2e+30 is outside [1e-30, 1e+30]"),
        ("volume", -1.0, "bar 2: volume -1 is below 0"),
        (
            "ts",
            FIRST + MINUTE_NS,
            "bar 2: ts 2024-01-02T14:31:00Z is not after the bar before, 2024-01-02T14:31:00Z",
        ),
        ("ts", FIRST + 1, "bar 2: ts 2024-01-02T14:30:00.000000001Z is not after the bar before, 2024-01-02T14:31:00Z"),
    ],
)
def test_bars_that_are_not_valid_cannot_be_made(name: str, value: float, complaint: str) -> None:
    given_columns = columns(5)
    given_columns[name][2] = value
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole message is compared
        Bars(**given_columns)
    assert str(error.value) == complaint


def test_columns_of_bars_have_one_length_and_one_dimension() -> None:
    with pytest.raises(ValueError, match=r"^bar columns must have one length, found 4 times and 3 values$"):
        Bars(**{**columns(), "low": np.ones(3)})
    with pytest.raises(ValueError, match=r"^high must have one dimension, found 2$"):
        Bars(**{**columns(), "high": np.ones((4, 1))})


# --- recorded bars ---

RECORDED = {
    "SPY_1m.csv.gz": (102_236, "2024-03-26T13:30", "2025-04-02T19:23"),
    "SPY_5m.csv.gz": (20_769, "2024-03-26T13:30", "2025-04-02T19:20"),
    "SPY_1m_2011.csv.gz": (31_757, "2011-01-03T09:00", "2011-03-31T23:58"),
    "QQQ_1m.csv.gz": (8_974, "2024-08-19T08:00", "2024-08-30T23:59"),
    "BTCUSD_1m.csv.gz": (798_552, "2013-04-01T00:07", "2015-12-31T23:59"),
    "BTCPERP_1m.csv.gz": (45_031, "2021-12-31T23:01", "2022-02-01T05:31"),
    "AAPL_15m.csv.gz": (43_105, "2017-02-01T14:30", "2023-09-08T19:45"),
    "SPY_1h.csv.gz": (40_832, "1998-01-02T14:00", "2021-03-31T19:00"),
    "EURUSD_1h.csv": (6_225, "2017-01-01T22:00", "2017-12-29T21:00"),
    "SPY_1d.csv": (5_849, "1998-01-02", "2021-03-31"),
    "QQQ_1d.csv": (3_964, "1999-03-10", "2021-03-31"),
    "AAPL_1d.csv": (5_849, "1998-01-02", "2021-03-31"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bars_are_read_whole(name: str) -> None:
    rows, first, last = RECORDED[name]
    bars = real_bars(name)
    assert len(bars) == rows
    assert [bars.ts[0], bars.ts[-1]] == np.array([first, last], "datetime64[ns]").astype(np.int64).tolist()
    opener = gzip.open if name.endswith(".gz") else open
    with opener(REAL_BARS / name, "rt") as file:
        lines = file.read().split("\n")
    for row in (0, 1, rows // 2, rows - 1):
        numbers = [float(text) for text in lines[row + 1].split(",")[1:]]
        assert [bars[column][row] for column in NAMES] == numbers  # type: ignore[call-overload]


def test_five_minute_bars_are_the_one_minute_bars_of_their_five_minutes() -> None:
    """Two recordings that agree in every number, if both are read right."""
    minute, five = real_bars("SPY_1m.csv.gz"), real_bars("SPY_5m.csv.gz")
    bins, starts = np.unique(minute.ts // (5 * MINUTE_NS), return_index=True)
    np.testing.assert_array_equal(bins * 5 * MINUTE_NS, five.ts)
    np.testing.assert_array_equal(minute.open[starts], five.open)
    np.testing.assert_array_equal(np.maximum.reduceat(minute.high, starts), five.high)
    np.testing.assert_array_equal(np.minimum.reduceat(minute.low, starts), five.low)
    np.testing.assert_array_equal(minute.close[np.append(starts[1:], len(minute)) - 1], five.close)
    np.testing.assert_array_equal(np.add.reduceat(minute.volume, starts), five.volume)


HARD = {
    "ninjatrader/nt-spy-minute-2011.csv": "1:1: the header has no column ts, found '20110103 090100;126",
    "ninjatrader/nt-spy-minute-2011-03.csv": "1:1: the header has no column ts, found '2011",
    "alphavantage/QQQ_1min.csv": "3:1: ts 2019-02-15T15:59:00Z is not after the bar before, 2019-02-15T16:00:00Z",
    "yahoo/SPY_1d.csv": " is not after the bar before, 2024-08-01T",
    "bitfinex/bitfinex_xbtusd_1m.csv": " is not after the bar before, ",
    "google/MSFT_INTRA_DAY.csv": "1:1: the header has no column ts, found 'https://www.google.com/finance/",
    "eurostoxx50/2006-01-02-volume-min-001.txt": "expected 7 fields as in the header, found 8",
    "fxcm/gbpusd-m1-bid-2012.csv": "1:1: the header has no column volume, found '",
    "binance/ADABTC-1m-2021-11-27.csv": "1:1: the header has no column ts, found '",
}


@pytest.mark.parametrize("name", HARD)
def test_vendor_files_that_are_not_in_normal_form_are_refused_with_a_reason(name: str) -> None:
    path = REAL_BARS / "raw" / name
    if not path.exists():
        pytest.skip("the recorded bars are not beside this project, in ../shared/data")
    with pytest.raises(InputError) as error:
        read_csv(path)
    assert str(error.value).startswith(f"{path}:")
    assert HARD[name] in str(error.value)


def test_skipping_counts_the_defects_that_the_vendor_files_have() -> None:
    name = REAL_BARS / "raw" / "yahoo" / "SPY_1d.csv"
    if not name.exists():
        pytest.skip("the recorded bars are not beside this project, in ../shared/data")
    bars = read_csv(name, on_bad_bar="skip")
    assert {skipped["kind"]: skipped["count"] for skipped in bars.skipped}["ts not after the bar before"] == 3


def test_a_zip_file_is_no_csv() -> None:
    with zipfile.ZipFile("bars.zip", "w") as archive:
        archive.writestr("bars.csv", PLAIN)
    with pytest.raises(InputError, match=r"^bars\.zip:1:1: the header has no column ts"):
        read_csv("bars.zip")


@pytest.mark.parametrize("tail", [b"text", b"\0" * 8, b"\x1f\x8c" + b"\0" * 20])
def test_nothing_but_another_member_may_follow_a_gzip_stream(tmp_path: Path, tail: bytes) -> None:
    text = b"ts,open,high,low,close,volume\n60,1,1,1,1,1\n"
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(gzip.compress(text) + gzip.compress(b"120,1,1,1,1,1\n"))
    assert len(read_csv(path)) == 2
    path.write_bytes(gzip.compress(text) + tail)
    with pytest.raises(InputError, match=r"is damaged: incorrect header check|is cut off"):
        read_csv(path)


def test_times_are_taken_in_their_own_unit_or_refused() -> None:
    one = np.ones(2)
    seconds = np.array(["2024-01-02T14:30", "2024-01-02T14:31"], dtype="datetime64[s]")
    for unit in ("s", "ms", "us", "ns"):
        assert Bars(seconds.astype(f"datetime64[{unit}]"), one, one, one, one, one).interval_s == 60.0
    for ts in (np.array([1.5, 2.5]), np.array(["a", "b"]), np.array([1, 2], dtype=np.uint64)):
        with pytest.raises(TypeError, match="ts must be int64 nanoseconds or datetime64, found "):
            Bars(ts, one, one, one, one, one)
    with pytest.raises(TypeError, match="open must be an array of real numbers, found complex128"):
        Bars(np.array([1, 2]), one + 0j, one, one, one, one)
