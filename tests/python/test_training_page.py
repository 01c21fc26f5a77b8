"""Every command that docs/training.md shows runs, from top to bottom, on a small market."""

import shlex
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_support import (
    PROJECT,
    blocks,
    commands,
    copy_project,
    is_make_target,
    run_line,
    with_our_programs,
    wrong_links,
)
from training_support import ONE_THREAD

from sentio_trainer.cli import app, run
from sentio_trainer.market import MarketSpec, write_market

PAGE = PROJECT / "docs" / "training.md"
# Small steps and no early end, so that a training that is to be interrupted is still under way.
SLOWLY = {"SENTIO_TRAINING__BATCH_SIZE": "32", "SENTIO_TRAINING__PATIENCE": "1000", "SENTIO_TRACKING__PLOT": "false"}
# The extra that a command of the page needs.
NEEDS = {"sentio sweep": "optuna", "tracking.tensorboard": "tensorboard"}
PATIENCE_S = 120.0

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the reader's bars and the config of the page."""
    root = tmp_path_factory.mktemp("training") / "sentio"
    copy_project(root)
    for name, seed in (("spy", 2), ("qqq", 3)):
        write_market(MarketSpec(days=12, seed=seed), root / "bars" / f"{name}.csv", overwrite=False)
        assert run_line(f"gzip bars/{name}.csv", root).returncode == 0
    (config,) = blocks(PAGE.read_text(), "yaml")
    (root / "configs" / "spy.yaml").write_text(config)
    return root


def interrupt(command: str, cwd: Path) -> None:
    """Starts a training, and presses Ctrl-C after its first epoch, as a terminal does: for all its processes."""
    process = subprocess.Popen(
        shlex.split(command),
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=with_our_programs(**ONE_THREAD, **SLOWLY),
        start_new_session=True,
    )
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("epoch   1"):
            process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) != 0, "".join(told)
    assert any("--resume-from" in line for line in told), "".join(told)


def test_the_commands_of_the_page_run(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(copy)
    monkeypatch.setenv("PATH", with_our_programs()["PATH"])
    found = commands(PAGE.read_text())
    assert len(found) > 15
    elsewhere = [command for command, _ in commands((PROJECT / "README.md").read_text())]
    for command, comment in found:
        missing = [module for text, module in NEEDS.items() if text in command and not find_spec(module)]
        if missing or command in elsewhere:
            continue
        if command.startswith("make "):
            assert is_make_target(command, copy), command
        elif comment == "Ctrl-C":
            interrupt(command, copy)
        elif command.startswith("sentio "):
            # In this process: another one would import torch first.
            with monkeypatch.context() as patch:
                for key, value in (SLOWLY if "--resume-from" in command else {}).items():
                    patch.setenv(key, value)
                code = run(app, shlex.split(command)[1:], program="sentio")
            assert code == 0, f"{command}\n{capfd.readouterr()}"
        else:
            done = run_line(command, copy, **ONE_THREAD, **SLOWLY)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    versions = sorted(path.name for path in (copy / "artifacts" / "SPY_MLP").glob("v*"))
    assert versions[:3] == ["v1", "v2", "v3"]


def test_the_links_of_the_page_lead_somewhere() -> None:
    assert wrong_links(PAGE) == []
