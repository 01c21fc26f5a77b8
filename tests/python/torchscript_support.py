"""Artifact folders around TorchScript modules that no trainer of ours made."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from sentio_features import FeatureSpec
from training_support import FEATURE_SPEC

SPEC = FeatureSpec.from_json(json.dumps(FEATURE_SPEC))


def scripted(module: torch.nn.Module) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script: torch.jit.ScriptModule = torch.jit.script(module.eval())
    return script


def save(module: torch.nn.Module, path: Path, **extra: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(module if isinstance(module, torch.jit.ScriptModule) else scripted(module), str(path), extra)


def write_artifact(
    folder: Path, module: torch.nn.Module, *, metadata: str = "model.meta.json", **expects: object
) -> Path:
    """A folder of the first schema, with no more in its metadata than that had, and further keys of `expects`."""
    folder.mkdir(parents=True)
    save(module, folder / "model.pt")
    (folder / "feature_spec.json").write_text(SPEC.to_json())
    document: dict[str, Any] = {
        "schema_version": "1.0",
        "saved_at": 1757243734,
        "framework": "torchscript",
        "expects": {
            "input_dim": SPEC.width,
            "feature_names": SPEC.names,
            "spec_hash": SPEC.hash,
            "emit_from": SPEC.emit_from,
            "pad_value": SPEC.pad_value,
            "dtype": "float32",
            "output": "logit",
            **expects,
        },
    }
    (folder / metadata).write_text(json.dumps(document))
    return folder
