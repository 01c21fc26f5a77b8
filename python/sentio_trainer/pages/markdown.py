"""The report as Markdown: its tables, and a link to the picture."""

import re
from urllib.parse import quote

from sentio_trainer.pages.content import Content
from sentio_trainer.pages.tables import Table

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown_text(content: Content, *, picture: str | None) -> str:
    """The whole text.

    Args:
        picture: path of the PNG as seen from the text, where there is one.
    """
    lines = [f"# {_plain(content.title)}", "", _plain(content.about), ""]
    lines += [f"- {f'**{_plain(line)}**' if i == 0 else _plain(line)}" for i, line in enumerate(content.verdict)]
    if picture is not None:
        lines += ["", f"![Equity, drawdown, returns and trades]({quote(picture)})"]
    for section in content.sections:
        lines += ["", f"## {_plain(section.title)}"]
        if section.chart is not None:
            lines += ["", _plain(section.chart.missing or section.chart.said)]
        for table in section.tables:
            lines += ["", *_table(table)]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    aligned = ["---"] + ["---" if table.words else "---:"] * (len(table.header) - 1)
    lines = [_row(table.header), f"| {' | '.join(aligned)} |", *(_row(row) for row in table.rows)]
    return [*lines, "", _plain(table.note)] if table.note else lines


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Text without a mark's meaning, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
