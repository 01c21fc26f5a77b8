"""Laws that every op of the registry obeys, bit for bit: a new op is under them from its first day."""

import functools
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from market_bars import (
    FIRST_NS,
    LEVELS_55,
    MINUTE_NS,
    ORDINARY,
    REGIMES,
    SPEC_55,
    Feature,
    Float32,
    Regime,
    bits,
    built,
    joined,
    market,
    op_named,
    real_bars,
    spec_of,
)
from sentio_features import Bars, FeatureBuilder, FeatureSpec, ops

PAD = -98765.4296875  # no feature's value, and exact in float32
BLOCK = 256  # bars that the engine takes at a time: longer windows reach beyond one block


@dataclass(frozen=True)
class Case:
    """An op with one choice of its parameters and sources."""

    op: str
    params: tuple[tuple[str, Any], ...]
    sources: tuple[str, ...] = ("close", "open")

    def __str__(self) -> str:
        sources = self.sources[: op_named(self.op)["sources"]]
        return f"{self.op}({', '.join([*sources, *(f'{name}={value}' for name, value in self.params)])})"

    @property
    def features(self) -> list[Feature]:
        """Sources that are features themselves, and the op, the only one that is emitted."""
        built_in = {"open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "logret"}
        count = op_named(self.op)["sources"]
        sources = self.sources[:count]
        before = [
            {"name": name, "op": "SUB", "sources": ["close", "open"], "emit": False}
            for name in dict.fromkeys(sources)
            if name not in built_in
        ]
        given: Feature = {"source": sources[0]} if count == 1 else {"sources": list(sources)} if count == 2 else {}
        return [*before, {"name": "x", "op": self.op, **dict(self.params), **given}]

    @functools.cached_property
    def spec(self) -> FeatureSpec:
        return spec_of(*self.features, pad=PAD)

    @functools.cached_property
    def bars_needed(self) -> int:
        return max(700, 2 * self.spec.warmup + 300)

    @property
    def recursive(self) -> bool:
        """A parameter may switch between a running total and a window: the spec's settle tells which it is."""
        return op_named(self.op)["recursive"] and self.spec.settle != self.spec.warmup


def drawn(op: str, low: int, high: int) -> tuple[tuple[str, Any], ...]:
    """Parameters from their ranges: whole numbers within [low, high], as far as the range allows."""
    random = np.random.default_rng(zlib.crc32(f"{op} {low}".encode()))
    params: list[tuple[str, Any]] = []
    for param in op_named(op)["params"]:
        if "choices" in param:
            params.append((param["name"], str(random.choice(param["choices"]))))
        elif isinstance(param["default"], int):
            least, most = max(low, param["min"]), min(high, param["max"])
            params.append((param["name"], int(random.integers(least, most + 1))))
        else:
            span = max(param["min"], -10.0), min(param["max"], 10.0)
            params.append((param["name"], round(float(random.uniform(*span)), 3)))
    given = dict(params)
    if {"low", "high"} <= set(given):  # limits, which must be in order
        given["low"], given["high"] = sorted((given["low"], given["high"]))
    return tuple(given.items())


def defaults(op: str) -> tuple[tuple[str, Any], ...]:
    return tuple((param["name"], param["default"]) for param in op_named(op)["params"])


def cases() -> list[Case]:
    found: dict[str, Case] = {}
    for op in ops():
        name, count = op["name"], op["sources"]
        choices = [defaults(name), drawn(name, 2, 9), drawn(name, 10, 150), drawn(name, BLOCK + 1, 2 * BLOCK + 50)]
        sources = [("close", "open")]
        if count > 0:
            sources += [("volume", "low"), ("change", "volume")]  # a source with zeros, one with both signs
        candidates = [Case(name, params) for params in choices] + [Case(name, choices[1], pair) for pair in sources]
        for case in candidates:
            found.setdefault(str(case), case)
    return list(found.values())


CASES = cases()
DEFAULTS = [Case(op["name"], defaults(op["name"])) for op in ops()]
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_default = pytest.mark.parametrize("case", DEFAULTS, ids=str)


def first_difference(one: Float32, other: Float32) -> int | None:
    """The first row whose bits differ."""
    differs = (bits(one) != bits(other)).any(axis=1)
    return int(differs.argmax()) if differs.any() else None


def pushed(builder: FeatureBuilder, bars: Bars) -> Float32:
    columns = [bars[name].tolist() for name in ("ts", "open", "high", "low", "close", "volume")]
    return np.array([builder.push(*bar) for bar in zip(*columns, strict=True)])


def in_chunks(builder: FeatureBuilder, bars: Bars, seed: int) -> Float32:
    """Rows from chunks of random sizes, single bars and empty chunks among them."""
    random = np.random.default_rng(seed)
    rows, at = [], 0
    while at < len(bars):
        size = int(random.choice([0, 1, 2, 7, 100, 255, 256, 257, 400]))
        rows.append(builder.build(bars[at : at + size]))
        at += size
    return np.concatenate(rows)


@every_case
def test_chunks_do_not_matter(case: Case) -> None:
    for seed, regime in enumerate(REGIMES):
        bars = market(seed, case.bars_needed, regime)
        whole, chunked, single = (FeatureBuilder(case.spec) for _ in range(3))
        matrix = whole.build(bars)
        assert first_difference(matrix, in_chunks(chunked, bars, seed)) is None, regime
        assert first_difference(matrix, pushed(single, bars)) is None, regime
        assert whole.state() == chunked.state() == single.state(), regime
        assert whole.bars_seen == chunked.bars_seen == single.bars_seen == len(bars)


@every_case
def test_cells_hold_the_pad_value_until_the_warm_up_ends_and_not_one_bar_longer(case: Case) -> None:
    bars = market(1, case.bars_needed)
    matrix = built(case.spec, bars)
    np.testing.assert_array_equal(matrix[: case.spec.warmup], PAD)
    assert (matrix[case.spec.warmup :] != PAD).all()
    assert case.spec.emit_from == 0
    late = built(spec_of(*case.features, emit_from=case.spec.warmup + 10, pad=PAD), bars)
    np.testing.assert_array_equal(late[: case.spec.warmup + 10], PAD)
    assert first_difference(late[case.spec.warmup + 10 :], matrix[case.spec.warmup + 10 :]) is None


@every_default
def test_the_registry_declares_the_facts_of_the_default_parameters(case: Case) -> None:
    row = op_named(case.op)
    assert case.spec.warmup == row["warmup"]
    assert case.spec.settle == row["settle"]
    assert spec_of({"name": "x", **case.features[-1]}, emit_from=None).emit_from == row["warmup"]
    if not row["recursive"]:
        assert row["settle"] == row["warmup"]


@every_case
def test_later_bars_do_not_change_earlier_rows(case: Case) -> None:
    for seed, regime in enumerate(REGIMES):
        bars = market(seed, case.bars_needed, regime)
        matrix = built(case.spec, bars)
        for cut in np.random.default_rng(seed).integers(1, len(bars), 3):
            other = joined(bars[:cut], market(99, len(bars) - cut, "spikes"))
            assert first_difference(matrix[:cut], built(case.spec, other)[:cut]) is None, (regime, cut)


@pytest.mark.parametrize("case", [case for case in CASES if not case.recursive], ids=str)
def test_a_window_forgets_all_that_lies_before_it(case: Case) -> None:
    warmup = case.spec.warmup
    for seed, regime in enumerate(REGIMES):
        bars = market(seed, case.bars_needed, regime)
        matrix = built(case.spec, bars)
        for start in np.random.default_rng(seed).integers(1, len(bars) - warmup, 5):
            again = built(case.spec, bars[start:])
            assert first_difference(matrix[start + warmup :], again[warmup:]) is None, (regime, start)


def test_a_program_that_flushes_subnormal_numbers_to_zero_changes_no_bit() -> None:
    bars = market(1, 1500, "extremes")
    for path in (SPEC_55, LEVELS_55):
        spec = FeatureSpec.load(path)
        matrix = built(spec, bars)
        assert torch.set_flush_denormal(True), "this machine cannot flush subnormal numbers"
        try:
            assert np.float64(5e-324) * 1.0 == 0.0
            flushed = built(spec, bars), pushed(FeatureBuilder(spec), bars)
            assert np.float64(5e-324) * 1.0 == 0.0, "the program's own setting must be as it was"
        finally:
            torch.set_flush_denormal(False)
        for again in flushed:
            assert first_difference(matrix, again) is None


@every_case
def test_a_copy_and_a_restored_state_go_on_with_the_same_bits(case: Case) -> None:
    random = np.random.default_rng(5)
    for seed, regime in enumerate(REGIMES):
        bars = market(seed, case.bars_needed, regime)
        cut = int(random.integers(0, len(bars)))
        builder = FeatureBuilder(case.spec)
        matrix = builder.build(bars[:cut])
        copy, state = builder.copy(), builder.state()
        restored = FeatureBuilder(case.spec)
        restored.build(market(7, 300, "spikes"))  # what it saw before is gone
        restored.restore(state)
        assert restored.state() == state
        assert restored.bars_seen == cut
        rest = builder.build(bars[cut:])
        assert first_difference(rest, copy.build(bars[cut:])) is None, (regime, cut)
        assert first_difference(rest, in_chunks(restored, bars[cut:], seed)) is None, (regime, cut)
        assert builder.state() == copy.state() == restored.state()
        assert first_difference(np.concatenate([matrix, rest]), built(case.spec, bars)) is None


def test_a_state_goes_on_in_another_process_with_the_same_bits(tmp_path: Path) -> None:
    bars = market(3, 900)
    builder = FeatureBuilder(FeatureSpec.load(SPEC_55))
    builder.build(bars[:500])
    (tmp_path / "state").write_bytes(builder.state())
    np.save(tmp_path / "bars.npy", [bars[name][500:] for name in ("open", "high", "low", "close", "volume")])
    np.save(tmp_path / "ts.npy", bars.ts[500:])
    code = (
        "import numpy as np, pathlib, sys, sentio_features as s\n"
        "builder = s.FeatureBuilder(s.FeatureSpec.load(sys.argv[1]))\n"
        "builder.restore(pathlib.Path('state').read_bytes())\n"
        "np.save('rows.npy', builder.build(s.Bars(np.load('ts.npy'), *np.load('bars.npy'))))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(SPEC_55)], cwd=tmp_path, check=True)
    assert first_difference(builder.build(bars[500:]), np.load(tmp_path / "rows.npy")) is None


def check_settles(spec: FeatureSpec, bars: Bars, starts: "list[int]") -> None:
    """Runs that begin at `starts` have the bits of the run from the beginning, from the declared settle on."""
    settle = spec.settle
    assert settle is not None
    matrix = built(spec, bars)
    for start in starts:
        again = built(spec, bars[start:])
        where = first_difference(matrix[start + settle :], again[settle:])
        assert where is None, f"a start at bar {start} still shows {settle + where} bars later"


@pytest.mark.parametrize("case", [case for case in CASES if case.spec.settle is not None], ids=str)
def test_the_start_does_not_show_once_the_op_has_settled(case: Case) -> None:
    """On bars as a market has them: a mean that has seen a spike keeps 2^-56 of it at the declared settle, which shows
    if the spike was high enough, and a ratio of means that both fade, as RSI in a stretch without any change, never
    forgets where they began.
    """
    settle = case.spec.settle
    assert settle is not None
    for seed, regime in enumerate(ORDINARY):
        bars = market(seed, settle + 800, regime)
        starts = [int(start) for start in np.random.default_rng(seed).integers(1, 500, 4)]
        check_settles(case.spec, bars, starts)


@pytest.mark.parametrize("case", [case for case in DEFAULTS if case.recursive], ids=str)
def test_a_recursive_op_shows_its_start_at_first(case: Case) -> None:
    bars = market(1, 600)
    warmup = case.spec.warmup
    start = first_difference(built(case.spec, bars)[100 + warmup :], built(case.spec, bars[100:])[warmup:])
    assert start is not None


def test_the_default_spec_settles_within_4096_bars() -> None:
    spec = FeatureSpec.load(SPEC_55)
    assert spec.settle is not None
    assert spec.settle <= 4096
    for seed, regime in enumerate(ORDINARY):
        starts = [int(start) for start in np.random.default_rng(seed).integers(1, 2000, 8)]
        check_settles(spec, market(seed, spec.settle + 3000, regime), starts)


@pytest.mark.parametrize("name", ["SPY_1m.csv.gz", "SPY_1m_2011.csv.gz", "EURUSD_1h.csv", "SPY_1d.csv"])
def test_the_default_spec_settles_on_recorded_bars(name: str) -> None:
    bars = real_bars(name, 20_000)
    spec = FeatureSpec.load(SPEC_55)
    starts = [int(start) for start in np.random.default_rng(len(bars)).integers(1, len(bars) - 4096 - 200, 6)]
    check_settles(spec, bars, starts)


def scaled(bars: Bars, factor: float) -> Bars:
    prices = (factor * bars.open, factor * bars.high, factor * bars.low, factor * bars.close)
    return Bars(bars.ts, *prices, bars.volume)


def scales_with_prices(case: Case) -> bool:
    """Whether the declared degree speaks of this case: an offset would have to be scaled as well, and volumes do not
    follow prices."""
    volume_free = "volume" not in case.sources[: op_named(case.op)["sources"]]
    return op_named(case.op)["degree"] is not None and volume_free and dict(case.params).get("offset", 0.0) == 0.0


@pytest.mark.parametrize("case", [case for case in CASES if scales_with_prices(case)], ids=str)
def test_prices_times_two_give_the_value_times_two_to_the_degree(case: Case) -> None:
    factor = np.float32(2.0 ** op_named(case.op)["degree"])  # type: ignore[operator]
    regimes: tuple[Regime, ...] = ("walk", "ticks", "flat", "spikes", "constant")
    for seed, regime in enumerate(regimes):
        bars = market(seed, case.bars_needed, regime)
        once, twice = (built(case.spec, run)[case.spec.warmup :] for run in (bars, scaled(bars, 2.0)))
        # Below the smallest normal float32, to which a mean decays in a long flat stretch, doubling is not exact.
        exact = (once == 0.0) | (np.abs(once) >= np.finfo(np.float32).tiny)
        np.testing.assert_array_equal(bits(twice[exact]), bits(once[exact] * factor), err_msg=regime)


@every_case
def test_valid_bars_never_give_nan_or_infinity(case: Case) -> None:
    *before, feature = case.features
    for form in ("level", "relative", "per_close", "per_volume"):
        spec = spec_of(*before, {**feature, "as": form})
        for seed, regime in enumerate(REGIMES):
            assert np.isfinite(built(spec, market(seed, case.bars_needed, regime))).all(), (form, regime)


def test_a_long_chain_of_one_op_is_finite_and_its_state_is_taken() -> None:
    """Each link may outgrow the one before, and 130 of them would outgrow a double."""
    bars = [market(seed, 420, regime) for seed, regime in enumerate(REGIMES)]
    limits: Feature = {
        "window": 2,
        "k": 100.0,
        "fast": 2,
        "slow": 3,
        "signal": 1,
        "offset": 1e9,
        "low": -1e30,
        "high": 1e30,
    }
    for op in ops():
        if op["sources"] == 0:
            continue
        params = {param["name"]: limits[param["name"]] for param in op["params"] if param["name"] in limits}
        chain: list[Feature] = []
        for i in range(130):
            before = f"x{i - 1}" if i > 0 else "close"
            given: Feature = {"source": before} if op["sources"] == 1 else {"sources": [before, before]}
            chain.append({"name": f"x{i}", "op": op["name"], **params, **given, "emit": i % 43 == 0})
        spec = spec_of(*chain)
        for run in bars:
            builder = FeatureBuilder(spec)
            assert np.isfinite(builder.build(run)).all(), op["name"]
            FeatureBuilder(spec).restore(builder.state())


def test_indicators_of_changes_say_so_when_there_have_long_been_none() -> None:
    """Means of changes fade and never reach 0; what they were is no news after ten thousand bars of one price."""
    moved = market(1, 100)
    still = Bars(
        FIRST_NS + MINUTE_NS * np.arange(12_000), *(np.full(12_000, moved.close[-1]) for _ in range(4)), np.ones(12_000)
    )
    spec = spec_of(*({"name": op, "op": op} for op in ("RSI", "PLUS_DI", "MINUS_DI")))
    assert built(spec, joined(moved, still))[-1].tolist() == [50.0, 0.0, 0.0]


def test_every_op_of_every_op_is_finite_on_every_market() -> None:
    """Ops of ops: each op that takes a source reads each other op, with bars that jump between the limits."""
    bars = [market(seed, 300, regime) for seed, regime in enumerate(REGIMES)]
    for inner in ops():
        given: Feature = {"sources": ["close", "volume"]} if inner["sources"] == 2 else {}
        features: list[Feature] = [{"name": "inner", "op": inner["name"], **given}]
        for outer in ops():
            if outer["sources"] > 0:
                sources: Feature = {"source": "inner"} if outer["sources"] == 1 else {"sources": ["inner", "inner"]}
                features.append({"name": outer["name"], "op": outer["name"], **sources})
        spec = spec_of(*features)
        for run in bars:
            matrix = built(spec, run)
            bad = np.flatnonzero(~np.isfinite(matrix).all(axis=0))
            assert not len(bad), (inner["name"], [spec.names[i] for i in bad])


def random_chain(random: np.random.Generator, length: int) -> list[Feature]:
    """Features that read each other, in every form."""
    features: list[Feature] = []
    names = ["close", "volume", "logret", "hl2", "low"]

    def source() -> str:
        return names[-1] if random.random() < 0.6 else str(random.choice(names))

    for i in range(length):
        op = ops()[int(random.integers(len(ops())))]
        feature: Feature = {"name": f"f{i}", "op": op["name"]}
        if op["sources"] == 1:
            feature["source"] = source()
        if op["sources"] == 2:
            feature["sources"] = [source(), source()]
        for param in op["params"]:
            if param["name"] == "k":
                feature["k"] = float(random.choice([0.0, 2.0, 100.0]))
            elif isinstance(param["default"], int):
                feature[param["name"]] = max(param["min"], int(random.choice([1, 2, 5, 20])))
        feature["as"] = str(random.choice(["level", "level", "relative", "per_close", "per_volume"]))
        features.append(feature)
        names.append(feature["name"])
    return features


@pytest.mark.parametrize("seed", range(10))
def test_chains_of_ops_are_finite_on_the_wildest_markets(seed: int) -> None:
    random = np.random.default_rng(seed)
    regimes: tuple[Regime, ...] = ("extremes", "huge", "tiny")
    for _ in range(100):
        features = random_chain(random, 8)
        for regime in regimes:
            assert np.isfinite(built(spec_of(*features), market(seed, 250, regime))).all(), features


def test_bars_far_apart_in_time_are_neighbours() -> None:
    """Windows count bars: what lies between two of them in time does not matter."""
    bars = market(2, 400)
    spec = FeatureSpec.load(SPEC_55)
    sparse = Bars(bars.ts + 1000 * MINUTE_NS * np.arange(400), bars.open, bars.high, bars.low, bars.close, bars.volume)
    assert first_difference(built(spec, bars), built(spec, sparse)) is None
