"""TorchScript export. The only Python file that uses torch.jit, which torch deprecates: one place to change."""

import io
import warnings

import torch
from torch import Tensor, nn

from sentio_trainer.errors import ArtifactError


def torchscript_bytes(model: nn.Module, probe: Tensor) -> tuple[bytes, Tensor]:
    """Scripts `model` on the CPU.

    Args:
        model: input as `probe`, output [B, 1]; is moved to the CPU and into evaluation mode.
        probe: inputs that the scripted, saved and loaded model must give the model's own logits for.

    Returns:
        The archive, and the logits of `probe`, shape [B].

    Raises:
        ArtifactError: the model cannot be scripted, or its script computes something else.
    """
    model = model.cpu().eval()
    with torch.inference_mode():
        expected = model(probe)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=r".*torch\.jit\.")
        try:
            scripted = torch.jit.script(model)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ArtifactError(f"the model cannot be written as TorchScript: {reason}") from error
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
        archive = _without_source_places(buffer.getvalue())
        loaded = torch.jit.load(io.BytesIO(archive), map_location="cpu")  # type: ignore[no-untyped-call]
        with torch.inference_mode():
            found = loaded(probe)
    if expected.shape != (len(probe), 1) or not torch.isfinite(expected).all():
        raise ArtifactError(f"the model must give finite logits of shape [{len(probe)}, 1], found {expected.tolist()}")
    if not torch.allclose(found, expected, rtol=0.0, atol=1e-6):
        difference = float((found - expected).abs().max())
        raise ArtifactError(f"the exported model differs from the trained one by {difference:.3g} on the probe")
    return archive, found[:, 0]


def _without_source_places(archive: bytes) -> bytes:
    """The archive without its debug records.

    They hold the absolute paths of the Python sources: private, and different on each machine for the same model.
    """
    reader = torch._C.PyTorchFileReader(io.BytesIO(archive))
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    written_by_the_writer = ("version", "byteorder", ".data/serialization_id")
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in written_by_the_writer:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return buffer.getvalue()
