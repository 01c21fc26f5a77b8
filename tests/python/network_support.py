"""Networks as artifacts hold them, without a training."""

from typing import Any

import numpy as np
import torch

from sentio_trainer.graph import graph_files
from sentio_trainer.models import Normalised, build_model
from sentio_trainer.moments import Moments
from sentio_trainer.network import Network, parse_network
from sentio_trainer.schema import ModelConfig

FEATURES = 8
EVERY_KIND: list[dict[str, Any]] = [
    *({"kind": "mlp", "activation": activation} for activation in ("gelu", "relu", "silu", "tanh")),
    {"kind": "transformer"},
    {"kind": "transformer", "causal": True, "activation": "silu", "layers": 3},
    {"kind": "transformer", "layers": 1},
]


def make_model(**config: Any) -> tuple[Normalised, ModelConfig]:
    """A network whose every weight matters, with moments, clipping and a calibration."""
    settings = ModelConfig(hidden=12, sequence_length=6, heads=2, clip=1.5, **config)
    torch.manual_seed(3)
    body = build_model(settings, inputs=FEATURES)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    moments = Moments(mean=np.linspace(-1, 1, FEATURES), std=np.linspace(0.5, 2, FEATURES))
    model = Normalised(body, moments, clip=settings.clip).eval()
    model.calibrate(slope=0.7, intercept=-0.2)
    return model, settings


def network_of(model: Normalised, settings: ModelConfig) -> Network:
    files = graph_files(model, window=settings.window, inputs=FEATURES)
    return parse_network(files["model.json"], files["weights.bin"])


def rows(settings: ModelConfig, count: int) -> torch.Tensor:
    shape = (count, FEATURES) if settings.window == 1 else (count, settings.window, FEATURES)
    return 2.0 * torch.randn(shape, generator=torch.Generator().manual_seed(count))
