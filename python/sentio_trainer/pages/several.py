"""The way into a run of several symbols: a list with a link to each one's page."""

from html import escape
from importlib.resources import files
from urllib.parse import quote

from sentio_trainer.pages.figures import decimal, percent, whole
from sentio_trainer.pages.folder import ReportFolder
from sentio_trainer.pages.page import html_table
from sentio_trainer.pages.tables import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def symbols_table(runs: list[ReportFolder]) -> Table:
    """One row a symbol."""
    rows = [
        (
            run.folder.name,
            run.strategy,
            percent(run.number("metrics.total_return")),
            percent(run.number("buy_and_hold.total_return")),
            decimal(run.number("metrics.sharpe")),
            percent(run.number("metrics.max_drawdown.depth")),
            whole(run.number("metrics.trades.count")),
            str(run.document["verdict"][0]) if run.document["verdict"] else "",
        )
        for run in runs
    ]
    header = ("Symbol", "Strategy", "Return", "Buy and hold", "Sharpe", "Max drawdown", "Trades", "Verdict")
    return Table(title="Symbols", header=header, rows=rows)


def index_page(runs: list[ReportFolder], *, title: str, page: str) -> str:
    """A page that links to `page` in each run's folder."""
    links = "".join(
        f'<li><a href="{quote(f"{name}/{page}")}">{escape(name)}: {escape(strategy)}</a></li>'
        for name, strategy in ((run.folder.name, run.strategy) for run in runs)
    )
    css = files("sentio_trainer.pages").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<ul>{links}</ul>
{html_table(symbols_table(runs))}
</main>
</body>
</html>
"""
