"""A network as a Torch module: what torch.export traces, and a second opinion on the built-in evaluator.

Shapes: B batch, T rows of a window, D width, H heads.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sentio_trainer.errors import ArtifactError
from sentio_trainer.network import INPUT, MODEL, Network, Node

Weight = Callable[[str], Tensor]  # a tensor of the network by its name
Value = Callable[[str], Tensor]  # what the nodes so far have made, by its name


class NetworkModule(nn.Module):
    """Features [B, F] or [B, T, F] → logits [B, 1]. Its state_dict has the names of the trained model's."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for name, numbers in network.tensors.items():
            self._keep(name, torch.from_numpy(numbers.copy()))

    def forward(self, x: Tensor) -> Tensor:
        values = {INPUT: x}
        for node in self.network.nodes:
            values[node["output"]] = _OPS[node["op"]](node, values.__getitem__, self.get_buffer)
        return values[self.network.output].flatten(1)

    def _keep(self, name: str, tensor: Tensor) -> None:
        """Names with dots are those of modules within modules."""
        *path, last = name.split(".")
        owner: nn.Module = self
        try:
            for part in path:
                if part not in owner._modules:
                    owner.add_module(part, nn.Module())
                owner = owner.get_submodule(part)
            owner.register_buffer(last, tensor)
        except KeyError as error:
            raise ArtifactError(f"{MODEL}: a tensor cannot be named '{name}': {error.args[0]}") from error


def _normalise(node: Node, value: Value, weight: Weight) -> Tensor:
    z = (value(node["input"]) - weight(node["mean"])) / weight(node["std"])
    return torch.clamp(z, -node["clip"], node["clip"])


def _linear(node: Node, value: Value, weight: Weight) -> Tensor:
    rows = slice(*node.get("rows", (None,)))  # outputs, of a layer that computes several things
    return functional.linear(value(node["input"]), weight(node["weight"])[rows], weight(node["bias"])[rows])


def _add_position(node: Node, value: Value, weight: Weight) -> Tensor:
    return value(node["input"]) + weight(node["position"])


def _layer_norm(node: Node, value: Value, weight: Weight) -> Tensor:
    scale, shift = weight(node["weight"]), weight(node["bias"])
    return functional.layer_norm(value(node["input"]), scale.shape, scale, shift, node["epsilon"])


def _last_row(node: Node, value: Value, weight: Weight) -> Tensor:
    del weight
    return value(node["input"])[:, -1:]


def _attention(node: Node, value: Value, weight: Weight) -> Tensor:
    """Softmax of query · key / sqrt(D / H), times value, each head for itself (Vaswani et al. 2017)."""
    del weight

    def by_head(name: str) -> Tensor:
        """[B, T, D] → [B, H, T, D / H]."""
        x = value(node[name])
        return x.view(x.size(0), x.size(1), node["heads"], -1).transpose(1, 2)

    y = functional.scaled_dot_product_attention(
        by_head("query"), by_head("key"), by_head("value"), is_causal=node["causal"]
    )
    return y.transpose(1, 2).flatten(2)


def _add(node: Node, value: Value, weight: Weight) -> Tensor:
    del weight
    first, second = node["inputs"]
    return value(first) + value(second)


def _affine(node: Node, value: Value, weight: Weight) -> Tensor:
    return weight(node["scale"]) * value(node["input"]) + weight(node["shift"])


def _pointwise(function: Callable[[Tensor], Tensor]) -> Callable[[Node, Value, Weight], Tensor]:
    return lambda node, value, _: function(value(node["input"]))


_OPS: dict[str, Callable[[Node, Value, Weight], Tensor]] = {
    "normalise": _normalise,
    "linear": _linear,
    "gelu": _pointwise(functional.gelu),
    "relu": _pointwise(functional.relu),
    "silu": _pointwise(functional.silu),
    "tanh": _pointwise(torch.tanh),
    "add_position": _add_position,
    "layer_norm": _layer_norm,
    "last_row": _last_row,
    "attention": _attention,
    "add": _add,
    "affine": _affine,
}
