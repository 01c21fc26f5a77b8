"""The charts of a page, as traces and layouts of plotly.js.

Colours are written "--name": page.js puts the CSS variable of that name in their place, so that a chart follows the
page from light to dark. Times are milliseconds since 1970, which plotly.js shows in UTC.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.pages.derived import Calibration, Trades, activity, cumulative_costs, drawdown, monthly_returns
from sentio_trainer.pages.figures import counted, decimal, duration, percent, whole
from sentio_trainer.pages.folder import ReportFolder
from sentio_trainer.pages.tables import SEEN, period_label
from sentio_trainer.pages.thinned import kept_points, thinning_note

MOST_PRICES = 60_000  # points of the price line that a page carries: zooming draws them a part at a time
MOST_FILLS = 20_000  # fills that a page carries
_GROUPS = 200  # of bars, for exposure and turnover
_FEW = 40  # points of a line that are marked, so that a single one is seen
_DIGITS = 6  # significant ones in a drawn number
_MS = 1_000_000  # nanoseconds

Trace = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart, or the reason why there is none."""

    key: str
    title: str
    said: str  # what it shows, for who does not see it
    traces: list[Trace] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    height: int = 380  # pixels
    note: str = ""
    missing: str = ""
    log_axes: tuple[str, ...] = ()  # axes that may be switched to a logarithmic scale
    zoomed: dict[str, Any] | None = None  # what page.js draws again in more detail as the reader zooms


def equity_chart(run: ReportFolder) -> Chart:
    """Equity over drawdown, against buy-and-hold."""
    own, held = drawdown(run.equity, run.capital), drawdown(run.held_equity, run.capital)
    positive = bool(np.all(run.equity > 0.0) and np.all(run.held_equity > 0.0))
    names = (run.strategy, "buy and hold")
    traces = [
        _line(run.ts, run.held_equity, names[1], "--held", hover="%{y:,.2f}"),
        _line(run.ts, run.equity, names[0], "--own", hover="%{y:,.2f}"),
        _line(run.ts, -held, names[1], "--held", hover="%{y:.2%}", yaxis="y2", showlegend=False),
        _line(run.ts, -own, names[0], "--own", hover="%{y:.2%}", yaxis="y2", showlegend=False),
    ]
    layout = {
        "xaxis": {**_time_axis(run), "anchor": "y2"},
        "yaxis": {"title": {"text": "equity, currency", "standoff": 8}, "domain": [0.36, 1.0], "tickformat": ",.9~r"},
        "yaxis2": {"title": {"text": "drawdown", "standoff": 8}, "domain": [0.0, 0.30], "tickformat": "~%"},
        "hovermode": "x unified",
    }
    said = (
        f"Equity of {names[0]} went from {decimal(run.capital)} to {decimal(float(run.equity[-1]))}, of buy and hold "
        f"to {decimal(float(run.held_equity[-1]))}. The deepest drawdowns were {percent(float(own.max()))} and "
        f"{percent(float(held.max()))}."
    )
    note = thinning_note(len(run.ts), "bars")
    if not positive:
        note = f"{note} No logarithmic scale: an equity is 0 or below.".strip()
    return Chart(key="equity", title="Equity and drawdown", said=said, traces=traces, layout=layout, height=520,
                 note=note, log_axes=("yaxis",) if positive else ())  # fmt: skip


def periods_chart(run: ReportFolder) -> Chart:
    """Return of each period, those that the model has seen marked, against buy-and-hold."""
    rows = run.at("periods") or []
    title = "Returns of the periods"
    if not rows:
        return Chart(key="periods", title=title, said="", missing="A backtest is one stretch; tpa_test has periods.")
    labels = [period_label(row) for row in rows]
    traces: list[Trace] = []
    for seen, name, colour in ((False, "not seen by the model", "--own"), (True, "IN-SAMPLE or validation", "--bad")):
        picked = [row for row in rows if (row.get("sample") in SEEN) is seen]
        if not picked:
            continue
        if not seen and all(row.get("sample") == "untrained" for row in rows):
            name = run.strategy
        traces.append({
            "type": "bar",
            "name": name,
            "x": [period_label(row) for row in picked],
            "y": [_rounded(row["metrics"].get("total_return")) for row in picked],
            "marker": {"color": colour, "pattern": {"shape": "/" if seen else ""}},
            "customdata": [str(row.get("sample")) for row in picked],
            "hovertemplate": "%{x}: %{y:.2%}, %{customdata}<extra></extra>",
        })  # fmt: skip
    traces.append({
        "type": "scatter", "mode": "markers", "name": "buy and hold", "x": labels,
        "y": [_rounded(row.get("buy_and_hold_return")) for row in rows],
        "marker": {"color": "--held", "symbol": "diamond", "size": 7 if len(rows) <= 60 else 4},
        "hovertemplate": "%{x}: %{y:.2%}, buy and hold<extra></extra>",
    })  # fmt: skip
    layout = {
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": labels,
            "nticks": 12,
            "automargin": "height+right",
        },
        "yaxis": {"title": {"text": "return", "standoff": 8}, "tickformat": "~%", "zeroline": True},
        "bargap": 0.2,
    }
    returns = [row["metrics"].get("total_return") for row in rows]
    known = [value for value in returns if value is not None]
    seen_count = sum(row.get("sample") in SEEN for row in rows)
    said = f"{counted(len(rows), 'period')}, {sum(value > 0 for value in known)} of them with a gain"
    if known:
        said += f", from {percent(min(known))} to {percent(max(known))}"
    said += f"; {seen_count} seen by the model." if seen_count else "."
    return Chart(key="periods", title=title, said=said, traces=traces, layout=layout)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FEW_COUNTS = 8
_MONTH_ROW = 26  # pixels


def months_chart(run: ReportFolder) -> Chart:
    """Heat map of monthly returns."""
    months = monthly_returns(run.ts, run.equity, run.capital)
    years = sorted({month[:4] for month in months.month})
    cells: list[list[float | None]] = [[None] * 12 for _ in years]
    for month, value in zip(months.month, months.value, strict=True):
        cells[years.index(month[:4])][int(month[5:]) - 1] = _rounded(value)
    known = [value for value in months.value if value is not None]
    reach = max((abs(value) for value in known), default=0.0) or 0.01
    texts = [["" if value is None else decimal(value * 100, 1) for value in row] for row in cells]
    trace = {
        "type": "heatmap", "x": list(_MONTHS), "y": years, "z": cells, "zmin": -reach, "zmax": reach, "xgap": 2,
        "ygap": 2, "text": texts, "texttemplate": "%{text}", "textfont": {"size": 10}, "hoverongaps": False,
        "colorscale": [[0.0, "--fall"], [0.5, "--even"], [1.0, "--rise"]], "showscale": False,
        "hovertemplate": "%{y} %{x}: %{z:.2%}<extra></extra>",
    }  # fmt: skip
    layout = {
        "xaxis": {"type": "category", "side": "top", "showgrid": False, "fixedrange": True, "tickangle": 0},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "fixedrange": True},
    }
    said = f"Returns of {counted(len(known), 'month')}"
    if known:
        best, worst = max(known), min(known)
        at = {value: month for month, value in zip(months.month, months.value, strict=True)}
        said += f", best {percent(best)} in {at[best]}, worst {percent(worst)} in {at[worst]}"
    return Chart(key="months", title="Monthly returns", said=f"{said}.", traces=[trace], layout=layout,
                 height=70 + _MONTH_ROW * len(years),
                 note="Per cent, calendar months in UTC; the first and the last may be parts.")  # fmt: skip


def trades_chart(run: ReportFolder) -> Chart:
    """Entries and exits on the price; page.js draws the part in view from what the page carries."""
    kept = kept_points(run.close, most=MOST_PRICES)
    fills = run.fills
    picked = np.arange(len(fills))
    note = ""
    if len(fills) > MOST_FILLS:
        picked = np.sort(np.argsort(-np.abs(fills.quantity * fills.price), kind="stable")[:MOST_FILLS])
        note = f"Of {len(fills):,} fills the page has the {MOST_FILLS:,} of largest value. "
    before = np.concatenate([[0.0], fills.position[:-1]]) if len(fills) else fills.position
    kinds = [_fill_kind(b, a) for b, a in zip(before.tolist(), fills.position.tolist(), strict=True)]
    note += thinning_note(len(run.ts), "bars", most=MOST_PRICES)
    note = f"{note} Zoom with a drag; a double click shows all. Where too many fills are in view, zoom in.".strip()
    zoomed = {
        "ts": _milliseconds(run.ts[kept]),
        "close": _numbers(run.close[kept]),
        "fills": {
            "ts": _milliseconds(fills.ts[picked]),
            "price": _numbers(fills.price[picked]),
            "quantity": _numbers(fills.quantity[picked]),
            "kind": [kinds[i] for i in picked.tolist()],
            "at": ["" if fills.at[i] == b"open" else f" ({fills.at[i].decode()})" for i in picked.tolist()],
        },
        "kinds": [
            {"name": name, "symbol": symbol, "colour": colour} for name, symbol, colour in _FILL_KINDS
        ],
    }  # fmt: skip
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": "close", "x": [], "y": [],
         "line": {"color": "--price", "width": 1}, "hovertemplate": "%{y:,.6~g}"},
        *({"type": "scatter", "mode": "markers", "name": name, "x": [], "y": [],
           "marker": {"color": colour, "symbol": symbol, "size": 9, "line": {"color": "--page", "width": 1}},
           "hovertemplate": "%{text} at %{y:,.6~g}"} for name, symbol, colour in _FILL_KINDS),
    ]  # fmt: skip
    layout = {
        "xaxis": _time_axis(run),
        "yaxis": {"title": {"text": "price, currency", "standoff": 8}, "tickformat": ",.9~r"},
        "hovermode": "closest",
    }
    said = (
        f"The price went from {decimal(float(run.close[0]))} to {decimal(float(run.close[-1]))}, with "
        f"{counted(len(fills), 'fill')} on it."
    )
    return Chart(key="trades", title="Trades on the price", said=said, traces=traces, layout=layout, height=460,
                 note=note, zoomed=zoomed)  # fmt: skip


_FILL_KINDS = (
    ("change", "circle", "--held"),
    ("exit", "x", "--mark"),
    ("long entry", "triangle-up", "--rise"),
    ("short entry", "triangle-down", "--fall"),
)


def _fill_kind(before: float, after: float) -> int:
    """Index in _FILL_KINDS: more or less of the same, out, into a long, or into a short."""
    if after == 0.0:
        return 1
    if before * after <= 0.0:
        return 2 if after > 0.0 else 3
    return 0


def calibration_chart(found: Calibration) -> Chart:
    """Predicted probability against how often it came true."""
    title = "Signal calibration"
    if not found.bins:
        return Chart(key="calibration", title=title, said="", missing=found.missing)
    predicted = [_rounded(each.predicted) for each in found.bins]
    room = 0.1 * (found.bins[-1].predicted - found.bins[0].predicted) or 0.01
    ends = [_rounded(found.bins[0].predicted - room), _rounded(found.bins[-1].predicted + room)]
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": "as predicted", "x": ends, "y": ends, "hoverinfo": "skip",
         "line": {"color": "--mark", "dash": "dash", "width": 1}},
        {"type": "scatter", "mode": "lines+markers", "name": "came true, 95 % interval", "x": predicted,
         "y": [_rounded(each.observed) for each in found.bins],
         "error_y": {"type": "data", "symmetric": False, "color": "--own",
                     "array": [_rounded(each.high - each.observed) for each in found.bins],
                     "arrayminus": [_rounded(each.observed - each.low) for each in found.bins]},
         "customdata": [each.count for each in found.bins],
         "hovertemplate": "predicted %{x:.2%}, came true %{y:.2%} of %{customdata:,}<extra></extra>",
         "line": {"color": "--own", "width": 1}, "marker": {"color": "--own", "size": 8}},
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "predicted probability", "standoff": 8}, "tickformat": "~%", "range": ends},
        "yaxis": {"title": {"text": "share that came true", "standoff": 8}, "tickformat": "~%"},
    }
    outside = sum(not each.low <= each.predicted <= each.high for each in found.bins)
    said = (
        f"{counted(len(found.bins), 'group')} of equal count; in {outside} of them the prediction is outside the 95 % "
        f"interval of what came true. The event: {found.event}."
    )
    return Chart(key="calibration", title=title, said=said, traces=traces, layout=layout)


def activity_chart(run: ReportFolder) -> Chart:
    """Exposure over turnover."""
    found = activity(run, groups=_GROUPS)
    times = _milliseconds(found.ts)
    ends = [*times[1:], int(run.ts[-1]) // _MS]
    widths = [max(end - begin, 1) * 0.9 for begin, end in zip(times, ends, strict=True)]
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": "exposure", "x": times, "y": _numbers(found.exposure),
         "line": {"color": "--own", "width": 1.5, "shape": "hv"}, "fill": "tozeroy",
         "hovertemplate": "%{y:.1%}"},
        {"type": "bar", "name": "turnover", "x": times, "y": _numbers(found.turnover), "yaxis": "y2",
         "width": widths, "offset": 0, "marker": {"color": "--held", "line": {"width": 0}},
         "hovertemplate": "%{y:,.3~g} x equity"},
    ]  # fmt: skip
    layout = {
        "xaxis": {**_time_axis(run), "anchor": "y2"},
        "yaxis": {"title": {"text": "exposure", "standoff": 8}, "domain": [0.55, 1.0], "tickformat": "~%"},
        "yaxis2": {"title": {"text": "turnover, x equity", "standoff": 8}, "domain": [0.0, 0.45], "tickformat": "~g"},
        "hovermode": "x unified",
    }
    mean = run.number("metrics.mean_exposure")
    said = (
        f"Mean exposure {percent(mean, 1)}, turnover {decimal(run.number('metrics.turnover'), 1)} times equity in all."
    )
    note = f"Groups of {counted(found.bars, 'bar')}: mean signed exposure, and what was traded over mean equity."
    return Chart(key="activity", title="Exposure and turnover", said=said, traces=traces, layout=layout, height=420,
                 note=note)  # fmt: skip


def costs_chart(run: ReportFolder) -> Chart:
    """Costs paid so far, by kind, stacked."""
    title = "Costs paid"
    if not len(run.fills):
        return Chart(key="costs", title=title, said="", missing="Nothing was traded, so nothing was paid.")
    kinds = cumulative_costs(run.fills)
    kept = _even_points(len(run.fills), 1_000)
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": kind, "x": _milliseconds(run.fills.ts[kept]),
         "y": _numbers(paid[kept]), "stackgroup": "costs", "line": {"color": colour, "width": 1, "shape": "hv"},
         "hovertemplate": "%{y:,.2f}"}
        for (kind, paid), colour in zip(kinds.items(), ("--own", "--held", "--third", "--mark"), strict=True)
        if paid[-1] != 0.0
    ]  # fmt: skip
    if not traces:
        return Chart(key="costs", title=title, said="", missing="The cost model is free.")
    parts = ", ".join(f"{kind} {decimal(float(paid[-1]))}" for kind, paid in kinds.items() if paid[-1] != 0.0)
    said = f"Paid by the last fill, in currency: {parts}."
    layout = {
        "xaxis": _time_axis(run),
        "yaxis": {"title": {"text": "paid so far, currency", "standoff": 8}, "tickformat": ",.9~r"},
        "hovermode": "x unified",
    }
    note = "" if len(kept) == len(run.fills) else f"Every {len(run.fills) // 1_000 + 1}th of {len(run.fills):,} fills."
    return Chart(key="costs", title=title, said=said, traces=traces, layout=layout, note=note)


def distribution_chart(trades: Trades) -> Chart:
    """Histograms of profit and holding time."""
    title = "Distribution of trades"
    if not len(trades):
        return Chart(key="distribution", title=title, said="", missing="No trade was completed.")
    held_s = (trades.exit_ts - trades.entry_ts) / 1e9
    unit, size = next(((u, s) for u, s in (("days", 86_400.0), ("hours", 3_600.0)) if np.median(held_s) >= 2 * s),
                      ("minutes", 60.0))  # fmt: skip
    traces: list[Trace] = [
        *_bars(trades.profit, "profit", "%{x}: %{y:,} trades", "x", "y"),
        *_bars(held_s / size, "holding time", f"%{{x}} {unit}: %{{y:,}} trades", "x2", "y2"),
    ]
    layout = {
        "xaxis": {
            "title": {"text": "profit of a trade, currency", "standoff": 8},
            "domain": [0.0, 0.46],
            "tickformat": ",.9~r",
        },
        "yaxis": {"title": {"text": "trades", "standoff": 8}, **_whole_ticks(traces[0])},
        "xaxis2": {"title": {"text": f"holding time, {unit}", "standoff": 8}, "domain": [0.56, 1.0], "anchor": "y2"},
        "yaxis2": {"anchor": "x2", **_whole_ticks(traces[1])},
        "bargap": 0.03,
        "showlegend": False,
    }
    said = (
        f"{counted(len(trades), 'completed trade')}, {whole(float((trades.profit > 0).sum()))} with a gain; median "
        f"profit {decimal(float(np.median(trades.profit)))}, median holding time {duration(float(np.median(held_s)))}."
    )
    note = "The outermost bars hold what lies beyond the 0.5th and 99.5th percentile." if len(trades) >= 200 else ""
    return Chart(key="distribution", title=title, said=said, traces=traces, layout=layout, note=note)


def _whole_ticks(trace: Trace) -> dict[str, Any]:
    """Of an axis of counts: no tick between two whole numbers."""
    return {"tickformat": ",d", **({"dtick": 1} if max(trace["y"]) < _FEW_COUNTS else {})}


def _bars(values: Float64, name: str, hover: str, xaxis: str, yaxis: str) -> Iterator[Trace]:
    """A histogram of about 40 bins at most, counted here, so that the page does not carry every trade.

    Bins are (a, b]; of profits one ends at 0, so that no bin holds both gains and losses.
    """
    low, high = np.percentile(values, (0.5, 99.5)) if len(values) >= 200 else (values.min(), values.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, min(40, max(5, int(len(values) ** 0.5))) + 1)
    if low < 0.0 < high and name == "profit":
        width = edges[1] - edges[0]
        edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)
    counts = np.bincount(
        np.searchsorted(edges, values.clip(low, high), side="left").clip(1, len(edges) - 1) - 1,
        minlength=len(edges) - 1,
    )
    centres = (edges[:-1] + edges[1:]) / 2
    colours = ["--rise" if centre > 0 else "--fall" for centre in centres] if name == "profit" else "--own"
    yield {
        "type": "bar", "name": name, "x": _numbers(centres), "y": counts.tolist(), "xaxis": xaxis, "yaxis": yaxis,
        "width": float(edges[1] - edges[0]), "marker": {"color": colours}, "hovertemplate": hover + "<extra></extra>",
    }  # fmt: skip


def _line(ts: Int64, values: Float64, name: str, colour: str, *, hover: str, **more: Any) -> Trace:
    kept = kept_points(values)
    return {
        "type": "scatter", "mode": "lines" if len(kept) > _FEW else "lines+markers", "name": name,
        "x": _milliseconds(ts[kept]), "y": _numbers(values[kept]),
        "line": {"color": colour, "width": 1.4}, "marker": {"size": 5}, "hovertemplate": hover, **more,
    }  # fmt: skip


def _time_axis(run: ReportFolder) -> dict[str, Any]:
    """A date axis; a run of a single bar has it in the middle."""
    if len(run.ts) > 1:
        return {"type": "date"}
    around = int((run.number("bars.interval_s") or 1.0) * 1_000)
    at = int(run.ts[0]) // _MS
    return {"type": "date", "range": [at - around, at + around]}


def _even_points(count: int, most: int) -> Int64:
    """Indices of every k-th of `count` points, and of the last."""
    return np.unique(np.append(np.arange(0, count, count // most + 1), count - 1))


def _milliseconds(ts: Int64) -> list[int]:
    return [int(time) for time in (ts // _MS).tolist()]


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Rounded to what a screen shows; None where there is none."""
    return [_rounded(value) for value in values.tolist()]


def _rounded(value: float | None) -> float | None:
    if value is None or value != value:
        return None
    return float(f"{value:.{_DIGITS}g}")


def charts_of(run: ReportFolder, trades: Trades, calibrated: Calibration) -> Sequence[Chart]:
    """All charts, in the order of the page."""
    makers: tuple[Callable[[ReportFolder], Chart], ...] = (equity_chart, periods_chart, months_chart, trades_chart)
    return [
        *(make(run) for make in makers),
        calibration_chart(calibrated),
        activity_chart(run),
        costs_chart(run),
        distribution_chart(trades),
    ]
