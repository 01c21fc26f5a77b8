"""Sweeps: what is tried, what is remembered, and what an interruption leaves."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from run_support import load
from sweep_support import bowl, earned, failing, loss_of
from training_support import make_project, run_sentio

from sentio_trainer import ledger
from sentio_trainer.config import given_on_command_line, load_config
from sentio_trainer.errors import ConfigError, DataError, SentioError
from sentio_trainer.report import Silence
from sentio_trainer.session_returns import read_session_returns
from sentio_trainer.sweep import SweepResult, TrialResult, run_sweep
from sentio_trainer.sweep_overfitting import SweepOverfitting, sweep_overfitting
from sentio_trainer.sweep_report import print_sweep
from sentio_trainer.sweep_space import Space, open_space
from sentio_trainer.sweep_worker import TrainTrial

optuna = pytest.importorskip("optuna", reason="needs sentio[sweep]")

LR = "lr=loguniform(1e-5,1e-1)"
HIDDEN = "hidden=int(16,128,16)"


class Notes(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load(tmp_path)
    (tmp_path / "bars.csv").write_text("bars\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    return tmp_path


def space_of(root: Path, *settings: str) -> Space:
    return open_space(root / "configs" / "tfa.yaml", settings, environment={})


def sweep(
    root: Path,
    *settings: str,
    trials: int,
    jobs: int = 1,
    study: str = "wide",
    resume: bool = False,
    train_trial: TrainTrial = bowl,
    notes: Notes | None = None,
) -> SweepResult:
    return run_sweep(
        space_of(root, *settings),
        study=study,
        trials=trials,
        jobs=jobs,
        resume=resume,
        train_trial=train_trial,
        report=notes or Notes(),
    )


def rows(root: Path) -> list[ledger.Trial]:
    return ledger.read(root / "artifacts" / "TFA" / "trials.csv")


def test_a_sweep_finds_better_values_and_records_every_trial(root: Path) -> None:
    notes = Notes()
    result = sweep(root, LR, HIDDEN, "epochs=3", trials=16, notes=notes)
    recorded = rows(root)
    assert [row.trial for row in recorded] == list(range(16))
    assert Counter(row.status for row in recorded) == {
        "finished": len(result.finished),
        "pruned": result.pruned,
    }
    assert result.pruned > 0
    for row in recorded:
        assert row.study == "wide"
        assert set(row.changed) == {"training.lr", "model.hidden"}
        if row.status == "finished":
            assert row.loss == pytest.approx(loss_of(row.changed["training.lr"], row.changed["model.hidden"]))
            assert row.epoch == 3
    values = [each.value for each in result.finished]
    assert values == sorted(values)
    # A random draw of the two keys is 1.9 on average.
    assert values[0] < 0.6
    assert len(notes.said) == 16
    assert sum(line.endswith("  *") for line in notes.said) >= 1
    assert result.tried == len({row.config_hash for row in recorded})
    # Each finished trial left what it earned, and no other one.
    kept = {path.name for path in (root / "artifacts/TFA/sweeps/wide").iterdir()}
    assert kept == {f"trial-{each.number:04d}.npy" for each in result.finished}
    by_hand = {each.number: earned(float(str(each.values["training.lr"]))) for each in result.finished}
    witness = sweep_overfitting(dict(sorted(by_hand.items())), best=result.finished[0].number)
    assert result.overfitting.found is not None
    assert witness.found is not None
    assert result.overfitting.found.probability == witness.found.probability
    assert result.overfitting.deflated == witness.deflated
    assert (result.overfitting.found.strategies, result.overfitting.found.blocks) == (len(kept), 16)
    # The line that trains the best ones gives their configuration.
    words = result.command.split()
    assert words[:4] == ["sentio", "train", "--config", "configs/tfa.yaml"]
    best = load_config(
        root / "configs/tfa.yaml", overrides=[given_on_command_line(text) for text in words[5::2]], environment={}
    ).config
    first = result.finished[0]
    assert best.training.epochs == 3
    assert (best.training.lr, best.model.hidden) == (first.values["training.lr"], first.values["model.hidden"])
    assert ledger.hash_config(best) == recorded[first.number].config_hash


def test_a_better_metric_is_higher_where_it_is_not_a_loss(root: Path) -> None:
    result = sweep(root, LR, "training.monitor=ic", "epochs=2", trials=6)
    values = [each.value for each in result.finished]
    assert values == sorted(values, reverse=True)
    assert result.monitor == "ic"


def test_the_same_seed_draws_the_same_and_another_study_goes_on_as_if_it_had_not_stopped(root: Path) -> None:
    sweep(root, LR, HIDDEN, "epochs=1", trials=12, study="straight")
    sweep(root, LR, HIDDEN, "epochs=1", trials=11, study="stopped")
    sweep(root, LR, HIDDEN, "epochs=1", trials=12, study="stopped", resume=True)
    by_study = {study: [row for row in rows(root) if row.study == study] for study in ("straight", "stopped")}
    straight, stopped = ([(row.trial, row.changed) for row in each] for each in by_study.values())
    assert straight == stopped
    assert len({str(changed) for _, changed in straight}) == 12
    sweep(root, LR, HIDDEN, "epochs=1", "training.seed=8", trials=1, study="other")
    assert rows(root)[-1].changed != straight[0][1]


def test_a_study_that_exists_is_refused_or_resumed_only_with_the_same_settings_and_bars(root: Path) -> None:
    sweep(root, LR, "epochs=1", trials=1)

    def refusal(*settings: str, resume: bool = True) -> str:
        with pytest.raises(ConfigError) as caught:
            sweep(root, *settings, trials=2, resume=resume)
        return str(caught.value)

    assert refusal(LR, "epochs=1", resume=False) == (
        "--study wide: artifacts/TFA/sweeps/wide.db exists; go on with it by --resume, or name another --study"
    )
    assert refusal("lr=loguniform(1e-4,1e-1)", "epochs=1") == (
        "--study wide: varied training.lr=loguniform(1e-05, 0.1), found training.lr=loguniform(0.0001, 0.1)"
    )
    assert refusal(LR, "epochs=2") == (
        "--study wide: was run with other values of the keys that are not varied; name another --study"
    )
    (root / "bars.csv").write_text("other bars\n")
    assert refusal(LR, "epochs=1") == "--study wide: was run with other bars; name another --study"
    assert len(rows(root)) == 1


def test_what_cannot_be_run_is_one_line_and_leaves_no_study(root: Path) -> None:
    for keys, message in (
        ({"trials": 0}, "--trials: must be at least 1, found 0"),
        ({"trials": 1, "jobs": 0}, "--jobs: must be at least 1, found 0"),
        (
            {"trials": 1, "study": "../x"},
            "--study: a name is made of letters, digits, '.', '_', '-', found '../x'",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            sweep(root, LR, **keys)  # type: ignore[arg-type]
        assert str(caught.value) == message
    (root / "bars.csv").unlink()
    with pytest.raises(DataError, match=r"^bars\.csv: no such bars file; "):
        sweep(root, LR, trials=1)
    assert not (root / "artifacts").exists()


def test_a_missing_optuna_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^sweep needs optuna: pip install 'sentio\[sweep\]'$"):
        sweep(root, LR, trials=1)


def test_trials_run_in_processes_of_their_own_that_share_the_threads(root: Path) -> None:
    result = sweep(root, LR, "epochs=2", trials=6, jobs=2)
    assert len(result.finished) + result.pruned == 6
    assert sorted(row.trial for row in rows(root)) == list(range(6))  # type: ignore[type-var]
    processes = {path.suffix: path.read_text() for path in root.glob("trained.*")}
    assert len(processes) == 2
    assert f".{os.getpid()}" not in processes
    assert set(processes.values()) == {"1"}


def test_trials_that_fail_are_recorded_and_the_others_go_on(root: Path) -> None:
    notes = Notes()
    result = sweep(root, "lr=choice(1.0,2.0,1e-3)", "epochs=1", trials=8, train_trial=failing, notes=notes)
    status = {row.changed["training.lr"]: row.status for row in rows(root)}
    assert status == {1.0: "failed", 2.0: "failed", 1e-3: "finished"}
    assert result.failed + len(result.finished) == 8
    said = "\n".join(notes.said)
    assert "failed: the training loss became nan in epoch 1" in said
    assert "failed: its process died (signal SIGKILL)" in said
    failed = next(row for row in rows(root) if row.status == "failed")
    assert (failed.epoch, failed.loss) == (None, None)
    assert result.tried == 1  # nobody could have picked one that failed


def test_values_that_do_not_go_together_fail_their_trial(root: Path) -> None:
    settings = ("model.heads=choice(1,4)", "hidden=int(4,6,2)", "model.kind=transformer", "epochs=1")
    result = sweep(root, *settings, trials=6)
    fits = {row.changed["model.hidden"] % row.changed["model.heads"] == 0: row.status for row in rows(root)}
    assert fits == {True: "finished", False: "failed"}
    assert result.failed > 0


def test_a_sweep_of_failures_says_why(root: Path) -> None:
    with pytest.raises(SentioError, match=r"^no trial finished; the last that failed: the training loss became nan"):
        sweep(root, "lr=choice(1.0,1)", "hidden=choice(8,16)", trials=2, train_trial=failing)


def test_a_defect_ends_the_sweep_with_its_place(root: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)^trial 0 failed by a defect:.*sweep_support\.py.*ZeroDivisionError"):
        sweep(root, "lr=choice(3.0,3)", trials=3, train_trial=failing)
    assert [row.status for row in rows(root)] == ["failed"]


CHILD = """
import sys
from pathlib import Path

from sweep_support import slow
from sentio_trainer.errors import StoppedError
from sentio_trainer.report import Silence
from sentio_trainer.sweep import run_sweep
from sentio_trainer.sweep_space import open_space

if __name__ == "__main__":
    settings = ["lr=loguniform(1e-5,1e-1)", "epochs=2"]
    space = open_space(Path("configs/tfa.yaml"), settings, environment={})
    try:
        run_sweep(
            space, study="cut", trials=3, jobs=2, resume="--resume" in sys.argv, train_trial=slow, report=Silence()
        )
    except StoppedError as error:
        print(error)
        sys.exit(error.exit_code)
"""


def start(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    script = root / "sweep_child.py"
    script.write_text(CHILD)
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_one_is_left(root: Path) -> list[int]:
    """The processes that trained, when one trial is in its second epoch and two are finished."""
    while not list(root.glob("waiting.*")):
        time.sleep(0.01)
    with closing(sqlite3.connect(root / "artifacts/TFA/sweeps/cut.db")) as study:
        while study.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone() != (2,):
            time.sleep(0.01)
    return [int(path.suffix[1:]) for name in ("waiting", "trained") for path in root.glob(f"{name}.*")]


def is_gone(process: int) -> bool:
    """A process of nobody may stay in the table as a zombie."""
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("how", ["Ctrl-C in a terminal", "kill -9 of the sweep alone"])
def test_an_interrupted_sweep_leaves_no_process_and_repeats_what_was_cut_off(root: Path, how: str) -> None:
    child = start(root)
    processes = wait_until_one_is_left(root)
    assert len(processes) == 2
    with pytest.raises(SentioError, match=r"^artifacts/TFA/sweeps/cut\.db: another process runs this study$"):
        sweep(root, LR, "epochs=2", trials=3, study="cut", resume=True)
    if "-9" in how:
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGINT)
    out, errors = child.communicate()
    if "-9" in how:
        assert child.returncode == -signal.SIGKILL
        assert [row.status for row in rows(root)] == ["finished"] * 2
    else:
        assert (child.returncode, errors) == (130, "")
        assert out == "interrupted after 2 of 3 trials; the same command with --resume goes on\n"
        assert [row.status for row in rows(root)] == ["finished", "finished", "interrupted"]
    while not all(map(is_gone, processes)):
        time.sleep(0.01)

    again = start(root, "--resume")
    _, errors = again.communicate()
    assert (again.returncode, errors) == (0, "")
    statuses = [row.status for row in rows(root)]
    assert statuses == ["finished", "finished", "interrupted", "finished"]
    *_, cut, repeated = rows(root)
    # What was cut off had told its first epoch, and was trained again in full.
    assert (cut.epoch, repeated.epoch, repeated.trial) == (1, 2, 3)
    assert repeated.config_hash == cut.config_hash
    assert ledger.count(root / "artifacts/TFA/trials.csv") == 3
    assert {path.name for path in (root / "artifacts/TFA/sweeps").iterdir()} == {"cut.db", "cut"}
    assert sorted(path.name for path in (root / "artifacts/TFA/sweeps/cut").iterdir()) == [
        f"trial-{row.trial:04d}.npy" for row in rows(root) if row.status == "finished"
    ]


def test_the_best_trials_are_a_table_with_the_line_that_trains_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    finished = tuple(
        TrialResult(number=n, value=0.69 + n / 1e4, epoch=3, values={"training.lr": 3e-4, "model.kind": "mlp"})
        for n in range(12)
    )
    print_sweep(
        SweepResult(
            study="wide",
            monitor="loss",
            finished=finished,
            pruned=6,
            failed=2,
            tried=31,
            overfitting=SweepOverfitting(
                trials=12,
                sessions=9,
                found=None,
                deflated=None,
                undefined="fewer than 16 sessions of validation, found 9",
            ),
            ledger=Path("artifacts/TFA/trials.csv"),
            command="sentio train --config configs/tfa.yaml --set training.lr=0.0003 --set model.kind=mlp",
        )
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Study wide: 12 finished, 6 pruned, 2 failed"
    assert lines[1].split() == ["trial", "validation", "loss", "epoch", "training.lr", "model.kind"]
    assert lines[3].split() == ["0", "0.69000", "3", "0.0003", "mlp"]
    assert len(lines) == 3 + 10 + 4
    assert lines[-4] == (
        "probability of backtest overfitting: not defined: fewer than 16 sessions of validation, found 9"
    )
    assert lines[-3] == "deflated Sharpe of the best trial: not defined: too few trials, or it never traded"
    assert lines[-2].startswith("31 models were tried on these bars so far (artifacts/TFA/trials.csv): ")
    assert lines[-1].endswith(" --set training.lr=0.0003 --set model.kind=mlp")


def test_the_command_trains_without_a_look_at_the_test_period(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=3, epochs=1)
    settings = ("--set", "lr=loguniform(1e-4,1e-2)", "--set", "training.num_workers=0")
    arguments = ("sweep", "--config", "configs/tfa.yaml", *settings, "--trials", "2", "--study", "small")
    done = run_sentio(*arguments, cwd=project.root)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stderr.splitlines()] == [["trial", str(n), "finished"] for n in range(2)]
    assert done.stdout.startswith("Study small: 2 finished, 0 pruned, 0 failed\n")
    assert "test" not in done.stdout.replace("backtest", "")
    assert "probability of backtest overfitting: not defined: " in done.stdout
    returns = [read_session_returns(path) for path in sorted((project.artifact.parent / "sweeps/small").iterdir())]
    assert len(returns) == 2
    assert all(1 <= len(each.session) <= 2 for each in returns)
    folder = project.artifact.parent
    assert {path.name for path in folder.iterdir()} == {"trials.csv", "sweeps"}
    assert not (project.root / "runs").exists()
    # An ordinary training on the same bars counts further.
    trained = run_sentio("train", "--config", "configs/tfa.yaml", "--set", "training.lr=0.003", cwd=project.root)
    assert trained.returncode == 0, trained.stderr
    recorded = ledger.read(folder / "trials.csv")
    assert [(row.study, row.status) for row in recorded] == [("small", "finished")] * 2 + [(None, "finished")]
    assert len({row.data_hash for row in recorded}) == 1
    assert ledger.count(folder / "trials.csv", data_hash=recorded[0].data_hash) == 3
