"""The way into a run of several symbols: a list with a link to each one's page, and their figures side by side."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from sentio_trainer.pages.figures import DASH, decimal, percent, whole
from sentio_trainer.pages.folder import ReportFolder
from sentio_trainer.pages.page import html_table
from sentio_trainer.pages.tables import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_DARK = ':root[data-theme="dark"] '


def symbols_table(runs: Sequence[ReportFolder], summary: Mapping[str, Any] | None) -> Table:
    """One row a symbol, then the summary that `sentio_cli` wrote, if it did."""
    rows = [
        (
            run.folder.name,
            percent(run.number("metrics.total_return")),
            percent(run.number("buy_and_hold.total_return")),
            decimal(run.number("metrics.sharpe")),
            decimal(run.number("evidence.deflated_sharpe")),
            percent(run.number("metrics.max_drawdown.depth")),
            whole(run.number("metrics.trades.count")),
        )
        for run in runs
    ]
    for name in ("mean", "worst", "portfolio"):
        if summary is not None and (row := summary.get(name)) is not None:
            shares = (percent(row.get("total_return")), percent(row.get("buy_and_hold_return")))
            sharpes = (decimal(row.get("sharpe")), decimal(row.get("deflated_sharpe")))
            rows.append((name, *shares, *sharpes, percent(row.get("max_drawdown")), DASH))
    header = ("Symbol", "Return", "Buy and hold", "Sharpe", "DSR", "Max drawdown", "Trades")
    note = "DSR: deflated Sharpe ratio."
    if summary is not None and summary.get("portfolio_rule"):
        rule = str(summary["portfolio_rule"])
        note += f" {rule[:1].upper()}{rule[1:]}"
    return Table(title="Symbols", header=header, rows=rows, note=note)


def index_page(runs: Sequence[ReportFolder], summary: Mapping[str, Any] | None, *, title: str, path: Path) -> str:
    """The page at `path`, which links to the one of the same name in each run's folder."""
    links = "".join(
        f'<li><a href="{quote(_seen_from(path, run.folder / path.name))}">{escape(run.folder.name)}: '
        f"{escape(run.strategy)}</a>{_verdict(run)}</li>"
        for run in runs
    )
    css = files("sentio_trainer.pages").joinpath("page.css").read_text(encoding="utf-8")
    dark = css.partition(_DARK)[2].partition("}")[0] + "}"  # no script is here to choose it
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{css}@media screen and (prefers-color-scheme: dark) {{ :root {dark} }}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<ul>{links}</ul>
{html_table(symbols_table(runs, summary))}
</main>
</body>
</html>
"""


def _verdict(run: ReportFolder) -> str:
    return f" – {escape(str(run.document['verdict'][0]))}" if run.document["verdict"] else ""


def _seen_from(page: Path, other: Path) -> str:
    return PurePath(os.path.relpath(other, page.parent)).as_posix()
