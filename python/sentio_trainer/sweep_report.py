"""Draws what a sweep came to."""

from rich.console import Console
from rich.text import Text

from sentio_trainer.paths import shown_path
from sentio_trainer.sweep import SweepResult
from sentio_trainer.sweep_space import shown_value
from sentio_trainer.tables import plain_table

_SHOWN = 10


def print_sweep(result: SweepResult) -> None:
    """The best trials as a table, how many models were tried, and the line that trains the best one."""
    console = Console(highlight=False, soft_wrap=True)
    keys = list(result.finished[0].values)
    table = plain_table(
        f"Study {result.study}: {len(result.finished)} finished, {result.pruned} pruned, {result.failed} failed"
    )
    for heading in ("trial", f"validation {result.monitor}", "epoch", *keys):
        table.add_column(heading, justify="right")
    for trial in result.finished[:_SHOWN]:
        values = (Text(shown_value(trial.values[key])) for key in keys)
        table.add_row(str(trial.number), f"{trial.value:.5f}", str(trial.epoch), *values)
    console.print(table)
    console.print(
        f"{result.tried} models were tried on these bars so far ({shown_path(result.ledger)}): "
        "the best of many looks better on the validation bars than it is",
        markup=False,
    )
    console.print(f"train the best: {result.command}", markup=False, style="bold")
