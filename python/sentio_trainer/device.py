"""Where a model is trained, and in which arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sentio_trainer.errors import ConfigError, SentioError
from sentio_trainer.schema import TrainingConfig

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: str) -> torch.device:
    """`auto` is cuda, mps or cpu, the first that is there.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"training.device: '{name}' cannot be used here; auto picks one that can") from error
    return device


def pick_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The type that autocast computes in; None for float32 throughout.

    Raises:
        ConfigError: the device has no such arithmetic.
    """
    if precision == "auto" and device.type in ("cuda", "mps"):
        return torch.bfloat16 if _has_bf16(device) else torch.float16
    dtype = DTYPES.get(precision)
    if dtype is torch.bfloat16 and not _has_bf16(device):
        raise ConfigError(f"training.precision: bf16 cannot be used on {device}; auto, fp16 and fp32 can")
    return dtype


def _has_bf16(device: torch.device) -> bool:
    match device.type:
        case "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        case "mps":
            return bool(torch.backends.mps.is_macos_or_newer(14, 0))
        case _:
            return True


def compiles(choice: str, device: torch.device) -> bool:
    """Whether `training.compile` asks for torch.compile on this device."""
    return choice == "on" or (choice == "auto" and device.type == "cuda")


@contextmanager
def compile_errors_in_words() -> Iterator[None]:
    """Says how to do without torch.compile where it fails within, as it does without a compiler.

    Raises:
        SentioError: it failed; any other error passes as it is.
    """
    try:
        yield
    except RuntimeError as error:
        # By name: torch imports its compiler, which takes a second, only where something is compiled.
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        text = " ".join(str(error).partition("\n\n")[0].split())  # advice for PyTorch's own developers follows
        raise SentioError(f"torch.compile cannot be used here, training.compile=off does without: {text}") from error


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's random numbers on the CPU and on the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Goes on from what `random_state` returned; a kind of device that it did not know keeps its own state."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    if device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def memory_errors_in_words(config: TrainingConfig, device: torch.device, *, has_batches: bool = True) -> Iterator[None]:
    """Says what to do where memory ends within; without batches it is the model that does not fit.

    Raises:
        SentioError: an allocation failed; any other error passes as it is.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_memory_error(error):
            raise
        size = config.batch_size
        place = f"{device} with training.batch_size {size}" if has_batches else str(device)
        remedy = "the model itself is too large (model.hidden, model.layers)"
        if has_batches and size > 1:
            remedy = f"try {size // 2}, with training.accumulate {2 * config.accumulate} for the same steps"
        raise SentioError(f"out of memory on {place}: {remedy}") from error


def _is_memory_error(error: Exception) -> bool:
    # On the CPU and on MPS torch raises a plain RuntimeError.
    told = (
        "DefaultCPUAllocator: can't allocate memory",
        "Storage size calculation overflowed",
        "MPS backend out of memory",
    )
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(text in str(error) for text in told)
