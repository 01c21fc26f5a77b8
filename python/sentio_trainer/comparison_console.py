"""Prints a comparison of models."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from sentio_trainer.comparison_page import HEADINGS, figures, shown, shown_difference, shown_rank
from sentio_trainer.tables import plain_table


def print_comparison(document: Mapping[str, Any], *, folder: str) -> None:
    """Tables of an evaluation's JSON document, the verdict, and where the files are."""
    console = Console(highlight=False, soft_wrap=True)
    for symbol in document["symbols"]:
        console.print(_symbol_table(document, symbol))
    for scope in document["comparisons"]:
        if scope["standings"]:
            console.print(_standings_table(scope))
    for note in document["notes"]:
        console.print(f"note: {note}", markup=False)
    for scope in document["comparisons"][1:]:
        console.print(f"{scope['scope']}: {scope['verdict']}", markup=False)
    console.print(document["verdict"], markup=False, style="bold")
    console.print(f"evaluation: {folder}", markup=False)


def _symbol_table(document: Mapping[str, Any], symbol: Mapping[str, Any]) -> Table:
    sessions = document["sessions"]
    made_up = ", SYNTHETIC bars" if symbol["synthetic"] else ""
    table = plain_table(
        f"{symbol['symbol']}: {len(sessions)} sessions, {sessions[0]} to {sessions[-1]}, "
        f"costs {document['settings']['costs']['name']}{made_up}"
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right", no_wrap=True)
    for row in document["rows"]:
        if row["symbol"] == symbol["symbol"]:
            table.add_row(*figures(row), style="yellow" if row["sample"].startswith(("IN-", "UNK")) else None)
    return table


def _standings_table(scope: Mapping[str, Any]) -> Table:
    table = plain_table(f"Ranks over {scope['scope']}: by the Sharpe ratio over {scope['sessions']} sessions")
    table.add_column("model")
    for heading in ("rank", "best in", "Sharpe a session", "mean return, bp"):
        table.add_column(heading, justify="right")
    for each in sorted(scope["standings"], key=lambda each: each["rank"] or math.inf):
        table.add_row(
            each["model"],
            shown_rank(each),
            shown(each["best_share"], ".1%"),
            shown_difference(each["sharpe"], "+.3f"),
            shown_difference(each["mean_return"], "+.1f", scale=1e4),
        )
    return table
