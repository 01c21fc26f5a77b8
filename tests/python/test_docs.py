"""Pages that are generated are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from market_bars import PROJECT
from sentio_features import ops
from sentio_inference import metric_cards


def run_check(script: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["ops", "metrics"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    checked = run_check(PROJECT / "docs" / f"make_{name}.py")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", ["ops", "metrics"])
@pytest.mark.parametrize("page", [None, "# Old\n"], ids=["missing", "old"])
def test_a_page_that_is_out_of_date_is_noticed_and_left_alone(page: "str | None", name: str, tmp_path: Path) -> None:
    script = tmp_path / f"make_{name}.py"
    script.write_text((PROJECT / "docs" / f"make_{name}.py").read_text())
    if page is not None:
        (tmp_path / f"{name}.md").write_text(page)
    checked = run_check(script)
    line = f"docs/{name}.md is out of date: run python docs/make_{name}.py\n"
    assert (checked.returncode, checked.stderr) == (1, line)
    assert (tmp_path / f"{name}.md").exists() == (page is not None)


def test_the_op_page_has_one_section_an_op() -> None:
    text = (PROJECT / "docs" / "ops.md").read_text()
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [op["name"] for op in ops()]


def test_the_metric_page_has_one_section_a_metric() -> None:
    text = (PROJECT / "docs" / "metrics.md").read_text()
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [card["name"] for card in metric_cards()]


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
