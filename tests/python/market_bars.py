"""Bars of many kinds, real ones among them, and specs to look at features with. Legend: n bars, F features."""

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from sentio_features import Bars, FeatureBuilder, FeatureSpec, ops, read_csv

if TYPE_CHECKING:
    from sentio_features import Op  # a type of the stub, not of the module

PROJECT = Path(__file__).resolve().parents[2]
REAL_BARS = PROJECT.parent / "shared" / "data"
MINUTE_NS = 60_000_000_000
FIRST_NS = 1_704_205_800_000_000_000  # 2024-01-02 14:30 UTC

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Feature = dict[str, Any]
Regime = Literal["walk", "ticks", "flat", "spikes", "tiny", "huge", "constant", "extremes"]

ORDINARY: tuple[Regime, ...] = ("walk", "ticks")
"""What a liquid market looks like: a random walk, and one on a grid of cents."""

REGIMES: tuple[Regime, ...] = ("walk", "ticks", "flat", "spikes", "tiny", "huge", "constant", "extremes")
"""Also: stretches without any change or volume, spikes by 1e9, prices near both limits, one bar over and over, and
prices and volumes that jump between their limits."""

SPEC_55 = PROJECT / "configs" / "features" / "sentio_55.json"
LEVELS_55 = PROJECT / "configs" / "features" / "sentio_55_levels.json"


def market(seed: int, n: int, regime: Regime = "walk") -> Bars:
    """Valid bars, a minute apart; the same seed, the same bars."""
    random = np.random.default_rng([seed, REGIMES.index(regime)])
    change = 0.002 * random.standard_normal(n)
    gap = 0.0003 * random.standard_normal(n)
    volume = np.exp(8.0 + random.standard_normal(n)).round()
    wick = np.abs(0.001 * random.standard_normal((2, n)))
    if regime == "flat":
        still = np.repeat(random.random(n) < 0.5, random.integers(1, 40, n))[:n]
        for column in (change, gap, *wick):
            column[still] = 0.0
        volume[still & (random.random(n) < 0.7)] = 0.0
    close = 100.0 * np.exp(np.cumsum(change + gap))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(gap)
    if regime == "flat":
        still_open = gap == 0.0
        open_[still_open] = np.concatenate([[100.0], close[:-1]])[still_open]
    if regime == "spikes":
        spiked = random.random(n) < 0.01
        close[spiked] *= 1e9
        volume[random.random(n) < 0.01] *= 1e9
    if regime == "constant":
        open_[:], close[:], wick[:], volume[:] = 100.0, 100.0, 0.0, 0.0
    if regime == "extremes":
        open_ = random.choice([1e-30, 1.0, 1e30], n)
        close = random.choice([1e-30, 1.0, 1e30], n)
        wick[:] = 0.0
        volume = random.choice([0.0, 5e-324, 1.0, 1e30], n)
    scale = {"tiny": 1e-27, "huge": 1e26}.get(regime, 1.0)
    open_, close = open_ * scale, close * scale
    if regime == "huge":
        volume *= 1e20
    high = np.maximum(open_, close) * (1.0 + wick[0])
    low = np.minimum(open_, close) * (1.0 - wick[1])
    if regime == "ticks":
        open_, high, low, close = (np.round(x, 2) for x in (open_, high, low, close))
    return Bars(FIRST_NS + MINUTE_NS * np.arange(n), open_, high, low, close, volume)


def joined(*parts: Bars) -> Bars:
    """One run of bars; the later parts are moved in time to come a minute after those before."""
    columns = [np.concatenate([part[name] for part in parts]) for name in ("open", "high", "low", "close", "volume")]
    return Bars(parts[0].ts[0] + MINUTE_NS * np.arange(len(columns[0])), *columns)


@functools.cache
def real_bars(name: str, rows: int | None = None) -> Bars:
    """Recorded bars, from the oldest on; the test is skipped where they are not at hand."""
    path = REAL_BARS / name
    if not path.exists():
        pytest.skip(f"the recorded bars {name} are not beside this project, in ../shared/data")
    return read_csv(path)[:rows]


def document(*features: Feature, emit_from: int | None = 0, pad: float = 0.0) -> dict[str, Any]:
    policy: dict[str, Any] = {"pad_value": pad}
    if emit_from is not None:
        policy["emit_from_index"] = emit_from
    return {"schema_version": "1.0", "features": list(features), "alignment_policy": policy, "dtype": "float32"}


def spec_of(*features: Feature, emit_from: int | None = 0, pad: float = 0.0) -> FeatureSpec:
    """A spec whose cells are padded only as long as their own feature needs, unless `emit_from` says more."""
    return FeatureSpec.from_json(json.dumps(document(*features, emit_from=emit_from, pad=pad)))


def features_of(path: Path) -> list[Feature]:
    features: list[Feature] = json.loads(path.read_text())["features"]
    return features


def built(spec: FeatureSpec, bars: Bars) -> Float32:
    """Shape [n, F], from a fresh start."""
    return FeatureBuilder(spec).build(bars)


def bits(x: Float32) -> npt.NDArray[np.uint32]:
    """What is compared where equal bits are promised: 0.0 is not -0.0, and a NaN equals itself."""
    return np.ascontiguousarray(x).view(np.uint32)


def split(*names: str, parts: Literal[2, 3]) -> list[Feature]:
    """`parts` emitted features for each of `names`, float32 that add up to its double: two to about 2^-48, three to
    all its 53 bits, which one float32 would hide.

    Veltkamp 1968: with C = 2^29 + 1, C x - (C x - x) is x rounded to 24 bits, and what is left of x, 29 bits and then
    5, is exact.
    """
    constant = 2.0**29 + 1
    features: list[Feature] = [{"name": "veltkamp", "op": "CLIP", "low": constant, "high": constant, "emit": False}]
    for name in names:
        rest = name
        for i in range(1, parts):
            times, less, part, left = (f"{name}.{what}{i}" for what in ("times", "less", "part", "left"))
            features += [
                {"name": times, "op": "MUL", "sources": [rest, "veltkamp"], "emit": False},
                {"name": less, "op": "SUB", "sources": [times, rest], "emit": False},
                {"name": part, "op": "SUB", "sources": [times, less]},
                {"name": left, "op": "SUB", "sources": [rest, part], "emit": i == parts - 1},
            ]
            rest = left
    return features


def in_double(features: list[Feature], bars: Bars) -> dict[str, Float64]:
    """The features before their rounding to float32, to about 2^-48, NaN until they are defined; each of shape [n]."""
    hidden = [{**feature, "emit": False} for feature in features]
    spec = spec_of(*hidden, *split(*(feature["name"] for feature in features), parts=2))
    matrix = built(spec, bars).astype(np.float64)
    values = {}
    for i, feature in enumerate(features):
        values[feature["name"]] = matrix[:, 2 * i] + matrix[:, 2 * i + 1]
        values[feature["name"]][: spec_of(feature).warmup] = np.nan
    return values


def op_named(name: str) -> "Op":
    return next(op for op in ops() if op["name"] == name)
