"""The networks that inference is timed with, and where inference_models.py puts what it makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEATURES = 55


@dataclass(frozen=True, kw_only=True)
class Network:
    title: str
    config: str
    """A shipped configuration, and what is changed of it."""
    changed: Mapping[str, Any]
    window: int = 1
    """Rows that one logit needs."""
    batches: Sequence[int]


NETWORKS = {
    "mlp": Network(
        title="MLP 55-128-128-1",
        config="tfa.yaml",
        changed={"model.hidden": 128, "model.layers": 2},
        batches=(1, 64, 256, 1024),
    ),
    "transformer": Network(
        title="transformer: 32 rows, width 96, 4 heads, inner width 192, 2 blocks",
        config="tfa_transformer.yaml",
        changed={"model.hidden": 96, "model.heads": 4, "model.feedforward": 2, "model.layers": 2},
        window=32,
        batches=(1, 64),
    ),
}


@dataclass(frozen=True)
class Prepared:
    """The files of one network."""

    folder: Path

    @property
    def artifact(self) -> Path:
        return self.folder / "artifacts" / "BENCH" / "v1"

    @property
    def bars(self) -> Path:
        return self.folder / "bars.csv"

    @property
    def rows(self) -> Path:
        """What is compared and timed: float32 [n, F], or [n, T, F]."""
        return self.folder / "rows.npy"

    @property
    def plain_rows(self) -> Path:
        """The same numbers, and nothing else in the file."""
        return self.folder / "rows.f32"

    @property
    def reference(self) -> Path:
        """Logits of the rows by torch in float64, [n]."""
        return self.folder / "reference.npy"

    @property
    def onnx(self) -> Path:
        return self.artifact / "model.onnx"

    def compiled(self, batch: str) -> Path:
        """By AOTInductor: for "one" row, or for "many"."""
        return self.folder / f"{batch}.pt2"
