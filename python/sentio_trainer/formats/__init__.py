"""Formats of other runtimes, by the name that `sentio export --format` and `export.formats` give.

Each is imported when it is asked for: they take time, and packages that need not be installed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sentio_trainer.errors import ConfigError
from sentio_trainer.network import Model, Network
from sentio_trainer.suggest import hint


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to write a network, and the runtime that reads it."""

    file: str  # in the artifact folder
    packages: tuple[str, ...]  # of the extra `export`
    write: Callable[[Network], bytes]
    load: Callable[[bytes], Model]


def _write_onnx(network: Network) -> bytes:
    from sentio_trainer.formats.onnx import onnx_bytes

    return onnx_bytes(network)


def _load_onnx(content: bytes) -> Model:
    from sentio_trainer.formats.onnx import load_onnx

    return load_onnx(content)


def _write_pt2(network: Network) -> bytes:
    from sentio_trainer.formats.pt2 import pt2_bytes

    return pt2_bytes(network)


def _load_pt2(content: bytes) -> Model:
    from sentio_trainer.formats.pt2 import load_pt2

    return load_pt2(content)


FORMATS = {
    "onnx": Format(file="model.onnx", packages=("onnx", "onnxruntime"), write=_write_onnx, load=_load_onnx),
    "pt2": Format(file="model.pt2", packages=(), write=_write_pt2, load=_load_pt2),
}


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in FORMATS:
        raise ConfigError(f"--format: unknown format '{name}'; {hint(name, FORMATS)}")
    return FORMATS[name]
