"""ONNX: a graph of standard operators, written node by node from ours. Needs onnx, and onnxruntime to run it.

torch.onnx would do it from the traced module: it takes seconds, another package, and writes source paths.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from sentio_trainer.network import INPUT, Float32, Model, Network, Node

OUTPUT = "logit"
# The first opset with Gelu; ONNX Runtime reads it since 1.17.
_OPSET = 20
_IR_VERSION = 9  # of the same release


def onnx_bytes(network: Network) -> bytes:
    """A model with the input `x`, [batch, F] or [batch, T, F], and the output `logit`, [batch, 1], of any batch."""
    content: bytes = _Writer(network).model().SerializeToString(deterministic=True)
    return content


def load_onnx(content: bytes) -> Model:
    """The model, run by ONNX Runtime on one thread of the CPU."""
    onnxruntime.set_default_logger_severity(3)  # errors; it warns of devices that are not asked for
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(x: Float32) -> Float32:
        logits: Float32 = session.run([OUTPUT], {INPUT: x})[0]
        return logits

    return run


class _Writer:
    """Values keep their names behind `value/`, tensors theirs: what is made on the way is named after its value."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._widths = {INPUT: network.width}

    def model(self) -> onnx.ModelProto:
        for node in self._network.nodes:
            _OPS[node["op"]](self, node, _value(node["output"]))
            self._widths[node["output"]] = self._width_of(node)
        self._call("Flatten", [_value(self._network.output)], OUTPUT, axis=1)
        features = ["batch", *self._network.zeros(1).shape[1:]]
        graph = helper.make_graph(
            self._nodes,
            "sentio",
            [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, features)],
            [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", 1])],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph, producer_name="sentio", opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _width_of(self, node: Node) -> int:
        """Columns of what a node makes."""
        match node["op"]:
            case "linear":
                return len(self._network.tensors[node["bias"]][_rows(node)])
            case "attention":
                return self._widths[node["value"]]
            case "add":
                return self._widths[node["inputs"][0]]
            case _:
                return self._widths[node["input"]]

    def _call(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, numbers: np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.int64]]) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(numbers), name)
        return name

    def _scalar(self, name: str, number: float) -> str:
        return self._constant(name, np.array(number, dtype=np.float32))

    def _tensor(self, name: str) -> str:
        return self._constant(name, self._network.tensors[name])

    def normalise(self, node: Node, output: str) -> None:
        centred = self._call("Sub", [_value(node["input"]), self._tensor(node["mean"])], f"{output}/centred")
        scaled = self._call("Div", [centred, self._tensor(node["std"])], f"{output}/scaled")
        low, high = self._scalar(f"{output}/low", -node["clip"]), self._scalar(f"{output}/high", node["clip"])
        self._call("Clip", [scaled, low, high], output)

    def linear(self, node: Node, output: str) -> None:
        rows = _rows(node)
        weight = self._constant(f"{output}/weight", self._network.tensors[node["weight"]][rows].T)
        bias = self._constant(f"{output}/bias", self._network.tensors[node["bias"]][rows])
        self._call("Add", [self._call("MatMul", [_value(node["input"]), weight], f"{output}/product"), bias], output)

    def pointwise(self, node: Node, output: str, *, operator: str) -> None:
        self._call(operator, [_value(node["input"])], output)

    def silu(self, node: Node, output: str) -> None:
        x = _value(node["input"])
        self._call("Mul", [x, self._call("Sigmoid", [x], f"{output}/sigmoid")], output)

    def add_position(self, node: Node, output: str) -> None:
        self._call("Add", [_value(node["input"]), self._tensor(node["position"])], output)

    def layer_norm(self, node: Node, output: str) -> None:
        inputs = [_value(node["input"]), self._tensor(node["weight"]), self._tensor(node["bias"])]
        self._call("LayerNormalization", inputs, output, axis=-1, epsilon=node["epsilon"])

    def last_row(self, node: Node, output: str) -> None:
        limits = {"begin": -1, "end": np.iinfo(np.int64).max, "axis": 1}
        names = [self._constant(f"{output}/{name}", np.array([at])) for name, at in limits.items()]
        self._call("Slice", [_value(node["input"]), *names], output)

    def attention(self, node: Node, output: str) -> None:
        """As network_module has it: [B, T, D] → [B, H, T, D / H], softmax of the scaled products, and back."""
        heads = self._constant(f"{output}/heads", np.array([0, 0, node["heads"], -1]))  # 0: as the input has it

        def by_head(name: str, order: list[int]) -> str:
            split = self._call("Reshape", [_value(node[name]), heads], f"{output}/{name}/heads")
            return self._call("Transpose", [split], f"{output}/{name}", perm=order)

        query, key = by_head("query", [0, 2, 1, 3]), by_head("key", [0, 2, 3, 1])
        depth = self._widths[node["query"]] // node["heads"]
        scale = self._scalar(f"{output}/scale", 1.0 / math.sqrt(depth))
        products = self._call("MatMul", [query, key], f"{output}/products")
        scores = self._call("Mul", [products, scale], f"{output}/scores")
        if node["causal"]:
            length = self._network.sequence_length
            later = np.triu(np.full((length, length), -np.inf, dtype=np.float32), k=1)
            scores = self._call("Add", [scores, self._constant(f"{output}/later", later)], f"{output}/masked")
        shares = self._call("Softmax", [scores], f"{output}/shares", axis=-1)
        mixed = self._call("MatMul", [shares, by_head("value", [0, 2, 1, 3])], f"{output}/mixed")
        tokens = self._call("Transpose", [mixed], f"{output}/tokens", perm=[0, 2, 1, 3])
        self._call("Reshape", [tokens, self._constant(f"{output}/joined", np.array([0, 0, -1]))], output)

    def add(self, node: Node, output: str) -> None:
        self._call("Add", [_value(name) for name in node["inputs"]], output)

    def affine(self, node: Node, output: str) -> None:
        product = self._call("Mul", [self._tensor(node["scale"]), _value(node["input"])], f"{output}/product")
        self._call("Add", [product, self._tensor(node["shift"])], output)


def _value(name: str) -> str:
    return name if name == INPUT else f"value/{name}"


def _rows(node: Node) -> slice:
    """Of a layer's outputs, those that a node computes."""
    return slice(*node.get("rows", (None,)))


_OPS: dict[str, Callable[[_Writer, Node, str], None]] = {
    "normalise": _Writer.normalise,
    "linear": _Writer.linear,
    "gelu": partial(_Writer.pointwise, operator="Gelu"),
    "relu": partial(_Writer.pointwise, operator="Relu"),
    "silu": _Writer.silu,
    "tanh": partial(_Writer.pointwise, operator="Tanh"),
    "add_position": _Writer.add_position,
    "layer_norm": _Writer.layer_norm,
    "last_row": _Writer.last_row,
    "attention": _Writer.attention,
    "add": _Writer.add,
    "affine": _Writer.affine,
}
