"""Artifact folders of earlier schemas run, and each thing that cannot be verified is said once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_support import run_cli
from sentio_inference import Artifact, ArtifactError
from torch import Tensor, nn
from torchscript_support import SPEC, write_artifact
from training_support import bars_of, write_bars

WIDTH = SPEC.width
META = "model.meta.json: "
UNVERIFIED = [
    META + "has no seal, so an altered threshold cannot be told",
    META + "states no file hashes, so altered files cannot be told",
    META + "states no decision rule; the default thresholds apply",
    META + "does not say which bars the model was trained on",
    META + "states no layout; it was found by trying",
]
NO_PROBE = "has no probe.json, so the model's logits cannot be compared with those of its training"
NO_LENGTH = META + "states no sequence_length; 64 rows were tried, and the model takes them"


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """Takes windows of any length, and one window without its batch too."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(WIDTH, 4, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.gru(x)
        if rows.dim() == 3:
            rows = rows[:, -1]
        return self.head(rows)  # type: ignore[no-any-return]


class Positional(nn.Module):
    """Takes windows of one length only."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(length, WIDTH))
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.position).mean(dim=1))  # type: ignore[no-any-return]


def expected_warnings(folder: Path, *, no_length: bool) -> list[str]:
    stated = [f"{folder}/{line}" for line in [*UNVERIFIED, *([NO_LENGTH] if no_length else [])]]
    return [*stated, f"{folder}: {NO_PROBE}"]


@pytest.mark.parametrize(
    ("kind", "expects", "length"),
    [
        ("mlp", {}, 1),
        ("recurrent", {"sequence_length": 48}, 48),
        ("recurrent", {"seq_len": 64}, 64),
        ("positional", {"seq_len": 48}, 48),
        ("positional", {"sequence_length": 64}, 64),
        ("positional", {}, 64),
    ],
)
def test_a_folder_of_the_first_schema_runs(kind: str, expects: dict[str, int], length: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = {"mlp": Mlp, "recurrent": Recurrent, "positional": lambda: Positional(length)}[kind]()
    folder = write_artifact(tmp_path / "v1", module, **expects)
    artifact = Artifact.load(folder)
    assert (artifact.sequence_length, artifact.warmup) == (length, SPEC.warmup + length - 1)
    assert artifact.warnings == expected_warnings(folder, no_length=kind == "positional" and not expects)
    assert artifact.decision["long_above"] == 0.53
    shape = (7, WIDTH) if length == 1 else (7, length, WIDTH)
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    with torch.inference_mode():
        np.testing.assert_allclose(artifact.logits(x), module(torch.from_numpy(x))[:, 0], rtol=0, atol=1e-6)


def test_a_stated_length_that_the_model_does_not_take_is_refused_with_both_tries(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "v1", Positional(48), seq_len=64)
    with pytest.raises(ArtifactError) as error:
        Artifact.load(folder)
    assert str(error.value).startswith(f"{folder}/model.pt: fails on an input of shape [2, 64, 8]: ")
    assert "; fails on an input of shape [2, 8]: " in str(error.value)


def test_a_model_that_does_not_take_the_length_that_its_folder_states_is_warned_of(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "v1", Mlp(), seq_len=64)
    artifact = Artifact.load(folder)
    assert artifact.sequence_length == 1
    assert f"{folder}/{META}states 64 rows to a logit, and the model takes one" in artifact.warnings


def test_what_cannot_be_verified_is_printed_once(tmp_path: Path) -> None:
    torch.manual_seed(1)
    write_artifact(tmp_path / "artifacts" / "TFA" / "v1", Positional(64))
    relative = Path("artifacts/TFA/v1")
    close = 100.0 + np.sin(np.arange(400) / 7.0)
    write_bars(tmp_path / "QQQ.csv", bars_of(close))
    lines = expected_warnings(relative, no_length=True)

    inspected = run_cli("inspect", relative, cwd=tmp_path)
    assert inspected.returncode == 0, inspected.stderr
    told = " ".join(inspected.stdout.split())
    assert [told.count(line) for line in lines] == [1] * len(lines)
    assert told.count(" warning ") == len(lines)

    arguments = ("backtest", "QQQ", "--bars", "QQQ.csv", "--strategy", "tfa")
    report = run_cli(*arguments, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert report.stderr.splitlines() == [f"sentio_cli: warning: {line}" for line in lines]
    told = " ".join(report.stdout.split())
    assert [told.count(line) for line in lines] == [1] * len(lines)
    assert max(map(len, report.stdout.splitlines())) <= 100
    notes = json.loads(run_cli(*arguments, "--json", "-", cwd=tmp_path).stdout)["notes"]
    assert [notes.count(line) for line in lines] == [1] * len(lines)


def test_a_folder_of_today_without_the_graph_runs_by_libtorch(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "v1", Mlp(), metadata="metadata.json", layout="BF", sequence_length=1)
    artifact = Artifact.load(folder)
    assert artifact.backend == "torch"
    assert not any("layout" in line or "sequence_length" in line for line in artifact.warnings)
