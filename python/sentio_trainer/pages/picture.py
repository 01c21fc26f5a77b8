"""The report as one picture: equity, drawdown, periods or months, trades on the price. Needs matplotlib."""

import importlib
import importlib.util
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.errors import ConfigError
from sentio_trainer.pages.content import Content
from sentio_trainer.pages.derived import drawdown, monthly_returns
from sentio_trainer.pages.folder import ReportFolder
from sentio_trainer.pages.tables import SEEN, period_label
from sentio_trainer.pages.thinned import kept_points
from sentio_trainer.plot import EXTRA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (11.0, 12.0)
_DPI = 110
_MOST_MARKS = 1_500  # fills on the price; more hide it
# Okabe and Ito's colours, which differ for the colour-blind too.
_OWN, _HELD, _PRICE, _SEEN, _RISE, _FALL = "#0072B2", "#D55E00", "#666666", "#CC79A7", "#009E73", "#D55E00"


def picture_png(run: ReportFolder, content: Content) -> bytes:
    """The picture's bytes.

    Raises:
        ConfigError: matplotlib, of the extra `report`, is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(f"the picture needs matplotlib: {EXTRA}")
    image = io.BytesIO()
    report_figure(run, content).savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    return image.getvalue()


def report_figure(run: ReportFolder, content: Content) -> "Figure":
    """Four panels over each other."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter, StrMethodFormatter

    figure = Figure(figsize=_INCHES, layout="constrained")
    figure.suptitle(_literal(f"{content.title}\n{content.verdict[0]}"), fontsize="medium", wrap=True)
    equity, low, returns, price = figure.subplots(4, 1, height_ratios=[3, 1.5, 2, 3])
    names = (_literal(run.strategy), "buy and hold")
    _line(equity, run.ts, run.held_equity, names[1], _HELD)
    _line(equity, run.ts, run.equity, names[0], _OWN)
    equity.set_ylabel("equity, currency")
    equity.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    equity.legend(fontsize="small")
    _line(low, run.ts, -drawdown(run.held_equity, run.capital), names[1], _HELD)
    _line(low, run.ts, -drawdown(run.equity, run.capital), names[0], _OWN)
    low.set_ylabel("drawdown")
    low.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    _returns(returns, run)
    returns.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    _trades(price, run)
    price.set_ylabel("price, currency")
    for panel in (equity, low, returns, price):
        panel.grid(alpha=0.3)
    dates: Any = importlib.import_module("matplotlib.dates")  # has no types
    if len(run.ts) > 1:
        for panel in (equity, low, price):
            locator = dates.AutoDateLocator(maxticks=9)
            panel.xaxis.set_major_locator(locator)
            panel.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    price.set_xlabel("time, UTC")
    return figure


def _line(axes: "Axes", ts: Int64, values: Float64, label: str, colour: str) -> None:
    kept = kept_points(values)
    marker = "o" if len(kept) == 1 else None  # a line of one point is not seen
    axes.plot(_moments(ts[kept]), values[kept], label=label, color=colour, linewidth=1.0, marker=marker)


def _returns(axes: "Axes", run: ReportFolder) -> None:
    """A bar a period, or a month where the run has no periods."""
    rows = run.at("periods")
    if rows:
        labels = [period_label(row) for row in rows]
        values: list[float | None] = [row["metrics"].get("total_return") for row in rows]
        seen = [row.get("sample") in SEEN for row in rows]
        axes.set_ylabel("return of a period")
    else:
        months = monthly_returns(run.ts, run.equity, run.capital)
        labels, values, seen = months.month, months.value, [False] * len(months.month)
        axes.set_ylabel("return of a month")
    known = np.array([np.nan if value is None else value for value in values])
    at = np.arange(len(labels))
    mask = np.array(seen, dtype=bool)
    axes.bar(at[~mask], known[~mask], color=_OWN, label="not seen by the model" if mask.any() else None)
    if mask.any():
        axes.bar(at[mask], known[mask], color=_SEEN, hatch="//", label="IN-SAMPLE or validation")
        axes.legend(fontsize="small")
    shown = at[:: max(1, len(at) // 10)]
    axes.set_xticks(shown, [labels[i] for i in shown], fontsize="small")
    axes.axhline(0.0, color="black", linewidth=0.8)


def _trades(axes: "Axes", run: ReportFolder) -> None:
    fills = run.fills
    _line(axes, run.ts, run.close, "close", _PRICE)
    if len(fills) <= _MOST_MARKS:
        for bought, marker, colour, label in ((True, "^", _RISE, "bought"), (False, "v", _FALL, "sold")):
            picked = (fills.quantity > 0.0) == bought
            at, price = _moments(fills.ts[picked]), fills.price[picked]
            axes.scatter(at, price, marker=marker, color=colour, label=label, s=14, zorder=3)
    else:
        axes.plot([], [], " ", label=f"{len(fills):,} fills, too many to draw")
    axes.legend(fontsize="small")


def _moments(ts: Int64) -> Any:
    return ts.astype("datetime64[ns]")


def _literal(text: str) -> str:
    """Text in which a dollar sign begins no formula."""
    return text.replace("$", r"\$")
