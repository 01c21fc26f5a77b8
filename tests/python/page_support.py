"""Pages whose commands are run, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """The lines of the shell blocks, each with the comment behind it."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.strip()]
    parts = [re.split(r"\s+#\s*", line, maxsplit=1) for line in lines]
    return [(part[0].strip(), part[1] if len(part) > 1 else "") for part in parts]


def copy_project(root: Path) -> None:
    """A project folder as a user has it after `make install`, without bars."""
    root.mkdir()
    for name in ("configs", "examples"):
        shutil.copytree(PROJECT / name, root / name)
    for name in ("train_models.py", "pyproject.toml", "Makefile"):
        shutil.copy(PROJECT / name, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    (root / "bars").mkdir()


def with_our_programs(**environment: str) -> dict[str, str]:
    """This environment, with the programs beside this Python on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **environment}


def run_line(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=with_our_programs(**environment),
    )


def is_make_target(command: str, root: Path) -> bool:
    """Whether the Makefile has the target of a `make` command."""
    target = command.split()[1]
    return re.search(rf"^{target}:", (root / "Makefile").read_text(), flags=re.MULTILINE) is not None


def wrong_links(page: Path) -> list[str]:
    """Links of a page that lead nowhere, headings included."""
    wrong = []
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE) if file.exists() and heading else []
        if not file.exists() or (
            heading and heading not in [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]
        ):
            wrong.append(target)
    return wrong
