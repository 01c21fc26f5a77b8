"""Every command that README shows runs, in its order, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("   #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if line]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder as a user has it after `make demo`, on fewer bars."""
    root = tmp_path_factory.mktemp("readme") / "sentio"
    root.mkdir()
    for name in ("configs", "examples"):
        shutil.copytree(PROJECT / name, root / name)
    for name in ("train_models.py", "pyproject.toml", "Makefile"):
        shutil.copy(PROJECT / name, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    (root / "bars").mkdir()
    synth = "sentio data synth --symbol QQQ --days 40 --out"
    assert run(f"{synth} data/equities/QQQ_NH.csv", root).returncode == 0
    assert run(f"{synth} bars/spy.csv --seed 2 && gzip bars/spy.csv", root).returncode == 0
    return root


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )


def test_the_commands_of_readme_run(copy: Path) -> None:
    found = commands()
    assert len(found) > 10
    for command in found:
        if command.startswith("make "):
            target = command.split()[1]
            assert re.search(rf"^{target}:", (copy / "Makefile").read_text(), flags=re.MULTILINE), command
            continue
        done = run(command, copy)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_demo_runs_on_the_readers_bars(copy: Path) -> None:
    done = run("sh examples/demo.sh SPY 2 bars/spy.csv.gz", copy)
    assert done.returncode == 0, done.stderr
    assert "tpa_test SPY: tfa" in done.stdout


def test_the_demo_does_not_replace_recorded_bars(copy: Path) -> None:
    path = copy / "data" / "equities" / "MINE_NH.csv"
    path.write_text("ts,open,high,low,close,volume\n60,1,1,1,1,1\n")
    done = run("sh examples/demo.sh MINE 2 ''", copy)
    assert done.returncode == 2
    assert "MINE_NH.csv" in done.stderr
    assert path.read_text().endswith("60,1,1,1,1,1\n")


def test_the_python_of_readme_runs(copy: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[" in done.stdout


def test_the_links_of_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        path, _, heading = target.partition("#")
        assert (PROJECT / path).exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", (PROJECT / path).read_text(), re.MULTILINE)
            assert heading in [text.lower().replace(" ", "-") for text in headings], target
