"""Contributions of features: exact where the model is linear, complete where it is not, planted ones are found."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from native_support import FEATURES, load_native
from torch import Tensor, nn

from sentio_trainer.attribution import TOLERANCE, IntegratedGradients, integrated_gradients, permutation
from sentio_trainer.errors import SentioError
from sentio_trainer.network import parse_network
from sentio_trainer.network_module import NetworkModule
from sentio_trainer.schema import ModelConfig

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

KINDS: dict[str, dict[str, Any]] = {
    "mlp": {"kind": "mlp", "hidden": 16, "layers": 2},
    "relu": {"kind": "mlp", "hidden": 16, "layers": 2, "activation": "relu"},
    "transformer": {"kind": "transformer", "hidden": 8, "layers": 1, "heads": 2, "sequence_length": 5},
}


class Linear(nn.Module):
    """w · x + 0.5 over all rows of the window."""

    def __init__(self, weight: Float64) -> None:
        super().__init__()
        self.weight = torch.from_numpy(weight)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).flatten(1).sum(dim=1, keepdim=True) + 0.5


class Jump(nn.Module):
    """A logit without a gradient, which nothing adds up to."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=1, keepdim=True) * 0.0 + torch.floor(x[:, :1])


def explained(folder: Path, kind: str, *, seed: int) -> tuple[IntegratedGradients, NetworkModule, Float32, Float64]:
    """A network of this kind, explained at a random window from a random baseline."""
    config = ModelConfig(**KINDS[kind])
    load_native(folder, config, seed=seed)
    module = NetworkModule(
        parse_network((folder / "model.json").read_bytes(), (folder / "weights.bin").read_bytes())
    ).double()
    rng = np.random.default_rng(seed)
    window = rng.normal(scale=2.0, size=(config.window, FEATURES)).astype(np.float32)
    baseline = rng.normal(size=FEATURES)
    return integrated_gradients(module, window, baseline), module, window, baseline


def test_of_a_linear_model_they_are_weight_times_distance_from_the_baseline() -> None:
    rng = np.random.default_rng(0)
    window, baseline = rng.normal(size=(1, 4)).astype(np.float32), rng.normal(size=4)
    weight = np.array([[2.0, -1.0, 0.0, 0.5]])
    found = integrated_gradients(Linear(weight[0]), window, baseline)
    np.testing.assert_allclose(found.contributions, weight[0] * (window[0] - baseline), rtol=0, atol=1e-14)
    assert found.logit == pytest.approx(float(weight[0] @ window[0]) + 0.5, abs=1e-14)
    assert found.error < 1e-13


def test_of_a_sequence_they_are_summed_over_its_rows() -> None:
    rng = np.random.default_rng(1)
    window, baseline, weight = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4), rng.normal(size=(3, 4))
    found = integrated_gradients(Linear(weight), window, baseline)
    np.testing.assert_allclose(found.contributions, (weight * (window - baseline)).sum(axis=0), rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_they_add_up_to_the_difference_of_the_logits(kind: str, seed: int, tmp_path: Path) -> None:
    found, module, window, baseline = explained(tmp_path / "model", kind, seed=seed)
    ends = np.stack([window.astype(np.float64), np.broadcast_to(baseline, window.shape)])
    with torch.inference_mode():
        logit, baseline_logit = module(torch.from_numpy(ends if len(window) > 1 else ends[:, 0]))[:, 0].tolist()
    assert (found.logit, found.baseline_logit) == pytest.approx((logit, baseline_logit), abs=1e-12)
    gap = logit - baseline_logit
    assert abs(gap) > 0.01  # else there is nothing to add up to
    assert abs(found.contributions.sum() - gap) <= TOLERANCE * max(1.0, abs(gap))
    assert found.error == pytest.approx(abs(found.contributions.sum() - gap), abs=1e-12)


def test_they_are_those_of_differences_of_the_logit_along_the_way(tmp_path: Path) -> None:
    found, module, window, baseline = explained(tmp_path / "model", "mlp", seed=4)
    steps, nudge = 2_000, 1e-5
    way = window[0].astype(np.float64) - baseline
    points = baseline + (np.arange(steps)[:, None] + 0.5) / steps * way
    expected = []
    for feature in range(FEATURES):
        moved = np.zeros(FEATURES)
        moved[feature] = nudge
        with torch.inference_mode():
            above, below = (module(torch.from_numpy(points + sign * moved))[:, 0].numpy() for sign in (1.0, -1.0))
        expected.append(way[feature] * np.mean((above - below) / (2.0 * nudge)))
    np.testing.assert_allclose(found.contributions, expected, rtol=0, atol=1e-4)


def test_a_feature_that_the_network_ignores_contributes_nothing() -> None:
    found = integrated_gradients(Linear(np.array([0.0, 1.0])), np.ones((1, 2), dtype=np.float32), np.zeros(2))
    assert found.contributions.tolist() == [0.0, 1.0]


def test_contributions_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(SentioError, match="do not add up: off by 3 of"):
        integrated_gradients(Jump(), np.array([[3.5, 0.0]], dtype=np.float32), np.zeros(2))


def test_permutation_finds_the_planted_feature_and_its_effect() -> None:
    rng = np.random.default_rng(2)
    window, history = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=(400, 3, 5)).astype(np.float32)
    found = permutation(lambda windows: 2.0 * windows[:, -1, 3].astype(np.float64) - 1.0, window, history)
    planted = 2.0 * (window[-1, 3] - history[:, -1, 3].astype(np.float64).mean())
    assert found.contributions[3] == pytest.approx(planted, abs=1e-12)
    assert found.contributions[[0, 1, 2, 4]].tolist() == [0.0] * 4
    expected = 2.0 * history[:, -1, 3].astype(np.float64).std(ddof=1) / 20.0
    assert found.standard_errors[3] == pytest.approx(expected, abs=1e-12)
    assert found.draws == 400


def test_permutation_needs_two_other_bars() -> None:
    with pytest.raises(ValueError, match="at least 2 windows, found 1"):
        permutation(
            lambda windows: np.zeros(len(windows)), np.zeros((1, 2), np.float32), np.zeros((1, 1, 2), np.float32)
        )
