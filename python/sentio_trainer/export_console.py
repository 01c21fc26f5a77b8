"""Shows exports as a table."""

from collections.abc import Sequence

from rich.console import Console

from sentio_trainer.export_command import Exported
from sentio_trainer.paths import shown_path
from sentio_trainer.tables import plain_table


def print_exported(exported: Sequence[Exported]) -> None:
    """A row a file: its size, and its largest distances from the probe's logits."""
    console = Console(highlight=False, soft_wrap=True)
    rows = exported[0].agreement.rows
    table = plain_table(f"Agreement with the logits of the probe, {rows} rows at once and one by one")
    table.add_column("file")
    for heading in ("bytes", "ulp, largest", "difference, largest"):
        table.add_column(heading, justify="right")
    for each in exported:
        agreement = each.agreement
        table.add_row(each.path.name, f"{each.size:,}", f"{agreement.ulp:.0f}", f"{agreement.difference:.2g}")
    console.print(table)
    for each in exported:
        console.print(f"export: {shown_path(each.path)}", markup=False)
