"""Linear layers by oneDNN, where PyTorch's own choice leaves the processor's widest vectors unused."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from sentio_trainer.machine import cpu_name


def onednn_pays() -> bool:
    """Whether linear layers are faster by oneDNN: MKL does not use AVX-512 on processors that are not Intel's."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return wide and both and "AMD" in cpu_name()


class OneDnnLinear(TorchFunctionMode):
    """Within it, linear layers of float32 on the CPU are computed by oneDNN, forward and backward.

    The same up to rounding, and the same bits each time. Neither models nor what is exported of them know of it.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function is functional.linear and not kwargs and args[0].device.type == "cpu":
            x: Tensor = args[0]
            # Of one column there is nothing to gain.
            if (
                x.dtype == args[1].dtype == torch.float32
                and args[1].size(0) > 1
                and not torch.is_autocast_enabled("cpu")
            ):
                return functional.linear(x.to_mkldnn(), *args[1:]).to_dense()
        return function(*args, **(kwargs or {}))
