"""Draws a run: lines and a progress bar on standard error, results on standard output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sentio_trainer.evaluation import Evaluation, Scores
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
    """The test period as a table, the verdict, and where the artifact is."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(trained.evaluation))
    console.print(trained.evaluation.verdict, markup=False, style="bold")
    console.print(f"artifact: {folder}", markup=False)


def _table(evaluation: Evaluation) -> Table:
    table = Table(title=f"Test period, {evaluation.rows:,} rows", title_justify="left")
    for heading in ("forecast", "AUC", "IC", "rank IC", "return after costs"):
        table.add_column(heading, justify="left" if heading == "forecast" else "right")
    _add(table, evaluation.model, evaluation.return_after_costs)
    for baseline in evaluation.baselines:
        _add(table, baseline, None)
    table.add_row("buy and hold", "", "", "", _percent(evaluation.buy_and_hold_return))
    error = "not defined" if evaluation.standard_error is None else f"{evaluation.standard_error:.4f}"
    table.caption = f"standard error of the model's IC: {error}"
    table.caption_justify = "left"
    return table


def _add(table: Table, scores: Scores, total_return: float | None) -> None:
    auc_text = "–" if scores.auc is None else f"{scores.auc:.4f}"
    ics = ("–" if value is None else f"{value:+.4f}" for value in (scores.ic, scores.rank_ic))
    table.add_row(scores.name, auc_text, *ics, _percent(total_return) if total_return is not None else "")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2%}"
