"""Contenders of inference.py that are called from Python. Each answers as benchmarks/cpp/answering.hpp does.

python -m benchmarks.inference_peers KIND MODEL ROWS.npy
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.bars import Float32

# Rows [B, F] or windows [B, T, F] to logits [B].
Forward = Callable[[Float32], Float32]
WARM_UP = 5


def sentio(artifact: Path, rows: Float32) -> Forward:
    from sentio_inference import Artifact

    return Artifact.load(artifact).logits


def eager(artifact: Path, rows: Float32) -> Forward:
    """The network as the trainer has it. Rows become tensors without a copy."""
    import torch

    from benchmarks.inference_models import network_of

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    model = network_of(artifact)

    def forward(x: Float32) -> Float32:
        with torch.inference_mode():
            return model(torch.from_numpy(x))[:, 0].numpy()

    return forward


def onnxruntime(model: Path, rows: Float32) -> Forward:
    """By ONNX Runtime, input and output bound beforehand: a call copies the rows into place and runs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    bound: dict[int, tuple[Float32, Float32, Callable[[], None]]] = {}

    def bind(count: int) -> tuple[Float32, Float32, Callable[[], None]]:
        x, logits = np.zeros((count, *rows.shape[1:]), np.float32), np.zeros((count, 1), np.float32)
        binding = session.io_binding()
        for name, array, attach in (
            (session.get_inputs()[0].name, x, binding.bind_input),
            (session.get_outputs()[0].name, logits, binding.bind_output),
        ):
            attach(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return x, logits[:, 0], lambda: session.run_with_iobinding(binding)

    def forward(x: Float32) -> Float32:
        if len(x) not in bound:
            bound[len(x)] = bind(len(x))
        place, logits, run = bound[len(x)]
        place[:] = x
        run()
        return logits

    return forward


KINDS = {"sentio": sentio, "eager": eager, "onnxruntime": onnxruntime}


def distribution(times: list[int]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def timed(forward: Forward, blocks: list[Float32], seconds: float) -> dict[str, float]:
    """Nanoseconds of a pass over a block."""
    for _ in range(WARM_UP):
        forward(blocks[0])
    times: list[int] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        block = blocks[len(times) % len(blocks)]
        began = time.perf_counter_ns()
        forward(block)
        times.append(time.perf_counter_ns() - began)
    return distribution(times) | {"passes": len(times)}


def answer(forward: Forward, rows: Float32) -> None:
    say({})
    for line in sys.stdin:
        what, batch, *seconds = line.split()
        blocks = [rows[first : first + int(batch)] for first in range(0, len(rows), int(batch))]
        if what == "logits":
            say({"logits": np.concatenate([forward(block).copy() for block in blocks]).astype(np.float64).tolist()})
        else:
            say(timed(forward, blocks, float(seconds[0])))


def say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    kind, model, path = sys.argv[1:]
    rows = np.load(path)
    try:
        forward = KINDS[kind](Path(model), rows)
    except ModuleNotFoundError as missing:
        say({"refused": f"{missing.name} is not installed"})
        return
    answer(forward, rows)


if __name__ == "__main__":
    main()
