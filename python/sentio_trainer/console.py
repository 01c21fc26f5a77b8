"""Draws a run: lines and a progress bar on standard error, results on standard output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sentio_trainer.evaluation import Evaluation
from sentio_trainer.reliability import Bin
from sentio_trainer.scores import Estimate
from sentio_trainer.trainer import Trained


class ConsoleReport:
    """Tells a person at a terminal, or a log file."""

    def __init__(self, *, progress: bool) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = progress and self._console.is_terminal

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        self._console.print(f"warning: {text}", markup=False, style="yellow")

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._progress) as progress:
            task = progress.add_task("training", total=total)
            yield lambda: progress.advance(task)


def print_trained(trained: Trained, *, folder: str) -> None:
    """The test period as tables, the verdict, and where the artifact is."""
    evaluation = trained.evaluation
    console = Console(highlight=False, soft_wrap=True)
    console.print(_scores_table(evaluation))
    if evaluation.reliability:
        console.print(_reliability_table(evaluation.reliability))
    returns = (_percent(evaluation.return_after_costs), _percent(evaluation.buy_and_hold_return))
    console.print("return after costs: model {}, buy and hold {}".format(*returns), markup=False)
    console.print(evaluation.verdict, markup=False, style="bold")
    console.print(f"artifact: {folder}", markup=False)


def _scores_table(evaluation: Evaluation) -> Table:
    table = _table(
        f"Test period, {evaluation.rows:,} rows; ± {evaluation.standard_errors:g} block-bootstrap standard errors"
    )
    table.add_column("forecast")
    for heading in ("AUC", "IC", "rank IC", "Brier"):
        table.add_column(heading, justify="right")
    for each in (evaluation.model, *evaluation.baselines):
        table.add_row(
            each.name,
            _shown(each.auc, ".4f"),
            _shown(each.ic, "+.4f"),
            _shown(each.rank_ic, "+.4f"),
            "–" if each.brier is None else f"{each.brier.value:.4f}",
        )
    return table


def _reliability_table(bins: list[Bin]) -> Table:
    """A bin is a column: ten of them fit beside each other."""
    table = _table(f"Reliability: share of rises in {len(bins)} bins of {bins[0].count:,} bars", show_header=False)
    table.add_row("forecast", *(f"{each.predicted:.3f}" for each in bins))
    table.add_row("observed", *(f"{each.observed:.3f}" for each in bins))
    return table


def _table(title: str, *, show_header: bool = True) -> Table:
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


def _shown(estimate: Estimate | None, digits: str) -> str:
    if estimate is None:
        return "–"
    if estimate.interval is None or estimate.interval.low == estimate.interval.high:
        return f"{estimate.value:{digits}}"
    return f"{estimate.value:{digits}} ±{(estimate.interval.high - estimate.interval.low) / 2.0:.4f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2%}"
