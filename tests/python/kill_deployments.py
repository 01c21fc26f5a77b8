"""Kills deployments and rollbacks: python kill_deployments.py SHOP KILLS SEED, one JSON line.

Half of them die at a random time, half before a random one of their file operations. After each, whatever is live is
loaded by C++. Children are forked from a process that has imported all, so that a kill costs no import.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from deploy_support import Listener, Shop, deploy, seal_of, tree
from training_support import Project

from sentio_trainer.deployment import ModelDeployer
from sentio_trainer.errors import SentioError

# What Python's audit hooks call the operations that change files; "open" is one of them if it writes.
OPERATIONS = {"os.rename", "os.mkdir", "os.symlink", "os.chmod", "os.remove", "os.rmdir", "shutil.copyfile", "open"}


def forked(work: Callable[[], object], *, kill_after: float | None = None) -> int:
    """Exit status of a child that does `work`; negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def on_operation(root: Path, act: Callable[[], object]) -> None:
    """Calls `act` before each operation of this process that changes something below `root`."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in OPERATIONS or not arguments or str(root) not in str(arguments[0]):
            return
        if event != "open" or not str(arguments[1]).startswith("r"):
            act()

    sys.addaudithook(hook)


def operations(work: Callable[[], object], root: Path) -> int:
    """How many operations `work` does, in a child."""
    reader, writer = os.pipe()

    def counted() -> None:
        on_operation(root, lambda: os.write(writer, b"."))
        work()

    assert forked(counted) == 0
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        return len(file.read())


def killed_at(work: Callable[[], object], root: Path, operation: int) -> int:
    """The status of a child that dies before this operation."""

    def counted() -> None:
        left = operation

        def count_down() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        on_operation(root, count_down)
        work()

    return forked(counted)


def recover(deployer: ModelDeployer) -> None:
    """Cleans up; waits for a grandchild that still holds the lock, in the instant before it becomes another program."""
    for _ in range(500):
        try:
            deployer.recover()
        except SentioError:
            time.sleep(0.01)
        else:
            return
    raise SentioError("the lock of a dead process is held for 5 s")


def main() -> None:
    torch.set_num_threads(1)
    shop, kills, rng = Shop(project=Project(root=Path(sys.argv[1]))), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    production = shop.root / "models" / "production"
    seals = {version: seal_of(shop.artifact(version)) for version in ("v1", "v2")}
    told: list[str] = []
    deployer = ModelDeployer(production, keep=3, report=Listener(told.append))
    deploy(shop, production, "v1")
    began = time.perf_counter()
    deploy(shop, production, "v2")
    duration = time.perf_counter() - began
    count = operations(lambda: deploy(shop, production, "v1"), shop.root)

    ends, faults, done = Counter[str](), [], 0
    while done < kills:
        before = seal_of(production / "tfa")
        other = next(version for version, seal in seals.items() if seal != before)
        backs = done % 5 == 4
        # A rollback goes to the last backup, which holds another release of one of the two models.
        wanted = deployer._store.backups()[-1]
        goal = seal_of(production.parent / "backups" / wanted / "tfa") if backs else seals[other]
        work = (lambda: deployer.rollback(wanted)) if backs else (lambda: deploy(shop, production, other))  # noqa: B023
        if done % 2:
            status = forked(work, kill_after=rng.uniform(0.0, duration))
        else:
            status = killed_at(work, shop.root, rng.randrange(count))
        if status not in (0, -signal.SIGKILL):
            faults.append(f"status {status}")
        done += status == -signal.SIGKILL
        found = seal_of(production / "tfa")  # C++ raises if a hash or the probe does not fit
        ends["finished" if status == 0 else "new" if found == goal != before else "old"] += 1
        if found not in (before, goal):
            faults.append("a third model is live")
        recover(deployer)
        if seal_of(production / "tfa") != found:
            faults.append("cleaning up changed what is live")
    current = deployer.current()
    if current is None or current.fault is not None:
        faults.append(f"at the end: {current}")
    records = {each.id for each in deployer.history() if each.outcome == "deployed"}
    root = production.parent
    faults += [f"left over: {name}" for name in tree(root) if "/." in f"/{name}" and name != ".deploy.lock"]
    faults += [f"no record: {path.name}" for path in (root / "releases").iterdir() if path.name not in records]
    result = {"kills": done, "ends": ends, "operations": count, "told": len(told), "faults": faults}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
