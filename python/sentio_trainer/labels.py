"""What a model forecasts. Labels look ahead, so they exist in Python only.

A label of bar `t` is known to nobody at `t`; `end[t]` is the last bar that it may look
at, which is what a split purges by.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sentio_features import Bars

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.cache import CHUNK_ROWS, ColumnType, EntryWriter, cached
from sentio_trainer.data_set import DataSet, Series
from sentio_trainer.schema import LabelConfig

# Changes when a label of equal bars would.
_VERSION = "labels 1"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One label per bar, all arrays of shape [n]; NaN where the label is not known."""

    value: Float64  # what is learned; its sign is the direction, its size the weight of the sample
    forward_return: Float64  # return over the same window, dimensionless: what forecasts are correlated with
    end: Int64  # last bar of the window; the bar itself where the label is not known

    def of(self, rows: slice) -> "Labels":
        """Those of a range of rows, `end` counted from its first."""
        return Labels(value=self.value[rows], forward_return=self.forward_return[rows], end=self.end[rows] - rows.start)


def make_labels(bars: Bars, config: LabelConfig, *, max_gap: int, interval_s: float | None = None) -> Labels:
    """Labels of every bar.

    Args:
        bars: n bars, oldest first.
        config: kind, horizon and the parameters of the kind.
        max_gap: labels whose window holds a hole of more than this many bar intervals are dropped (NaN).
        interval_s: the usual distance of two bars, where `bars` are a part of many; that of `bars` if not given.
    """
    crossings = gap_count(bars, max_gap=max_gap, interval_s=interval_s)
    labels = _KINDS[config.kind](bars, config, crossings)
    known = np.isfinite(labels.value) & np.isfinite(labels.forward_return)
    known &= crossings[labels.end] == crossings
    return replace(
        labels,
        value=np.where(known, labels.value, np.nan),
        forward_return=np.where(known, labels.forward_return, np.nan),
        end=np.where(known, labels.end, np.arange(len(bars))),
    )


def label_set(data: DataSet, config: LabelConfig, *, max_gap: int, say: Callable[[str], None]) -> Labels:
    """Labels of every row of a data set, memory-mapped; `end` is a row number. None reaches into another symbol.

    They are kept beside the data set, and made a part at a time; `say` is told where they are.
    """

    def build(writer: EntryWriter) -> Mapping[str, Any]:
        for part in _parts(data, config):
            labels = make_labels(data.bars(part.around), config, max_gap=max_gap, interval_s=part.series.interval_s)
            writer.append("value", labels.value[part.inner])
            writer.append("forward_return", labels.forward_return[part.inner])
            writer.append("end", labels.end[part.inner] + part.around.start)
        return {}

    settings = config.model_dump_json(exclude={"objective"})
    identity = f"{_VERSION}\n{data.content_hash}\n{settings}\n{max_gap}"
    number = ColumnType(dtype="<f8")
    layout = {"value": number, "forward_return": number, "end": ColumnType(dtype="<i8")}
    return Labels(**cached(data.folder.parent, identity, layout, build, what="labels", say=say).columns)


def learned_labels(
    data: DataSet, labels: Labels, config: LabelConfig, *, max_gap: int, say: Callable[[str], None]
) -> Float64:
    """What the model learns, shape [n], memory-mapped: the label itself, or for a regression the return in units of
    volatility. Kept as `label_set` keeps labels.
    """
    if config.objective == "direction":
        return labels.value

    def build(writer: EntryWriter) -> Mapping[str, Any]:
        for part in _parts(data, config):
            bars, near = data.bars(part.around), labels.of(part.around)
            learned = scaled_return(bars, near, config, max_gap=max_gap, interval_s=part.series.interval_s)
            writer.append("learned", learned[part.inner])
        return {}

    identity = f"{_VERSION}, learned\n{data.content_hash}\n{config.model_dump_json()}\n{max_gap}"
    layout = {"learned": ColumnType(dtype="<f8")}
    entry = cached(data.folder.parent, identity, layout, build, what="scaled labels", say=say)
    return entry.columns["learned"]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Some rows of a symbol, and the rows around them that their labels look at."""

    series: Series
    around: slice
    inner: slice  # the rows themselves, counted from the first of `around`


def _parts(data: DataSet, config: LabelConfig) -> Iterator[_Part]:
    behind, ahead = config.volatility_window, config.horizon + 1
    for series in data.series:
        for rows in series.chunks(CHUNK_ROWS):
            first, last = max(series.rows.start, rows.start - behind), min(series.rows.stop, rows.stop + ahead)
            inner = slice(rows.start - first, rows.stop - first)
            yield _Part(series=series, around=slice(first, last), inner=inner)


def longest_gap_ns(interval_s: float, *, max_gap: int) -> int:
    """Nanoseconds between two bars that still have no hole between them."""
    return round(max_gap * interval_s * 1e9)


def gap_count(bars: Bars, *, max_gap: int, interval_s: float | None = None) -> Int64:
    """Number of holes longer than `max_gap` bar intervals from the first bar up to each bar, shape [n].

    Two bars with one count have no such hole between them.
    """
    limit_ns = longest_gap_ns(bars.interval_s if interval_s is None else interval_s, max_gap=max_gap)
    holes = np.diff(bars.ts, prepend=bars.ts[:1]) > limit_ns
    return np.cumsum(holes, dtype=np.int64)


def trailing_volatility(bars: Bars, crossings: Int64, *, window: int) -> Float64:
    """Root mean square of the last `window` log returns of close, shape [n]; NaN before, or where all are zero.

    Returns across a hole (see `gap_count`) are left out: a night is not a volatile minute.
    """
    log_close = np.log(bars.close)
    inside = np.diff(crossings, prepend=crossings[:1]) == 0
    inside[:1] = False
    squares = np.where(inside, np.diff(log_close, prepend=log_close[:1]) ** 2, 0.0)
    result = np.full(len(bars), np.nan)
    if (count := len(bars) - window) > 0:
        # A sum per window, not a difference of running sums: the rounding of a crash would never leave those. Summed in
        # one order, whatever bars lie around: a part of the bars gives the bits that all of them give.
        totals, counts = np.zeros(count), np.zeros(count)
        for ahead in range(1, window + 1):
            totals += squares[ahead : ahead + count]
            counts += inside[ahead : ahead + count]
        with np.errstate(invalid="ignore"):
            volatility = np.sqrt(totals / counts)
        result[window:] = np.where(volatility > 0.0, volatility, np.nan)
    return result


def scaled_return(
    bars: Bars, labels: Labels, config: LabelConfig, *, max_gap: int, interval_s: float | None = None
) -> Float64:
    """Forward return in units of the volatility expected over the horizon, shape [n]: what a regression learns."""
    crossings = gap_count(bars, max_gap=max_gap, interval_s=interval_s)
    volatility = trailing_volatility(bars, crossings, window=config.volatility_window)
    scaled: Float64 = labels.forward_return / (volatility * np.sqrt(config.horizon))
    return scaled


def _ahead(values: Float64, *, start: int, stop: int) -> tuple[Float64, Float64, Int64]:
    """`values` at t + start and at t + stop, and t + stop itself, each [n]; NaN and t where t + stop is not there."""
    n = len(values)
    at_start, at_stop, end = np.full(n, np.nan), np.full(n, np.nan), np.arange(n)
    count = max(0, n - stop)
    at_start[:count] = values[start : start + count]
    at_stop[:count] = values[stop:]
    end[:count] += stop
    return at_start, at_stop, end


def _logret_fwd(bars: Bars, config: LabelConfig, _: Int64) -> Labels:
    """ln(close[t + h] / close[t])."""
    now, later, end = _ahead(np.log(bars.close), start=0, stop=config.horizon)
    return Labels(value=later - now, forward_return=later - now, end=end)


def _close_diff(bars: Bars, config: LabelConfig, _: Int64) -> Labels:
    """close[t + h] - close[t], in the price's unit."""
    now, later, end = _ahead(bars.close, start=0, stop=config.horizon)
    return Labels(value=later - now, forward_return=(later - now) / now, end=end)


def _direction(bars: Bars, config: LabelConfig, crossings: Int64) -> Labels:
    """Sign of the log return; 0 within the dead band."""
    labels = _logret_fwd(bars, config, crossings)
    change = labels.forward_return
    sign = np.where(np.abs(change) <= config.dead_band, np.where(np.isnan(change), np.nan, 0.0), np.sign(change))
    return replace(labels, value=sign)


def _open_to_open(bars: Bars, config: LabelConfig, _: Int64) -> Labels:
    """ln(open[t + 1 + h] / open[t + 1]): what a strategy that fills at the next open earns."""
    entry, leave, end = _ahead(np.log(bars.open), start=1, stop=1 + config.horizon)
    return Labels(value=leave - entry, forward_return=leave - entry, end=end)


def _triple_barrier(bars: Bars, config: LabelConfig, crossings: Int64) -> Labels:
    """+1 or -1 for the barrier that closes touch first, 0 if neither within the horizon.

    Barriers lie at ± `barrier` volatilities of the horizon. López de Prado, Advances in Financial Machine Learning,
    2018, section 3.4. The window counts as the whole horizon even if a barrier is touched early: whether a bar
    has a label must not depend on how its trade ended.
    """
    log_close, horizon = np.log(bars.close), config.horizon
    volatility = trailing_volatility(bars, crossings, window=config.volatility_window)
    width = config.barrier * volatility * np.sqrt(horizon)
    now, last, end = _ahead(log_close, start=0, stop=horizon)
    touched, exit_return = np.zeros(len(bars)), last - now
    for bars_ahead in range(1, horizon + 1):
        _, later, _ = _ahead(log_close, start=0, stop=bars_ahead)
        change = later - now
        hit = (touched == 0.0) & (np.abs(change) >= width)
        touched[hit] = np.sign(change[hit])
        exit_return[hit] = change[hit]
    touched[np.isnan(width)] = np.nan
    return Labels(value=touched, forward_return=exit_return, end=end)


_KINDS: dict[str, Callable[[Bars, LabelConfig, Int64], Labels]] = {
    "logret_fwd": _logret_fwd,
    "close_diff": _close_diff,
    "direction": _direction,
    "open_to_open": _open_to_open,
    "triple_barrier": _triple_barrier,
}
