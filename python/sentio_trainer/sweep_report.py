"""Draws what a sweep came to."""

from rich.console import Console
from rich.text import Text

from sentio_trainer.paths import shown_path
from sentio_trainer.sweep import SweepResult
from sentio_trainer.sweep_overfitting import SweepOverfitting
from sentio_trainer.sweep_space import shown_value
from sentio_trainer.tables import plain_table

_SHOWN = 10


def overfitting_lines(overfitting: SweepOverfitting) -> list[str]:
    """What the choice of the best trial is worth; pruned and failed trials left no returns and are not among them."""
    found, deflated = overfitting.found, overfitting.deflated
    if found is None:
        lines = [f"probability of backtest overfitting: not defined: {overfitting.undefined}"]
    else:
        slope = "–" if found.degradation_slope is None else f"{found.degradation_slope:+.2f}"
        lines = [
            f"probability of backtest overfitting: {found.probability:.0%}, by CSCV over {found.strategies} finished "
            f"trials, {found.observations} sessions of validation in {found.blocks} blocks; elsewhere the best one's "
            f"Sharpe falls with slope {slope} and is below 0 in {found.probability_of_loss:.0%}"
        ]
    if deflated is None:
        lines.append("deflated Sharpe of the best trial: not defined: too few trials, or it never traded")
    else:
        lines.append(
            f"deflated Sharpe of the best trial: {deflated.probability:.3f}; {deflated.sharpe:+.3f} a session, "
            f"{deflated.expected_maximum:+.3f} expected of the best of {deflated.trials} without skill"
        )
    return lines


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
    for line in overfitting_lines(result.overfitting):
        console.print(line, markup=False)
    console.print(
        f"{result.tried} models were tried on these bars so far ({shown_path(result.ledger)}): "
        "the best of many looks better on the validation bars than it is",
        markup=False,
    )
    console.print(f"train the best: {result.command}", markup=False, style="bold")
