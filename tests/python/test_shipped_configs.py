"""Every configuration that is shipped can be trained."""

import csv
import shutil
from pathlib import Path

import pytest

from sentio_trainer.cli import app, run
from sentio_trainer.config import load_config
from sentio_trainer.market import MarketSpec, write_market

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((PROJECT / "configs").glob("*.yaml"))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the shipped configs and a few sessions of each symbol that they name."""
    root = tmp_path_factory.mktemp("shipped")
    (root / "pyproject.toml").touch()
    shutil.copytree(PROJECT / "configs", root / "configs")
    for path in SHIPPED:
        for file in load_config(path, environment={}).config.data.sources.values():
            write_market(MarketSpec(days=6, seed=1), root / file, overwrite=True)
    return root


def test_there_are_configs_to_try() -> None:
    assert {path.name for path in SHIPPED} >= {"tfa.yaml", "tfa_transformer.yaml"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_config_trains_for_two_steps(
    copy: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(copy)
    arguments = ["--config", f"configs/{path.name}"]
    assert run(app, ["config", "check", *arguments], program="sentio") == 0
    sets = [f"--set={text}" for text in ("training.max_steps=2", "training.batch_size=256", "tracking.plot=false")]
    assert run(app, ["train", *arguments, *sets], program="sentio") == 0, capsys.readouterr().err
    folder = copy / load_config(copy / "configs" / path.name, environment={}).config.export.out_dir
    with (folder / "train_log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2"]
