"""PT2: a program of ATen calls that torch.export writes; AOTInductor compiles it, and eager Torch runs it."""

import io
import warnings

import torch

from sentio_trainer.network import Float32, Model, Network
from sentio_trainer.network_module import NetworkModule


def pt2_bytes(network: Network) -> bytes:
    """The archive of a program that takes any batch. The same network gives the same bytes under the same Torch."""
    x = torch.from_numpy(network.zeros(2))  # shapes alone count; a batch of 1 would be taken for a constant
    with warnings.catch_warnings():
        # Torch calls what it deprecates itself.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec.*")
        batch = torch.export.Dim("batch", min=1)
        program = torch.export.export(NetworkModule(network).eval(), (x,), dynamic_shapes={"x": {0: batch}})
        # Where in which source file a call came from: private, and another text on each machine.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
    return buffer.getvalue()


def load_pt2(content: bytes) -> Model:
    """The program, run by eager Torch. Only for archives that this process wrote: Torch may unpickle parts of them."""
    module = torch.export.load(io.BytesIO(content)).module()

    def run(x: Float32) -> Float32:
        with torch.inference_mode():
            logits: Float32 = module(torch.from_numpy(x)).numpy()
        return logits

    return run
