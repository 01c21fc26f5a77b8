"""Checkpoints as folders: whole or absent, of one training, kept by number."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from sentio_trainer.checkpoint import Checkpoints, Progress, identity, newest_checkpoint, read_checkpoint
from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.schema import KEYS, Config
from sentio_trainer.watch import Epoch

IDENTITY = {"training.lr": 1e-3, "training.seed": 7, "file QQQ.csv": "sha256:abc"}


def make_progress(step: int, *, epochs: int = 1, best: int | None = 1) -> Progress:
    log = [
        Epoch(
            epoch=number,
            step=10 * number,
            lr=1e-3 / 3.0,
            train_loss=math.pi,
            loss=0.1 + 0.2,
            auc=None,
            ic=-0.02,
            rank_ic=5e-324,
            seconds=1.5,
        )
        for number in range(1, epochs + 1)
    ]
    return Progress(
        step=step,
        epochs=tuple(log),
        batch=3,
        seconds=0.25,
        best_epoch=best,
        identity=IDENTITY,
        world=1,
        threads=2,
        device="cpu",
        processor="Zilog Z80",
        torch="2.13.0",
    )


def make_state() -> dict[str, Any]:
    return {"model": {"weight": torch.arange(6.0).reshape(2, 3)}, "optimizer": {"betas": (0.9, 0.999), "step": 4}}


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # messages show paths from here
    return Path("runs/1")


def writer(run_folder: Path, *, keep_last: int = 2, every: int | None = None) -> Checkpoints:
    return Checkpoints(run_folder, keep_last=keep_last, every=every, identity=IDENTITY)


def names(run_folder: Path) -> list[str]:
    return sorted(path.name for path in run_folder.iterdir())


def refusal(folder: Path, kind: type[Exception], **changed: Any) -> str:
    with pytest.raises(kind) as error:
        read_checkpoint(folder, **{"identity": IDENTITY, "world": 1, **changed})
    return str(error.value)


def test_what_is_read_is_what_was_written_to_the_last_bit(run_folder: Path) -> None:
    progress, state = make_progress(14), make_state()
    folder = writer(run_folder).write(progress, state)
    found = read_checkpoint(folder, identity=IDENTITY, world=1)
    assert found.progress == progress
    assert torch.equal(found.state["model"].pop("weight"), state["model"].pop("weight"))
    assert found.state == state
    assert names(folder) == ["checkpoint.json", "progress.json", "state.pt"]


def test_the_state_is_read_without_running_code(run_folder: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("harm",))

    folder = writer(run_folder).write(make_progress(14), {"model": Harm()})
    with pytest.raises(Exception, match="Weights only load failed"):
        read_checkpoint(folder, identity=IDENTITY, world=1)


def test_the_last_ones_and_the_best_epochs_are_kept(run_folder: Path) -> None:
    checkpoints = writer(run_folder, keep_last=2)
    for step in (10, 14, 20, 24, 30, 34):
        checkpoints.write(make_progress(step, epochs=step // 10), make_state())
    assert names(run_folder) == ["checkpoint_10", "checkpoint_30", "checkpoint_34"]
    checkpoints.write(make_progress(40, epochs=4, best=4), make_state())
    assert names(run_folder) == ["checkpoint_34", "checkpoint_40"]
    # More digits are more steps, whatever the alphabet says.
    checkpoints.write(make_progress(100, epochs=4, best=4), make_state())
    assert newest_checkpoint(run_folder) == run_folder / "checkpoint_100"


def test_one_is_due_every_so_many_steps(run_folder: Path) -> None:
    assert [step for step in range(1, 10) if writer(run_folder, every=4).is_due(step)] == [4, 8]
    assert not any(writer(run_folder).is_due(step) for step in range(1, 10))


def test_what_is_half_written_is_not_seen_and_goes_away(run_folder: Path) -> None:
    checkpoints = writer(run_folder)
    checkpoints.write(make_progress(10), make_state())
    (run_folder / ".checkpoint_20.new.4711.partial").mkdir()
    (run_folder / ".checkpoint_20.new.4711.partial" / "state.pt").write_bytes(b"PK")
    (run_folder / "train_log.csv").touch()
    assert newest_checkpoint(run_folder) == run_folder / "checkpoint_10"
    checkpoints.begin(10)
    assert names(run_folder) == ["checkpoint_10", "train_log.csv"]


def test_going_on_from_an_earlier_one_removes_the_later_ones(run_folder: Path) -> None:
    checkpoints = writer(run_folder, keep_last=3)
    for step in (10, 14, 20):
        checkpoints.write(make_progress(step), make_state())
    checkpoints.begin(14)
    assert names(run_folder) == ["checkpoint_10", "checkpoint_14"]


def test_one_of_the_same_step_is_replaced(run_folder: Path) -> None:
    checkpoints = writer(run_folder)
    checkpoints.write(make_progress(14), make_state())
    folder = checkpoints.write(make_progress(14, epochs=2), make_state())
    assert len(read_checkpoint(folder, identity=IDENTITY, world=1).progress.epochs) == 2
    assert names(run_folder) == ["checkpoint_14"]


def test_a_run_that_stopped_before_its_first_checkpoint_has_none(run_folder: Path) -> None:
    assert newest_checkpoint(run_folder) is None
    run_folder.mkdir(parents=True, exist_ok=True)
    assert newest_checkpoint(run_folder) is None


@pytest.mark.parametrize("name", ["progress.json", "state.pt"])
def test_a_damaged_file_is_refused_with_its_place_and_another_one_named(run_folder: Path, name: str) -> None:
    checkpoints = writer(run_folder)
    checkpoints.write(make_progress(10), make_state())
    folder = checkpoints.write(make_progress(14), make_state())
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert re.fullmatch(
        rf"runs/1/checkpoint_14/{name}: is damaged: its hash is sha256:\w+, checkpoint.json says sha256:\w+; "
        r"beside it: checkpoint_10",
        refusal(folder, DataError),
    )
    (folder / name).unlink()
    assert refusal(folder, DataError) == f"runs/1/checkpoint_14/{name}: is missing; beside it: checkpoint_10"


def test_every_byte_of_a_checkpoint_is_guarded(run_folder: Path) -> None:
    folder = writer(run_folder).write(make_progress(10), make_state())
    manifest = (folder / "checkpoint.json").read_bytes()
    for at in range(len(manifest) - 1):  # the end of line aside
        (folder / "checkpoint.json").write_bytes(manifest[:at] + bytes([manifest[at] ^ 1]) + manifest[at + 1 :])
        try:
            found = read_checkpoint(folder, identity=IDENTITY, world=1)
        except DataError:
            continue
        assert found.progress == make_progress(10)  # white space alone


def test_a_folder_that_is_no_checkpoint_is_refused(run_folder: Path) -> None:
    assert refusal(Path("elsewhere"), DataError) == (
        "elsewhere/checkpoint.json: is missing: this is no checkpoint; there is no other one beside it"
    )
    folder = writer(run_folder).write(make_progress(10), make_state())
    document = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps({**document, "schema_version": "2.0"}))
    assert refusal(folder, DataError) == (
        "runs/1/checkpoint_10/checkpoint.json: schema_version: Input should be '1.0'; there is no other one beside it"
    )


def test_a_checkpoint_of_another_training_is_refused_by_the_first_key_that_differs(run_folder: Path) -> None:
    folder = writer(run_folder).write(make_progress(10), make_state())
    assert refusal(folder, ConfigError, identity={**IDENTITY, "training.lr": 5e-4}) == (
        "runs/1/checkpoint_10: was written with training.lr 0.001, found 0.0005; "
        "a resumed training keeps what it began with"
    )
    assert "file QQQ.csv 'sha256:abc', found 'sha256:abd'" in refusal(
        folder, ConfigError, identity={**IDENTITY, "file QQQ.csv": "sha256:abd"}
    )
    assert "file SPY.csv None, found 'sha256:f'" in refusal(
        folder, ConfigError, identity={**IDENTITY, "file SPY.csv": "sha256:f"}
    )
    assert refusal(folder, ConfigError, world=2) == (
        "runs/1/checkpoint_10: was written by a group of 1, found one of 2: their shares of a batch would be others"
    )


def test_a_resumed_training_may_change_what_its_weights_do_not_depend_on() -> None:
    document = {
        "data": {"symbol": "QQQ", "bars_csv": "bars.csv"},
        "features": {"spec": "features.json"},
        "export": {"out_dir": "artifacts/TFA/v1"},
    }
    kept = identity(Config.model_validate(document, context={"root": Path("/")}))
    assert set(KEYS) - set(kept) == {
        key
        for key in KEYS
        if key.split(".")[0] in ("decision", "evaluation", "tracking", "export")
        or key
        in (
            "data.cache_dir",
            "training.device",
            "training.compile",
            "training.num_workers",
            "training.prefetch_factor",
            "training.checkpoint_steps",
            "training.keep_last",
        )
    }
    assert kept["training.lr"] == 1e-3
    assert kept["data.split.train"] == 0.7
