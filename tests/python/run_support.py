"""Trainings without training: a configuration, and what a training would tell."""

from pathlib import Path

import yaml

from sentio_trainer.config import LoadedConfig, given_by_flag, load_config
from sentio_trainer.watch import Epoch, Steps

STEPS_AN_EPOCH = 20
# Put in place of the machine's own, which may be a word that stands in any text.
HOST_NAME = "name-of-this-machine"


def load(root: Path, **overrides: object) -> LoadedConfig:
    """A configuration whose files are not there; `training__lr=0.1` sets training.lr."""
    config = root / "configs" / "tfa.yaml"
    if not config.exists():
        config.parent.mkdir(parents=True)
        (root / "pyproject.toml").touch()
        document = {
            "symbol": "QQQ",
            "bars_csv": "bars.csv",
            "feature_spec": "configs/features.json",
            "out_dir": "artifacts/TFA/v1",
        }
        config.write_text(yaml.safe_dump(document))
    given = [given_by_flag(key.replace("__", "."), value, flag="test") for key, value in overrides.items()]
    return load_config(config, overrides=given, environment={})


def epoch(number: int, **figures: float | None) -> Epoch:
    values: dict[str, float | None] = {
        "lr": 1e-3 / number,
        "train_loss": 0.7 - 0.01 * number,
        "loss": 0.7 - 0.02 * number,
        "auc": 0.5 + 0.01 * number,
        "ic": 0.02 * number,
        "rank_ic": None,
        "seconds": 1.5,
        **figures,
    }
    return Epoch(epoch=number, step=number * STEPS_AN_EPOCH, **values)  # type: ignore[arg-type]


def steps(step: int, **figures: float) -> Steps:
    values = {"lr": 1e-5 * step, "loss": 1.0 / step, "grad_norm": 1.0, "samples_per_s": 1e5, "wait_share": 0.01}
    return Steps(step=step, epoch=(step - 1) // STEPS_AN_EPOCH + 1, **{**values, **figures})
