"""From a spec document and bars to rows of float32. The document is taken to be valid: the engine has checked it."""

import struct
from typing import Any

from . import ops_of_bars, ops_of_columns, session
from .column import Bars, Column, bar_by_bar
from .shared import log_return, ratio, relative, typical_price
from .windows import mean

FLT_MAX = (2.0 - 2.0**-23) * 2.0**127
NOT_PARAMETERS = {"name", "op", "source", "sources", "as", "emit"}
OF_BARS = {**ops_of_bars.OPS, **session.OPS}
OF_COLUMNS = ops_of_columns.OPS


def rows_of(document: dict[str, Any], bars: Bars) -> list[list[float]]:
    """A row for each bar, a value for each emitted feature; every value is one of float32."""
    policy = document.get("alignment_policy", {})
    columns = emitted_columns(document["features"], bars)
    emit_from = policy.get("emit_from_index", max(column.first for column in columns))
    pad = to_float32(policy.get("pad_value", 0.0))
    return [
        [to_float32(column[t]) if t >= max(emit_from, column.first) else pad for column in columns]
        for t in range(bars.end)
    ]


def to_float32(x: float) -> float:
    within = FLT_MAX if x > FLT_MAX else -FLT_MAX if x < -FLT_MAX else x
    rounded: float = struct.unpack("<f", struct.pack("<f", within))[0]
    return rounded


def emitted_columns(features: list[dict[str, Any]], bars: Bars) -> list[Column]:
    known = built_in_columns(bars)
    emitted = []
    for feature in features:
        column = expressed(value_of(feature, known, bars), feature.get("as", "level"), bars)
        known[feature["name"]] = column
        if feature.get("emit", True):
            emitted.append(column)
    return emitted


def built_in_columns(bars: Bars) -> dict[str, Column]:
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume
    return {
        "open": o,
        "high": h,
        "low": l,
        "close": c,
        "volume": v,
        "hl2": bar_by_bar(lambda h, l: (h + l) / 2.0, h, l),
        "hlc3": typical_price(bars),
        "ohlc4": bar_by_bar(lambda o, h, l, c: (o + h + l + c) / 4.0, o, h, l, c),
        "logret": log_return(c, 1, 0.0),
    }


def value_of(feature: dict[str, Any], known: dict[str, Column], bars: Bars) -> Column:
    op = feature["op"]
    parameters = {key: without_sign(value) for key, value in feature.items() if key not in NOT_PARAMETERS}
    if op in OF_BARS:
        return OF_BARS[op](bars, **parameters)
    sources = [known[name] for name in feature.get("sources", [feature.get("source", "close")])]
    # Columns are compared by `is`: what passes a column on, as IDENT does, gives the same one by another name.
    one_bar = parameters.get("window", 1) == 1 and parameters.get("offset", 0.0) == 0.0
    if op == "LOGRET" and sources[0] is bars.close and one_bar:
        return known["logret"]
    if op == "VOLATILITY" and sources[0] is known["logret"]:
        op = "STD"
    return OF_COLUMNS[op](*sources, **parameters)


def without_sign(parameter: Any) -> Any:
    """-0 is read as 0."""
    return 0.0 if parameter == 0.0 and isinstance(parameter, float) else parameter


def expressed(x: Column, form: str, bars: Bars) -> Column:
    if form == "relative":
        return bar_by_bar(relative, x, bars.close)
    if form == "per_close":
        return bar_by_bar(ratio, x, bars.close)
    if form == "per_volume":
        return bar_by_bar(relative, x, mean(bars.volume, 20))
    return x
