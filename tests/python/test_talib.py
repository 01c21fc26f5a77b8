"""The 55 against witnesses: TA-Lib for the plain definitions that it has, NumPy for the others and for the stationary
forms.

Both sides are compared in double (see market_bars.in_double), to 1e-9 of the value, or 1e-9 where the value is near 0.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import talib
from market_bars import (
    LEVELS_55,
    SPEC_55,
    Feature,
    Float64,
    Regime,
    built,
    features_of,
    in_double,
    market,
    real_bars,
    spec_of,
)
from sentio_features import Bars, FeatureSpec, ops

RELATIVE, ABSOLUTE = 1e-9, 1e-9
SMA = talib.MA_Type.SMA  # type: ignore[attr-defined]  # the stub forgets to export it
LN2 = float(np.log(2.0))

# The table of the 55: name and the first bar at which the plain form is defined.
FIRST_DEFINED = {
    name: int(bar)
    for name, bar in re.findall(
        r"(\w+) (\d+)",
        """
        ret_1m 1, ret_5m 5, ret_15m 15, ret_30m 30, ret_1h 60, momentum_5 5, momentum_10 10, momentum_20 20,
        volatility_10 10, volatility_20 20, volatility_30 30, atr_14 14, atr_21 21, parkinson_vol 19,
        garman_klass_vol 19, rsi_14 14, rsi_21 21, rsi_30 30, sma_5 4, sma_10 9, sma_20 19, sma_50 49, sma_200 199,
        ema_5 4, ema_10 9, ema_20 19, ema_50 49, ema_200 199, bb_upper_20 19, bb_middle_20 19, bb_lower_20 19,
        bb_upper_50 49, bb_middle_50 49, bb_lower_50 49, macd_line 33, macd_signal 33, macd_histogram 33, stoch_k 13,
        stoch_d 15, williams_r 13, cci_20 19, adx_14 27, volume_sma_10 9, volume_sma_20 19, volume_sma_50 49,
        volume_roc 10, obv 0, vpt 1, ad_line 0, mfi_14 14, spread_bp 0, price_impact 1, order_flow_imbalance 0,
        market_depth 0, bid_ask_ratio 0
        """,
    )
}

# The stationary form of these waits for its divisor, or for the whole window of a flow.
LATER_IN_STATIONARY_FORM = {
    "volume_sma_10": 19,
    "obv": 20,
    "vpt": 20,
    "ad_line": 19,
    "order_flow_imbalance": 19,
    "market_depth": 19,
}

REAL = ["SPY_1m.csv.gz", "BTCUSD_1m.csv.gz", "SPY_1d.csv", "EURUSD_1h.csv", "QQQ_1m.csv.gz", "BTCPERP_1m.csv.gz"]
REAL_ROWS = 30_000
# No spikes: TA-Lib's running sums and sums of squares keep the rounding error of a spike long after it has left the
# window, so that there it is no witness.
RANDOM: list[tuple[int, Regime]] = [(1, "walk"), (2, "walk"), (3, "ticks"), (4, "flat")]

every_market = pytest.mark.parametrize("source", [*RANDOM, *REAL], ids=str)


def bars_from(source: "tuple[int, Regime] | str") -> Bars:
    return real_bars(source, REAL_ROWS) if isinstance(source, str) else market(source[0], 3000, source[1])


def lagged(x: Float64, n: int = 1) -> Float64:
    """x[t-n], NaN before there is one."""
    return np.concatenate([np.full(n, np.nan), x[:-n]])


def rolled(x: Float64, n: int, reduce: Callable[..., Float64]) -> Float64:
    """`reduce` of the last n values, NaN until there are n; NaNs at the beginning are passed over."""
    out = np.full(len(x), np.nan)
    out[n - 1 :] = reduce(np.lib.stride_tricks.sliding_window_view(x, n), axis=1)
    return out


def ratio(a: Float64, b: Float64, otherwise: float = 0.0) -> Float64:
    """a / b, and `otherwise` where b is 0; NaN where either is not known yet."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((b == 0.0) & ~np.isnan(a), otherwise, a / b)


def from_talib(bars: Bars) -> dict[str, Float64]:
    """The rows of the table that name a TA-Lib function."""
    high, low, close, volume = bars.high, bars.low, bars.close, bars.volume
    log_return = np.diff(np.log(close))
    found: dict[str, Float64] = {}
    for n in (5, 10, 20):
        found[f"momentum_{n}"] = talib.ROCP(close, n)
    for n in (10, 20, 30):
        found[f"volatility_{n}"] = np.concatenate([[np.nan], talib.STDDEV(log_return, n)])
    for n in (14, 21):
        found[f"atr_{n}"] = talib.ATR(high, low, close, n)
    for n in (14, 21, 30):
        found[f"rsi_{n}"] = talib.RSI(close, n)
    for n in (5, 10, 20, 50, 200):
        found[f"sma_{n}"], found[f"ema_{n}"] = talib.SMA(close, n), talib.EMA(close, n)
    for n in (20, 50):
        bands = talib.BBANDS(close, n, 2.0, 2.0, SMA)
        found[f"bb_upper_{n}"], found[f"bb_middle_{n}"], found[f"bb_lower_{n}"] = bands
    found["macd_line"], found["macd_signal"], found["macd_histogram"] = talib.MACD(close, 12, 26, 9)
    # STOCHF holds %K back until %D is defined as well; with %D = SMA1 it does not.
    found["stoch_k"] = talib.STOCHF(high, low, close, 14, 1, SMA)[0]
    found["stoch_d"] = talib.STOCHF(high, low, close, 14, 3, SMA)[1]
    found["williams_r"] = talib.WILLR(high, low, close, 14)
    found["cci_20"] = talib.CCI(high, low, close, 20)
    found["adx_14"] = talib.ADX(high, low, close, 14)
    for n in (10, 20, 50):
        found[f"volume_sma_{n}"] = talib.SMA(volume, n)
    found["volume_roc"] = talib.ROCP(volume, 10)
    found["obv"] = talib.OBV(close, volume)
    found["ad_line"] = talib.AD(high, low, close, volume)
    found["mfi_14"] = talib.MFI(high, low, close, volume, 14)
    return found


def plain_oracle(bars: Bars) -> dict[str, Float64]:
    """The rows of the table that TA-Lib does not have."""
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume  # noqa: E741
    before = lagged(c)
    spread_bp = 1e4 * (h - l) / ((h + l) / 2)
    simple_return = c / before - 1
    location = ratio((c - l) - (h - c), h - l)
    garman_klass = 0.5 * np.log(h / l) ** 2 - (2 * LN2 - 1) * np.log(c / o) ** 2
    return {
        **{
            name: np.log(c / lagged(c, k))
            for name, k in {"ret_1m": 1, "ret_5m": 5, "ret_15m": 15, "ret_30m": 30, "ret_1h": 60}.items()
        },
        "parkinson_vol": np.sqrt(rolled(np.log(h / l) ** 2, 20, np.mean) / (4 * LN2)),
        "garman_klass_vol": np.sqrt(np.maximum(0, rolled(garman_klass, 20, np.mean))),
        "vpt": np.concatenate([[np.nan], np.cumsum((v * simple_return)[1:])]),
        "spread_bp": spread_bp,
        "price_impact": ratio(1e6 * np.abs(simple_return), np.sqrt(v)),
        "order_flow_imbalance": location * v,
        "market_depth": v / (1 + spread_bp),
        "bid_ask_ratio": ratio(c - l, h - l, otherwise=0.5),
    }


def wilder(x: Float64, n: int, begin: int) -> Float64:
    """Wilder's mean of the values from bar `begin` on, seeded with the plain mean of the first n."""
    out = np.full(len(x), np.nan)
    at = begin + n - 1
    out[at] = x[begin : at + 1].mean()
    for t in range(at + 1, len(x)):
        out[t] = out[t - 1] + (x[t] - out[t - 1]) / n
    return out


def ema(x: Float64, n: int, begin: int) -> Float64:
    """Exponential mean, seeded with the plain mean of the n values that end at bar `begin`."""
    out = np.full(len(x), np.nan)
    out[begin] = x[begin - n + 1 : begin + 1].mean()
    for t in range(begin + 1, len(x)):
        out[t] = out[t - 1] + 2 / (n + 1) * (x[t] - out[t - 1])
    return out


def directional_mean(x: Float64, n: int) -> Float64:
    """Wilder's mean as TA-Lib seeds it in ADX: with the first n - 1 values, from bar 1 on, over n."""
    out = np.full(len(x), np.nan)
    out[n - 1] = x[1:n].sum() / n
    for t in range(n, len(x)):
        out[t] = out[t - 1] + (x[t] - out[t - 1]) / n
    out[n - 1] = np.nan
    return out


def stationary_oracle(bars: Bars) -> dict[str, Float64]:
    """All 55 in the form of the table's last column, from the formulas of the table."""
    h, l, c, v = bars.high, bars.low, bars.close, bars.volume  # noqa: E741
    before = lagged(c)
    r, simple_return = np.log(c / before), c / before - 1
    location = ratio((c - l) - (h - c), h - l)
    typical = (h + l + c) / 3
    true_range = np.maximum(h, before) - np.minimum(l, before)
    change = c - before
    found = plain_oracle(bars)
    for k in (5, 10, 20):
        found[f"momentum_{k}"] = c / lagged(c, k) - 1
    for n in (10, 20, 30):
        found[f"volatility_{n}"] = rolled(r, n, np.std)
    for n in (14, 21):
        found[f"atr_{n}"] = wilder(true_range, n, 1) / c
    for n in (14, 21, 30):
        gain, loss = (wilder(np.maximum(sign * change, 0), n, 1) for sign in (1.0, -1.0))
        found[f"rsi_{n}"] = ratio(100 * gain, gain + loss, otherwise=50.0)
    for n in (5, 10, 20, 50, 200):
        found[f"sma_{n}"], found[f"ema_{n}"] = rolled(c, n, np.mean) / c - 1, ema(c, n, n - 1) / c - 1
    for n in (20, 50):
        mean, deviation = rolled(c, n, np.mean), rolled(c, n, np.std)
        for name, width in {"upper": 2.0, "middle": 0.0, "lower": -2.0}.items():
            found[f"bb_{name}_{n}"] = (mean + width * deviation) / c - 1
    line = ema(c, 12, 25) - ema(c, 26, 25)
    signal = ema(line, 9, 33)
    line[:33] = np.nan
    found["macd_line"], found["macd_signal"], found["macd_histogram"] = line / c, signal / c, (line - signal) / c
    lowest, highest = rolled(l, 14, np.min), rolled(h, 14, np.max)
    found["stoch_k"] = ratio(100 * (c - lowest), highest - lowest, otherwise=50.0)
    found["stoch_d"] = rolled(found["stoch_k"], 3, np.mean)
    found["williams_r"] = ratio(-100 * (highest - c), highest - lowest, otherwise=-50.0)
    typical_mean = rolled(typical, 20, np.mean)
    windows = np.lib.stride_tricks.sliding_window_view(typical, 20)
    deviation = np.full(len(c), np.nan)
    deviation[19:] = np.abs(windows - windows.mean(axis=1, keepdims=True)).mean(axis=1)
    # Equal prices leave a deviation of rounding errors only; it counts as none.
    deviation[deviation < 1e-14 * typical] = 0.0
    found["cci_20"] = ratio(typical - typical_mean, 0.015 * deviation)
    up, down = h - lagged(h), lagged(l) - l
    plus = directional_mean(np.where((up > down) & (up > 0), up, 0.0), 14)
    minus = directional_mean(np.where((down > up) & (down > 0), down, 0.0), 14)
    found["adx_14"] = wilder(100 * ratio(np.abs(plus - minus), plus + minus), 14, 14)
    volume_mean = rolled(v, 20, np.mean)
    for n in (10, 20, 50):
        sma = rolled(v, n, np.mean)
        found[f"volume_sma_{n}"] = np.where(volume_mean == 0, 0.0, ratio(sma, volume_mean) - 1)
    found["volume_roc"] = np.log((1 + v) / (1 + lagged(v, 10)))
    volume_sum = rolled(v, 20, np.sum)
    found["obv"] = ratio(rolled(np.sign(change) * v, 20, np.sum), volume_sum)
    found["vpt"] = ratio(rolled(v * simple_return, 20, np.sum), volume_sum)
    found["ad_line"] = ratio(rolled(location * v, 20, np.sum), volume_sum)
    moved = typical - lagged(typical)
    tie = np.abs(moved) < 1e-10 * lagged(typical)
    flows = [rolled(np.where((sign * moved > 0) & ~tie, typical * v, 0.0), 14, np.sum) for sign in (1.0, -1.0)]
    found["mfi_14"] = ratio(100 * flows[0], flows[0] + flows[1], otherwise=50.0)
    found["mfi_14"][:14] = np.nan
    found["order_flow_imbalance"] = ratio(location * v, volume_mean)
    depth = found["market_depth"]
    depth_mean = rolled(depth, 20, np.mean)
    found["market_depth"] = np.where(depth_mean == 0, 0.0, ratio(depth, depth_mean) - 1)
    return found


def first_disagreement(ours: Float64, theirs: Float64, allowed: "Float64 | float") -> str:
    """Where they differ by more than `allowed`, or one is not known; empty where they agree."""
    wrong = ~(np.abs(ours - theirs) <= allowed)
    if not wrong.any():
        return ""
    t = int(wrong.argmax())
    return f"{int(wrong.sum())} of {len(wrong)} bars, first at {t}: {ours[t]!r} against {theirs[t]!r}"


def near(expected: Float64) -> Float64:
    """The difference that is allowed."""
    return np.maximum(ABSOLUTE, RELATIVE * np.abs(expected))


def degenerate_bars(bars: Bars) -> dict[str, tuple[npt.NDArray[np.bool_], float]]:
    """Where the table states another value than TA-Lib, which has 0 there, and that value."""
    high, low, close, volume = bars.high, bars.low, bars.close, bars.volume
    flat_range = rolled(high, 14, np.max) == rolled(low, 14, np.min)
    typical = (high + low + close) / 3
    moved = np.abs(typical - lagged(typical)) >= 1e-10 * lagged(typical)
    no_flow = rolled(np.where(moved, typical * volume, 0.0), 14, np.max) == 0.0
    unchanged = np.cumsum(np.abs(np.diff(close, prepend=close[0]))) == 0.0
    return {
        "stoch_k": (flat_range, 50.0),
        "williams_r": (flat_range, -50.0),
        "mfi_14": (no_flow, 50.0),
        **{f"rsi_{n}": (unchanged, 50.0) for n in (14, 21, 30)},
    }


@every_market
def test_the_plain_form_agrees_with_talib_from_the_first_bar_that_talib_defines(
    source: "tuple[int, Regime] | str",
) -> None:
    bars = bars_from(source)
    ours, theirs = in_double(features_of(LEVELS_55), bars), from_talib(bars)
    stated = degenerate_bars(bars)
    for name, (where, value) in stated.items():
        defined = where & (np.arange(len(bars)) >= FIRST_DEFINED[name])
        np.testing.assert_array_equal(ours[name][defined], value, err_msg=name)
        theirs[name] = np.where(defined, value, theirs[name])
    theirs["stoch_d"] = rolled(theirs["stoch_k"], 3, np.mean)  # TA-Lib's own, but for flat ranges
    for name, expected in theirs.items():
        first = int(np.isfinite(expected).argmax())
        assert first == FIRST_DEFINED[name], name
        assert not first_disagreement(ours[name][first:], expected[first:], near(expected[first:])), name


def test_fast_d_is_talibs_own_where_no_range_is_flat() -> None:
    bars = market(1, 2000)
    expected = talib.STOCHF(bars.high, bars.low, bars.close, 14, 3, SMA)[1][15:]
    ours = in_double(features_of(LEVELS_55), bars)["stoch_d"][15:]
    assert not first_disagreement(ours, expected, near(expected))


@every_market
def test_the_rows_without_a_talib_function_agree_with_numpy(source: "tuple[int, Regime] | str") -> None:
    bars = bars_from(source)
    ours = in_double(features_of(LEVELS_55), bars)
    for name, expected in plain_oracle(bars).items():
        first = FIRST_DEFINED[name]
        assert int(np.isfinite(expected).argmax()) == first, name
        assert not first_disagreement(ours[name][first:], expected[first:], near(expected[first:])), name


def test_the_two_witnesses_cover_the_whole_table() -> None:
    bars = market(1, 300)
    assert sorted([*from_talib(bars), *plain_oracle(bars)]) == sorted(FIRST_DEFINED)
    assert sorted(stationary_oracle(bars)) == sorted(FIRST_DEFINED)


@every_market
def test_the_stationary_form_agrees_with_numpy(source: "tuple[int, Regime] | str") -> None:
    bars = bars_from(source)
    ours = in_double(features_of(SPEC_55), bars)
    for name, expected in stationary_oracle(bars).items():
        first = max(FIRST_DEFINED[name], LATER_IN_STATIONARY_FORM.get(name, 0))
        assert np.isnan(ours[name][:first]).all(), name
        assert not first_disagreement(ours[name][first:], expected[first:], near(expected[first:])), name


@pytest.mark.parametrize("path", [SPEC_55, LEVELS_55], ids=lambda path: path.stem)
def test_both_shipped_specs_have_the_names_of_the_table_in_its_order(path: Path) -> None:
    spec = FeatureSpec.load(path)
    assert len(spec.names) == spec.width == 55
    assert spec.names == list(FIRST_DEFINED)
    assert spec.emit_from == spec.warmup == 199
    assert spec.warnings == []


def test_first_defined_bars_are_those_of_the_table() -> None:
    assert {feature["name"]: spec_of(feature).warmup for feature in features_of(LEVELS_55)} == FIRST_DEFINED
    assert {feature["name"]: spec_of(feature).warmup for feature in features_of(SPEC_55)} == {
        **FIRST_DEFINED,
        **LATER_IN_STATIONARY_FORM,
    }


def test_the_default_spec_does_not_follow_the_price_level() -> None:
    """A model with fixed normalisation reads the same rows of a dearer market."""
    bars = market(5, 1000)
    dear = Bars(bars.ts, 8 * bars.open, 8 * bars.high, 8 * bars.low, 8 * bars.close, bars.volume)
    spec = FeatureSpec.load(SPEC_55)
    np.testing.assert_array_equal(built(spec, dear), built(spec, bars))


Witness = Callable[[Bars], Float64]

# Ops that the 55 do not use, or use with few parameters: parameters, and the witness on close unless it says otherwise.
OTHER_OPS: list[tuple[Feature, Witness]] = [
    ({"op": "IDENT", "source": "hl2"}, lambda b: (b.high + b.low) / 2),
    ({"op": "IDENT", "source": "ohlc4"}, lambda b: (b.open + b.high + b.low + b.close) / 4),
    ({"op": "IDENT", "source": "hlc3"}, lambda b: talib.TYPPRICE(b.high, b.low, b.close)),
    ({"op": "IDENT", "source": "logret"}, lambda b: np.log(b.close / lagged(b.close))),
    ({"op": "LAG", "source": "volume", "window": 7}, lambda b: lagged(b.volume, 7)),
    ({"op": "LOGRET", "window": 3, "offset": 2.5}, lambda b: np.log((2.5 + b.close) / (2.5 + lagged(b.close, 3)))),
    ({"op": "ROC", "window": 12}, lambda b: talib.ROC(b.close, 12)),
    ({"op": "EMA", "window": 7, "source": "low"}, lambda b: talib.EMA(b.low, 7)),
    ({"op": "EMA", "window": 7, "seed": "first"}, lambda b: ema_from_first(b.close, 7)),
    ({"op": "WILDER", "window": 9}, lambda b: wilder(b.close, 9, 0)),
    ({"op": "SUM", "window": 33, "source": "volume"}, lambda b: talib.SUM(b.volume, 33)),
    ({"op": "STD", "window": 33}, lambda b: rolled(b.close, 33, np.std)),
    ({"op": "ZWIN", "window": 25}, lambda b: (b.close - rolled(b.close, 25, np.mean)) / rolled(b.close, 25, np.std)),
    ({"op": "MIN", "window": 23}, lambda b: talib.MIN(b.close, 23)),
    ({"op": "MAX", "window": 23}, lambda b: talib.MAX(b.close, 23)),
    ({"op": "PLUS_DI", "window": 10}, lambda b: talib.PLUS_DI(b.high, b.low, b.close, 10)),
    ({"op": "MINUS_DI", "window": 10}, lambda b: talib.MINUS_DI(b.high, b.low, b.close, 10)),
    ({"op": "ADX", "window": 5}, lambda b: talib.ADX(b.high, b.low, b.close, 5)),
    ({"op": "MACD_LINE", "fast": 30, "slow": 8, "signal": 5}, lambda b: talib.MACD(b.close, 30, 8, 5)[0]),
    ({"op": "MACD_SIGNAL", "fast": 3, "slow": 9, "signal": 1}, lambda b: talib.MACD(b.close, 3, 9, 1)[1]),
    ({"op": "BOLLINGER_LOWER", "window": 7, "k": 0.5}, lambda b: talib.BBANDS(b.close, 7, 0.5, 0.5, SMA)[2]),
    ({"op": "CCI", "window": 2}, lambda b: talib.CCI(b.high, b.low, b.close, 2)),
    ({"op": "MFI", "window": 5}, lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 5)),
    ({"op": "STOCHASTIC_D", "window": 5, "smooth": 9}, lambda b: talib.STOCHF(b.high, b.low, b.close, 5, 9, SMA)[1]),
    ({"op": "ADD", "sources": ["close", "open"]}, lambda b: b.close + b.open),
    ({"op": "SUB", "sources": ["close", "open"]}, lambda b: b.close - b.open),
    ({"op": "MUL", "sources": ["close", "volume"]}, lambda b: b.close * b.volume),
    ({"op": "DIV", "sources": ["close", "volume"]}, lambda b: b.close / b.volume),
    ({"op": "ABS", "source": "logret"}, lambda b: np.abs(np.log(b.close / lagged(b.close)))),
    ({"op": "SIGN", "source": "logret"}, lambda b: np.sign(np.log(b.close / lagged(b.close)))),
    ({"op": "CLIP", "source": "close", "low": 99.5, "high": 101.0}, lambda b: np.clip(b.close, 99.5, 101.0)),
]


def ema_from_first(x: Float64, n: int) -> Float64:
    out: Float64 = x.copy()
    for t in range(1, len(x)):
        out[t] = out[t - 1] + 2 / (n + 1) * (x[t] - out[t - 1])
    return out


@pytest.mark.parametrize(("given", "witness"), OTHER_OPS, ids=[str(given) for given, _ in OTHER_OPS])
def test_other_ops_agree_with_their_witness(given: Feature, witness: Witness) -> None:
    for seed in (1, 2):
        bars = market(seed, 1500)
        feature = {"name": "x", **given}
        expected, ours = witness(bars), in_double([feature], bars)["x"]
        first = int(np.isfinite(expected).argmax())
        assert spec_of(feature).warmup == first
        assert not first_disagreement(ours[first:], expected[first:], near(expected[first:]))


def test_every_op_has_a_witness() -> None:
    of_sessions = {"MINUTE_OF_SESSION", "DAY_SIN", "DAY_COS", "SESSION_VWAP"}  # theirs are in test_session_ops.py
    seen = {feature["op"] for feature in features_of(LEVELS_55)} | {given["op"] for given, _ in OTHER_OPS} | of_sessions
    assert seen == {op["name"] for op in ops()}


def test_a_sum_and_a_mean_of_few_bars_are_those_of_a_pocket_calculator() -> None:
    close = np.array([10.0, 11.0, 12.0, 11.0, 14.0])
    bars = Bars(np.arange(5), close, close + 1, close - 1, close, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    features: list[Feature] = [
        {"name": "sma", "op": "SMA", "window": 3},
        {"name": "obv", "op": "OBV"},
        {"name": "atr", "op": "ATR", "window": 2},
        {"name": "rsi", "op": "RSI", "window": 3},
        {"name": "range", "op": "STOCHASTIC_K", "window": 3},
        {"name": "share", "op": "BID_ASK_RATIO"},
    ]
    spec = spec_of(*features)
    last = dict(zip(spec.names, built(spec, bars)[-1].tolist(), strict=True))
    assert last == {
        "sma": pytest.approx((12 + 11 + 14) / 3, rel=1e-7),  # float32
        "obv": 1 + 2 + 3 - 4 + 5,
        "atr": ((2 + 2) / 2 / 2 + 2 / 2) / 2 + 4 / 2,  # true ranges 2 2 2 4: the last rose from 11 to a high of 15
        "rsi": pytest.approx(100 * (2 / 3 * 2 / 3 + 1) / ((2 / 3 * 2 / 3 + 1) + 1 / 3 * 2 / 3), rel=1e-7),
        "range": pytest.approx(100 * (14 - 10) / (15 - 10)),
        "share": 0.5,
    }
