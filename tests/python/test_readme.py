"""Every command that README shows runs, in its order, in a copy of the project."""

import subprocess
import sys
from pathlib import Path

import pytest
from page_support import PROJECT, blocks, commands, copy_project, is_make_target, run_line, wrong_links

README = (PROJECT / "README.md").read_text()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder as a user has it after `make demo`, on fewer bars."""
    root = tmp_path_factory.mktemp("readme") / "sentio"
    copy_project(root)
    synth = "sentio data synth --symbol QQQ --days 40 --out"
    assert run_line(f"{synth} data/equities/QQQ_NH.csv", root).returncode == 0
    assert run_line(f"{synth} bars/spy.csv --seed 2 && gzip bars/spy.csv", root).returncode == 0
    return root


def test_the_commands_of_readme_run(copy: Path) -> None:
    found = commands(README)
    assert len(found) > 10
    for command, _ in found:
        if command.startswith("make "):
            assert is_make_target(command, copy), command
            continue
        done = run_line(command, copy)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_demo_runs_on_the_readers_bars(copy: Path) -> None:
    done = run_line("sh examples/demo.sh SPY 2 bars/spy.csv.gz", copy)
    assert done.returncode == 0, done.stderr
    assert "tpa_test SPY: tfa" in done.stdout


def test_the_demo_does_not_replace_recorded_bars(copy: Path) -> None:
    path = copy / "data" / "equities" / "MINE_NH.csv"
    path.write_text("ts,open,high,low,close,volume\n60,1,1,1,1,1\n")
    done = run_line("sh examples/demo.sh MINE 2 ''", copy)
    assert done.returncode == 2
    assert "MINE_NH.csv" in done.stderr
    assert path.read_text().endswith("60,1,1,1,1,1\n")


def test_the_python_of_readme_runs(copy: Path) -> None:
    (code,) = blocks(README, "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[" in done.stdout


def test_the_links_of_readme_lead_somewhere() -> None:
    assert wrong_links(PROJECT / "README.md") == []
