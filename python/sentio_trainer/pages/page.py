"""The page: one HTML file with all that it needs, so that it opens without a network."""

import base64
import gzip
import importlib
import importlib.util
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from sentio_trainer.errors import ConfigError
from sentio_trainer.pages.charts import Chart
from sentio_trainer.pages.content import Content, Section
from sentio_trainer.pages.tables import Table

EXTRA = "pip install 'sentio[report]'"
# Nothing may be fetched: what the page needs is in it.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_TALL = 24  # rows; a longer table scrolls


def html_page(content: Content) -> str:
    """The whole page.

    Raises:
        ConfigError: plotly, of the extra `report`, is not installed.
    """
    drawn = [section.chart for section in content.sections if section.chart is not None and not section.chart.missing]
    warned = " warned" if content.warned else ""
    verdict = "".join(f"<li>{escape(line)}</li>" for line in content.verdict)
    body = "\n".join(_section(section) for section in content.sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(content.title)}</title>
<style>
{_file("page.css")}</style>
</head>
<body>
<main>
<header><div><h1>{escape(content.title)}</h1>
<p class="quiet">{escape(content.about)}</p></div>
<button id="theme" type="button" aria-label="Switch between light and dark">Dark</button></header>
<ul class="verdict{warned}" aria-label="Verdict">{verdict}</ul>
<noscript><p class="verdict warned">The charts need JavaScript; the tables do not.</p></noscript>
<p id="failed" class="verdict warned" hidden>The charts cannot be drawn: this browser is older than 2023.</p>
{body}
</main>
<script type="text/plain" id="plotly">{_packed(_plotly())}</script>
<script type="text/plain" id="charts">{_packed(charts_json(drawn))}</script>
<script>
{_file("page.js")}</script>
</body>
</html>
"""


def charts_json(charts: Sequence[Chart]) -> str:
    """What page.js draws."""
    return json.dumps(
        [
            {
                "key": chart.key,
                "traces": chart.traces,
                "layout": chart.layout,
                "height": chart.height,
                "log_axes": chart.log_axes,
                "zoomed": chart.zoomed,
            }
            for chart in charts
        ],
        separators=(",", ":"),
        allow_nan=False,
    )


def _plotly() -> str:
    if importlib.util.find_spec("plotly") is None:
        raise ConfigError(f"the page needs plotly: {EXTRA}")
    return str(importlib.import_module("plotly.offline").get_plotlyjs())


def _packed(text: str) -> str:
    # Without a time, so that equal reports are equal bytes.
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _file(name: str) -> str:
    return files("sentio_trainer.pages").joinpath(name).read_text(encoding="utf-8")


def _section(section: Section) -> str:
    parts = [f'<section aria-labelledby="h-{section.key}">', f'<h2 id="h-{section.key}">{escape(section.title)}</h2>']
    if section.chart is not None:
        parts.append(_figure(section.chart))
    parts += [html_table(table, titled=table.title == section.title) for table in section.tables]
    return "\n".join([*parts, "</section>"])


def _figure(chart: Chart) -> str:
    if chart.missing:
        return f'<p class="note">{escape(chart.missing)}</p>'
    switch = f'<button type="button" data-log="{chart.key}" aria-pressed="false">Logarithmic scale</button>'
    told = f' <span id="told-{chart.key}" class="screen" role="status"></span>' if chart.zoomed else ""
    note = f'<p class="note">{escape(chart.note)}{told}</p>' if chart.note or told else ""
    return (
        f"<figure>{switch if chart.log_axes else ''}"
        f'<div class="chart" id="chart-{chart.key}" role="img" aria-label="{escape(chart.title)}. {escape(chart.said)}"'
        f' style="height:{chart.height}px"></div>'
        f"<figcaption>{escape(chart.said)}</figcaption>{note}</figure>"
    )


def html_table(table: Table, *, titled: bool = False) -> str:
    """A table with a caption and scopes; a heading above it that says the same leaves the caption to screen readers."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = []
    for i, (name, *cells) in enumerate(table.rows):
        marked = ' class="marked"' if i in table.marked else ""
        inner = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr{marked}><th scope="row">{escape(name)}</th>{inner}</tr>')
    words = ' class="words"' if table.words else ""
    tall = " tall" if len(table.rows) > _TALL else ""
    note = f'\n<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll{tall}" tabindex="0" role="region" aria-label="{escape(table.title)}"><table{words}>'
        f"<caption{' class=said' * titled}>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>\n<tbody>"
        + "\n".join(rows)
        + f"</tbody></table></div>{note}"
    )
