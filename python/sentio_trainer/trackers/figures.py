"""What all services are told, under the same names."""

import json
from collections.abc import Mapping
from typing import Any

from sentio_trainer.schema import KEYS, Config
from sentio_trainer.watch import Epoch, Steps

CONFIG_NAME = "config"


def step_figures(steps: Steps) -> dict[str, float]:
    return {
        "train/loss": steps.loss,
        "train/lr": steps.lr,
        "train/grad_norm": steps.grad_norm,
        "train/samples_per_s": steps.samples_per_s,
        "train/wait_share": steps.wait_share,
    }


def epoch_figures(epoch: Epoch) -> dict[str, float]:
    """An undefined metric is left out."""
    figures = {
        "epoch": float(epoch.epoch),
        "epoch/train_loss": epoch.train_loss,
        "epoch/seconds": epoch.seconds,
        "validation/loss": epoch.loss,
        "validation/auc": epoch.auc,
        "validation/ic": epoch.ic,
        "validation/rank_ic": epoch.rank_ic,
    }
    return {name: value for name, value in figures.items() if value is not None}


def final_figures(document: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among the metrics that run.json ends with."""
    return {
        f"final/{name}": float(value)
        for name, value in document["metrics"].items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def circumstances(document: Mapping[str, Any]) -> dict[str, str]:
    """What a run ran on, for services that keep words: dotted names."""
    told = {"run": document["id"], "device": document["device"]["name"], "seed": str(document["seed"])}
    told.update((f"version.{name}", str(value)) for name, value in document["versions"].items())
    return told


def flat_config(config: Config) -> dict[str, Any]:
    """Every key, dotted, with a single value; several bars files as one JSON text."""
    document = config.model_dump(mode="json")
    flat = {}
    for key in KEYS:
        value: Any = document
        for name in key.split("."):
            value = value[name]
        flat[key] = json.dumps(value) if isinstance(value, (dict, list)) else value
    return flat
