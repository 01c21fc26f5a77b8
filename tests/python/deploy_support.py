"""Two trained models on one market, and a place to deploy them."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentio_inference import Artifact
from training_support import Project, make_project

from sentio_trainer.artifact import sealed_json
from sentio_trainer.bars import synthetic_mark
from sentio_trainer.deployment import Deployment, ModelDeployer
from sentio_trainer.gates import Bench, Limits
from sentio_trainer.report import Report, Silence
from sentio_trainer.trainers.tfa import train

# Any model passes: what is tested is the way, not the model.
ANY = Limits(max_drawdown=1.0)
EVEN = {"rule": "threshold", "long_above": 0.5, "short_below": 0.499, "allow_short": False, "min_hold": 20}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A project with the artifacts v1 and v2, which trade differently."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def bars(self) -> Path:
        return self.root / "bars.csv"

    def artifact(self, version: str) -> Path:
        return self.root / "artifacts" / "TFA" / version

    def bench(self, limits: Limits = ANY, **options: object) -> Bench:
        return Bench(limits=limits, **{"bars": self.bars, **options})  # type: ignore[arg-type]


def make_shop(root: Path, *, days: int, test: float = 0.15) -> Shop:
    """Trains on generated bars without their mark, so that they pass for recorded ones."""
    split = {"train": 0.85 - test, "validation": 0.15, "test": test}
    project = make_project(root, days=days, data={"split": split, "cache_dir": "cache"}, epochs=1)
    synthetic_mark(root / "bars.csv").unlink()
    for seed, version in enumerate(("v1", "v2")):
        loaded = project.load(training__seed=seed, export__out_dir=f"artifacts/TFA/{version}")
        train(loaded, overwrite=False, report=Silence())
        trade_often(project.root / "artifacts" / "TFA" / version)
    return Shop(project=project)


def trade_often(folder: Path) -> None:
    """Thresholds at even odds: short training finds no better ones than to stay out of the market."""
    set_metadata(folder, lambda document: document.update(decision=EVEN))


def set_metadata(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes an artifact's metadata and seals it."""
    document = json.loads((folder / "metadata.json").read_text())
    change(document)
    (folder / "metadata.json").write_bytes(sealed_json(document))


class Listener(Silence):
    """Calls back at each line that is said, so that a test can step in between two steps."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard

    def say(self, text: str) -> None:
        self._heard(text)

    def warn(self, text: str) -> None:
        self._heard(text)


def seal_of(folder: Path) -> str:
    """What identifies an artifact, once C++ has verified it."""
    return str(Artifact.load(folder).metadata["seal"])


def deploy(
    shop: Shop, production: Path, version: str = "v1", *, name: str = "tfa", report: Report | None = None
) -> Deployment:
    return ModelDeployer(production, report=report).deploy({name: shop.artifact(version)}, shop.bench())


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: contents of files, targets of links."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """With `folder` as the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def alter(path: Path) -> None:
    """Turns the last bit of a read-only file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


if __name__ == "__main__":
    make_shop(Path(sys.argv[1]), days=int(sys.argv[2]), test=float(sys.argv[3]))
