"""Trains what inference is timed on, and writes the same network in the formats of the peers.

Run by itself, as its process imports much: python -m benchmarks.inference_models NAME FOLDER
"""

import copy
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from sentio_features import FeatureBuilder, FeatureSpec, read_csv
from torch import Tensor, nn

from benchmarks.bars import PROJECT, STATIONARY, Float32
from benchmarks.inference_networks import NETWORKS, Network, Prepared
from sentio_trainer.config import given_by_flag, load_config
from sentio_trainer.market import MarketSpec, write_market
from sentio_trainer.models import Normalised, build_model
from sentio_trainer.moments import Moments
from sentio_trainer.network import MODEL, WEIGHTS, parse_network
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

ROWS = 1_024
"""Rows, or windows of them, that answers are compared on."""


def train_artifact(network: Network, prepared: Prepared) -> None:
    """A few steps of the trainer: weights that are not those of the start."""
    root = prepared.folder
    (root / "pyproject.toml").touch()  # the root that paths are relative to
    shutil.copytree(PROJECT / "configs", root / "configs")
    changed = {
        "data.bars_csv": "bars.csv",
        "export.out_dir": str(prepared.artifact.relative_to(root)),
        "export.formats": ["onnx"],
        "training.batch_size": 256,
        "training.epochs": 2,
        "training.max_steps": 20,
        "training.lr": 0.01,
        "tracking.plot": False,
        **network.changed,
    }
    overrides = [given_by_flag(key, value, flag="benchmark") for key, value in changed.items()]
    loaded = load_config(root / "configs" / network.config, overrides=overrides, environment={})
    train(loaded, overwrite=False, report=Silence())


def network_of(artifact: Path) -> nn.Module:
    """The trained network as the trainer has it, for eager torch and its compiler."""
    stored = parse_network((artifact / MODEL).read_bytes(), (artifact / WEIGHTS).read_bytes())
    state = {name: torch.from_numpy(numbers) for name, numbers in stored.tensors.items()}
    config = load_config(artifact / "config.yaml", environment={}).config.model
    moments = Moments(mean=state["mean"].double().numpy(), std=state["std"].double().numpy())
    model = Normalised(build_model(config, inputs=stored.width), moments, clip=config.clip)
    model.load_state_dict(state)
    return model.eval()


def rows_of(csv: Path, window: int) -> Float32:
    """The last ROWS rows of features, or windows of them, each in memory of its own."""
    x = FeatureBuilder(FeatureSpec.load(STATIONARY)).build(read_csv(csv))
    if window == 1:
        return x[-ROWS:]
    return np.ascontiguousarray(sliding_window_view(x, window, axis=0)[-ROWS:].transpose(0, 2, 1))


# AOTInductor in its own favour: code for one thread, weights packed. For a single row templates of its own are several
# times as fast as the library calls that it chooses by itself; for many rows the calls are.
PACKED = {"cpp.threads": 1, "freezing": True}
OPTIONS = {
    "one": PACKED | {"max_autotune": True, "max_autotune_gemm_backends": "CPP"},
    "many": PACKED,
}


def compile_network(model: nn.Module, rows: Tensor, prepared: Prepared) -> None:
    many = {"x": {0: torch.export.Dim("batch", min=2, max=ROWS)}}
    for batch, example, dynamic in (("one", rows[:1], None), ("many", rows[:64], many)):
        with torch.no_grad():
            program = torch.export.export(model, (example,), dynamic_shapes=dynamic)
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(prepared.compiled(batch)), inductor_configs=OPTIONS[batch]
            )


def make(name: str, folder: Path) -> None:
    network, prepared = NETWORKS[name], Prepared(folder)
    write_market(MarketSpec(days=16, seed=1, ic=0.1), prepared.bars, overwrite=False)
    train_artifact(network, prepared)
    model = network_of(prepared.artifact)
    x = rows_of(prepared.bars, network.window)
    np.save(prepared.rows, x)
    x.tofile(prepared.plain_rows)
    rows = torch.from_numpy(x)
    with torch.inference_mode():
        np.save(prepared.reference, copy.deepcopy(model).double()(rows.double())[:, 0].numpy())
    compile_network(model, rows, prepared)


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
