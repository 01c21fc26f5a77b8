"""How tables and figures look on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from sentio_trainer.scores import Estimate


def plain_table(title: str, *, show_header: bool = True) -> Table:
    """A table of the project's look."""
    # No frame and narrow gaps: four figures with their errors in 80 columns.
    return Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        show_header=show_header,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def shown_estimate(estimate: Estimate | None, digits: str) -> str:
    """A figure and half its interval, by the format of the figure; a dash where it is undefined."""
    if estimate is None:
        return "–"
    if estimate.interval is None or estimate.interval.low == estimate.interval.high:
        return f"{estimate.value:{digits}}"
    return f"{estimate.value:{digits}} ±{(estimate.interval.high - estimate.interval.low) / 2.0:.4f}"


def percent(value: float | None) -> str:
    """A fraction with its sign; a dash where it is undefined."""
    return "–" if value is None else f"{value:+.2%}"
