"""`comparison_plots.png`: equity on each symbol, differences with their intervals, ranks. Needs matplotlib."""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentio_trainer.errors import ConfigError
from sentio_trainer.model_comparison import LEVEL
from sentio_trainer.plot import EXTRA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES = 10.0
_DPI = 120
# Okabe and Ito's colours, which differ for the colour-blind too; with the styles of lines they reach 21 models.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":")
_BEYOND_CHANCE, _WITHIN = "#D55E00", "#666666"
# Session ticks of a panel.
_TICKS = 6


def require_matplotlib() -> None:
    """Raises:
    ConfigError: matplotlib is missing.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(f"the picture needs matplotlib: {EXTRA}; or leave it out, --no-plots")


def comparison_png(document: Mapping[str, Any]) -> bytes:
    """The picture of an evaluation's JSON document."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws without a screen

    figure = comparison_figure(document)
    FigureCanvasAgg(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    return image.getvalue()


def comparison_figure(document: Mapping[str, Any]) -> "Figure":
    """A panel of equity for each symbol; below, differences and ranks of the first comparison."""
    from matplotlib.figure import Figure

    symbols = [each["symbol"] for each in document["symbols"]]
    scope = document["comparisons"][0]
    pairs = [pair for pair in scope["pairs"] if pair["sharpe"] is not None]
    below = max(2.2, 0.8 + 0.3 * max(len(pairs), len(scope["standings"])))
    heights = [*([2.8] * len(symbols)), below]
    figure = Figure(figsize=(_WIDTH_INCHES, 0.6 + sum(heights)), layout="constrained")
    figure.suptitle(document["verdict"], fontsize="medium", wrap=True)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    colours = _colours([model["label"] for model in document["models"]])
    for i, symbol in enumerate(symbols):
        rows = [row for row in document["rows"] if row["symbol"] == symbol]
        _draw_equity(figure.add_subplot(grid[i, :]), symbol, rows, document["sessions"], colours)
    _draw_differences(figure.add_subplot(grid[-1, 0]), scope["scope"], pairs)
    _draw_ranks(figure.add_subplot(grid[-1, 1]), scope["scope"], scope["standings"])
    return figure


def _colours(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    n = len(_COLOURS)
    return {
        label: {"color": _COLOURS[i % n], "linestyle": _STYLES[i // n % len(_STYLES)]} for i, label in enumerate(labels)
    }


def _draw_equity(
    axes: "Axes",
    symbol: str,
    rows: Sequence[Mapping[str, Any]],
    sessions: Sequence[str],
    colours: Mapping[str, Mapping[str, Any]],
) -> None:
    from matplotlib.ticker import PercentFormatter

    at = range(len(sessions) + 1)
    for row in rows:
        wealth = np.concatenate([[1.0], np.cumprod(1.0 + np.array(row["session_returns"]))])
        mark = f"  {row['sample']}" if row["sample"].startswith(("IN-SAMPLE", "UNKNOWN")) else ""
        axes.plot(at, wealth - 1.0, label=row["model"] + mark, linewidth=1.3, **colours[row["model"]])
    ticks = range(len(sessions), 0, -max(1, -(-len(sessions) // _TICKS)))
    axes.set_xticks(ticks, [sessions[i - 1] for i in ticks])
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    axes.set_title(f"{symbol}: return after costs", loc="left", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")


def _draw_differences(axes: "Axes", scope: str, pairs: Sequence[Mapping[str, Any]]) -> None:
    """A forest plot: one line a pair, the first on top."""
    axes.axvline(0.0, color="black", linewidth=0.8)
    for i, pair in enumerate(pairs):
        sharpe = pair["sharpe"]
        beyond = sharpe["p_adjusted"] is not None and sharpe["p_adjusted"] < LEVEL
        colour = _BEYOND_CHANCE if beyond else _WITHIN
        if sharpe["interval"] is not None:
            axes.plot([sharpe["interval"]["low"], sharpe["interval"]["high"]], [i, i], color=colour, linewidth=2.0)
        axes.plot([sharpe["value"]], [i], "o", color=colour)
    axes.set_yticks(range(len(pairs)), [f"{pair['first']} − {pair['second']}" for pair in pairs], fontsize="small")
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_title(f"Sharpe a session, difference: {scope}", loc="left", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)


def _draw_ranks(axes: "Axes", scope: str, standings: Sequence[Mapping[str, Any]]) -> None:
    ranked = sorted((each for each in standings if each["rank"] is not None), key=lambda each: each["rank"])
    for i, each in enumerate(ranked):
        if each["rank_interval"] is not None:
            axes.plot(each["rank_interval"], [i, i], color=_WITHIN, linewidth=2.0)
        axes.plot([each["rank"]], [i], "o", color=_WITHIN)
    axes.set_yticks(range(len(ranked)), [each["model"] for each in ranked], fontsize="small")
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    axes.set_xticks(range(1, len(ranked) + 1))
    axes.set_title(f"Rank and its 95 % interval: {scope}", loc="left", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
