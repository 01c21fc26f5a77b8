"""Several processes train one model: python train_together.py FOLDER writes <scenario>.json, an entry for each one.

Processes are forked from one that has imported torch, with the environment that torchrun would give them.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from loop_support import Problem, make_model, make_problem, timeless, train, weights_hash

from sentio_trainer.checkpoint import newest_checkpoint
from sentio_trainer.distributed import Group, joined
from sentio_trainer.errors import SentioError
from sentio_trainer.watch import Nobody, Steps

PROBLEM = make_problem(1024)  # shares of equal size: dropout draws as often in each process
PLAIN = {"epochs": 2, "batch_size": 32, "dropout": 0.0, "num_workers": 0}
STATEFUL = {**PLAIN, "dropout": 0.3, "ema": 0.9, "accumulate": 2, "batch_size": 16}


class AfterStep(Nobody):
    """Does something in the first process after a step."""

    log_steps = 1

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step, self._act = step, act

    def on_steps(self, steps: Steps) -> None:
        if steps.step == self._step:
            self._act()


def outcome(group: Group, **settings: Any) -> dict[str, Any]:
    """A training, and what came of it."""
    model, result = train(PROBLEM, group=group, **settings)
    return {
        "weights": weights_hash(model),
        "log": [asdict(epoch) for epoch in timeless(result.epochs)],
        "next_random": torch.rand(1).item(),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    train(make_problem(100), epochs=1, num_workers=0)  # torch imports much of itself when it is first used

    def share(group: Group) -> dict[str, Any]:
        # Each begins elsewhere; the first one's weights count.
        return outcome(group, model=make_model(dropout=0.0, seed=7 + group.rank), **PLAIN)

    def stop_and_resume(group: Group) -> dict[str, Any]:
        # The signal reaches one process alone; torchrun would send it to all, not at one moment.
        stopping = AfterStep(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
        try:
            train(PROBLEM, group=group, run_folder=folder / "run", watcher=stopping, **STATEFUL)
        except SentioError as error:
            told = str(error)
        checkpoint = newest_checkpoint(folder / "run")
        return {
            "told": told,
            "checkpoint": checkpoint.name,
            **outcome(group, run_folder=folder / "run", resume_from=checkpoint, **STATEFUL),
        }

    def fail(group: Group) -> None:
        def act() -> None:
            raise ValueError("the disk is full")

        train(PROBLEM, group=group, watcher=AfterStep(3, act), **PLAIN)

    def die(group: Group) -> None:
        train(PROBLEM, group=group, watcher=AfterStep(3, lambda: os.kill(os.getpid(), signal.SIGKILL)), **PLAIN)

    def second_fails(group: Group) -> None:
        x = PROBLEM.x[:, :2].copy() if group.rank == 1 else PROBLEM.x  # not what the network takes
        train(Problem(x=x, learned=PROBLEM.learned), held=PROBLEM.held, group=group, **PLAIN)

    run_all(folder, "alone", lambda group: outcome(group, **{**PLAIN, "batch_size": 64}), world=1)
    run_all(folder, "shared", share, world=2)
    run_all(folder, "whole", lambda group: outcome(group, **STATEFUL), world=2)
    run_all(folder, "resumed", stop_and_resume, world=2)
    run_all(folder, "failed", fail, world=2)
    run_all(folder, "died", die, world=2)
    run_all(folder, "second_failed", second_fails, world=2)


def run_all(folder: Path, scenario: str, work: Callable[[Group], Any], *, world: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [fork(folder / f"{scenario}_{rank}", work, rank, world, port) for rank in range(world)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    entries = []
    for rank, status in enumerate(statuses):
        path = folder / f"{scenario}_{rank}"
        entries.append({"status": status, **(json.loads(path.read_text()) if path.exists() else {})})
    (folder / f"{scenario}.json").write_text(json.dumps(entries))


def fork(path: Path, work: Callable[[Group], Any], rank: int, world: int, port: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
        )
        torch.set_num_threads(1)
        try:
            with joined("cpu") as group:
                found = work(group)
        except (SentioError, ValueError, RuntimeError) as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        path.write_text(json.dumps(found))
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
