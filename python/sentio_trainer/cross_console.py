"""Draws a cross-validation on standard output: folds, paths and the verdict, in 80 columns."""

from rich.console import Console
from rich.table import Table

from sentio_trainer.cross_scores import Figures, Spread, spread_of
from sentio_trainer.cross_training import LOGISTIC, CrossValidation
from sentio_trainer.tables import percent, plain_table, shown_estimate

# More paths than these are told by their spread alone.
_MOST_PATHS = 10


def print_cross_validation(result: CrossValidation, *, standard_errors: float, folder: str) -> None:
    """Tables, the verdict, and where the rest is."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(_folds_table(result))
    console.print(_overall_table(result, standard_errors))
    if len(result.paths) > 1:
        if len(result.paths) <= _MOST_PATHS:
            console.print(_paths_table(result))
        ics = spread_of([path.figures.ic for path in result.paths])
        returns = spread_of([path.return_after_costs for path in result.paths])
        console.print(f"IC over {len(result.paths)} paths: {_spread(ics, '+.4f')}", markup=False)
        console.print(f"return after costs over the paths: {_spread(returns, '+.2%')}", markup=False)
    console.print(result.verdict, markup=False, style="bold")
    console.print(f"validation: {folder}", markup=False)


def _folds_table(result: CrossValidation) -> Table:
    means = "" if len(result.paths) == 1 else ": means over the splits that test it"
    table = plain_table(f"Each tested fold{means}")
    table.add_column("fold")
    table.add_column("from")
    for heading in ("rows", "IC", "rank IC", "AUC", "Brier", "logistic", "return"):
        table.add_column(heading, justify="right")
    for number, fold in enumerate(result.folds, start=1):
        logistic = f"{fold.rival_ics[LOGISTIC]:+.4f}"
        figures = (*_cells(fold.figures), logistic, percent(fold.return_after_costs))
        table.add_row(str(number), fold.span[0][:10], f"{fold.rows:,}", *figures)
    return table


def _overall_table(result: CrossValidation, standard_errors: float) -> Table:
    table = plain_table(f"Mean over the folds ± {standard_errors:g} standard errors")
    table.add_column("as they vary")
    for heading in ("IC", "rank IC", "AUC", "Brier"):
        table.add_column(heading, justify="right")
    overall = result.overall
    table.add_row(
        "over bars",
        shown_estimate(overall.ic, "+.4f"),
        shown_estimate(overall.rank_ic, "+.4f"),
        shown_estimate(overall.auc, ".4f"),
        shown_estimate(overall.brier, ".4f"),
    )
    table.add_row("over folds", shown_estimate(result.fold_ic, "+.4f"))
    return table


def _paths_table(result: CrossValidation) -> Table:
    table = plain_table("Each path: means over its folds, and their returns one after the other")
    table.add_column("path")
    for heading in ("IC", "rank IC", "AUC", "Brier", "return", "buy and hold"):
        table.add_column(heading, justify="right")
    for number, path in enumerate(result.paths, start=1):
        returns = (percent(path.return_after_costs), percent(path.buy_and_hold_return))
        table.add_row(str(number), *_cells(path.figures), *returns)
    return table


def _cells(figures: Figures) -> tuple[str, str, str, str]:
    formats = {"ic": "+.4f", "rank_ic": "+.4f", "auc": ".4f", "brier": ".4f"}
    values = {name: getattr(figures, name) for name in formats}
    ic, rank_ic, auc, brier = ("–" if values[name] is None else format(values[name], formats[name]) for name in formats)
    return ic, rank_ic, auc, brier


def _spread(spread: Spread | None, digits: str) -> str:
    if spread is None:
        return "–"
    return f"{spread.low:{digits}} to {spread.high:{digits}}, median {spread.middle:{digits}}"
