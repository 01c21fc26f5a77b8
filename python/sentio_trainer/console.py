"""Draws a run: lines and a progress bar on standard error, results on standard output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sentio_trainer.evaluation import Evaluation
from sentio_trainer.paths import shown_path
from sentio_trainer.reliability import Bin
from sentio_trainer.tables import percent, plain_table, shown_estimate
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
    def steps(self, total: int, what: str = "training") -> Iterator[Callable[[], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._progress) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)


def print_trained(trained: Trained) -> None:
    """The test period as tables, the verdict, and where the records and the artifact are."""
    evaluation = trained.evaluation
    console = Console(highlight=False, soft_wrap=True)
    console.print(_scores_table(evaluation))
    if evaluation.reliability:
        console.print(_reliability_table(evaluation.reliability))
    returns = (percent(evaluation.return_after_costs), percent(evaluation.buy_and_hold_return))
    console.print("return after costs: model {}, buy and hold {}".format(*returns), markup=False)
    console.print(evaluation.verdict, markup=False, style="bold")
    console.print(f"records: {shown_path(trained.run)}", markup=False)
    console.print(f"artifact: {shown_path(trained.folder)}", markup=False)


def _scores_table(evaluation: Evaluation) -> Table:
    table = plain_table(
        f"Test period, {evaluation.rows:,} rows; ± {evaluation.standard_errors:g} block-bootstrap standard errors"
    )
    table.add_column("forecast")
    for heading in ("AUC", "IC", "rank IC", "Brier"):
        table.add_column(heading, justify="right")
    for each in (evaluation.model, *evaluation.baselines):
        table.add_row(
            each.name,
            shown_estimate(each.auc, ".4f"),
            shown_estimate(each.ic, "+.4f"),
            shown_estimate(each.rank_ic, "+.4f"),
            "–" if each.brier is None else f"{each.brier.value:.4f}",
        )
    return table


def _reliability_table(bins: list[Bin]) -> Table:
    """A bin is a column: ten of them fit beside each other."""
    table = plain_table(f"Reliability: share of rises in {len(bins)} bins of {bins[0].count:,} bars", show_header=False)
    table.add_row("forecast", *(f"{each.predicted:.3f}" for each in bins))
    table.add_row("observed", *(f"{each.observed:.3f}" for each in bins))
    return table
