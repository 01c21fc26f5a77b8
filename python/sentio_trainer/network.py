"""Reads a network as an artifact holds it for the built-in evaluator: model.json draws it, weights.bin has its numbers.

Nothing is unpickled. C++ checks both files more closely when it loads the artifact; here is checked what exports need.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sentio_trainer.errors import ArtifactError

MODEL = "model.json"
WEIGHTS = "weights.bin"
# What its nodes read the features as.
INPUT = "x"
_FORMAT = "sentio-graph"
_MAJOR = "1"

Float32 = npt.NDArray[np.float32]
Node = Mapping[str, Any]
# Features [B, F] or [B, T, F] → logits [B, 1]: what a runtime makes of a network.
Model = Callable[[Float32], Float32]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network from features [B, F] or [B, T, F] to logits; its values are [B, width] or [B, rows, width]."""

    is_sequence: bool
    sequence_length: int  # T
    width: int  # F
    tensors: Mapping[str, Float32]  # by their names in the model's state_dict, shaped as there
    nodes: Sequence[Node]  # in the order in which they are computed
    output: str  # the value that is the logit

    def zeros(self, count: int) -> Float32:
        """Inputs of the shape that the network takes."""
        shape = (count, self.sequence_length, self.width) if self.is_sequence else (count, self.width)
        return np.zeros(shape, dtype=np.float32)


def parse_network(model: bytes, weights: bytes) -> Network:
    """The network of the two files' contents.

    Raises:
        ArtifactError: they are not what they should be; begins with the file's name.
    """
    try:
        document = json.loads(model)
        if document["format"] != _FORMAT or document["format_version"].split(".")[0] != _MAJOR:
            found = f"{document['format']} {document['format_version']}"
            raise ArtifactError(f"{MODEL}: this program reads {_FORMAT} {_MAJOR}.x, found {found}")
        source = document["input"]
        return Network(
            is_sequence=source["layout"] == "BTF",
            sequence_length=source["sequence_length"],
            width=source["width"],
            tensors=_tensors({each["name"]: _shape(each) for each in document["tensors"]}, weights),
            nodes=document["nodes"],
            output=document["output"],
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{MODEL}: is not a graph: {error}") from error
    except KeyError as error:
        raise ArtifactError(f"{MODEL}: is not a graph: key {error} is missing") from error


def _shape(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tuple(tensor["shape"])
    if not all(type(size) is int and size > 0 for size in shape):
        raise ArtifactError(f"{MODEL}: tensor {tensor['name']}: a shape has whole numbers above 0, found {list(shape)}")
    return shape


def _tensors(shapes: Mapping[str, tuple[int, ...]], weights: bytes) -> dict[str, Float32]:
    needed = 4 * sum(math.prod(shape) for shape in shapes.values())
    if len(weights) != needed:
        raise ArtifactError(f"{WEIGHTS}: the tensors of {MODEL} take {needed} bytes, found {len(weights)}")
    numbers = np.frombuffer(weights, dtype="<f4").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ArtifactError(f"{WEIGHTS}: number {np.flatnonzero(~np.isfinite(numbers))[0]} is not finite")
    tensors, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + math.prod(shape)
        tensors[name] = numbers[begin:end].reshape(shape)
        begin = end
    return tensors
