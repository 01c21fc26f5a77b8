"""The `sentio_cli` that is installed beside this Python."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SENTIO_CLI = Path(sys.executable).with_name("sentio_cli")


def run_cli(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SENTIO_CLI), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def report_of(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    """The JSON report of a run that must succeed."""
    done = run_cli(*arguments, "--json", "-", cwd=cwd)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def refusal_of(*arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """The exit code and the one line on standard error of a run that must fail."""
    done = run_cli(*arguments, cwd=cwd)
    assert done.returncode != 0, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr.rstrip("\n")
