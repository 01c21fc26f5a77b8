"""Networks, and the wrapper that bakes normalisation into them. Shapes: B batch, F features."""

import torch
from torch import Tensor, nn

from sentio_trainer.moments import Moments


class Mlp(nn.Module):
    """[B, F] → [B, 1]: linear layers with GELU between them (Hendrycks & Gimpel 2016).

    Hidden layers start from PyTorch's default (uniform in ±1/sqrt(fan-in)); the last one starts at zero, so that
    training starts from the forecast of a model that knows nothing.
    """

    def __init__(self, *, inputs: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        stack: list[nn.Module] = []
        for width in [inputs] + [hidden] * (layers - 1):
            stack += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)]
        head = nn.Linear(hidden, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.stack = nn.Sequential(*stack, head)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.stack(x)
        return y


class Normalised(nn.Module):
    """Raw features [B, F] → raw logits [B, 1].

    Features are centred, scaled and clipped at ±`clip`; `calibrate` turns the body's output into a logit of direction.
    """

    def __init__(self, body: nn.Module, moments: Moments, *, clip: float) -> None:
        super().__init__()
        self.body = body
        self.clip = clip
        self.mean: Tensor
        self.std: Tensor
        self.slope: Tensor
        self.intercept: Tensor
        self.register_buffer("mean", torch.tensor(moments.mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(moments.std, dtype=torch.float32))
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("intercept", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.clamp((x - self.mean) / self.std, -self.clip, self.clip)
        y: Tensor = self.slope * self.body(z) + self.intercept
        return y

    def calibrate(self, *, slope: float, intercept: float) -> None:
        """Makes the logit slope · output + intercept."""
        self.slope.fill_(slope)
        self.intercept.fill_(intercept)
