"""Kills trainings at random moments and resumes them: python kill_trainings.py FOLDER KILLS SEED, one JSON line.

Children are forked from a process that has imported all that a training needs, so that a kill costs no import.
"""

import functools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from loop_support import make_problem, timeless, train, weights_hash

from sentio_trainer.checkpoint import newest_checkpoint

SETTINGS = {"epochs": 6, "batch_size": 32, "num_workers": 1, "accumulate": 2, "ema": 0.9, "checkpoint_steps": 3}


def run(run_folder: Path) -> None:
    """A training that goes on from what is there; its end is written beside the run folder."""
    resume_from = newest_checkpoint(run_folder)
    model, result = train(make_problem(1000), run_folder=run_folder, resume_from=resume_from, **SETTINGS)
    end = {"weights": weights_hash(model), "log": [asdict(epoch) for epoch in timeless(result.epochs)]}
    run_folder.with_suffix(".json").write_text(json.dumps(end))


def forked(work: Callable[[], None], *, kill_after: float | None = None) -> int:
    """Exit status of a child that does `work`; negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            work()
            status = 0
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    train(make_problem(100), epochs=1, num_workers=0)  # torch imports much of itself when it is first used
    began = time.perf_counter()
    statuses = [forked(lambda: run(folder / "0"))]
    duration = time.perf_counter() - began
    left, number = kills, 1
    while left:
        run_folder = folder / str(number)
        status = forked(functools.partial(run, run_folder), kill_after=rng.uniform(0.02, 0.4) * duration)
        if status == -signal.SIGKILL:
            left -= 1
        else:  # it was faster: the next kill meets a new training
            statuses.append(status)
            number += 1
    statuses.append(forked(functools.partial(run, folder / str(number))))
    ends = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    sys.stdout.write(json.dumps({"statuses": statuses, "ends": ends}))


if __name__ == "__main__":
    main()
