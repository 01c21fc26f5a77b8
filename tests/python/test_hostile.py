"""Ten thousand broken CSV files and as many broken specs: each is refused by name, or read as plain Python reads it.

The oracles are written from the contract of bars and of specs, and share nothing with the C++ readers.
"""

import datetime
import json
import math
import random
import re
import unicodedata
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sentio_features import Bars, FeatureSpec, InputError, ops, read_csv

COUNT = 10_000
NAMES = ("open", "high", "low", "close", "volume")
Row = tuple[float, ...]


def written(path: Path, text: bytes) -> None:
    """A fresh file: one that is cut to nothing and filled again, some file systems bring to the disk at once."""
    path.unlink(missing_ok=True)
    path.write_bytes(text)


def printable(message: str) -> bool:
    return not any(unicodedata.category(character) == "Cc" for character in message)


# --- what a CSV file says, in plain Python ---

ALIASES = {
    "ts": {"ts", "timestamp", "date", "time", "datetime", "t"},
    "open": {"open", "o"},
    "high": {"high", "h"},
    "low": {"low", "l"},
    "close": {"close", "c"},
    "volume": {"volume", "v", "vol"},
}
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
EPOCH = re.compile(rb"-?\d+(\.\d*)?")
ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?"
)
START = datetime.datetime(1970, 1, 1)


class RefusedError(Exception):
    """The file as a whole is no CSV file of bars, or no spec."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one line: any of these columns may be named."""

    line: int
    columns: set[int]


def fields_of(line: bytes) -> list[tuple[int, bytes]]:
    """Each field's first column, and its content without blanks and quotes."""
    fields, begin, quoted = [], 0, False
    for i, byte in enumerate(line + b","):
        if byte == ord('"'):
            quoted = not quoted
        if i == len(line) or (byte == ord(",") and not quoted):
            text = line[begin:i].strip(b" \t")
            if len(text) >= 2 and text[:1] == text[-1:] == b'"':
                text = text[1:-1].strip(b" \t")
            fields.append((begin + 1, text))
            begin = i + 1
    return fields


def iso_ns(text: bytes) -> int | None:
    match = ISO.fullmatch(text)
    if match is None or not 1678 <= int(match[1]) <= 2261:
        return None
    hours, minutes = int(match[9] or 0), int(match[10] or 0)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.group(1, 2, 3, 4, 5, 6))
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if hours > 23 or minutes > 59:
        return None
    offset = (-1 if match[8] == b"-" else 1) * (hours * 60 + minutes)
    seconds = (moment - START) // datetime.timedelta(seconds=1) - 60 * offset
    return seconds * 10**9 + int((match[7] or b"").ljust(9, b"0"))


def epoch_of(text: bytes) -> tuple[int, int] | None:
    """The time in nanoseconds and its unit, the power of ten that makes them."""
    if EPOCH.fullmatch(text) is None:
        return None
    whole = abs(int(text.split(b".")[0]))
    unit = next((unit for unit, limit in ((9, 11), (6, 14), (3, 17)) if whole < 10**limit), 0)
    if whole > (2**63 - 1) // 10**unit - 1:
        return None
    return int(Decimal(text.decode().rstrip(".")).scaleb(unit)), unit


def number_of(text: bytes) -> float | None:
    if NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    digits = re.split(rb"[eE]", text)[0]
    underflow = value == 0.0 and any(digit in digits for digit in b"123456789")
    return None if math.isinf(value) or underflow else value


class Oracle:
    """Reads as the contract of bars says; `faults` holds what is wrong, in order."""

    def __init__(self, text: bytes) -> None:
        lines = text.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        if not lines:
            raise RefusedError
        lines = [line.removesuffix(b"\r") for line in lines]
        self.roles = self._roles(lines[0].removeprefix(b"\xef\xbb\xbf"))
        self.unit: int | None = None
        self.rows: list[Row] = []
        self.faults: list[Fault] = []
        while len(lines) > 1 and not lines[-1].strip(b" \t"):
            lines.pop()
        self.lines = len(lines) - 1
        for number, line in enumerate(lines[1:], start=2):
            columns = self._take(line)
            if columns:
                self.faults.append(Fault(number, columns))

    @staticmethod
    def _roles(header: bytes) -> list[str | None]:
        names = [content.lower() for _, content in fields_of(header)]
        roles = [
            next((role for role, known in ALIASES.items() if name in {k.encode() for k in known}), None)
            for name in names
        ]
        if any(roles.count(role) != 1 for role in ALIASES):
            raise RefusedError
        return roles

    def _take(self, line: bytes) -> set[int]:
        """Appends a good bar; else the columns at which something is wrong."""
        fields = fields_of(line)
        if not line.strip(b" \t"):
            return {1}
        if len(fields) < len(self.roles):
            return {len(line) + 1}
        if len(fields) > len(self.roles):
            return {fields[len(self.roles)][0]}
        column = {role: at for role, (at, _) in zip(self.roles, fields, strict=True) if role}
        text = {role: content for role, (_, content) in zip(self.roles, fields, strict=True) if role}
        values = {name: number_of(text[name]) for name in NAMES}
        wrong = {
            column[name]
            for name, value in values.items()
            if value is None or not (0.0 <= value <= 1e30 if name == "volume" else 1e-30 <= value <= 1e30)
        }
        ts, unit = iso_ns(text["ts"]), self.unit
        if ts is None and (epoch := epoch_of(text["ts"])) is not None and self.unit in (None, epoch[1]):
            ts, unit = epoch
        if ts is None:
            wrong.add(column["ts"])
        if wrong:
            return wrong
        assert ts is not None
        bar = {name: value for name, value in values.items() if value is not None}
        if bar["low"] > min(bar["open"], bar["close"]):
            wrong.add(column["low"])
        if bar["high"] < max(bar["open"], bar["close"]):
            wrong.add(column["high"])
        if self.rows and ts <= self.rows[-1][0]:
            wrong.add(column["ts"])
        if not wrong:
            self.unit = unit
            self.rows.append((ts, *bar.values()))
        return wrong


def test_the_oracle_reads_what_a_person_reads() -> None:
    text = (
        b"T,o,h,l,c,v,x\r\n1704205800.5,1,2,.5,1.5,1e1,\r\n\r\n1704205801,1,2,1.2,1.5,nan,\r\n2024-01-03,2,2,2,2,0,\r\n"
    )
    oracle = Oracle(text)
    assert oracle.rows == [(1_704_205_800_500_000_000, 1, 2, 0.5, 1.5, 10), (1_704_240_000_000_000_000, 2, 2, 2, 2, 0)]
    assert oracle.faults == [Fault(3, {1}), Fault(4, {24})]
    with pytest.raises(RefusedError):
        Oracle(b"ts,open,high,low,close\n")


# --- CSV files, good and then broken ---


class CsvFile:
    """A good file as rows of cells, which a mutation may break; `bad_line` where it certainly did."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.header = [rng.choice(sorted(names)) for names in ALIASES.values()]
        self.header = [rng.choice([name, name.upper(), f" {name} ", f'"{name}"']) for name in self.header]
        self.stamp: Callable[[int], str] = rng.choice(
            [
                lambda s: f"{s}",
                lambda s: f"{s}.25",
                lambda s: f"{s}000",
                lambda s: f"{s}000000.5",
                lambda s: f"{s}000000000",
                lambda s: datetime.datetime.fromtimestamp(s, datetime.timezone.utc).isoformat(),
                lambda s: f"{datetime.datetime.fromtimestamp(s, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
                lambda s: f"{datetime.datetime.fromtimestamp(s, datetime.timezone.utc):%Y-%m-%d %H:%M:%S-0000}",
            ]
        )
        self.rows = [self.row(1_704_205_800 + 60 * i) for i in range(rng.randint(2, 7))]
        extra = rng.randint(0, 2)
        self.order = list(range(6 + extra))
        if rng.random() < 0.5:
            rng.shuffle(self.order)
        self.header += ["note", "symbol"][:extra]
        for row in self.rows:
            row += ['"a, b"', "-"][:extra]
        self.end = rng.choice(["\n", "\n", "\r\n"])
        self.bad_line: int | None = None
        self.edit: Callable[[bytes], bytes] = lambda text: text

    def row(self, second: int) -> list[str]:
        prices = sorted(round(self.rng.uniform(90, 110), self.rng.randint(0, 6)) for _ in range(4))
        body = prices[1:3]
        self.rng.shuffle(body)
        numbers = [body[0], prices[3], prices[0], body[1], float(self.rng.randint(0, 10**6))]
        style = self.rng.choice([repr, "{:.17e}".format, '"{!r}"'.format, " {!r}\t".format, "+{!r}".format])
        return [self.stamp(second), *(style(number) for number in numbers)]

    def break_cell(self, column: int, value: str) -> None:
        at = self.rng.randrange(len(self.rows))
        self.rows[at][column] = value
        self.bad_line = at + 2

    def text(self) -> bytes:
        lines = [",".join(row[i] for i in self.order) for row in [self.header, *self.rows]]
        text = self.end.join(lines) + self.rng.choice(["", self.end, self.end * 2])
        return self.edit((self.rng.choice(["", "", "\ufeff"]) + text).encode())


BAD_NUMBERS = [
    *["nan", "NaN", "inf", "-inf", "Infinity", "1e999", "1e-400", "-1e-300", "1e5000000000000", "-1", "1e31"],
    *["0x10", "1_000", "1,5", "1.2.3", "--", "+-1", "e5", ".", "1e", "1f", "5%", "$5", "1 2", "9" * 400],
    *["1\0", "\x1b[2J", "é", "\u0661", "", " ", '""', '"1'],
]
BAD_TIMES = [
    *["never", "2024-13-01", "2024-02-30", "2024-01-01T25:00", "2024-1-1", "01/02/2024", "2024-", "-", ".5", "1e9"],
    *["2024-01-01T00:00:60Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00.1234567890Z", "+1704205800", ""],
    *["1677-01-01", "2262-01-01", "99999999999999999999", "9223372036854775807", "-9223372036854775808"],
]


def bad_number(file: CsvFile) -> None:
    file.break_cell(file.rng.randint(1, 5), file.rng.choice(BAD_NUMBERS))


def bad_price(file: CsvFile) -> None:
    file.break_cell(file.rng.randint(1, 4), file.rng.choice(["0", "-0.0", "1e-31", "1e-320", "2e30"]))


def bad_time(file: CsvFile) -> None:
    file.break_cell(0, file.rng.choice(BAD_TIMES))


def low_above_high(file: CsvFile) -> None:
    column = file.rng.choice([2, 3])
    file.break_cell(column, {2: "1", 3: "1000"}[column])


def repeated_line(file: CsvFile) -> None:
    at = file.rng.randrange(len(file.rows))
    file.rows.insert(at, list(file.rows[at]))
    file.bad_line = at + 3


def unsorted_lines(file: CsvFile) -> None:
    at = file.rng.randrange(len(file.rows) - 1)
    file.rows[at], file.rows[at + 1] = file.rows[at + 1], file.rows[at]
    file.bad_line = at + 3


def another_unit(file: CsvFile) -> None:
    if not file.rows[0][0].isdecimal():
        return
    at = file.rng.randrange(1, len(file.rows))
    whole = file.rows[at][0]
    file.rows[at][0] = f"{whole}000" if len(whole) < 19 else whole[:-3]
    file.bad_line = at + 2


def cell_too_few(file: CsvFile) -> None:
    at = file.rng.randrange(len(file.rows))
    file.rows[at] = file.rows[at][: file.rng.randint(0, 5)] + [""] * 2
    count = len(file.order)
    # The line is cut after it was put in order, so that no other cell takes the place.
    file.rows[at] += [""] * (count - len(file.rows[at]))
    file.bad_line = at + 2


def cell_too_many(file: CsvFile) -> None:
    at = file.rng.randrange(len(file.rows))
    last = file.order[-1]
    file.rows[at][last] += file.rng.choice([",", ",1", ',""', ", "])
    file.bad_line = at + 2


def empty_line(file: CsvFile) -> None:
    at = file.rng.randrange(len(file.rows))
    first = file.order[0]
    file.rows[at][first] = file.rng.choice(["", " ", "\t", file.end]) + file.end + file.rows[at][first]
    file.bad_line = at + 2


def swapped_columns(file: CsvFile) -> None:
    one, other = file.rng.sample(range(len(file.header)), 2)
    file.header[one], file.header[other] = file.header[other], file.header[one]


def doubled_column(file: CsvFile) -> None:
    file.header[file.rng.randrange(len(file.header))] = file.rng.choice(file.header)


def unknown_column(file: CsvFile) -> None:
    file.header[file.rng.randrange(6)] = file.rng.choice(["", "x", "ope n", "öpen", "open\0", "ts.1"])


def exponents(file: CsvFile) -> None:
    """Still good numbers, in other clothes."""
    for row in file.rows:
        row[5] = file.rng.choice(["0", "-0", "1e30", "1E+3", "5e-324", "00012", "1.", ".5", "123456789012345678901"])


def edited(change: Callable[[random.Random, bytes], bytes]) -> Callable[[CsvFile], None]:
    def mutation(file: CsvFile) -> None:
        before = file.edit
        file.edit = lambda text: change(file.rng, before(text))

    return mutation


def any_byte(rng: random.Random, text: bytes) -> bytes:
    at = rng.randrange(len(text))
    return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]


def some_byte(rng: random.Random, text: bytes) -> bytes:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice([b"\0", b'"', b",", b"\n", b"\r", b"\r\n", b"-", b".", b"e", b" "]) + text[at:]


def cut(rng: random.Random, text: bytes) -> bytes:
    return text[: rng.randrange(len(text) + 1)]


def piece_twice(rng: random.Random, text: bytes) -> bytes:
    begin, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return text[:end] + text[begin:end] + text[end:]


def utf_16(rng: random.Random, text: bytes) -> bytes:
    return text.decode(errors="replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-32"]))


CSV_MUTATIONS: list[Callable[[CsvFile], None]] = [
    *[bad_number] * 4,
    *[bad_price, low_above_high] * 2,
    *[bad_time] * 3,
    *[repeated_line, unsorted_lines, another_unit, cell_too_few, cell_too_many, empty_line] * 2,
    *[swapped_columns, doubled_column, unknown_column, exponents],
    *[edited(any_byte), edited(some_byte), edited(cut), edited(piece_twice)] * 2,
    edited(utf_16),
]


def rows_of(bars: Bars) -> list[Row]:
    return list(zip(*(getattr(bars, name).tolist() for name in ("ts", *NAMES)), strict=True))


def oracle_of(text: bytes) -> Oracle | None:
    try:
        return Oracle(text)
    except RefusedError:
        return None


def check_csv(path: Path, text: bytes) -> str:
    """Both ways to treat bad bars agree with the oracle; what became of the file."""
    written(path, text)
    oracle = oracle_of(text)
    faults = oracle.faults if oracle else []
    try:
        rows = rows_of(read_csv(path))
    except InputError as error:
        message = str(error)
        assert printable(message)
        assert oracle is None or faults or not oracle.rows, message
        if faults:
            place = re.match(rf"{re.escape(str(path))}:(\d+):(\d+): \S", message)
            assert place is not None, message
            assert (int(place[1]), int(place[2]) in faults[0].columns) == (faults[0].line, True), (message, faults[0])
        else:
            assert message.startswith(f"{path}:"), message
    else:
        assert oracle is not None
        assert (rows, faults) == (oracle.rows, [])

    try:
        bars = read_csv(path, on_bad_bar="skip")
    except InputError:
        assert oracle is None or not oracle.rows
        return "refused"
    assert oracle is not None
    assert rows_of(bars) == oracle.rows
    assert sum(skipped["count"] for skipped in bars.skipped) == len(faults)
    assert len(bars) + len(faults) == oracle.lines
    return "read in part" if faults else "read"


def test_ten_thousand_broken_csv_files_are_refused_where_they_are_broken_or_read_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    fates: dict[str, int] = {}
    for seed in range(COUNT):
        rng = random.Random(seed)
        file = CsvFile(rng)
        mutations = rng.choices(CSV_MUTATIONS, k=rng.choice([0, 1, 1, 1, 1, 1, 2, 2, 3]))
        for mutation in mutations:
            mutation(file)
        text = file.text()
        if len(mutations) == 1 and file.bad_line is not None:  # the oracle is under test as well
            oracle = oracle_of(text)
            assert oracle is not None, seed
            assert oracle.faults, (seed, text)
            assert oracle.faults[0].line == file.bad_line, (seed, text)
        if not mutations:
            oracle = oracle_of(text)
            assert oracle is not None, (seed, text)
            assert not oracle.faults, (seed, text)
        try:
            fate = check_csv(path, text)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error
        fates[fate] = fates.get(fate, 0) + 1
    # Enough of each, or the mutations have lost their teeth.
    assert min(fates[fate] for fate in ("refused", "read in part", "read")) > COUNT // 20, fates


# --- what a spec says, in plain Python ---

REGISTRY = {op["name"]: op for op in ops()}
BUILT_IN = {"open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "logret"}
WHOLE_BARS = {"close", "hl", "hlc", "ohlc", "hlcv", "ohlcv", "close_volume"}  # what older specs call them
FORMS = {"level", "relative", "per_close", "per_volume"}
MOST = 1_000_000  # bars before the first row
LARGEST = 3.4028234663852886e38  # of float32
Json = dict[str, Any]


def need(held: object) -> None:
    if not held:
        raise RefusedError


def strict_json(text: bytes) -> Any:
    """RFC 8259, without keys that are written twice."""

    def once(pairs: list[tuple[str, Any]]) -> Json:
        need(len({key for key, _ in pairs}) == len(pairs))
        return dict(pairs)

    def finite(number: str) -> float:
        need(math.isfinite(float(number)))
        return float(number)

    def refuse(_: str) -> None:
        raise RefusedError

    try:
        decoded = text.removeprefix(b"\xef\xbb\xbf").decode()
        value = json.loads(decoded, object_pairs_hook=once, parse_float=finite, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise RefusedError from error
    return value


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def column_of(feature: Json, known: dict[str, str]) -> str:
    """The column of a filled-in feature: that of its source where the op passes it on."""
    op, window = feature["op"], feature.get("window")
    passes = op == "IDENT" or (op in ("SMA", "SUM", "MIN", "MAX") and window == 1)
    if feature["as"] == "level" and passes:
        return known[feature["source"]]
    return_of_close = op == "LOGRET" and known[feature["source"]] == "close"
    if feature["as"] == "level" and return_of_close and (window, feature["offset"]) == (1, 0.0):
        return "logret"
    return f"of {feature['name']}"


def canonical_feature(feature: Json, known: dict[str, str]) -> Json:
    """Args:
    known: the column of each source that may be read.
    """
    need(isinstance(feature, dict))
    name, op = feature.get("name"), feature.get("op")
    need(isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", name))
    need(isinstance(op, str) and op in REGISTRY)
    row = REGISTRY[str(op)]
    filled: Json = {"name": name, "op": op, "as": feature.get("as", "level"), "emit": feature.get("emit", True)}
    need(filled["as"] in FORMS if isinstance(filled["as"], str) else False)
    need(isinstance(filled["emit"], bool))
    if row["sources"] == 1:
        filled["source"] = feature.get("source", "close")
        need(isinstance(filled["source"], str) and filled["source"] in known)
    if row["sources"] == 2:
        filled["sources"] = feature.get("sources")
        need(isinstance(filled["sources"], list) and len(filled["sources"]) == 2)
        need(all(isinstance(source, str) and source in known for source in filled["sources"]))
    for param in row["params"]:
        value = feature.get(param["name"], param["default"])
        if "choices" in param:
            need(isinstance(value, str) and value in param["choices"])
        else:
            need(is_number(value) and param["min"] <= value <= param["max"])
            whole = isinstance(param["default"], int)
            need(not whole or value == int(value))
            value = int(value) if whole else float(value) + 0.0
        filled[param["name"]] = value
    others = set(feature) - set(filled)
    if row["sources"] == 0 and others == {"source"}:
        need(isinstance(feature["source"], str) and feature["source"] in WHOLE_BARS)
    else:
        need(not others)
    if op == "CLIP":
        need(filled["low"] <= filled["high"])
    return filled


def canonical_of(text: bytes) -> str:
    """The canonical form of a valid spec. A default `emit_from_index` is left out."""
    spec = strict_json(text)
    need(isinstance(spec, dict))
    need(set(spec) <= {"schema_version", "features", "alignment_policy", "dtype", "content_hash"})
    need(spec.get("schema_version", "1.0") == "1.0" and spec.get("dtype", "float32") == "float32")
    features, known, names = spec.get("features"), {name: name for name in BUILT_IN}, set[str]()
    need(isinstance(features, list) and features)
    filled = []
    for feature in features:
        filled.append(canonical_feature(feature, known))
        name, column = filled[-1]["name"], column_of(filled[-1], known)
        need(name not in names and (name not in BUILT_IN or name == column))
        names.add(name)
        known[name] = column
    need(any(feature["emit"] for feature in filled))
    policy = spec.get("alignment_policy", {})
    need(isinstance(policy, dict) and set(policy) <= {"emit_from_index", "pad_value"})
    given = {"pad_value": 0.0, **policy}
    need(is_number(given["pad_value"]) and abs(given["pad_value"]) <= LARGEST)
    given["pad_value"] = float(given["pad_value"])
    if "emit_from_index" in given:
        index = given["emit_from_index"]
        need(isinstance(index, int) and not isinstance(index, bool) and 0 <= index <= MOST)
    whole = {"schema_version": "1.0", "dtype": "float32", "features": filled, "alignment_policy": given}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"))


def verdict_on(text: bytes) -> str | None:
    try:
        return canonical_of(text)
    except RefusedError:
        return None


# --- specs, good and then broken ---

HOSTILE_VALUES: list[Any] = [
    *[None, True, False, 0, -1, 1, 2, 1.5, 20.0, 10_000, 10_001, 2**31, 2**63, 2**64, -(2**63), 1e308, -0.0, 5e-324],
    *["", "x", "close", "logret", "float32", "1.0", "SMA", "level", "sma", "a\0b", "\x1b[31m", "é", "x" * 300, "20"],
    *[[], {}, [[]], ["close"], ["close", "open"], ["close", 1], [None, None], {"name": "x"}, {"window": 5}],
]
HOSTILE_KEYS = [
    "window",
    "source",
    "sources",
    "k",
    "as",
    "emit",
    "name",
    "op",
    "seed",
    "smooth",
    "windw",
    "",
    "\0",
    "é",
]
HOSTILE_TEXTS = [
    b"NaN",
    b"Infinity",
    b"1e400",
    b"-1e400",
    b"nul",
    b"//",
    b"'",
    b",",
    b"[" * 80,
    b"{" * 80,
    b'"\\ud800"',
]
HOSTILE_TEXTS += [b"\xff", b"\0", b'"', b"}", b"]", b"01", b"+1", b"1.", b"\xef\xbb\xbf", b"\t", b"\n"]


def good_spec(rng: random.Random) -> Json:
    """A few features that read each other, each with its own choice of parameters."""
    features: list[Json] = []
    for i in range(rng.randint(1, 5)):
        op = rng.choice(list(REGISTRY.values()))
        feature: Json = {"name": f"f{i}", "op": op["name"]}
        known = [*BUILT_IN, *(f"f{j}" for j in range(i))]
        if op["sources"] == 1 and rng.random() < 0.8:
            feature["source"] = rng.choice(sorted(known))
        if op["sources"] == 2:
            feature["sources"] = rng.choices(sorted(known), k=2)
        for param in op["params"]:
            if rng.random() < 0.5:
                continue
            if "choices" in param:
                feature[param["name"]] = rng.choice(param["choices"])
            elif isinstance(param["default"], int):
                feature[param["name"]] = rng.randint(param["min"], 60)
        if rng.random() < 0.3:
            feature["as"] = rng.choice(sorted(FORMS))
        if i > 0 and rng.random() < 0.2:
            feature["emit"] = rng.random() < 0.5
        features.append(feature)
    spec: Json = {"features": features}
    if rng.random() < 0.5:
        spec |= {"schema_version": "1.0", "dtype": "float32"}
    if rng.random() < 0.5:
        spec["alignment_policy"] = {"pad_value": rng.choice([0.0, -1.5, 1e30])}
        if rng.random() < 0.5:
            spec["alignment_policy"]["emit_from_index"] = rng.randint(0, 200)
    return spec


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Each container of the document with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *places_of(value[key])]]


def alter_spec(rng: random.Random, spec: Json) -> None:
    """One change of the document's structure."""
    places = places_of(spec)
    if not places:
        return
    container, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[rng.choice(HOSTILE_KEYS)] = container.pop(key)
    elif kind == 2 and isinstance(container, dict):
        container[rng.choice(HOSTILE_KEYS)] = deepcopy(rng.choice(HOSTILE_VALUES))
    elif kind == 3 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), deepcopy(container[key]))
    elif kind == 4 and isinstance(container, list):
        rng.shuffle(container)
    else:
        container[key] = deepcopy(rng.choice(HOSTILE_VALUES))


def alter_spec_text(rng: random.Random, text: bytes) -> bytes:
    at = rng.randrange(len(text) + 1)
    kind = rng.randrange(5)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + rng.choice(HOSTILE_TEXTS) + text[at:]
    if kind == 2:  # in the place of a value
        return re.sub(rb"(?<=: )[^,}\]]+", lambda _: rng.choice(HOSTILE_TEXTS), text, count=1)
    if kind == 3:  # a key that is written twice
        return text.replace(b'{"', b'{"name": "twin", "', rng.randint(1, 3))
    return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]


def test_ten_thousand_broken_specs_are_refused_or_mean_what_the_contract_says(tmp_path: Path) -> None:
    path, accepted = tmp_path / "spec.json", 0
    for seed in range(COUNT):
        rng = random.Random(seed)
        spec = good_spec(rng)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            alter_spec(rng, spec)
        text = json.dumps(spec, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        if rng.random() < 0.3:
            text = alter_spec_text(rng, text)
        expected = verdict_on(text)
        written(path, text)
        try:
            loaded = FeatureSpec.load(path)
        except InputError as error:
            message = str(error)
            assert expected is None, (seed, message, text)
            assert re.match(rf"{re.escape(str(path))}(:\d+:\d+)?: \S", message), (seed, message)
            assert printable(message), (seed, message)
            assert len(message) < 1000, (seed, message)
        else:
            accepted += 1
            assert expected is not None, (seed, text)
            canonical = json.loads(loaded.canonical())
            policy = json.loads(expected)["alignment_policy"]
            if "emit_from_index" not in policy:
                assert canonical["alignment_policy"].pop("emit_from_index") == loaded.warmup
            assert json.dumps(canonical, sort_keys=True, separators=(",", ":")) == expected, seed
            assert FeatureSpec.from_json(loaded.to_json()).hash == loaded.hash
    assert COUNT // 5 < accepted < COUNT // 2, accepted
