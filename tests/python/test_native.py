"""The built-in evaluator: torch's logits to float32, and the same bits however they are asked for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from native_support import FEATURES, load_native, random_model, write_artifact
from sentio_features import Bars, read_csv
from sentio_inference import Artifact, backtest
from torch import nn

from sentio_trainer.graph import graph_files
from sentio_trainer.market import MarketSpec, write_market
from sentio_trainer.models import Normalised
from sentio_trainer.moments import Moments
from sentio_trainer.schema import ModelConfig

pytestmark = pytest.mark.usefixtures("one_thread")

SPY = Path(__file__).parents[3] / "shared" / "data" / "SPY_1m.csv.gz"


def mlp(activation: str, **sizes: Any) -> ModelConfig:
    return ModelConfig(kind="mlp", activation=activation, **{"hidden": 37, "layers": 3, **sizes})


def transformer(sequence_length: int, **sizes: Any) -> ModelConfig:
    values = {"hidden": 24, "layers": 2, "heads": 3, "feedforward": 2, **sizes}
    return ModelConfig(kind="transformer", sequence_length=sequence_length, **values)


CONFIGS = {
    **{activation: mlp(activation) for activation in ("gelu", "relu", "silu", "tanh")},
    "one_layer": mlp("gelu", layers=1, hidden=1),
    "wide": mlp("gelu", layers=2, hidden=300),
    "full": transformer(12),
    "causal": transformer(12, causal=True, activation="silu"),
    "one_block": transformer(2, layers=1, heads=1, hidden=5, activation="relu"),
    "deep": transformer(7, layers=5, heads=4, hidden=20, causal=True, activation="tanh"),
    "length_48": transformer(48, layers=1),
    "length_64": transformer(64, heads=2, hidden=34),
}
KINDS = pytest.mark.parametrize("kind", CONFIGS)


def inputs(config: ModelConfig, count: int, *, seed: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of the size that markets' have, with one row in 16 far outside."""
    rng = np.random.default_rng(seed)
    x = 2.0 * rng.normal(size=(count, config.window, FEATURES))
    x[::16] *= 50.0
    return (x[:, 0] if config.window == 1 else x).astype(np.float32)


def bits(x: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return x.view(np.uint32)


@KINDS
def test_logits_are_those_of_torch_in_double_precision(kind: str, tmp_path: Path) -> None:
    config = CONFIGS[kind]
    for seed in range(3):
        x = inputs(config, 64)
        found = load_native(tmp_path / str(seed), config, seed=seed).logits(x)
        with torch.inference_mode():
            expected = random_model(config, seed=seed).double()(torch.from_numpy(x).double())[:, 0].numpy()
        scale = np.maximum(1.0, np.abs(expected))
        # Sums of some hundred float32 products, each rounded to 6e-8 of its size.
        assert (np.abs(found - expected) / scale).max() <= 2e-6
        assert expected.std() > 0.05, "the network says the same of all inputs, so nothing was tested"


@KINDS
def test_a_row_has_the_same_bits_in_any_batch(kind: str, tmp_path: Path) -> None:
    config = CONFIGS[kind]
    artifact = load_native(tmp_path / "a", config)
    x = inputs(config, 1024)
    together = artifact.logits(x)
    for chunk in (1, 7, 100):
        apart = np.concatenate([artifact.logits(x[i : i + chunk]) for i in range(0, len(x), chunk)])
        np.testing.assert_array_equal(bits(apart), bits(together))


def test_callers_at_once_get_the_same_bits(tmp_path: Path) -> None:
    config = CONFIGS["full"]
    artifact = load_native(tmp_path / "a", config)
    x = inputs(config, 256)
    expected = bits(artifact.logits(x))
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda _: artifact.logits(x), range(6)):
            np.testing.assert_array_equal(bits(found), expected)


def generated_bars(folder: Path) -> Bars:
    write_market(MarketSpec(days=2, seed=3), folder / "bars.csv", overwrite=False)
    return read_csv(str(folder / "bars.csv"))


def real_bars(_: Path) -> Bars:
    if not SPY.exists():
        pytest.skip(f"needs the real bars of {SPY.name}")
    return read_csv(str(SPY))


@pytest.mark.parametrize("bars_of", [generated_bars, real_bars], ids=["generated", "real"])
@pytest.mark.parametrize("kind", ["gelu", "causal"])
def test_bar_by_bar_and_in_blocks_decide_alike_bit_for_bit(
    bars_of: Callable[[Path], Bars], kind: str, tmp_path: Path
) -> None:
    bars = bars_of(tmp_path)
    artifact = load_native(tmp_path / "a", CONFIGS[kind])
    blocks, single = (
        backtest(bars, "tfa", artifact=artifact, bar_by_bar=bar_by_bar, end=min(len(bars), 20_000))["series"]
        for bar_by_bar in (False, True)
    )
    assert np.nanstd(blocks["probability"]) > 0.0
    for name in ("probability", "exposure", "equity"):
        np.testing.assert_array_equal(blocks[name].view(np.uint64), single[name].view(np.uint64))


def test_a_network_that_does_not_draw_itself_has_no_graph() -> None:
    moments = Moments(mean=np.zeros(3), std=np.ones(3))
    undrawn = Normalised(nn.Linear(3, 1), moments, clip=8.0)
    assert graph_files(undrawn, window=1, inputs=3) == {}
    assert graph_files(nn.Linear(3, 1), window=1, inputs=3) == {}


def test_an_input_that_is_no_number_is_refused(tmp_path: Path) -> None:
    config = CONFIGS["gelu"]
    artifact = Artifact.load(write_artifact(tmp_path / "a", random_model(config), window=1))
    x = inputs(config, 4)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"x\[2, 1\], the feature 'f1', must be finite in float32, found nan"):
        artifact.logits(x)
