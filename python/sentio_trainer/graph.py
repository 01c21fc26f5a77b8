"""A trained network as the built-in evaluator reads it: `model.json`, its nodes, and `weights.bin`, their numbers.

A network draws itself: its method `draw` adds nodes to a `Graph` and says which value is its result. Values are named
by the nodes that make them. docs/artifacts.md describes the two files.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from sentio_trainer.artifact import to_json

FORMAT = "sentio-graph"
FORMAT_VERSION = "1.0"
_ACTIVATIONS: dict[type[nn.Module], str] = {nn.GELU: "gelu", nn.ReLU: "relu", nn.SiLU: "silu", nn.Tanh: "tanh"}


@runtime_checkable
class Drawable(Protocol):
    """A network that can draw itself."""

    def draw(self, graph: "Graph", x: str) -> str:
        """Adds its nodes, which read the value `x`; returns the value that they come to."""


class Graph:
    """The nodes of one network, in the order in which they are evaluated.

    Each method adds a node and returns the name of its value, of shape [rows, width] for each window.
    """

    INPUT = "x"

    def __init__(self, model: nn.Module) -> None:
        """`model` holds all tensors that its parts will name."""
        self.nodes: list[dict[str, Any]] = []
        self._names = {id(tensor): name for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
        self._tensors: dict[str, Tensor] = {}

    def normalise(self, x: str, *, mean: Tensor, std: Tensor, clip: float) -> str:
        """clamp((x - mean) / std, -clip, clip)."""
        return self._add("normalise", input=x, mean=self._tensor(mean), std=self._tensor(std), clip=clip)

    def linear(self, x: str, layer: nn.Linear, *, rows: tuple[int, int] | None = None) -> str:
        """The product with a layer's weight, and its bias; of the outputs [begin, end) alone where `rows` says so."""
        weight, bias = self._tensor(layer.weight), self._tensor(layer.bias)
        return self._add("linear", input=x, weight=weight, bias=bias, **({"rows": list(rows)} if rows else {}))

    def activation(self, x: str, layer: nn.Module) -> str:
        """GELU in its exact form, ReLU, SiLU or tanh of each number."""
        return self._add(_ACTIVATIONS[type(layer)], input=x)

    def add_position(self, x: str, position: Tensor) -> str:
        """x + position, [T, D] in every window."""
        return self._add("add_position", input=x, position=self._tensor(position))

    def layer_norm(self, x: str, layer: nn.LayerNorm) -> str:
        weight, bias = self._tensor(layer.weight), self._tensor(layer.bias)
        return self._add("layer_norm", input=x, weight=weight, bias=bias, epsilon=layer.eps)

    def last_row(self, x: str) -> str:
        """[T, D] → [1, D]."""
        return self._add("last_row", input=x)

    def attention(self, query: str, key: str, value: str, *, heads: int, causal: bool) -> str:
        """Scaled dot-product attention, [Q, D] of queries [Q, D], keys and values [T, D]."""
        return self._add("attention", query=query, key=key, value=value, heads=heads, causal=causal)

    def add(self, a: str, b: str) -> str:
        return self._add("add", inputs=[a, b])

    def affine(self, x: str, *, scale: Tensor, shift: Tensor) -> str:
        """scale · x + shift, of one number and two scalars."""
        return self._add("affine", input=x, scale=self._tensor(scale), shift=self._tensor(shift))

    def document(self, *, output: str, window: int, inputs: int) -> dict[str, Any]:
        """What `model.json` holds, for windows of `window` rows of `inputs` features."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "input": {"layout": "BF" if window == 1 else "BTF", "sequence_length": window, "width": inputs},
            "tensors": [{"name": name, "shape": list(tensor.shape)} for name, tensor in self._tensors.items()],
            "nodes": self.nodes,
            "output": output,
        }

    def weights(self) -> bytes:
        """What `weights.bin` holds: the tensors that nodes name, one after another, float32, little-endian."""
        arrays = [tensor.detach().cpu().numpy().astype("<f4") for tensor in self._tensors.values()]
        return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)

    def _tensor(self, tensor: Tensor) -> str:
        name = self._names[id(tensor)]
        self._tensors[name] = tensor
        return name

    def _add(self, op: str, **fields: object) -> str:
        output = f"v{len(self.nodes) + 1}"
        self.nodes.append({"op": op, **fields, "output": output})
        return output


def graph_files(model: nn.Module, *, window: int, inputs: int) -> dict[str, bytes]:
    """`model.json` and `weights.bin` of a model whose windows are `window` rows of `inputs` features.

    Nothing if the model, or the body that a `Normalised` wraps, does not draw itself: LibTorch runs it then.
    """
    if not isinstance(model, Drawable) or not isinstance(getattr(model, "body", model), Drawable):
        return {}
    graph = Graph(model)
    output = model.draw(graph, Graph.INPUT)
    return {
        "model.json": to_json(graph.document(output=output, window=window, inputs=inputs)),
        "weights.bin": graph.weights(),
    }
