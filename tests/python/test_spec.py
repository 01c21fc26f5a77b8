"""Feature specs: what they accept, their hash, their messages, and the builder that computes them."""

import contextlib
import hashlib
import json
import random
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_bars import (
    LEVELS_55,
    MINUTE_NS,
    PROJECT,
    SPEC_55,
    Feature,
    bits,
    built,
    document,
    features_of,
    market,
    op_named,
    spec_of,
)
from sentio_features import Bars, FeatureBuilder, FeatureSpec, InputError, build_features_from_spec, ops

BARS = market(1, 700)
CLOSE: Feature = {"name": "x", "op": "IDENT"}


def message_of(spec: "dict[str, Any] | str") -> str:
    with pytest.raises(InputError) as error:
        FeatureSpec.from_json(spec if isinstance(spec, str) else json.dumps(spec))
    return str(error.value)


def refused(*features: Feature) -> str:
    return message_of(document(*features))


# --- what a spec may leave out ---


def test_defaults_are_filled_in() -> None:
    spec = FeatureSpec.from_json('{"features": [{"name": "s", "op": "SMA"}]}')
    assert json.loads(spec.canonical()) == {
        "schema_version": "1.0",
        "dtype": "float32",
        "features": [{"name": "s", "op": "SMA", "source": "close", "window": 20, "as": "level", "emit": True}],
        "alignment_policy": {"emit_from_index": 19, "pad_value": 0.0},
    }
    assert (spec.names, spec.width, spec.warmup, spec.settle) == (["s"], 1, 19, 19)
    assert (spec.emit_from, spec.pad_value, spec.warnings) == (19, 0.0, [])


def test_emit_from_is_the_largest_warm_up_unless_it_is_given() -> None:
    features: list[Feature] = [{"name": "a", "op": "SMA", "window": 50}, {"name": "b", "op": "LAG", "window": 3}]
    assert spec_of(*features, emit_from=None).emit_from == 49
    assert spec_of(*features, emit_from=60).emit_from == 60
    hidden = {"name": "c", "op": "SMA", "window": 500, "emit": False}
    assert spec_of(*features, hidden, emit_from=None).emit_from == 49


def test_older_specs_without_form_and_emit_load() -> None:
    text = """{
      "schema_version": "1.0",
      "features": [
        {"name": "ret_1m",  "op": "LOGRET", "source": "close", "window": 1},
        {"name": "vol_20",  "op": "STD",    "source": "ret_1m", "window": 20},
        {"name": "sma_20",  "op": "SMA",    "source": "close", "window": 20, "as": "relative"},
        {"name": "bb_up",   "op": "BOLLINGER_UPPER", "source": "close", "window": 20, "k": 2.0}
      ],
      "alignment_policy": {"emit_from_index": 199, "pad_value": 0.0},
      "dtype": "float32"
    }"""
    spec = FeatureSpec.from_json(text)
    assert (spec.names, spec.warmup, spec.emit_from) == (["ret_1m", "vol_20", "sma_20", "bb_up"], 20, 199)
    assert np.isfinite(built(spec, BARS)).all()


def older(name: str) -> Path:
    """A spec in the format of the first trainer: no `as` or `emit`, bar columns as features of their own names."""
    return PROJECT / "tests" / "data" / "specs" / name


def test_the_older_spec_of_six_features_loads_unchanged() -> None:
    spec = FeatureSpec.load(older("older_six.json"))
    assert spec.names == ["close", "logret", "ema12", "ema48", "rsi10", "zret30"]
    assert (spec.emit_from, spec.warmup, spec.warnings) == (64, 47, [])
    matrix = built(spec, BARS)
    assert (matrix[:64] == 0.0).all()
    np.testing.assert_array_equal(matrix[64:, 0], BARS.close[64:].astype(np.float32))
    of_built_in = spec_of({"name": "r", "op": "IDENT", "source": "logret"}, emit_from=64)
    np.testing.assert_array_equal(bits(matrix[:, 1]), bits(built(of_built_in, BARS)[:, 0]))


def test_an_older_spec_of_55_features_loads_unchanged_and_tells_what_is_odd() -> None:
    path = older("older_55.json")
    spec = FeatureSpec.load(path)
    assert spec.width == 55
    assert spec.names == [feature["name"] for feature in features_of(path)]
    atr_14, atr_21, early = spec.warnings
    assert atr_14 == f"{path}: features[51].source: ATR reads whole bars, 'hlc' changes nothing"
    assert atr_21 == f"{path}: features[52].source: ATR reads whole bars, 'close' changes nothing"
    assert early.startswith(f"{path}: alignment_policy.emit_from_index 64 comes before these features are defined")
    assert early.endswith("sma_100 (99), sma_200 (199), ema_100 (99), ema_200 (199)")
    assert np.isfinite(built(spec, BARS)).all()


def test_a_source_that_changes_nothing_is_not_part_of_the_hash() -> None:
    plain = spec_of({"name": "a", "op": "ATR"}, emit_from=None)
    for source in ("close", "hl", "hlc", "ohlc", "hlcv", "ohlcv", "close_volume"):
        given = spec_of({"name": "a", "op": "ATR", "source": source}, emit_from=None)
        assert given.hash == plain.hash
        assert given.warnings == [f"spec: features[0].source: ATR reads whole bars, '{source}' changes nothing"]


def test_volatility_of_the_log_return_is_that_of_the_price() -> None:
    """Older specs name the log return as the source, today's the price: both mean the deviation of log returns."""
    renamed: Feature = {"name": "logret", "op": "LOGRET", "source": "close"}
    spec = spec_of(
        renamed,
        {"name": "of_price", "op": "VOLATILITY", "window": 10},
        {"name": "of_return", "op": "VOLATILITY", "window": 10, "source": "logret"},
        {"name": "std", "op": "STD", "window": 10, "source": "logret"},
    )
    matrix = built(spec, BARS)
    assert (matrix[10:, 1] > 0.0).all()
    for i in (2, 3):
        np.testing.assert_array_equal(bits(matrix[:, 1]), bits(matrix[:, i]))


def test_a_feature_bears_the_name_of_a_bar_column_only_if_it_is_that_column() -> None:
    same: list[Feature] = [{"name": name, "op": "IDENT", "source": name} for name in ("open", "volume", "hlc3")]
    spec = spec_of(*same, {"name": "x", "op": "SMA", "source": "volume", "window": 3})
    direct = spec_of({"name": "x", "op": "SMA", "source": "volume", "window": 3})
    np.testing.assert_array_equal(bits(built(spec, BARS)[:, 3]), bits(built(direct, BARS)[:, 0]))
    for feature in (
        {"name": "close", "op": "IDENT", "source": "open"},
        {"name": "close", "op": "IDENT", "as": "relative"},
        {"name": "logret", "op": "LOGRET", "window": 5},
        {"name": "logret", "op": "LOGRET", "source": "open"},
        {"name": "volume", "op": "SMA", "source": "volume"},
    ):
        assert refused(feature) == (
            f"spec: features[0].name: '{feature['name']}' is the name of a built-in source, "
            "and this feature is not that source"
        )


def test_the_hash_of_an_older_writer_is_checked_and_replaced() -> None:
    path = older("older_six_hashed.json")
    spec = FeatureSpec.load(path)
    assert spec.hash == FeatureSpec.load(older("older_six.json")).hash
    assert spec.warnings == []
    older_document = json.loads(path.read_text())
    assert older_document["content_hash"] != spec.hash
    twice = {**older_document, "content_hash": older_hash(older_document)}
    assert FeatureSpec.from_json(json.dumps(twice)).hash == spec.hash
    for change in (
        {"dtype": "float32", "alignment_policy": {"emit_from_index": 65, "pad_value": 0.0}},
        {"features": [CLOSE]},
    ):
        for source in (older_document, twice):
            assert "content_hash: does not fit the content" in message_of({**source, **change})


def older_hash(spec: dict[str, Any]) -> str:
    """What the first trainer wrote: the hash of the document as Python's json writes it."""
    return "sha256:" + hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()


@given(
    st.integers(-1_000_000, 1_000_000).map(lambda x: x / 1000) | st.integers(-1000, 1000),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8),
)
def test_the_hash_of_any_older_document_is_recomputed(pad: float, name: str) -> None:
    spec = document({"name": name + ".1", "op": "BOLLINGER_UPPER", "k": 2.5}, pad=pad)
    spec["content_hash"] = older_hash(spec)
    assert FeatureSpec.from_json(json.dumps(spec)).names == [name + ".1"]


def test_an_early_emit_from_warns_once_and_names_the_features() -> None:
    features: list[Feature] = [
        {"name": "sma_50", "op": "SMA", "window": 50},
        {"name": "x", "op": "IDENT"},
        {"name": "rsi", "op": "RSI"},
    ]
    spec = spec_of(*features, emit_from=14, pad=-1.5)
    assert spec.warnings == [
        "spec: alignment_policy.emit_from_index 14 comes before these features are defined, whose cells hold "
        "pad_value until then: sma_50 (49)"
    ]
    matrix = built(spec, BARS)
    assert (matrix[:14] == -1.5).all()
    assert (matrix[14:, 1:] != -1.5).all()
    assert (matrix[14:49, 0] == -1.5).all()
    assert (matrix[49:, 0] != -1.5).all()
    np.testing.assert_array_equal(matrix[49:], built(spec_of(*features), BARS)[49:])


def test_a_warning_of_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "early.json"
    path.write_text(json.dumps(document({"name": "s", "op": "SMA"})))
    assert FeatureSpec.load(path).warnings[0].startswith(f"{path}: alignment_policy.emit_from_index 0 comes before")


# --- canonical form and hash ---


def canonical_of(spec: dict[str, Any]) -> str:
    """The canonical form as FEATURES.md describes it, written in Python."""
    features = []
    for feature in spec["features"]:
        op = op_named(feature["op"])
        filled = {param["name"]: param["default"] for param in op["params"]}
        if op["sources"] == 1:
            filled["source"] = "close"
        filled |= {"as": "level", "emit": True, **feature}
        for param in op["params"]:
            value = filled[param["name"]]
            if "choices" not in param:
                filled[param["name"]] = int(value) if isinstance(param["default"], int) else float(value)
        features.append(filled)
    policy = spec.get("alignment_policy", {})
    whole = {
        "schema_version": "1.0",
        "dtype": "float32",
        "features": features,
        "alignment_policy": {
            "emit_from_index": policy.get("emit_from_index", FeatureSpec.from_json(json.dumps(spec)).warmup),
            "pad_value": float(policy.get("pad_value", 0.0)),
        },
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"))


def shuffled(value: Any, order: random.Random) -> Any:
    """The same document with its keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


ONE_OF_EACH: list[Feature] = [
    {
        "name": f"{op['name'].lower()}.1",
        "op": op["name"],
        **({"sources": ["close", "open"]} if op["sources"] == 2 else {}),
    }
    for op in ops()
]


@pytest.mark.parametrize(
    "spec",
    [
        json.loads(SPEC_55.read_text()),
        json.loads(LEVELS_55.read_text()),
        document(*ONE_OF_EACH, emit_from=None),
        document({"name": "b", "op": "BOLLINGER_UPPER", "window": 7.0, "k": 1}, pad=-1e-7, emit_from=3),
        document({"name": "c", "op": "CLIP", "low": -1e30, "high": 0.1, "as": "per_volume"}, pad=1e22),
    ],
    ids=["the default", "levels", "one of each op", "whole floats", "large and small numbers"],
)
def test_the_hash_can_be_recomputed_from_the_rules(spec: dict[str, Any]) -> None:
    loaded = FeatureSpec.from_json(json.dumps(spec))
    assert loaded.canonical() == canonical_of(spec)
    assert loaded.hash == "sha256:" + hashlib.sha256(loaded.canonical().encode()).hexdigest()
    for seed in range(3):
        other = json.dumps(shuffled(spec, random.Random(seed)), indent=seed + 1)
        assert FeatureSpec.from_json(other).hash == loaded.hash


@given(st.floats(0.0, 100.0), st.floats(-1e30, 1e30), st.integers(1, 10_000))
def test_numbers_in_the_canonical_form_read_back_the_same(k: float, low: float, window: int) -> None:
    spec = spec_of(
        {"name": "a", "op": "BOLLINGER_LOWER", "k": k, "window": max(2, window)},
        {"name": "b", "op": "CLIP", "low": low, "high": 1e30},
        {"name": "c", "op": "LAG", "window": window},
    )
    first, second, third = json.loads(spec.canonical())["features"]
    assert (first["k"], second["low"], third["window"]) == (k, low, window)
    assert FeatureSpec.from_json(spec.canonical()).hash == spec.hash


def test_a_spec_written_out_loads_with_the_same_hash() -> None:
    spec = FeatureSpec.load(SPEC_55)
    written = json.loads(spec.to_json())
    assert written.pop("content_hash") == spec.hash
    assert written == json.loads(spec.canonical())
    assert FeatureSpec.from_json(spec.to_json()).hash == spec.hash
    assert FeatureSpec.from_json(spec.to_json()).canonical() == spec.canonical()


@pytest.mark.parametrize(
    "change",
    [
        {"window": 21},
        {"as": "relative"},
        {"source": "open"},
        {"name": "y"},
        {"op": "MAX"},
        {"emit": False},
    ],
    ids=str,
)
def test_every_meaningful_change_changes_the_hash(change: Feature) -> None:
    feature = {"name": "x", "op": "MIN", "window": 20, "source": "close"}
    assert spec_of({**feature, **change}, CLOSE | {"name": "z"}).hash != spec_of(feature, CLOSE | {"name": "z"}).hash


def test_order_pad_and_first_row_are_part_of_the_hash() -> None:
    one, other = {"name": "a", "op": "ATR"}, {"name": "b", "op": "RSI"}
    hashes = {
        spec_of(one, other).hash,
        spec_of(other, one).hash,
        spec_of(one, other, pad=1.0).hash,
        spec_of(one, other, emit_from=20).hash,
    }
    assert len(hashes) == 4


def test_a_spec_that_was_altered_after_it_was_hashed_is_refused() -> None:
    spec = json.loads(spec_of({"name": "s", "op": "SMA"}).to_json())
    old = spec["content_hash"]
    spec["features"][0]["window"] = 21
    new = spec_of({"name": "s", "op": "SMA", "window": 21}).hash
    assert message_of(spec) == f'spec: content_hash: does not fit the content: found "{old}", computed "{new}"'


# --- what is refused ---


@pytest.mark.parametrize(
    ("feature", "complaint"),
    [
        ({"op": "SMA"}, "features[0]: key 'name' is missing"),
        ({"name": 3, "op": "SMA"}, "features[0].name: must be a string, found 3"),
        (
            {"name": "a b", "op": "SMA"},
            "features[0].name: must be of letters, digits, '_', '.' and '-', found 'a b'",
        ),
        ({"name": "", "op": "SMA"}, "features[0].name: must be of letters, digits, '_', '.' and '-', found ''"),
        (
            {"name": "hl2", "op": "SMA"},
            "features[0].name: 'hl2' is the name of a built-in source, and this feature is not that source",
        ),
        ({"name": "x"}, "features[0]: key 'op' is missing"),
        ({"name": "x", "op": ["SMA"]}, 'features[0].op: must be a string, found ["SMA"]'),
        ({"name": "x", "op": "RSL"}, "features[0].op: unknown op 'RSL'; did you mean 'RSI'?"),
        ({"name": "x", "op": "sma"}, "features[0].op: unknown op 'sma'; did you mean 'SMA'?"),
        ({"name": "x", "op": "SMA", "windw": 5}, "features[0]: unknown key 'windw'; did you mean 'window'?"),
        (
            {"name": "x", "op": "ATR", "source": "volume"},
            "features[0].source: ATR reads whole bars and takes no source, found 'volume'; leave it out",
        ),
        ({"name": "x", "op": "ATR", "source": 3}, "features[0].source: must be a string, found 3"),
        ({"name": "x", "op": "ADD", "source": "close"}, "features[0]: unknown key 'source'; did you mean 'sources'?"),
        ({"name": "x", "op": "SMA", "k": 2}, "features[0]: unknown key 'k'; known: name, op, as, emit, source, window"),
        (
            {"name": "x", "op": "SMA", "window": 0},
            "features[0].window: must be a whole number in [1, 10000], found 0",
        ),
        (
            {"name": "x", "op": "SMA", "window": 10001},
            "features[0].window: must be a whole number in [1, 10000], found 10001",
        ),
        (
            {"name": "x", "op": "SMA", "window": 2.5},
            "features[0].window: must be a whole number in [1, 10000], found 2.5",
        ),
        (
            {"name": "x", "op": "SMA", "window": "5"},
            'features[0].window: must be a whole number in [1, 10000], found "5"',
        ),
        (
            {"name": "x", "op": "SMA", "window": None},
            "features[0].window: must be a whole number in [1, 10000], found null",
        ),
        (
            {"name": "x", "op": "SMA", "window": True},
            "features[0].window: must be a whole number in [1, 10000], found true",
        ),
        (
            {"name": "x", "op": "STD", "window": 1},
            "features[0].window: must be a whole number in [2, 10000], found 1",
        ),
        (
            {"name": "x", "op": "BOLLINGER_UPPER", "k": -0.5},
            "features[0].k: must be a number in [0, 100], found -0.5",
        ),
        (
            {"name": "x", "op": "EMA", "seed": "last"},
            'features[0].seed: must be one of sma, first, found "last"',
        ),
        ({"name": "x", "op": "EMA", "seed": 0}, "features[0].seed: must be one of sma, first, found 0"),
        (
            {"name": "x", "op": "SMA", "source": "clsoe"},
            "features[0].source: 'clsoe' is not defined before this feature; did you mean 'close'?",
        ),
        (
            {"name": "x", "op": "SMA", "source": "volumes"},
            "features[0].source: 'volumes' is not defined before this feature; did you mean 'volume'?",
        ),
        ({"name": "x", "op": "SMA", "source": 1}, "features[0].source: must be a string, found 1"),
        (
            {"name": "myself", "op": "SMA", "source": "myself"},
            "features[0].source: 'myself' is not defined before this feature; known: open, high, low, close, volume, "
            "hl2, hlc3, ohlc4, logret",
        ),
        (
            {"name": "x", "op": "CLIP", "low": 2, "high": 1},
            "features[0]: low must not be above high, found low 2 and high 1",
        ),
        ({"name": "x", "op": "ADD"}, "features[0]: key 'sources' is missing"),
        (
            {"name": "x", "op": "ADD", "sources": ["close"]},
            'features[0].sources: must be a list of two names, found ["close"]',
        ),
        (
            {"name": "x", "op": "ADD", "sources": ["close", "opne"]},
            "features[0].sources: 'opne' is not defined before this feature; did you mean 'open'?",
        ),
        (
            {"name": "x", "op": "SMA", "as": "realtive"},
            "features[0].as: unknown form 'realtive'; did you mean 'relative'?",
        ),
        (
            {"name": "x", "op": "SMA", "as": "ratio"},
            "features[0].as: unknown form 'ratio'; known: level, relative, per_close, per_volume",
        ),
        ({"name": "x", "op": "SMA", "as": None}, "features[0].as: must be a string, found null"),
        ({"name": "x", "op": "SMA", "emit": 1}, "features[0].emit: must be true or false, found 1"),
        ({"name": "x", "op": "SMA", "emit": False}, "features: no feature is emitted"),
        (["SMA"], 'features[0]: must be an object, found ["SMA"]'),
    ],
)
def test_a_wrong_feature_is_refused_with_its_path(feature: Feature, complaint: str) -> None:
    assert refused(feature) == f"spec: {complaint}"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"features": []}, "features: must be a list of at least one feature, found []"),
        ({"features": {"a": 1}}, 'features: must be a list of at least one feature, found {"a":1}'),
        ({"feature": []}, "unknown key 'feature'; did you mean 'features'?"),
        ({"schema_version": "2.0"}, 'schema_version: must be "1.0", found "2.0"'),
        ({"schema_version": "1.9"}, 'schema_version: must be "1.0", found "1.9"'),
        ({"schema_version": 1}, 'schema_version: must be "1.0", found 1'),
        ({"dtype": "float64"}, 'dtype: must be "float32", found "float64"'),
        ({"alignment_policy": 3}, "alignment_policy: must be an object, found 3"),
        (
            {"alignment_policy": {"emit_from": 3}},
            "alignment_policy: unknown key 'emit_from'; known: emit_from_index, pad_value",
        ),
        (
            {"alignment_policy": {"emit_from_index": -1}},
            "alignment_policy.emit_from_index: must be a whole number in [0, 1000000], found -1",
        ),
        (
            {"alignment_policy": {"emit_from_index": 1_000_001}},
            "alignment_policy.emit_from_index: must be a whole number in [0, 1000000], found 1000001",
        ),
        (
            {"alignment_policy": {"emit_from_index": 1.5}},
            "alignment_policy.emit_from_index: must be a whole number in [0, 1000000], found 1.5",
        ),
        (
            {"alignment_policy": {"pad_value": "0"}},
            'alignment_policy.pad_value: must be a number that float32 can hold, found "0"',
        ),
        (
            {"alignment_policy": {"pad_value": 1e39}},
            "alignment_policy.pad_value: must be a number that float32 can hold, found 1e+39",
        ),
        ({"content_hash": "sha256:00"}, "content_hash: does not fit the content: found"),
    ],
    ids=str,
)
def test_a_wrong_document_is_refused_with_its_path(change: dict[str, Any], complaint: str) -> None:
    assert message_of({**document(CLOSE), **change}).startswith(f"spec: {complaint}")


def test_a_name_is_defined_once_and_a_source_before_its_reader() -> None:
    assert refused(CLOSE, {"name": "x", "op": "RSI"}) == "spec: features[1].name: 'x' is defined twice"
    late = refused({"name": "a", "op": "SMA", "source": "later"}, {"name": "later", "op": "RSI"})
    assert late.startswith("spec: features[0].source: 'later' is not defined before this feature; known: open, ")
    near = refused({"name": "ret_1m", "op": "LOGRET"}, {"name": "v", "op": "STD", "source": "ret_1"})
    assert near == "spec: features[1].source: 'ret_1' is not defined before this feature; did you mean 'ret_1m'?"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "spec:1:1: is not valid JSON"),
        ("[]", "spec: must be an object, found []"),
        ("{}", "spec: key 'features' is missing"),
        ('{"features": [\n  {"name": "x",, "op": "SMA"}]}', "spec:2:16: is not valid JSON"),
        ('{"features": [], "features": []}', "spec: key 'features' is written twice in one object"),
        (
            '{"features": [{"name": "x", "op": "SMA", "window": 5, "window": 6}]}',
            "spec: key 'window' is written twice in one object",
        ),
        ("[" * 100 + "]" * 100, "spec: is nested deeper than 64 levels"),
        ('{"features": [{"name": "x", "op": "CLIP", "low": NaN}]}', "spec:1:50: is not valid JSON"),
        ('{"features": [{"name": "x", "op": "CLIP", "low": 1e999}]}', "spec: is not valid JSON"),
        ('{"features": "' + "x" * 100 + '"}', 'spec: features: must be a list of at least one feature, found "xxx'),
    ],
)
def test_a_text_that_is_no_spec_is_refused(text: str, complaint: str) -> None:
    message = message_of(text)
    assert message.startswith(complaint)
    assert len(message.splitlines()) == 1
    assert len(message) < 200


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"features": [{"name": "a\nb", "op": "SMA"}]}, "letters, digits, '_', '.' and '-', found 'a?b'"),
        ({"features": [{"name": "x", "op": "S\tMÄ\x7f"}]}, "unknown op 'S?MÄ?'"),
        ({"features": "x" * 98 + "é" * 9}, "x?..."),
    ],
    ids=["line feed", "control characters", "cut within a character"],
)
def test_a_message_is_one_printable_line_whatever_was_found(spec: dict[str, Any], complaint: str) -> None:
    assert complaint in message_of(json.dumps(spec, ensure_ascii=False))


def test_a_file_is_named_in_its_messages(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text('{\n "features": [}')
    with pytest.raises(InputError) as error:
        FeatureSpec.load(path)
    assert str(error.value) == f"{path}:2:15: is not valid JSON"
    with pytest.raises(InputError) as error:
        FeatureSpec.load(tmp_path / "missing.json")
    assert str(error.value) == f"{tmp_path}/missing.json: No such file or directory"
    with pytest.raises(InputError) as error:
        FeatureSpec.load(tmp_path)
    assert str(error.value) == f"{tmp_path}: is a directory, not a file"


# --- forms, hidden features, shared parts ---


def test_forms_express_a_value() -> None:
    price: Feature = {"op": "SMA", "window": 10}
    volume: Feature = {"op": "SMA", "window": 5, "source": "volume"}
    spec = spec_of(
        {"name": "level", **price},
        {"name": "relative", **price, "as": "relative"},
        {"name": "per_close", **price, "as": "per_close"},
        {"name": "volume_5", **volume},
        {"name": "per_volume", **volume, "as": "per_volume"},
        {"name": "volume_20", "op": "SMA", "window": 20, "source": "volume"},
    )
    m = dict(zip(spec.names, built(spec, BARS)[19:].T.astype(np.float64), strict=True))
    close = BARS.close[19:]
    # Both sides hold float32 values of about 100 or 1; the differences to 1 are left with their absolute rounding.
    np.testing.assert_allclose(m["per_close"], m["level"] / close, rtol=2e-7)
    np.testing.assert_allclose(m["relative"], m["level"] / close - 1, atol=2e-7)
    np.testing.assert_allclose(m["per_volume"], m["volume_5"] / m["volume_20"] - 1, atol=1e-6)


def test_per_volume_waits_for_twenty_bars_and_is_zero_without_volume() -> None:
    feature = {"name": "v", "op": "IDENT", "source": "volume", "as": "per_volume"}
    spec = spec_of(feature)
    assert spec.warmup == 19
    still = market(1, 100, "constant")
    assert (built(spec, still) == 0.0).all()


def test_a_feature_that_is_a_source_is_read_as_expressed() -> None:
    relative = {"name": "gap", "op": "SMA", "window": 10, "as": "relative"}
    spec = spec_of(relative, {"name": "again", "op": "IDENT", "source": "gap"})
    matrix = built(spec, BARS)
    np.testing.assert_array_equal(bits(matrix[:, 0]), bits(matrix[:, 1]))


def test_a_hidden_feature_feeds_others_and_has_no_column() -> None:
    ret = {"name": "ret", "op": "LOGRET", "window": 5}
    vol = {"name": "vol", "op": "STD", "source": "ret", "window": 20}
    hidden = spec_of({**ret, "emit": False}, vol)
    assert (hidden.names, hidden.width, hidden.warmup) == (["vol"], 1, 24)
    np.testing.assert_array_equal(bits(built(hidden, BARS)[:, 0]), bits(built(spec_of(ret, vol), BARS)[:, 1]))


def test_a_parameter_of_minus_zero_is_zero() -> None:
    """Else two features would be one that differ in the sign of their values."""
    clip = {"op": "CLIP", "source": "logret"}
    plus, minus = {**clip, "low": 0.0, "high": 0.0}, {**clip, "low": -0.0, "high": -0.0}
    together = spec_of({"name": "a", **plus}, {"name": "b", **minus})
    assert not bits(built(together, BARS)[1:]).any()
    assert not bits(built(spec_of({"name": "b", **minus}), BARS)[1:]).any()
    assert spec_of({"name": "a", **plus}).hash == spec_of({"name": "a", **minus}).hash


def test_no_chain_of_windows_is_longer_than_a_million_bars() -> None:
    chain = [{"name": f"f{i}", "op": "LAG", "window": 10_000, "emit": False} for i in range(102)]
    for i in range(1, len(chain)):
        chain[i]["source"] = f"f{i - 1}"
    with pytest.raises(InputError) as error:
        spec_of(*chain, {"name": "x", "op": "IDENT"})
    assert str(error.value) == "spec: features[100]: the warm-up must be at most 1000000 bars, found 1010000"


def test_features_are_the_same_alone_and_together() -> None:
    """Parts that several features share are computed once, and that changes no bit."""
    features = features_of(SPEC_55)
    together = built(spec_of(*features), BARS)
    backwards = built(spec_of(*reversed(features)), BARS)[:, ::-1]
    np.testing.assert_array_equal(bits(together), bits(backwards))
    for i, feature in enumerate(features):
        np.testing.assert_array_equal(bits(built(spec_of(feature), BARS)[:, 0]), bits(together[:, i]), feature["name"])


def test_what_features_share_is_computed_once() -> None:
    """A copy of a feature adds nothing to what the builder remembers."""
    features = features_of(LEVELS_55)
    twins = [{**feature, "name": f"{feature['name']}.twin"} for feature in features]
    builders = [FeatureBuilder(spec_of(*given)) for given in (features, [*features, *twins])]
    assert len(builders[0].state()) == len(builders[1].state())


# --- the builder ---


def test_the_matrix_is_float32_row_by_row() -> None:
    spec = FeatureSpec.load(SPEC_55)
    matrix = built(spec, BARS)
    assert matrix.shape == (len(BARS), 55)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert built(spec, BARS[:0]).shape == (0, 55)


def test_rounding_to_float32_is_to_nearest_and_ends_at_its_largest_number() -> None:
    bars = market(1, 50, "huge")
    square: Feature = {"name": "x", "op": "MUL", "sources": ["close", "close"]}
    negative: Feature = {"name": "y", "op": "SUB", "sources": ["open", "x"]}
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(built(spec_of(square, negative), bars), np.tile([largest, -largest], (50, 1)))
    np.testing.assert_array_equal(built(spec_of(CLOSE), BARS)[:, 0], BARS.close.astype(np.float32))


def test_out_is_filled_in_place() -> None:
    spec = FeatureSpec.load(SPEC_55)
    out = np.full((len(BARS), 55), np.nan, np.float32)
    returned = FeatureBuilder(spec).build(BARS, out=out)
    assert returned is out
    np.testing.assert_array_equal(bits(out), bits(built(spec, BARS)))


def test_a_memory_map_is_filled_without_a_copy(tmp_path: Path) -> None:
    spec = FeatureSpec.load(SPEC_55)
    path = tmp_path / "X.npy"
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(BARS), 55))
    builder = FeatureBuilder(spec)
    for begin in range(0, len(BARS), 300):  # rows of a map are a map of the same file
        part = BARS[begin : begin + 300]
        returned = builder.build(part, out=out[begin : begin + 300])
        assert np.shares_memory(returned, out)
    out.flush()
    np.testing.assert_array_equal(bits(np.load(path)), bits(built(spec, BARS)))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((700, 2), np.float64),
        np.zeros((700, 2), np.int32),
        np.zeros((699, 2), np.float32),
        np.zeros((700, 3), np.float32),
        np.zeros(1400, np.float32),
        np.zeros((2, 700), np.float32).T,
        np.zeros((1400, 2), np.float32)[::2],
        np.frombuffer(bytes(700 * 2 * 4), np.float32).reshape(700, 2),
        [[0.0, 0.0]],
    ],
    ids=["float64", "int32", "row missing", "column too many", "flat", "transposed", "strided", "read-only", "list"],
)
def test_an_out_that_does_not_fit_is_refused_and_changes_nothing(out: Any) -> None:
    builder = FeatureBuilder(spec_of(CLOSE, {"name": "y", "op": "EMA"}))
    before = builder.state()
    with pytest.raises(
        ValueError, match=r"^out must be a (float32 array|writable C-contiguous float32 array of shape)"
    ):
        builder.build(BARS, out=out)
    assert builder.state() == before
    if isinstance(out, np.ndarray) and out.dtype == np.float32:
        with pytest.raises(ValueError, match=r"C-contiguous float32 array of shape \(700, 2\)$"):
            builder.build(BARS, out=out)


def test_time_going_back_is_refused_and_changes_nothing() -> None:
    builder = FeatureBuilder(FeatureSpec.load(SPEC_55))
    builder.build(BARS[:300])
    before = builder.state()
    with pytest.raises(ValueError, match=r"is not after the bar before, 2024-01-02T19:29:00Z$"):
        builder.build(BARS[299:400])
    with pytest.raises(
        ValueError, match=r"^ts 2024-01-02T19:29:00Z is not after the bar before, 2024-01-02T19:29:00Z$"
    ):
        builder.push(int(BARS.ts[299]), 1, 1, 1, 1, 1)
    assert builder.state() == before
    assert builder.bars_seen == 300
    rest = builder.build(BARS[300:])
    np.testing.assert_array_equal(bits(rest), bits(built(builder.spec, BARS)[300:]))


@pytest.mark.parametrize(
    ("bar", "complaint"),
    [
        ((np.nan, 2.0, 0.5, 1.5, 10.0), "open nan is not finite"),
        ((1.0, 2.0, 0.0, 1.5, 10.0), "low 0 is not above 0"),
        ((1.0, 1.2, 0.5, 1.5, 10.0), "high 1.2 is below max(open, close) 1.5"),
        ((1.0, 2.0, 1.1, 1.5, 10.0), "low 1.1 is above min(open, close) 1"),
        ((1.0, 2.0, 0.5, 1.5, -1.0), "volume -1 is below 0"),
    ],
)
def test_a_pushed_bar_that_is_not_valid_changes_nothing(bar: tuple[float, ...], complaint: str) -> None:
    builder = FeatureBuilder(FeatureSpec.load(SPEC_55))
    builder.build(BARS[:250])
    before = builder.state()
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole message is compared
        builder.push(int(BARS.ts[250]), *bar)
    assert str(error.value) == complaint
    assert builder.state() == before


def test_a_state_that_is_not_whole_is_refused_and_changes_nothing() -> None:
    spec = spec_of({"name": "e", "op": "EMA"}, {"name": "s", "op": "SMA"})
    builder = FeatureBuilder(spec)
    builder.build(BARS[:100])
    state = builder.state()
    target = FeatureBuilder(spec)
    target.build(BARS[:50])
    before = target.state()
    altered = bytearray(state)
    altered[len(state) // 2] ^= 1
    other = FeatureBuilder(spec_of({"name": "e", "op": "EMA"}))
    other.build(BARS[:100])
    hashes = f"found {other.spec.hash}, expected {spec.hash}"
    newer = bytearray(state)
    newer[len(b"SENTIO-FEATURES ")] += 1
    for wrong, complaint in [
        (b"", "is cut off"),
        (state[:50], "is cut off"),
        (state[:-1], "is cut off or altered, its checksum does not fit"),
        (state + b"x", "is cut off or altered, its checksum does not fit"),
        (bytes(altered), "is cut off or altered, its checksum does not fit"),
        (b"x" * len(state), "is not a state of a feature builder"),
        (bytes(newer), "version must be 2, found 3"),
        (other.state(), f"belongs to another spec, {hashes}"),
    ]:
        with pytest.raises(InputError) as error:
            target.restore(wrong)
        assert str(error.value) == f"feature state: {complaint}"
        assert target.state() == before


@given(st.data())
def test_no_cut_and_no_flipped_bit_of_a_state_is_taken(data: st.DataObject) -> None:
    builder = FeatureBuilder(spec_of({"name": "e", "op": "EMA"}, {"name": "r", "op": "RSI"}))
    builder.build(BARS[:60])
    state = bytearray(builder.state())
    if data.draw(st.booleans()):
        state = state[: data.draw(st.integers(0, len(state) - 1))]
    else:
        state[data.draw(st.integers(0, len(state) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InputError):
        builder.restore(bytes(state))


def columns() -> dict[str, Any]:
    return {name: getattr(BARS, name).copy() for name in ("ts", "open", "high", "low", "close", "volume")}


def test_build_features_from_spec_is_the_builder_in_one_call() -> None:
    matrix = build_features_from_spec("SPY", **columns(), spec_json=SPEC_55.read_text())
    np.testing.assert_array_equal(bits(matrix), bits(built(FeatureSpec.load(SPEC_55), BARS)))
    lists = {name: column.tolist() for name, column in columns().items()}
    listed = build_features_from_spec("SPY", **lists, spec_json=SPEC_55.read_text())
    np.testing.assert_array_equal(bits(matrix), bits(listed))


def test_build_features_from_spec_refuses_what_the_builder_refuses() -> None:
    text = SPEC_55.read_text()
    wrong = r"^QQQ feature spec: features\[0\]\.op: unknown op 'SMAA'; did you mean 'SMA'\?$"
    with pytest.raises(InputError, match=wrong):
        build_features_from_spec("QQQ", **columns(), spec_json='{"features": [{"name": "x", "op": "SMAA"}]}')
    negative = columns()
    negative["open"][7] = -1.0
    with pytest.raises(ValueError, match=r"^bar 7: open -1 is not above 0$"):
        build_features_from_spec("QQQ", **negative, spec_json=text)
    short = {**columns(), "volume": np.ones(3)}
    with pytest.raises(ValueError, match=r"^bar columns must have one length, found 700 times and 3 values$"):
        build_features_from_spec("QQQ", **short, spec_json=text)


def test_a_builder_keeps_its_spec_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    shutil.copy(LEVELS_55, path)
    builder = FeatureBuilder(FeatureSpec.load(path))
    path.write_text("{}")
    assert builder.spec.hash == FeatureSpec.load(LEVELS_55).hash
    assert builder.build(BARS).shape == (700, 55)


def test_the_registry_has_whole_rows() -> None:
    rows = ops()
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    for row in rows:
        assert row["name"] == row["name"].upper()
        assert row["formula"]
        assert "\n" not in row["formula"]
        assert row["reference"]
        assert row["sources"] in (0, 1, 2)
        for param in row["params"]:
            if "choices" in param:
                assert param["default"] in param["choices"]
            else:
                assert param["min"] <= param["default"] <= param["max"]


def test_the_registry_has_the_ops_that_the_library_promises() -> None:
    promised = re.findall(
        r"\w+",
        """IDENT LOGRET MOMENTUM ROC SMA EMA WILDER STD VOLATILITY ZWIN MIN MAX SUM RSI ATR ADX PLUS_DI MINUS_DI
        CCI STOCHASTIC_K STOCHASTIC_D WILLIAMS_R MFI BOLLINGER_UPPER BOLLINGER_MIDDLE BOLLINGER_LOWER MACD_LINE
        MACD_SIGNAL MACD_HISTOGRAM PARKINSON GARMAN_KLASS OBV VPT AD_LINE SPREAD_BP PRICE_IMPACT ORDER_FLOW
        MARKET_DEPTH BID_ASK_RATIO ADD SUB MUL DIV LAG ABS SIGN CLIP""",
    )
    assert set(promised) <= {row["name"] for row in ops()}


def test_bars_a_minute_or_a_month_apart_continue_one_stream() -> None:
    builder = FeatureBuilder(spec_of(CLOSE))
    builder.push(0, 1, 1, 1, 1, 0)
    builder.push(30 * 24 * 60 * MINUTE_NS, 2, 2, 2, 2, 0)
    assert builder.bars_seen == 2
    later = Bars([2**62], [3], [3], [3], [3], [0])
    assert builder.build(later).tolist() == [[3.0]]


def test_a_builder_in_use_by_another_thread_says_so() -> None:
    spec = FeatureSpec.load(str(SPEC_55))
    builder, bars = FeatureBuilder(spec), market(1, 400_000)
    refused, stop = [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                builder.state()
            except RuntimeError as error:
                refused.append(str(error))
                return

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        while asker.is_alive() and builder.bars_seen == 0:
            with contextlib.suppress(RuntimeError):  # the other thread may be the first
                builder.build(bars)
    finally:
        stop.set()
        asker.join()
    assert refused == ["this FeatureBuilder is in use by another thread; give each thread its own copy()"]
