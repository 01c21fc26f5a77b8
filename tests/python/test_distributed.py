"""Several processes train as one."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_support import ONE_THREAD, make_project

from sentio_trainer.distributed import Group, joined
from sentio_trainer.errors import ConfigError
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

Scenario = Callable[[str], list[dict[str, Any]]]
ANOTHER_STOPPED = "another process has stopped; its own message says why"


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """What each process of a scenario of train_together.py came to."""
    folder = tmp_path_factory.mktemp("together")
    script = Path(__file__).with_name("train_together.py")
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    def read(name: str) -> list[dict[str, Any]]:
        processes: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text())
        return processes

    return read


def test_two_processes_have_the_log_of_one_with_the_doubled_batch(scenario: Scenario) -> None:
    (alone,), (first, _) = scenario("alone"), scenario("shared")
    assert len(first["log"]) == 2
    for one, other in zip(alone["log"], first["log"], strict=True):
        # Sums of float32 in another order.
        assert one == pytest.approx(other, rel=1e-6)
    assert first["log"][-1]["ic"] > 0.5


@pytest.mark.parametrize("name", ["shared", "whole", "resumed"])
def test_all_processes_end_with_the_same_bits_and_the_same_log(scenario: Scenario, name: str) -> None:
    first, second = scenario(name)
    assert first["weights"] == second["weights"]
    assert first["log"] == second["log"]


def test_dropout_differs_between_processes(scenario: Scenario) -> None:
    first, second = scenario("whole")
    assert first["next_random"] != second["next_random"]


def test_a_signal_to_one_process_stops_all_after_the_same_step(scenario: Scenario) -> None:
    first, second = scenario("resumed")
    assert first["checkpoint"] == second["checkpoint"] == "checkpoint_5"
    assert first["told"] == second["told"]
    assert first["told"].startswith("interrupted after step 5 of ")


def test_resumed_processes_end_with_the_bits_of_those_that_never_stopped(scenario: Scenario) -> None:
    for resumed, whole in zip(scenario("resumed"), scenario("whole"), strict=True):
        for what in ("weights", "log", "next_random"):
            assert resumed[what] == whole[what]


def test_a_process_that_fails_does_not_leave_the_other_waiting(scenario: Scenario) -> None:
    first, second = scenario("failed")
    assert first["error"] == "ValueError: the disk is full"
    assert second["error"] == f"SentioError: process 1 of 2: {ANOTHER_STOPPED}"
    first, second = scenario("second_failed")
    assert first["error"] == f"SentioError: process 0 of 2: {ANOTHER_STOPPED}"
    assert second["error"].startswith("RuntimeError: The size of tensor a (2) must match")


def test_a_process_that_is_killed_does_not_leave_the_other_waiting(scenario: Scenario) -> None:
    first, second = scenario("died")
    assert first == {"status": -9}
    assert second["error"] == f"SentioError: process 1 of 2: {ANOTHER_STOPPED}"


def test_alone_everything_is_ones_own() -> None:
    group = Group(device=torch.device("cpu"))
    values = torch.ones(3)
    group.sum(values)
    assert values.tolist() == [1.0, 1.0, 1.0]
    assert (group.any(True), group.any(False), group.of_first("a"), group.all_of("a")) == (True, False, "a", ["a"])
    assert group.is_first


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as group:
        assert (group.rank, group.world, group.device.type) == (0, 1, "cpu")


def test_several_processes_take_a_kind_of_device_and_not_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(ConfigError, match=r"^training.device: several processes train on cuda or cpu, found cpu:0$"),
        joined("cpu:0"),
    ):
        pass


def test_torchrun_trains_one_model_and_writes_one_artifact(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, batch_size=64, epochs=1)
    script = Path(__file__).parents[2] / "train_models.py"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(script), "--config", str(project.config)),
        ],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training on cpu: ") == done.stdout.count("artifact: ") == 1
    alone = project.load(training__batch_size=128, export__out_dir="artifacts/TFA/v2")
    train(alone, overwrite=False, report=Silence())
    both, one = (list(csv.DictReader((project.artifact.parent / v / "train_log.csv").open())) for v in ("v1", "v2"))
    for name in ("step", "lr", "train_loss", "loss", "auc"):
        # Sums of float32 in another order.
        assert float(both[0][name]) == pytest.approx(float(one[0][name]), rel=1e-5)


LEAVE_A_GROUP = """
import os, sys
from pathlib import Path
import torch
from sentio_trainer.distributed import joined
rank = 0 if os.fork() else 1
os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=sys.argv[1])
with joined("cpu") as group:
    torch.optim.AdamW([torch.ones(1, requires_grad=True)])
    group.sum(torch.ones(1))
    during = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
after = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
if rank == 0:
    os.wait()
    print(any("gloo" in name for name in during), any("gloo" in name for name in after))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at threads in /proc")
def test_no_thread_of_a_group_outlives_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-c", LEAVE_A_GROUP, str(port)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == ("True False\n", 0), done.stderr
