"""The engine against the reference in tests/reference, which is plain Python and written from the docs alone: equal in
every bit, for each op, for both specs that ship, and for random specs on random bars."""

import functools
import json
import math
import random
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import (
    LEVELS_55,
    REGIMES,
    SPEC_55,
    Feature,
    Float32,
    bits,
    document,
    market,
    op_named,
    real_bars,
    split,
)
from reference import logarithm, session, windows
from reference.column import Bars as PlainBars
from reference.column import Column, bars_of
from reference.spec import OF_BARS, OF_COLUMNS, rows_of
from sentio_features import Bars, FeatureBuilder, FeatureSpec, ops
from test_ops import BLOCK, CASES, PAD, Case, drawn

MINUTE_NS = 60 * 10**9


def plain(bars: Bars) -> PlainBars:
    return bars_of(*(bars[name].tolist() for name in ("ts", "open", "high", "low", "close", "volume")))


@functools.cache
def both_markets(seed: int, n: int, regime: Any) -> tuple[Bars, PlainBars]:
    bars = market(seed, n, regime)
    return bars, plain(bars)


def check_equal(spec: dict[str, Any], bars: Bars, plain_bars: PlainBars | None = None) -> None:
    """Every cell of the engine has the bits of the reference."""
    read = FeatureSpec.from_json(json.dumps(spec))
    engine = FeatureBuilder(read).build(bars)
    rows = rows_of(spec, plain_bars or plain(bars))
    reference: Float32 = np.array(rows, dtype=np.float32).reshape(engine.shape)
    differs = bits(engine) != bits(reference)
    if differs.any():
        bar, column = np.argwhere(differs)[0]
        name = read.names[column]
        pytest.fail(
            f"{name} at bar {bar}: the engine has {float(engine[bar, column]).hex()}, "
            f"the reference {float(reference[bar, column]).hex()}; {differs.sum()} cells differ, spec {spec}"
        )


# --- each op ---


def test_the_reference_knows_every_op() -> None:
    missing = [op["name"] for op in ops() if op["name"] not in OF_BARS | OF_COLUMNS]
    assert not missing, f"write {', '.join(missing)} in tests/reference, from the docs and not from cpp/"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_op_has_the_bits_of_the_reference(case: Case) -> None:
    spec = document(*case.features, *split("x", parts=3), pad=PAD)
    bars_needed = max(BLOCK + 44, case.spec.warmup + 120)
    for regime in REGIMES:
        check_equal(spec, *both_markets(1, -(-bars_needed // 100) * 100, regime))  # in hundreds, for few kinds of bars


@pytest.mark.parametrize("op", [op["name"] for op in ops()])
def test_an_op_without_parameters_has_the_defaults_of_the_reference(op: str) -> None:
    sources: Feature = {"sources": ["close", "volume"]} if op_named(op)["sources"] == 2 else {}
    for emit_from in (None, 0):
        check_equal(
            document({"name": "x", "op": op, **sources}, emit_from=emit_from, pad=PAD), *both_markets(2, 120, "walk")
        )


@pytest.mark.parametrize("form", ["level", "relative", "per_close", "per_volume"])
@pytest.mark.parametrize("source", ["open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "logret"])
def test_a_source_in_each_form_has_the_bits_of_the_reference(source: str, form: str) -> None:
    features: list[Feature] = [{"name": "x", "op": "IDENT", "source": source, "as": form}, *split("x", parts=3)]
    for regime in REGIMES:
        check_equal(document(*features, pad=PAD), *both_markets(3, 100, regime))


# Columns where limits and signs of zero show: powers of a price that jumps between 1e-30, 1 and 1e30, up to 1e100 and
# down to 1e-240; their changes; and columns of -1, -0.0 and 0.0, and of -0.0 alone.
AT_THE_LIMITS: list[Feature] = [
    {"name": "power_2", "op": "MUL", "sources": ["close", "close"], "emit": False},
    {"name": "power_4", "op": "MUL", "sources": ["power_2", "power_2"], "emit": False},
    {"name": "power_8", "op": "MUL", "sources": ["power_4", "power_4"], "emit": False},
    {"name": "before", "op": "LAG", "source": "power_4", "emit": False},
    {"name": "change", "op": "SUB", "sources": ["power_4", "before"], "emit": False},
    {"name": "side", "op": "SIGN", "source": "change", "emit": False},
    {"name": "traded", "op": "SIGN", "source": "volume", "emit": False},
    {"name": "product", "op": "MUL", "sources": ["side", "traded"], "emit": False},
    {"name": "zeros", "op": "CLIP", "source": "product", "low": -1.0, "high": 0.0, "emit": False},
    {"name": "minus", "op": "CLIP", "low": -1.0, "high": -1.0, "emit": False},
    {"name": "nothing", "op": "CLIP", "low": 0.0, "high": 0.0, "emit": False},
    {"name": "minus_zero", "op": "MUL", "sources": ["minus", "nothing"], "emit": False},
]


@pytest.mark.parametrize("op", [op["name"] for op in ops() if op["sources"] > 0])
def test_an_op_has_the_bits_of_the_reference_at_the_limits(op: str) -> None:
    pairs = ["power_4 power_8", "power_8 change", "change power_4", "zeros minus_zero", "minus_zero nothing"]
    for sources in map(str.split, pairs):
        given: Feature = {"source": sources[0]} if op_named(op)["sources"] == 1 else {"sources": sources}
        for params in (drawn(op, 1, 2), drawn(op, 2, 5)):
            features: list[Feature] = [
                *AT_THE_LIMITS,
                {"name": "x", "op": op, **dict(params), **given},
                # What float32 cannot hold, brought to where it can.
                {"name": "scaled", "op": "DIV", "sources": ["x", "power_4"]},
                *split("x", parts=3),
            ]
            for seed in (1, 2):
                check_equal(document(*features, pad=PAD), *both_markets(seed, 120, "extremes"))


EPOCH = date(1970, 1, 1).toordinal()
DAYS = [
    day - EPOCH
    for first, end in ((1992, 2004), (2010, 2014), (2021, 2025))  # the years in which the exchange's rules changed
    for day in range(date(first, 1, 1).toordinal(), date(end, 1, 1).toordinal())
]
TIMES = {
    # 09:30, 12:30 and 13:00 in New York in winter, an hour later in summer.
    "each_day": [(day * 1440 + minute) * MINUTE_NS for day in DAYS for minute in (870, 1050, 1080)],
    # From Friday to Monday, in March 2024 when the clocks change.
    "each_minute": [(19790 * 1440 + minute) * MINUTE_NS for minute in range(4 * 1440)],
    "between_minutes": [19800 * 1440 * MINUTE_NS + 59_999_999_999 * i for i in range(2000)],
}


@pytest.mark.parametrize("calendar", ["us_equity", "utc_day"])
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("op", [op["name"] for op in ops() if op["name"] in session.OPS])
def test_a_session_op_has_the_bits_of_the_reference(op: str, times: str, calendar: str) -> None:
    bars = market(5, len(TIMES[times]), "flat")
    bars = Bars(np.array(TIMES[times]), bars.open, bars.high, bars.low, bars.close, bars.volume)
    check_equal(document({"name": "x", "op": op, "calendar": calendar}, *split("x", parts=3)), bars)


def test_volatility_of_log_returns_by_any_name_has_the_bits_of_the_reference() -> None:
    names: list[Feature] = [
        {"name": "same_close", "op": "IDENT"},
        {"name": "returns", "op": "LOGRET", "source": "same_close"},
        {"name": "same_returns", "op": "SMA", "source": "returns", "window": 1},
        {"name": "longer_returns", "op": "LOGRET", "window": 2},
        {"name": "offset_returns", "op": "LOGRET", "offset": 1.0},
        {"name": "returns_over_close", "op": "LOGRET", "as": "per_close"},
    ]
    sources = ["logret", *(feature["name"] for feature in names)]
    features = [{"name": f"of_{name}", "op": "VOLATILITY", "source": name, "window": 3} for name in sources]
    for regime in REGIMES:
        check_equal(document(*names, *features, pad=PAD), *both_markets(6, 60, regime))


# --- the specs that ship ---


@pytest.mark.parametrize("path", [SPEC_55, LEVELS_55], ids=lambda path: path.stem)
@pytest.mark.parametrize("regime", REGIMES)
def test_the_55_have_the_bits_of_the_reference(path: Any, regime: str) -> None:
    spec = json.loads(path.read_text())
    bars, plain_bars = both_markets(4, 550, regime)
    check_equal(spec, bars, plain_bars)
    assert rows_of(spec, plain_bars)[198] == [0.0] * 55


RECORDED = ["SPY_1m.csv.gz", "SPY_1m_2011.csv.gz", "QQQ_1m.csv.gz", "BTCPERP_1m.csv.gz", "EURUSD_1h.csv", "AAPL_1d.csv"]


@pytest.mark.parametrize("path", [SPEC_55, LEVELS_55], ids=lambda path: path.stem)
@pytest.mark.parametrize("name", RECORDED)
def test_the_55_have_the_bits_of_the_reference_on_recorded_bars(path: Any, name: str) -> None:
    bars = real_bars(name)
    for start in (0, len(bars) - 600):  # the first days, and the last ones
        check_equal(json.loads(path.read_text()), bars[start : start + 600])


# --- random specs on random bars ---

EDGES = [1e-30, 1e-15, 0.01, 1.0, 1.0 + 2.0**-52, 100.0, 1e9, 1e15, 1e30]
VOLUME_EDGES = [0.0, 5e-324, 2.0**-1022, 1.0, 1e30]
FLOATS = {"offset": [0.0, 5e-324, 1.0, 1e9], "k": [0.0, 2.0, 0.1, 100.0]}
SOURCES = ["open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "logret"]
FORMS = ["level", "level", "level", "relative", "per_close", "per_volume"]
STEPS_NS = [1, MINUTE_NS, 17 * MINUTE_NS + 1, 60 * MINUTE_NS, 24 * 60 * MINUTE_NS]


@st.composite
def random_bars(draw: st.DrawFn) -> Bars:
    """Up to 90 valid bars of few different prices, so that ties, flat bars and returns to a price are common."""
    prices = draw(
        st.lists(st.sampled_from(EDGES) | st.floats(1e-30, 1e30) | st.floats(90.0, 110.0), min_size=1, max_size=5)
    )
    prices += [math.nextafter(price, 1.0) for price in prices[:2]]  # as close to another price as there is
    volumes = draw(
        st.lists(st.sampled_from(VOLUME_EDGES) | st.floats(0.0, 1e30) | st.floats(0.0, 1e4), min_size=1, max_size=4)
    )
    still = draw(st.sampled_from([0.0, 0.3, 0.9]))  # how many bars are the one before once more
    n = draw(st.integers(1, 90))
    pick = random.Random(draw(st.integers(0, 2**32)))
    ts = [draw(st.integers(0, 8_000_000_000 * 10**9))]
    rows: list[tuple[float, ...]] = []
    for _ in range(n):
        ts.append(ts[-1] + pick.choice(STEPS_NS))
        if rows and pick.random() < still:
            rows.append(rows[-1])
            continue
        low, *between, high = sorted(pick.choice(prices) for _ in range(4))
        pick.shuffle(between)
        rows.append((between[0], high, low, between[1], pick.choice(volumes)))
    return Bars(ts[1:], *(np.array(column) for column in zip(*rows, strict=True)))


@st.composite
def random_feature(draw: st.DrawFn, name: str, earlier: list[str]) -> Feature:
    op = draw(st.sampled_from(ops()))
    source = st.sampled_from(earlier) | st.sampled_from(SOURCES) if earlier else st.sampled_from(SOURCES)
    feature: Feature = {"name": name, "op": op["name"], "as": draw(st.sampled_from(FORMS)), "emit": draw(st.booleans())}
    if op["sources"] == 1 and draw(st.integers(0, 3)) > 0:
        feature["source"] = draw(source)
    if op["sources"] == 2:
        feature["sources"] = [draw(source), draw(source)]
    for param in op["params"]:
        key = param["name"]
        if key in ("low", "high") or draw(st.integers(0, 4)) == 0:  # limits come below, as a pair
            continue
        if "choices" in param:
            feature[key] = draw(st.sampled_from(param["choices"]))
        elif isinstance(param["default"], int):
            feature[key] = max(param["min"], draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 19, 33])))
        else:
            feature[key] = draw(st.sampled_from(FLOATS[key]) | st.floats(param["min"], param["max"]))
    if op["name"] == "CLIP":
        limit = st.sampled_from([-1.0, -0.0, 0.0, 1.0]) | st.floats(-1e30, 1e30)
        feature["low"], feature["high"] = sorted(draw(st.tuples(limit, limit)))
    return feature


@st.composite
def random_spec(draw: st.DrawFn) -> dict[str, Any]:
    features = list(AT_THE_LIMITS) if draw(st.integers(0, 3)) == 0 else []
    for i in range(draw(st.integers(1, 6))):
        features.append(draw(random_feature(f"f{i}", [feature["name"] for feature in features])))
    features[-1]["emit"] = True
    features += split(features[-1]["name"], parts=3)
    emit_from = draw(st.none() | st.integers(0, 40))
    return document(
        *features,
        emit_from=emit_from,
        pad=draw(st.sampled_from([0.0, -0.0, 0.1]) | st.floats(width=32, allow_nan=False, allow_infinity=False)),
    )


@settings(max_examples=300)
@given(random_spec(), random_bars())
def test_random_specs_on_random_bars_have_the_bits_of_the_reference(spec: dict[str, Any], bars: Bars) -> None:
    check_equal(spec, bars)


# --- the reference by itself, by hand ---


def test_the_logarithm_of_a_power_of_two_is_so_many_logarithms_of_two() -> None:
    assert logarithm.log(1.0) == 0.0
    assert logarithm.log(2.0) == logarithm.LN2 == math.log(2.0)
    assert logarithm.log(0.5) == -logarithm.LN2
    for k in range(-1022, 1024):
        assert logarithm.log(2.0**k) == k * logarithm.H + k * logarithm.L


def test_the_logarithm_just_above_one_is_the_distance_less_half_its_square() -> None:
    f = 2.0**-52
    assert logarithm.log(1.0 + f) == f - f * f / 2.0  # the next term, f^3 / 3, is too small to show


def test_the_logarithm_is_the_true_one_to_one_ulp() -> None:
    pick = random.Random(1)
    for _ in range(2000):
        x = math.ldexp(pick.uniform(1.0, 2.0), pick.randint(-1022, 1023))
        # The C library's own error is below one ulp as well.
        assert abs(logarithm.log(x) - math.log(x)) <= 2.0 * math.ulp(math.log(x))


def column(*values: float) -> Column:
    return Column(0, len(values), list(values))


def test_a_window_of_seven_is_put_together_of_four_two_and_one() -> None:
    assert [windows.parts(n) for n in (2, 3, 7, 6, 8, 20)] == [(1, 1), (2, 1), (6, 1), (4, 2), (4, 4), (16, 4)]
    big = 2.0**53  # big + 1 is a tie, which goes to the even number: big
    assert windows.total(column(big, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0), 7).values == [big + 2.0]
    assert big + 1.0 + 1.0 + 1.0 == big  # from the oldest to the newest


def test_mean_and_deviation_of_three_values_by_hand() -> None:
    x = column(1.0, 3.0, 8.0, 2.0)
    assert windows.mean(x, 3).first == 2
    # The two older ones: mean 2, squared distances (3 - 1)^2 / 2 = 2. Joined with 8: 2 + 6 / 3 and 2 + 36 * 2 / 3.
    assert windows.mean(x, 3)[2] == 2.0 + 6.0 * (1.0 / 3.0) == 4.0
    assert windows.squared_distances(x, 3)[2] == 2.0 + 36.0 * (2.0 / 3.0) == 26.0
    assert windows.standard_deviation(x, 3)[2] == math.sqrt(26.0 / 3.0)
    assert (windows.largest(x, 3).values, windows.smallest(x, 3).values) == ([8.0, 8.0], [1.0, 2.0])


def test_a_column_is_not_read_before_its_first_bar() -> None:
    x = Column(2, 4, [5.0, 6.0])
    assert (x[2], x[3]) == (5.0, 6.0)
    for t in (-1, 0, 1, 4):
        with pytest.raises(IndexError, match=f"bar {t} is read"):
            x[t]


def test_the_reference_knows_the_movable_days() -> None:
    easters = [(1981, 4, 19), (2000, 4, 23), (2019, 4, 21), (2024, 3, 31), (2025, 4, 20), (2038, 4, 25), (2049, 4, 18)]
    assert [session.easter_sunday(year) for year, _, _ in easters] == [date(*day) for day in easters]
    assert session.thanksgiving(2024) == date(2024, 11, 28)
