"""What a training leaves behind."""

import json
import re
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from run_support import HOST_NAME, STEPS_AN_EPOCH, epoch, load, steps
from sentio_features import ENGINE_VERSION

from sentio_trainer.config import load_config
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.run_folder import FoundRun, find_run, open_run, read_run, resume_run, runs_of
from sentio_trainer.run_log import RunLog, read_metrics, read_train_log, train_log

CPU = torch.device("cpu")


def make_run(root: Path, **overrides: object) -> Path:
    """A run that ended, of two epochs."""
    with open_run(load(root, **overrides), device=CPU) as run:
        log = RunLog(run.folder)
        log.on_begin(0, [])
        write(log, 1, 2)
        log.close("finished")
    return run.folder


def write(log: RunLog, first: int, last: int) -> None:
    for number in range(first, last + 1):
        for step in range((number - 1) * STEPS_AN_EPOCH + 10, number * STEPS_AN_EPOCH + 1, 10):
            log.on_steps(steps(step))
        log.on_epoch(epoch(number))


def test_a_run_says_what_it_is_and_what_it_runs_on(tmp_path: Path) -> None:
    loaded = load(tmp_path, training__seed=3)
    with open_run(loaded, device=CPU, processes=2) as run:
        document = read_run(run.folder)
        assert document["status"] == "running"
        assert document["ended_at"] is None
    assert run.folder.parent == tmp_path / "runs" / "TFA"
    assert re.fullmatch(r"v1-\d{8}T\d{6}\.\d{3}Z", run.folder.name)
    assert run.name == f"TFA/{run.folder.name}"
    assert (document["model_id"], document["version"], document["seed"], document["processes"]) == ("TFA", "v1", 3, 2)
    assert (
        document["versions"].items()
        >= {
            "engine": ENGINE_VERSION,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "git_commit": None,  # the project is not a git repository
        }.items()
    )
    assert set(document["versions"]) == {"sentio", "engine", "torch", "python", "git_commit", "numpy"}
    assert document["device"]["kind"] == "cpu"
    assert document["device"]["name"]
    assert document["threads"] == torch.get_num_threads()
    assert set(document["platform"]) == {"system", "release", "machine"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["started_at"])


def test_the_configuration_of_a_run_makes_the_same_run(tmp_path: Path) -> None:
    loaded = load(tmp_path, training__seed=3)
    with open_run(loaded, device=CPU) as run:
        pass
    assert load_config(run.folder / "config.yaml", environment={}).config == loaded.config


def test_a_run_ends_as_it_is_left(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    with open_run(loaded, device=CPU) as finished:
        finished.note(verdict="no edge", metrics={"test_ic": 0.01})
    with pytest.raises(KeyboardInterrupt), open_run(loaded, device=CPU) as interrupted:
        raise KeyboardInterrupt
    with pytest.raises(StoppedError), open_run(loaded, device=CPU) as stopped:
        raise StoppedError("interrupted after step 5")
    wrong = f"{tmp_path}/bars.csv:3:5: high is not a number; see https://x.org/a"
    with pytest.raises(SentioError), open_run(loaded, device=CPU) as failed:
        raise SentioError(wrong)
    with pytest.raises(ZeroDivisionError), open_run(loaded, device=CPU) as broken:
        1 / 0  # noqa: B018
    documents = [read_run(run.folder) for run in (finished, interrupted, stopped, failed, broken)]
    assert [document["status"] for document in documents] == [
        "finished",
        "interrupted",
        "interrupted",
        "failed",
        "failed",
    ]
    assert [document["error"] for document in documents] == [
        None,
        None,
        None,
        "bars.csv:3:5: high is not a number; see https://x.org/a",
        "ZeroDivisionError",
    ]
    assert all(document["ended_at"] for document in documents)
    assert (documents[0]["verdict"], documents[0]["metrics"]) == ("no edge", {"test_ic": 0.01})
    names = [run.folder.name for run in (finished, interrupted, stopped, failed, broken)]
    assert names == sorted(set(names))


def test_the_phases_of_a_run_are_timed(tmp_path: Path) -> None:
    with open_run(load(tmp_path), device=CPU) as run:
        with run.phase("data"):
            pass
        with pytest.raises(ZeroDivisionError), run.phase("training"):
            1 / 0  # noqa: B018
        before = read_run(run.folder)["phases_s"]["training"]
        with run.phase("training"):
            pass
    document = read_run(run.folder)
    assert list(document["phases_s"]) == ["data", "training"]
    assert document["phases_s"]["training"] >= before
    assert document["duration_s"] >= sum(document["phases_s"].values()) - 2e-3  # each is rounded to a millisecond


def test_nothing_in_a_run_names_this_machine_or_a_place_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: HOST_NAME)
    monkeypatch.setattr("platform.node", lambda: HOST_NAME)
    folder = make_run(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"run.json", "config.yaml", "train_log.csv", "metrics.jsonl"}
    for path in folder.iterdir():
        assert str(tmp_path) not in path.read_text(), path.name
        assert str(Path.home()) not in path.read_text(), path.name
        assert HOST_NAME not in path.read_text(), path.name


def test_runs_that_begin_in_the_same_instant_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = datetime(2026, 1, 2, 3, 4, 59, 999_000, tzinfo=timezone.utc)
    monkeypatch.setattr("sentio_trainer.run_folder._now", lambda: instant)
    loaded = load(tmp_path)
    folders = []
    for _ in range(3):
        with open_run(loaded, device=CPU) as run:
            folders.append(run.folder)
    assert runs_of(tmp_path / "runs" / "TFA", "v1") == folders
    assert [folder.name for folder in folders] == [
        "v1-20260102T030459.999Z",
        "v1-20260102T030500.000Z",
        "v1-20260102T030500.001Z",
    ]


def test_a_run_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    with open_run(loaded, device=CPU) as run:
        with (
            pytest.raises(SentioError, match=r"v1-\S+: another process is writing this run$"),
            resume_run(FoundRun(folder=run.folder, checkpoint=None), loaded, device=CPU),
        ):
            pass
        assert read_run(run.folder)["status"] == "running"
    assert read_run(run.folder)["status"] == "finished"


def test_a_run_that_was_killed_is_resumed_in_its_folder(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, torch; from pathlib import Path; from run_support import load\n"
        "from sentio_trainer.run_folder import open_run\n"
        "with open_run(load(Path(sys.argv[1])), device=torch.device('cpu')) as run:\n"
        "    with run.phase('data'): pass\n"
        "    (run.folder / 'checkpoint_20').mkdir()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent, check=False)
    assert done.returncode == -signal.SIGKILL
    loaded = load(tmp_path, tracking__log_steps=3)
    found = find_run(loaded, "latest")
    assert read_run(found.folder)["status"] == "running"
    before = read_run(found.folder)
    checkpoint = found.folder / "checkpoint_20"
    with resume_run(find_run(loaded, str(checkpoint)), loaded, device=CPU) as run:
        assert run.folder == found.folder
        with run.phase("training"):
            pass
    document = read_run(run.folder)
    assert (document["status"], document["id"]) == ("finished", before["id"])
    assert document["started_at"] == before["started_at"]
    assert document["duration_s"] >= before["duration_s"]
    assert set(document["phases_s"]) == {"data", "training"}
    (resumed,) = document["resumed"]
    assert (resumed["checkpoint"], resumed["after"]) == ("checkpoint_20", "running")
    assert load_config(run.folder / "config.yaml", environment={}).config == loaded.config


def test_the_records_after_the_resumed_step_are_void(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.on_begin(0, [])
    write(log, 1, 3)
    torn = tmp_path / "metrics.jsonl"
    torn.write_bytes(torn.read_bytes()[:-7])
    # Epoch 2's checkpoint was the last; of epoch 3 all but its last line is recorded.
    again = RunLog(tmp_path)
    again.on_begin(2 * STEPS_AN_EPOCH, [epoch(1), epoch(2)])
    assert read_train_log(tmp_path / "train_log.csv") == [epoch(1), epoch(2)]
    assert max(line["step"] for line in read_metrics(torn)) == 2 * STEPS_AN_EPOCH
    write(again, 3, 4)
    again.close("finished")
    straight = RunLog(tmp_path / "straight")
    (tmp_path / "straight").mkdir()
    straight.on_begin(0, [])
    write(straight, 1, 4)
    straight.close("finished")
    for name in ("train_log.csv", "metrics.jsonl"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


def test_the_log_is_whole_after_each_epoch_and_reads_back(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.on_begin(0, [])
    assert read_train_log(tmp_path / "train_log.csv") == []
    told = [epoch(1, auc=None, ic=0.1 + 0.2), epoch(2)]
    for number, each in enumerate(told, start=1):
        log.on_epoch(each)
        assert read_train_log(tmp_path / "train_log.csv") == told[:number]
    assert (tmp_path / "train_log.csv").read_text().splitlines()[:2] == [
        "epoch,step,lr,train_loss,loss,auc,ic,rank_ic,seconds",
        "1,20,0.001,0.69,0.6799999999999999,,0.30000000000000004,,1.5",
    ]
    assert train_log(told) == (tmp_path / "train_log.csv").read_bytes()


def test_a_line_of_metrics_is_on_the_disk_at_once_and_is_json(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.on_begin(0, [])
    log.on_steps(steps(10, grad_norm=float("inf")))
    (line,) = read_metrics(tmp_path / "metrics.jsonl")
    assert (line["kind"], line["step"], line["loss"], line["grad_norm"]) == ("steps", 10, 0.1, None)
    log.on_epoch(epoch(1))
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])["kind"] == "epoch"
    log.close("finished")


def test_a_broken_line_of_metrics_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(SentioError, match=r"^metrics\.jsonl:2: is not JSON: "):
        read_metrics(tmp_path / "metrics.jsonl")


def test_runs_are_found_by_latest_by_folder_and_by_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_run(tmp_path), make_run(tmp_path)
    make_run(tmp_path, export__out_dir="artifacts/TFA/v1-20990101T000000.000Z")  # a version that looks like a run
    make_run(tmp_path, export__out_dir="artifacts/TFA/v2")
    make_run(tmp_path, export__out_dir="artifacts/Other/v1")
    (first / "checkpoint_20").mkdir()
    monkeypatch.chdir(tmp_path)
    loaded = load(tmp_path)
    assert find_run(loaded, "latest") == FoundRun(folder=second, checkpoint=None)
    (first / "checkpoint_100").mkdir()
    assert find_run(loaded, f"runs/TFA/{first.name}") == FoundRun(folder=first, checkpoint=first / "checkpoint_100")
    assert find_run(loaded, str(first / "checkpoint_20")) == FoundRun(folder=first, checkpoint=first / "checkpoint_20")


def test_what_cannot_be_resumed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(tmp_path)

    def refusal(which: str) -> str:
        with pytest.raises(ConfigError) as caught, resume_run(find_run(loaded, which), loaded, device=CPU):
            pass
        return str(caught.value)

    assert refusal("latest") == "--resume-from latest: no run of v1 in runs/TFA; runs/TFA has no runs"
    other = make_run(tmp_path, export__out_dir="artifacts/TFA/v2")
    assert refusal("latest") == f"--resume-from latest: no run of v1 in runs/TFA; runs/TFA has {other.name}"
    assert refusal("no") == f"--resume-from no: no such folder; runs/TFA has {other.name}"
    assert refusal("configs") == (
        f"--resume-from configs: is neither a run nor a checkpoint of one; runs/TFA has {other.name}"
    )
    assert refusal(str(other)) == f"runs/TFA/{other.name}: is a run of TFA/v2, and export.out_dir is that of TFA/v1"
    ours = make_run(tmp_path)
    ended = read_run(ours)["ended_at"]
    assert refusal("latest") == f"runs/TFA/{ours.name}: this run finished at {ended}; begin a new one"
    missing = f"runs/TFA/{ours.name}/checkpoint_9"
    assert refusal(missing) == f"--resume-from {missing}: no such checkpoint; the run has none"
    (ours / "checkpoint_20").mkdir()
    assert refusal(missing) == f"--resume-from {missing}: no such checkpoint; there are checkpoint_20"


def test_what_is_not_a_run_of_this_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content, message in (
        ('{"schema_version": "2.0"}', "run.json: has schema 2.0, this program reads 1.x"),
        (
            '{"schema_version": "1.0", "status": "running", "version": "v1"}',
            "run.json: is not a run's: it has no model_id, duration_s, resumed, phases_s",
        ),
        ("[]", "run.json: is not a run's: TypeError('list indices must be integers or slices, not str')"),
    ):
        Path("run.json").write_text(content)
        with pytest.raises(SentioError) as caught:
            read_run(tmp_path)
        assert str(caught.value) == message
