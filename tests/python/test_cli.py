"""The `sentio` command: what it prints, and with which code it ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from training_support import Project, make_project, run_sentio

from sentio_trainer.cli import app, run, train_models

REPOSITORY = Path(__file__).parents[2]

Sentio = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("cli") / "project", days=3, epochs=1)


@pytest.fixture
def sentio(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sentio:
    """Runs a command in the project; gives code, standard output, standard error."""
    monkeypatch.chdir(project.root)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        code = run(app, arguments, program="sentio")
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return invoke


CONFIG = ("--config", "configs/tfa.yaml")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("fly",), 2, "No such command 'fly'."),
        (("config",), 2, "Missing command."),
        (("train",), 2, "Missing option '--config' / '-c'."),
        (("train", "--config", "no.yaml"), 2, "no.yaml: no such config file"),
        (("train", *CONFIG, "--epochs", "0"), 2, "--epochs: must be at least 1, found 0"),
        (("train", *CONFIG, "--set", "epochs"), 2, "--set epochs: must be KEY=VALUE, such as --set training.lr=3e-4"),
        (("train", *CONFIG, "--set", "lrate=1"), 2, "--set lrate: unknown key; 'sentio config show' lists all keys"),
        (
            ("train", *CONFIG, "--set", "training.trainer=tfx"),
            2,
            "training.trainer: unknown trainer 'tfx'; did you mean 'tfa'?",
        ),
        (
            ("train", *CONFIG, "--device", "gpu"),
            2,
            "training.device: 'gpu' cannot be used here; auto picks one that can",
        ),
        (
            ("train", *CONFIG, "--set", "data.bars_csv=no.csv"),
            3,
            "no.csv: no such bars file; give your own as data.bars_csv or data.files, or make a synthetic one: "
            "sentio data synth --out no.csv",
        ),
        (("train", *CONFIG, "--set", "features.spec=no.json"), 3, "no.json: no such feature spec (features.spec)"),
        (
            ("train", *CONFIG, "--lr", "1e30"),
            1,
            "the training loss became nan in epoch 1; try a learning rate (training.lr) below 1e+30",
        ),
        (("config", "show"), 2, "Missing option '--config' / '-c'."),
        (("config", "check", "--config", "no.yaml"), 2, "no.yaml: no such config file"),
        (("data", "synth", "--days", "0"), 2, "days must be at least 1, found 0"),
        (("data", "synth", "--out", "x.parquet"), 2, "x.parquet: the output must be a .csv file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_failure_is_one_line_and_a_code(sentio: Sentio, arguments: tuple[str, ...], code: int, message: str) -> None:
    found, out, errors = sentio(*arguments)
    assert (found, out, errors.splitlines()[-1]) == (code, "", f"sentio: {message}")
    assert "Traceback" not in errors
    assert not Path("artifacts/TFA/v1").exists()


def test_a_bad_bar_is_named_by_its_place(sentio: Sentio, project: Project) -> None:
    lines = (project.root / "bars.csv").read_text().splitlines()
    lines[2] = lines[2].replace(",", ",x", 1)
    (project.root / "bad.csv").write_text("\n".join(lines) + "\n")
    code, out, errors = sentio("config", "check", *CONFIG, "--set", "data.bars_csv=bad.csv")
    assert (code, out) == (3, "")
    assert errors.startswith("sentio: ")
    assert "bad.csv:3:" in errors
    assert errors.count("\n") == 1


def test_a_spec_with_an_unknown_op_is_bad_input(sentio: Sentio, project: Project) -> None:
    (project.root / "spec.json").write_text('{"schema_version": "1.0", "features": [{"name": "a", "op": "RSL"}]}')
    code, out, errors = sentio("config", "check", *CONFIG, "--set", "features.spec=spec.json")
    assert (code, out) == (3, "")
    assert "RSL" in errors
    assert errors.count("\n") == 1


def test_an_unknown_cost_model_is_refused_before_training(sentio: Sentio) -> None:
    code, _, errors = sentio("train", *CONFIG, "--set", "evaluation.costs=us_equty")
    assert code == 2
    assert errors.startswith("sentio: evaluation.costs: ")
    assert "us_equty" in errors
    assert errors.count("\n") == 1


def test_the_version_is_printed(sentio: Sentio) -> None:
    code, out, errors = sentio("--version")
    assert (code, errors) == (0, "")
    assert out.startswith("sentio ")


def test_without_a_command_the_help_is_shown(sentio: Sentio) -> None:
    code, out, errors = sentio()
    assert (code, out) == (2, "")
    assert errors.startswith("Usage: sentio [OPTIONS] COMMAND")


def test_help_names_every_command_and_option(sentio: Sentio) -> None:
    _, out, _ = sentio("--help")
    assert all(word in out for word in ("train", "config", "data", "--version"))
    _, out, _ = sentio("train", "--help")
    options = ("--config", "--set", "--overwrite", "--device", "--epochs", "--batch-size", "--lr", "--seed", "--out")
    assert all(option in out for option in options)
    assert "[training.lr]" in out


def test_config_show_prints_yaml_with_origins(sentio: Sentio) -> None:
    code, out, errors = sentio("config", "show", *CONFIG, "--set", "training.lr=3e-4")
    assert (code, errors) == (0, "")
    assert yaml.safe_load(out)["training"]["lr"] == 3e-4
    origins = {line.split(":")[0].strip(): line.split("# ")[1] for line in out.splitlines() if "# " in line}
    assert origins["lr"] == "--set training.lr"
    assert origins["batch_size"] == "configs/tfa.yaml:5:1"
    assert origins["patience"] == "default"


def test_config_check_says_what_is_in_order(sentio: Sentio) -> None:
    code, out, errors = sentio("config", "check", *CONFIG, "--set", "training.device=cpu")
    assert (code, errors) == (0, "")
    assert out.splitlines() == [
        "device: cpu, float32",
        "costs: us_equity",
        "features: 8 of configs/features.json",
        "artifact: artifacts/TFA/v1",
        "QQQ: 1,170 bars from 2024-01-02T14:30:00Z to 2024-01-04T20:59:00Z, bars.csv",
        "configs/tfa.yaml: in order",
    ]


@pytest.mark.parametrize(
    ("key", "code", "message"),
    [
        ("training.device=gpu", 2, "training.device: 'gpu' cannot be used here; auto picks one that can"),
        ("training.trainer=tfaa", 2, "training.trainer: unknown trainer 'tfaa'; did you mean 'tfa'?"),
        ("evaluation.costs=us_equty", 2, "evaluation.costs: "),
        ("features.spec=no.json", 3, "no.json: no such feature spec (features.spec)"),
        ("data.bars_csv=no.csv", 3, "no.csv: no such bars file; "),
        ("label.horizon=1111", 3, "bars.csv: 1170 bars, and the first sample needs 1172"),
    ],
)
def test_config_check_finds_what_a_training_would_stumble_over(
    sentio: Sentio, key: str, code: int, message: str
) -> None:
    found, out, errors = sentio("config", "check", *CONFIG, "--set", key)
    assert (found, out) == (code, "")
    assert errors.startswith(f"sentio: {message}")
    assert errors.count("\n") == 1


def test_synthetic_bars_are_announced_with_their_theory(sentio: Sentio) -> None:
    code, out, errors = sentio("data", "synth", "--days", "2", "--symbol", "XYZ", "--ic", "0.05")
    assert (code, errors) == (0, "")
    assert out == (
        "data/equities/XYZ_NH.csv: 780 SYNTHETIC bars in 2 sessions, seed 7\n"
        "theoretical information coefficient of the planted edge: 0.0500\n"
    )
    assert Path("data/equities/XYZ_NH.csv.synthetic.json").exists()


def test_training_prints_the_test_period_and_refuses_to_do_it_twice(project: Project) -> None:
    first = run_sentio("train", *CONFIG, "--out", "artifacts/TFA/twice", cwd=project.root)
    assert first.returncode == 0, first.stderr
    assert "model" in first.stdout
    assert "last return's sign" in first.stdout
    assert first.stdout.splitlines()[-1] == "artifact: artifacts/TFA/twice"
    assert "epoch   1" in first.stderr
    assert "SYNTHETIC" in first.stderr
    second = run_sentio("train", *CONFIG, "--out", "artifacts/TFA/twice", cwd=project.root)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        "sentio: artifacts/TFA/twice: this version exists; choose another, or replace it with --overwrite\n"
    )


def test_train_models_takes_the_options_of_train(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    assert train_models([*CONFIG, "--epochs", "0"]) == 2
    assert capsys.readouterr().err == "train_models.py: --epochs: must be at least 1, found 0\n"
    script = subprocess.run(
        [sys.executable, str(REPOSITORY / "train_models.py"), *CONFIG, "--lr", "-1"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (script.returncode, script.stdout) == (2, "")
    assert script.stderr == "train_models.py: --lr: must be greater than 0, found -1.0\n"


def test_the_environment_sets_any_key(project: Project) -> None:
    shown = run_sentio("config", "show", *CONFIG, cwd=project.root, SENTIO_DATA__SPLIT__EMBARGO="12")
    assert yaml.safe_load(shown.stdout)["data"]["split"]["embargo"] == 12
    assert "# environment SENTIO_DATA__SPLIT__EMBARGO" in shown.stdout
