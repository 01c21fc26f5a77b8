"""Linear layers by oneDNN: the same up to rounding, the same bits each time, and nothing else is touched."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sentio_trainer.products import OneDnnLinear

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


def gradients(network: nn.Module, x: Tensor, *, by_onednn: bool) -> list[Tensor]:
    """The output, then the gradients of the input and of the weights."""
    network.zero_grad()
    x = x.clone().requires_grad_(True)
    if by_onednn:
        with OneDnnLinear():
            output = network(x)
    else:
        output = network(x)
    output.square().sum().backward()
    assert x.grad is not None
    return [
        output.detach().clone(),
        x.grad,
        *(each.grad.clone() for each in network.parameters() if each.grad is not None),
    ]


@pytest.mark.parametrize("shape", [(700, 55), (40, 32, 55)], ids=["rows", "windows"])
def test_outputs_and_gradients_are_the_same_up_to_rounding_and_always_the_same_bits(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Linear(55, 128), nn.GELU(), nn.Linear(128, 128, bias=False), nn.GELU(), nn.Linear(128, 1)
    )
    x = torch.randn(shape)
    plain = gradients(network, x, by_onednn=False)
    first, second = (gradients(network, x, by_onednn=True) for _ in range(2))
    for expected, found, again in zip(plain, first, second, strict=True):
        # Sums of thousands of float32, each rounded at 6e-8.
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
        assert torch.equal(found, again)


def test_what_onednn_does_not_do_is_left_to_torch() -> None:
    weight = torch.randn(4, 3)
    with OneDnnLinear():
        assert functional.linear(torch.ones(2, 3, dtype=torch.float64), weight.double()).dtype == torch.float64
        with torch.autocast("cpu", torch.bfloat16):
            assert functional.linear(torch.ones(2, 3), weight).dtype == torch.bfloat16
        assert torch.equal(functional.relu(weight), weight.clamp(min=0.0))
