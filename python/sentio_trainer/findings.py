"""Draws what `sentio doctor` found. Apart from console.py, which needs the C++ modules: they may be what is broken."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentio_trainer.doctor import Finding

WIDTH = 80


def print_findings(findings: Sequence[Finding]) -> None:
    """A table of at most 80 columns, then the lines that install what is missing, never broken in two."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("", "what", "", "found"):
        table.add_column(heading, overflow="fold")
    for topic, group in groupby(findings, key=lambda finding: finding.topic):
        for i, finding in enumerate(group):
            table.add_row(Text("" if i else topic), Text(finding.name), _mark(finding), Text(finding.found))
        table.add_section()
    console.print(table, width=min(WIDTH, console.width))
    remedies = list(dict.fromkeys(finding.remedy for finding in findings if finding.remedy))
    if remedies:
        console.print("\nWhat installs the missing:", style="bold")
    for remedy in remedies:
        console.print(f"  {remedy}", markup=False, soft_wrap=True)


def _mark(finding: Finding) -> Text:
    if finding.works:
        return Text("ok", style="green")
    return Text("NEEDED", style="bold red") if finding.needed else Text("no", style="yellow")


def findings_json(findings: Sequence[Finding]) -> str:
    """`works` of all that training and backtests need, and each finding."""
    works = all(finding.works for finding in findings if finding.needed)
    return json.dumps({"works": works, "findings": [asdict(finding) for finding in findings]}, indent=2)
