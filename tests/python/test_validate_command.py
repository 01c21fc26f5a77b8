"""The command `sentio validate`."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from training_support import make_project

from sentio_trainer.cli import app, run

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_command_prints_tables_and_writes_a_document_and_a_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project", days=8, ic=0.3)
    monkeypatch.chdir(project.root)
    sets = ("--set", "evaluation.cross_validation.folds=4", "--set", "tracking.plot=true")
    arguments = ["validate", "--config", "configs/tfa.yaml", *sets, "--out", "runs/mine"]
    assert run(app, arguments, program="sentio") == 0
    captured = capsys.readouterr()
    folder = project.root / "runs" / "mine"
    document = json.loads((folder / "validation.json").read_text())
    assert captured.out.splitlines()[-2:] == [document["verdict"], "validation: runs/mine"]
    assert "split  4 of 4" in captured.err
    assert (document["trainings"], len(document["splits"]), len(document["folds"])) == (4, 4, 4)
    assert [each["tested_folds"] for each in document["splits"]] == [[1], [2], [3], [4]]
    assert str(project.root) not in json.dumps(document)
    files = {"validation.json", "config.yaml"}
    if find_spec("matplotlib"):
        files.add("validation.png")
        assert (folder / "validation.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in folder.iterdir()} == files
    assert run(app, arguments, program="sentio") == 2
    assert capsys.readouterr().err == "sentio: runs/mine: exists; choose another --out\n"
