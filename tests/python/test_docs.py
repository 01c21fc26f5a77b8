"""Pages that are generated are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from market_bars import PROJECT
from sentio_features import ops


def run_check(script: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)


def test_the_op_page_is_up_to_date() -> None:
    checked = run_check(PROJECT / "docs" / "make_ops.py")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("page", [None, "# Ops\n"], ids=["missing", "old"])
def test_a_page_that_is_out_of_date_is_noticed_and_left_alone(page: "str | None", tmp_path: Path) -> None:
    script = tmp_path / "make_ops.py"
    script.write_text((PROJECT / "docs" / "make_ops.py").read_text())
    if page is not None:
        (tmp_path / "ops.md").write_text(page)
    checked = run_check(script)
    assert (checked.returncode, checked.stderr) == (1, "docs/ops.md is out of date: run python docs/make_ops.py\n")
    assert (tmp_path / "ops.md").exists() == (page is not None)


def test_the_op_page_has_one_section_an_op() -> None:
    text = (PROJECT / "docs" / "ops.md").read_text()
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [op["name"] for op in ops()]


def test_the_table_of_platforms_has_the_golden_hashes() -> None:
    golden = dict(
        reversed(line.split("  ", 1)) for line in (PROJECT / "tests" / "golden" / "bits.txt").read_text().splitlines()
    )
    page = (PROJECT / "docs" / "platforms.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", page, re.MULTILINE)
    ]
    sums = slice(rows[0].index("run by") + 1, rows[0].index("all hashes"))
    digits = [golden[name][:12] for name in rows[0][sums]]
    compared = [row for row in rows[2:] if not row[-1].startswith("skipped")]
    assert len(digits) == 5
    assert len(compared) >= 2
    for row in compared:
        assert (row[sums], row[-1]) == (digits, "same"), f"run make bits, and put its table into the page: {row}"
