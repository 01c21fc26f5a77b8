"""Artifacts of networks that were not trained: what the built-in evaluator needs, and no more."""

import json
from pathlib import Path

import numpy as np
import torch
from sentio_features import FeatureSpec
from sentio_inference import Artifact
from torch import nn

from sentio_trainer.graph import graph_files
from sentio_trainer.models import Normalised, build_model
from sentio_trainer.moments import Moments
from sentio_trainer.schema import ModelConfig

# Differs from what any layer expects if a size is mistaken for another.
FEATURES = 11


def feature_spec(width: int) -> FeatureSpec:
    features = [{"name": f"f{i}", "op": "LOGRET", "window": i + 1} for i in range(width)]
    return FeatureSpec.from_json(json.dumps({"schema_version": "1.0", "features": features}))


def random_model(config: ModelConfig, *, inputs: int = FEATURES, seed: int = 1) -> Normalised:
    """A network whose numbers have the size of trained ones: its head has left zero, its biases and norms too."""
    torch.manual_seed(seed)
    body = build_model(config, inputs=inputs)
    for name, parameter in body.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.2)
        elif name.endswith(("bias", "position")):
            nn.init.normal_(parameter, std=0.1)
        else:
            nn.init.normal_(parameter, std=1.0 / np.sqrt(parameter.shape[1]))
    rng = np.random.default_rng(seed)
    moments = Moments(mean=rng.normal(size=inputs), std=rng.uniform(0.1, 3.0, size=inputs))
    model = Normalised(body, moments, clip=config.clip)
    model.calibrate(slope=0.7, intercept=-0.1)
    return model.eval()


def write_artifact(folder: Path, model: nn.Module, *, window: int, inputs: int = FEATURES) -> Path:
    """A folder that the native backend runs; its model.pt is none."""
    spec = feature_spec(inputs)
    folder.mkdir(parents=True)
    files = {**graph_files(model, window=window, inputs=inputs), "feature_spec.json": spec.to_json().encode()}
    metadata = {
        "schema_version": "1.0",
        "framework": "torchscript",
        "expects": {
            "input_dim": spec.width,
            "feature_names": list(spec.names),
            "spec_hash": spec.hash,
            "emit_from": spec.emit_from,
            "pad_value": spec.pad_value,
            "dtype": "float32",
            "output": "logit",
            "layout": "BF" if window == 1 else "BTF",
            "sequence_length": window,
        },
    }
    for name, content in {**files, "metadata.json": json.dumps(metadata).encode(), "model.pt": b""}.items():
        (folder / name).write_bytes(content)
    return folder


def load_native(folder: Path, config: ModelConfig, *, inputs: int = FEATURES, seed: int = 1) -> Artifact:
    model = random_model(config, inputs=inputs, seed=seed)
    return Artifact.load(write_artifact(folder, model, window=config.window, inputs=inputs))
