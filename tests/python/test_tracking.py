"""Those who follow a training: what they are told, and what becomes of their errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from run_support import HOST_NAME, STEPS_AN_EPOCH, epoch, load, steps

from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.report import Silence
from sentio_trainer.run_folder import FoundRun, RunFolder, open_run, read_run, resume_run
from sentio_trainer.run_log import read_metrics, read_train_log
from sentio_trainer.tracking import Followers, check_tracking, follow

CPU = torch.device("cpu")
VERDICT = "no edge on the test period"


def train(watcher: Followers, run: RunFolder, *, first: int = 1, last: int = 2) -> None:
    """What a training of a few epochs tells, with a resumed one's beginning."""
    watcher.on_begin((first - 1) * STEPS_AN_EPOCH, [epoch(number) for number in range(1, first)])
    for number in range(first, last + 1):
        for step in range((number - 1) * STEPS_AN_EPOCH + 10, number * STEPS_AN_EPOCH + 1, 10):
            watcher.on_steps(steps(step))
        watcher.on_epoch(epoch(number))
    run.note(verdict=VERDICT, metrics={"test_ic": 0.03, "test_auc": None})


def follow_a_training(loaded: LoadedConfig) -> Path:
    with open_run(loaded, device=CPU) as run, follow(loaded, run, Silence()) as watcher:
        train(watcher, run)
    return run.folder


def follow_a_killed_and_resumed_training(loaded: LoadedConfig) -> Path:
    """Three epochs, of which the second is told twice, for only the first was in a checkpoint."""

    class Killed(BaseException):
        pass

    def until_killed() -> Path:
        with open_run(loaded, device=CPU) as run, follow(loaded, run, Silence()) as watcher:
            train(watcher, run)
            folder = run.folder
            raise Killed
        return folder

    with pytest.raises(Killed):
        until_killed()
    (folder,) = (loaded.root / "runs" / "TFA").iterdir()
    found = FoundRun(folder=folder, checkpoint=None)
    with resume_run(found, loaded, device=CPU) as run, follow(loaded, run, Silence()) as watcher:
        train(watcher, run, first=2, last=3)
    return folder


def test_the_own_records_are_always_kept(tmp_path: Path) -> None:
    folder = follow_a_training(load(tmp_path, tracking__plot=False))
    assert {path.name for path in folder.iterdir()} == {"run.json", "config.yaml", "train_log.csv", "metrics.jsonl"}
    assert read_train_log(folder / "train_log.csv") == [epoch(1), epoch(2)]
    assert [line["step"] for line in read_metrics(folder / "metrics.jsonl")] == [10, 20, 20, 30, 40, 40]
    document = read_run(folder)
    assert (document["status"], document["verdict"]) == ("finished", VERDICT)


def test_the_steps_between_two_records_are_configured(tmp_path: Path) -> None:
    loaded = load(tmp_path, tracking__log_steps=3, tracking__plot=False)
    with open_run(loaded, device=CPU) as run, follow(loaded, run, Silence()) as watcher:
        assert watcher.log_steps == 3


@pytest.mark.parametrize(
    ("key", "value", "package"),
    [("tensorboard", True, "tensorboard"), ("wandb", "offline", "wandb"), ("mlflow", "mlruns", "mlflow")],
)
def test_a_missing_package_is_one_line_before_any_work(tmp_path: Path, key: str, value: object, package: str) -> None:
    loaded = load(tmp_path, **{f"tracking__{key}": value})
    # A folder that such a service leaves in the current one is no package.
    (tmp_path / package).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(tmp_path)])
        patch.setattr(sys, "meta_path", sys.meta_path[-1:])
        patch.delitem(sys.modules, package, raising=False)
        with pytest.raises(ConfigError) as caught:
            check_tracking(loaded.config.tracking)
    assert str(caught.value) == f"tracking.{key}: needs the package {package}: pip install 'sentio[track]'"


def test_an_error_of_a_service_ends_the_training_and_names_the_key(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs sentio[track]")
    loaded = load(tmp_path, tracking__tensorboard=True, tracking__plot=False)

    def follow_into_a_file() -> None:
        with open_run(loaded, device=CPU) as run:
            (run.folder / "tensorboard").touch()  # where its folder should be
            with follow(loaded, run, Silence()):
                pass

    with pytest.raises(SentioError, match=r"^tracking\.tensorboard: \[Errno 17\] File exists: "):
        follow_into_a_file()
    (folder,) = (tmp_path / "runs" / "TFA").iterdir()
    document = read_run(folder)
    assert document["status"] == "failed"
    assert document["error"] == "tracking.tensorboard: [Errno 17] File exists: 'tensorboard'"


def test_tensorboard_shows_what_a_resumed_training_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="needs sentio[track]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr("socket.gethostname", lambda: HOST_NAME)
    loaded = load(tmp_path, tracking__tensorboard=True, tracking__plot=False)
    folder = follow_a_killed_and_resumed_training(loaded)
    files = list((folder / "tensorboard").iterdir())
    assert len(files) == 2
    assert not any(HOST_NAME in file.name for file in files)
    shown = EventAccumulator(str(folder / "tensorboard")).Reload()
    losses = [(event.step, pytest.approx(event.value)) for event in shown.Scalars("validation/loss")]
    assert losses == [(20, 0.68), (40, 0.66), (60, 0.64)]
    assert [event.step for event in shown.Scalars("train/lr")] == [10, 20, 30, 40, 50, 60]
    assert "validation/rank_ic" not in shown.Tags()["scalars"]  # it was never defined
    assert [event.value for event in shown.Scalars("final/test_ic")] == [pytest.approx(0.03)]
    (config,) = shown.Tensors("config")[-1:]
    assert loaded.to_yaml() in config.tensor_proto.string_val[0].decode()
    (status,) = shown.Tensors("status")[-1:]
    assert status.tensor_proto.string_val[0].decode() == f"finished: {VERDICT}"


def run_in_child(code: str, root: Path) -> str:
    """What the code prints. The services keep threads and processes, and do not forget."""
    done = subprocess.run(
        [sys.executable, "-c", f"import socket\nsocket.gethostname = lambda: '{HOST_NAME}'\n{code}", str(root)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "HOME": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


WANDB = """
import sys
from pathlib import Path
from run_support import load
from test_tracking import follow_a_training

print(follow_a_training(load(Path(sys.argv[1]), tracking__plot=False, tracking__wandb="offline")))
"""


def test_wandb_offline_needs_no_account_and_leaves_a_run_to_send(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs sentio[track]")
    folder = Path(run_in_child(WANDB, tmp_path).strip())
    run_id = read_run(folder)["id"]
    (run,) = (folder / "wandb").glob(f"offline-run-*-{run_id}")
    content = (run / f"run-{run_id}.wandb").read_bytes()
    for told in (b"training.lr", b"validation/loss", b"final/test_ic", VERDICT.encode(), folder.name.encode()):
        assert told in content
    for private in (HOST_NAME, str(tmp_path), str(Path(__file__).parent)):
        assert private.encode() not in content


MLFLOW = """
import json, sys
from pathlib import Path
from run_support import load
from test_tracking import follow_a_killed_and_resumed_training

root = Path(sys.argv[1])
folder = follow_a_killed_and_resumed_training(load(root, tracking__plot=False, tracking__mlflow="mlruns"))

from mlflow import MlflowClient

client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlruns/mlflow.db")
(run,) = client.search_runs([client.get_experiment_by_name("sentio").experiment_id])
steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "validation/loss")]
print(json.dumps([folder.name, run.info.status, run.info.run_name, dict(run.data.params), steps]))
print(json.dumps([dict(run.data.metrics), dict(run.data.tags)]))
"""


def test_mlflow_in_a_folder_keeps_one_run_of_a_resumed_training(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs sentio[track]")
    told, kept = map(json.loads, run_in_child(MLFLOW, tmp_path).splitlines())
    (folder, status, name, params, steps_told), (metrics, tags) = told, kept
    assert (status, name, tags["verdict"]) == ("FINISHED", f"TFA/{folder}", VERDICT)
    assert (params["training.lr"], params["tracking.mlflow"]) == ("0.001", "mlruns")
    assert metrics["final/test_ic"] == pytest.approx(0.03)
    assert sorted(set(steps_told)) == [20, 40, 60]
    assert not any(HOST_NAME in value or str(tmp_path) in value for value in tags.values())
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} >= {"mlruns", "runs"}
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {"mlflow.db"}
