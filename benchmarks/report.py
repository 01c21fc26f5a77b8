"""Shows results.json: tables on a console, results.md and results.svg. No number of theirs is typed by hand.

`python -m benchmarks.report` writes the two files anew.
"""

import json
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

from benchmarks.tables import Cell, Table, Target

HERE = Path(__file__).resolve().parent
OURS, THEIRS = "#1f6feb", "#9aa4b2"


def shown(cell: Cell) -> str:
    """Three digits, and no more than a reader needs."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}" if abs(cell) < 10 else f"{cell:.1f}"


def as_rich(table: Table) -> RichTable:
    rich = RichTable(title=table.title)
    for i, heading in enumerate(table.headings):
        rich.add_column(heading, justify="right" if numeric(table, i) else "left")
    for row in table.rows:
        rich.add_row(*(shown(cell) for cell in row))
    return rich


def numeric(table: Table, column: int) -> bool:
    return any(isinstance(row[column], int | float) for row in table.rows)


def markdown_rows(table: Table) -> list[str]:
    if not table.rows:
        return []
    lines = [
        f"| {' | '.join(table.headings)} |",
        f"|{'|'.join('---:' if numeric(table, i) else '---' for i in range(len(table.headings)))}|",
    ]
    return lines + [f"| {' | '.join(shown(cell) for cell in row)} |" for row in table.rows]


def verdict(target: Target) -> str:
    return {True: "met", False: "**missed**", None: "not measured"}[target.met]


def markdown(results: dict[str, Any]) -> str:
    made, targets, tables = results["made"], *parsed(results)
    lines = [
        "# Results",
        "",
        "<!-- Written by `make bench` from results.json: run it again instead of editing this page. -->",
        "",
        *(f"- {key}: {value}" for key, value in made.items()),
        f"- {results['rounds']} rounds, {results['seconds']} s in all",
        "",
        "Contenders take turns, each in a process of its own. The first figure is the best round, the median of the "
        "rounds stands beside it. A ratio above 1 is in our favour, one below 1 is a loss; its median is that of the "
        "rounds' own ratios. `cores` is processor time over wall time: below 1 the machine had other things to do. "
        "Absolute times depend on the machine.",
        "",
        "![Times beside others'](results.svg)",
    ]
    if targets:
        lines += ["", "## Targets", "", "| what | target | found | |", "|---|---:|---:|---|"]
        for target in targets:
            sign = "≥" if target.at_least else "≤"
            limit = f"{sign} {shown(target.limit)} {target.unit}"
            lines.append(f"| {target.what} | {limit} | {shown(target.found)} | {verdict(target)} |")
    for table in tables:
        lines += ["", f"## {table.title}", "", table.text, "", *markdown_rows(table)]
    return "\n".join(lines).rstrip() + "\n"


def parsed(results: dict[str, Any]) -> tuple[list[Target], list[Table]]:
    return [Target(**target) for target in results["targets"]], [Table(**table) for table in results["tables"]]


def bars_of(table: Table, heading: str) -> list[tuple[str, float]]:
    """Who, and a figure; without those that have none."""
    column = list(table.headings).index(heading)
    return [(str(row[0]), cell) for row in table.rows if isinstance(cell := row[column], int | float)]


def ratios_of(table: Table) -> list[tuple[str, float]]:
    """Peers only, each with the number of features it was compared on."""
    ratio, features = list(table.headings).index("time / Sentio's"), list(table.headings).index("features")
    return [
        (f"{row[0]} ({row[features]})", cell)
        for row in table.rows
        if isinstance(cell := row[ratio], int | float) and not str(row[0]).startswith("Sentio")
    ]


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    # The same numbers, the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sentio", "font.family": "sans-serif", "font.size": 9})
    tables = {table.key: table for table in parsed(results)[1]}
    panels: list[tuple[str, str, list[tuple[str, float]]]] = []
    if "matrix" in tables:
        panels.append(("55 features", "ns a bar, less is better", bars_of(tables["matrix"], "ns a bar")))
    peers = [ratios_of(tables[key]) for key in ("peers", "stream_peers") if key in tables]
    if peers:
        panels.append(
            (
                "the same features by others (how many)",
                "time as a multiple of Sentio's; left of 1 they are faster",
                [row for rows in peers for row in rows],
            )
        )
    if "csv" in tables:
        unit = "million rows a second"
        panels.append(("reading CSV", f"{unit}, more is better", bars_of(tables["csv"], unit)))
    for key, what in (("agreement_mlp", "an MLP 55-128-128-1"), ("agreement_transformer", "a transformer of 32 rows")):
        if key in tables:
            panels.append((f"{what}, one thread", "µs a row, alone", bars_of(tables[key], "batch 1, µs a row")))
    if not panels:
        return
    heights = [len(rows) + 1.5 for _, _, rows in panels]
    figure, axes = plt.subplots(
        len(panels),
        1,
        figsize=(7.5, 0.26 * sum(heights) + 0.6),
        gridspec_kw={"height_ratios": heights},
        layout="constrained",
        squeeze=False,
    )
    for axis, (title, unit, rows) in zip(axes[:, 0], panels, strict=True):
        names, values = [name for name, _ in rows], [value for _, value in rows]
        multiples = unit.startswith("time")
        axis.barh(
            names,
            [value - 1 for value in values] if multiples else values,
            left=1 if multiples else None,
            color=[OURS if name.startswith("Sentio") else THEIRS for name in names],
            height=0.7,
        )
        axis.invert_yaxis()
        if multiples:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter("{x:g}")
            axis.axvline(1.0, color=OURS, linewidth=1.2)
        axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
        axis.set_xlabel(unit, fontsize=8)
        for i, value in enumerate(values):
            axis.annotate(shown(value), (value, i), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
        axis.margins(x=0.12)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(left=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    # Matplotlib ends lines with blanks, which no version control likes.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def write(folder: Path) -> None:
    """results.md and results.svg from the folder's results.json."""
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.md").write_text(markdown(results))
    plot(results, folder / "results.svg")


if __name__ == "__main__":
    write(HERE)
