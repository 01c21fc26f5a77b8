"""A training that was stopped and resumed ends as if it had never stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from loop_support import make_problem, timeless, train, weights_hash
from training_support import ONE_THREAD

from sentio_trainer.checkpoint import newest_checkpoint
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.interruption import interruptions
from sentio_trainer.report import Silence
from sentio_trainer.watch import Epoch, Nobody, Steps

pytestmark = pytest.mark.usefixtures("one_thread")

PROBLEM = make_problem(400)
# All that has a state: dropout, an average, steps of several batches, a scaler, an epoch that is not full of steps.
STATEFUL = {"epochs": 3, "batch_size": 32, "accumulate": 2, "ema": 0.9, "dropout": 0.3, "num_workers": 0}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_from_every_step_on_it_ends_with_the_same_bits_and_the_same_log(tmp_path: Path, precision: str) -> None:
    settings = {**STATEFUL, "precision": precision}
    model, whole = train(PROBLEM, **settings)
    kept, log = train(PROBLEM, run_folder=tmp_path / "whole", checkpoint_steps=1, keep_last=1_000, **settings)
    assert (weights_hash(kept), timeless(log.epochs)) == (weights_hash(model), timeless(whole.epochs))
    steps = whole.epochs[-1].step
    assert steps >= 9
    for step in range(1, steps + 1):
        torch.manual_seed(step)  # another process has other random numbers
        resumed, result = train(
            PROBLEM,
            run_folder=tmp_path / str(step),
            resume_from=tmp_path / "whole" / f"checkpoint_{step}",
            **settings,
        )
        assert weights_hash(resumed) == weights_hash(model), step
        assert timeless(result.epochs) == timeless(whole.epochs), step


def test_patience_is_counted_on(tmp_path: Path) -> None:
    problem = make_problem(400, strength=0.02)
    settings = {"epochs": 50, "patience": 4, "num_workers": 0}
    model, whole = train(problem, run_folder=tmp_path / "whole", keep_last=1_000, **settings)
    last = whole.epochs[-1]
    assert last.epoch == whole.best.epoch + 4 < 50
    for epoch in whole.epochs[-3:]:
        checkpoint = tmp_path / "whole" / f"checkpoint_{epoch.step}"
        resumed, result = train(problem, run_folder=tmp_path / "r", resume_from=checkpoint, **settings)
        assert (weights_hash(resumed), result.best) == (weights_hash(model), whole.best)
        assert len(result.epochs) == last.epoch


class Killer(Nobody):
    """Sends this process a signal after a step."""

    log_steps = 1

    def __init__(self, at: int, number: int, *, times: int = 1) -> None:
        self._at, self._number, self._times = at, number, times
        self.begun: list[tuple[int, int]] = []

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        self.begun.append((step, len(epochs)))

    def on_steps(self, steps: Steps) -> None:
        if steps.step == self._at:
            for _ in range(self._times):
                os.kill(os.getpid(), self._number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [5, 8])  # within an epoch, and its last one
def test_a_signal_stops_it_after_the_step_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: int
) -> None:
    monkeypatch.chdir(tmp_path)
    model, whole = train(PROBLEM, **STATEFUL)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(StoppedError) as error:
        train(PROBLEM, run_folder=Path("run"), watcher=Killer(step, number), **STATEFUL)
    assert error.value.exit_code == 130
    assert str(error.value) == f"interrupted after step {step} of 12; --resume-from run/checkpoint_{step} goes on"
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    resume_from = newest_checkpoint(Path("run"))
    assert resume_from.name == f"checkpoint_{step}"
    watcher = Killer(0, number)
    resumed, result = train(PROBLEM, run_folder=Path("run"), resume_from=resume_from, watcher=watcher, **STATEFUL)
    assert watcher.begun == [(step, step // 4)]
    assert (weights_hash(resumed), timeless(result.epochs)) == (weights_hash(model), timeless(whole.epochs))


def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(PROBLEM, run_folder=tmp_path, watcher=Killer(5, signal.SIGINT, times=2), **STATEFUL)
    assert newest_checkpoint(tmp_path).name == "checkpoint_4"


def test_without_checkpoints_ctrl_c_is_left_alone() -> None:
    with pytest.raises(KeyboardInterrupt):
        train(PROBLEM, watcher=Killer(5, signal.SIGINT), **STATEFUL)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptions() as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_training_that_is_over_is_resumed_to_its_end_at_once(tmp_path: Path) -> None:
    model, whole = train(PROBLEM, run_folder=tmp_path, **STATEFUL)
    resumed, result = train(PROBLEM, run_folder=tmp_path, resume_from=newest_checkpoint(tmp_path), **STATEFUL)
    assert (weights_hash(resumed), result) == (weights_hash(model), whole)


def test_weights_that_are_not_finite_are_not_kept(tmp_path: Path) -> None:
    problem = make_problem(400)
    problem.x[7, 1] = float("nan")
    with pytest.raises(SentioError, match=r"^the training loss became nan in epoch 1"):
        train(problem, run_folder=tmp_path, checkpoint_steps=1, **{**STATEFUL, "batch_size": 200})
    assert list(tmp_path.iterdir()) == []


def test_another_learning_rate_is_refused(tmp_path: Path) -> None:
    train(PROBLEM, run_folder=tmp_path, **STATEFUL)
    with pytest.raises(ConfigError, match=r"was written with training.lr 0.01, found 0.02; a resumed training keeps"):
        train(PROBLEM, run_folder=tmp_path, resume_from=newest_checkpoint(tmp_path), lr=0.02, **STATEFUL)


def test_other_threads_are_told_of(tmp_path: Path) -> None:
    class Ear(Silence):
        warnings: list[str] = []  # noqa: RUF012

        def warn(self, text: str) -> None:
            self.warnings.append(text)

    train(PROBLEM, run_folder=tmp_path, **STATEFUL)
    torch.set_num_threads(2)
    train(PROBLEM, run_folder=tmp_path, resume_from=newest_checkpoint(tmp_path), report=Ear(), **STATEFUL)
    torch.set_num_threads(1)
    assert [text.split(": ", 1)[1] for text in Ear.warnings] == [
        "was written with threads 1, here is 2: last digits may differ"
    ]


def test_killed_at_random_moments_twenty_times_it_always_ends_with_the_same_bits(tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_trainings.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "20", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["statuses"]) == {0}
    assert len(found["ends"]) >= 2
    for end in found["ends"]:
        assert end == found["ends"][0]
