"""Networks: what they read, what they start from, and that every way of running them gives the same logits.

Shapes: B batch, T rows of a window, F features, D width.
"""

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sentio_trainer.errors import ArtifactError
from sentio_trainer.export import torchscript_bytes
from sentio_trainer.models import Attention, Block, Normalised, Transformer, build_model
from sentio_trainer.moments import Moments
from sentio_trainer.schema import ModelConfig

F, T, D = 5, 7, 12
SIZES: dict[str, Any] = {"hidden": D, "layers": 2, "sequence_length": T, "heads": 3, "feedforward": 2}
MLP = ModelConfig(kind="mlp", **SIZES)
TRANSFORMER = ModelConfig(kind="transformer", **SIZES)
CAUSAL = ModelConfig(kind="transformer", causal=True, **SIZES)
MODELS = pytest.mark.parametrize("config", [MLP, TRANSFORMER, CAUSAL], ids=["mlp", "transformer", "causal"])

pytestmark = pytest.mark.usefixtures("one_thread")


def inputs(config: ModelConfig, *, batch: int = 4) -> Tensor:
    shape = (batch, F) if config.window == 1 else (batch, config.window, F)
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def network(config: ModelConfig, *, seed: int = 3) -> nn.Module:
    """One that says something: its head has left zero."""
    torch.manual_seed(seed)
    model = build_model(config, inputs=F)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            nn.init.normal_(parameter, std=0.5)
    return model.eval()


def block(*, causal: bool, last_alone: bool) -> Block:
    torch.manual_seed(5)
    made = Block(width=D, heads=3, feedforward=2, dropout=0.0, causal=causal, last_alone=last_alone)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


TOKENS = torch.from_numpy(np.random.default_rng(2).normal(size=(4, T, D)).astype(np.float32))


@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_that_of_torch(causal: bool) -> None:
    ours = block(causal=causal, last_alone=False)
    theirs = nn.TransformerEncoderLayer(
        D, 3, dim_feedforward=2 * D, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    theirs.load_state_dict(
        {
            "self_attn.in_proj_weight": ours.attention.query_key_value.weight,
            "self_attn.in_proj_bias": ours.attention.query_key_value.bias,
            "self_attn.out_proj.weight": ours.attention.out.weight,
            "self_attn.out_proj.bias": ours.attention.out.bias,
            "linear1.weight": ours.expand.weight,
            "linear1.bias": ours.expand.bias,
            "linear2.weight": ours.contract.weight,
            "linear2.bias": ours.contract.bias,
            "norm1.weight": ours.norm_1.weight,
            "norm1.bias": ours.norm_1.bias,
            "norm2.weight": ours.norm_2.weight,
            "norm2.bias": ours.norm_2.bias,
        }
    )
    mask = nn.Transformer.generate_square_subsequent_mask(T) if causal else None
    # Sums in another order, of numbers of size 10.
    torch.testing.assert_close(ours(TOKENS), theirs(TOKENS, src_mask=mask), rtol=0, atol=2e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_the_last_token_alone_is_the_last_of_all(causal: bool) -> None:
    every, last = (block(causal=causal, last_alone=last_alone)(TOKENS) for last_alone in (False, True))
    assert last.shape == (4, 1, D)
    torch.testing.assert_close(last, every[:, -1:], rtol=0, atol=2e-5)


def test_a_causal_token_sees_no_later_row_and_another_one_does() -> None:
    changed = TOKENS.clone()
    changed[:, 4:] = TOKENS[:, 4:].flip(2)
    for causal in (True, False):
        layer = block(causal=causal, last_alone=False)
        same = torch.isclose(layer(TOKENS)[:, :4], layer(changed)[:, :4], rtol=0, atol=1e-6).all()
        assert bool(same) == causal


@pytest.mark.parametrize("config", [TRANSFORMER, CAUSAL], ids=["full", "causal"])
def test_every_row_of_a_window_matters_and_so_does_its_place(config: ModelConfig) -> None:
    model, x = network(config), inputs(config).requires_grad_()
    y = model(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert (gradient.abs().sum(dim=(0, 2)) > 1e-3).all()
    swapped = x[:, [1, 0, *range(2, T)]]
    assert (model(swapped) - y).abs().min() > 1e-3


@MODELS
def test_a_model_starts_from_the_forecast_of_one_that_knows_nothing(config: ModelConfig) -> None:
    torch.manual_seed(1)
    assert torch.equal(build_model(config, inputs=F)(inputs(config)), torch.zeros(4, 1))


@MODELS
def test_a_model_is_decided_by_its_seed(config: ModelConfig) -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(build_model(config, inputs=F).state_dict())
    first, again, other = weights
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_weights_start_at_the_size_that_is_stated() -> None:
    torch.manual_seed(1)
    config = ModelConfig(kind="transformer", hidden=64, layers=2, sequence_length=16)
    model = build_model(config, inputs=55)
    assert isinstance(model, Transformer)
    expected = {"position": 0.02, "project.weight": 1 / math.sqrt(55), "head.weight": 0.0}
    for i in range(2):
        expected[f"blocks.{i}.attention.query_key_value.weight"] = 1 / 8
        expected[f"blocks.{i}.attention.out.weight"] = 1 / 8 / 2
        expected[f"blocks.{i}.expand.weight"] = 1 / 8
        expected[f"blocks.{i}.contract.weight"] = 1 / 16 / 2
    for name, parameter in model.named_parameters():
        if name in expected:
            # Of at least 1,024 draws: an error of 2.2 %.
            assert float(parameter.detach().std()) == pytest.approx(expected.pop(name), rel=0.1), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert "norm" in name
    assert not expected


def test_sizes_come_from_the_configuration() -> None:
    def count(**changes: object) -> int:
        model = build_model(ModelConfig(**{"kind": "transformer", **SIZES, **changes}), inputs=F)
        return sum(parameter.numel() for parameter in model.parameters())

    of_a_block = (D + 1) * 3 * D + (D + 1) * D + (D + 1) * 2 * D + (2 * D + 1) * D + 4 * D
    of_the_rest = (F + 1) * D + T * D + 2 * D + D + 1
    assert count() == of_the_rest + 2 * of_a_block
    assert count(layers=1) == of_the_rest + of_a_block
    assert count(sequence_length=T + 1) == count() + D
    assert count(feedforward=3) == count() + 2 * (2 * D * D + D)


@MODELS
def test_dropout_acts_in_training_alone(config: ModelConfig) -> None:
    model = network(config.model_copy(update={"dropout": 0.5}))
    x = inputs(config)
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_attention_drops_out_in_training_alone() -> None:
    torch.manual_seed(1)
    attention = Attention(width=D, heads=3, dropout=0.5, causal=False, last_alone=True)
    assert not torch.equal(attention(TOKENS), attention(TOKENS))
    attention.eval()
    assert torch.equal(attention(TOKENS), attention(TOKENS))


@MODELS
def test_a_script_gives_the_logits_of_the_model_for_any_batch(config: ModelConfig) -> None:
    moments = Moments(mean=np.linspace(-1.0, 1.0, F), std=np.linspace(0.5, 2.0, F))
    model = Normalised(network(config), moments, clip=2.0)
    model.calibrate(slope=0.7, intercept=0.1)
    archive, logits = torchscript_bytes(model, inputs(config, batch=3))
    assert logits.shape == (3,)
    loaded = torch.jit.load(io.BytesIO(archive))
    for batch in (1, 64):
        x = inputs(config, batch=batch)
        with torch.inference_mode():
            torch.testing.assert_close(loaded(x), model(x), rtol=0, atol=1e-6)


def test_the_same_model_is_the_same_archive() -> None:
    archives = []
    for _ in range(2):
        model = Normalised(network(TRANSFORMER), Moments(mean=np.zeros(F), std=np.ones(F)), clip=8.0)
        archives.append(torchscript_bytes(model, inputs(TRANSFORMER))[0])
    assert archives[0] == archives[1]


def test_a_model_that_gives_no_number_is_not_exported() -> None:
    model = Normalised(network(TRANSFORMER), Moments(mean=np.full(F, np.nan), std=np.ones(F)), clip=8.0)
    with pytest.raises(ArtifactError, match=r"must give finite logits of shape \[4, 1\], found \[\[nan\]"):
        torchscript_bytes(model, inputs(TRANSFORMER))


@MODELS
def test_rows_are_normalised_alike_wherever_they_stand(config: ModelConfig) -> None:
    moments = Moments(mean=np.linspace(-1.0, 1.0, F), std=np.linspace(0.5, 2.0, F))
    model = Normalised(nn.Identity(), moments, clip=1.5)
    x = inputs(config)
    expected = np.clip((x.numpy() - moments.mean) / moments.std, -1.5, 1.5)
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=0, atol=1e-6)  # float32 of a float64


@MODELS
def test_half_precision_gives_nearly_the_same_gradient(config: ModelConfig) -> None:
    gradients = []
    for half in (False, True):
        model = network(config)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            y = model(inputs(config, batch=64))
        y.float().square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    full, half_gradient = gradients
    # bfloat16 keeps 8 bits: an error of 0.4 % in each number.
    assert float((half_gradient - full).norm() / full.norm()) < 0.05


@MODELS
def test_a_model_is_compiled_as_one_graph(config: ModelConfig) -> None:
    model = network(config)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(inputs(config)), model(inputs(config)), rtol=0, atol=1e-5)


def test_a_transformer_learns_what_the_last_row_does_not_say() -> None:
    torch.manual_seed(1)
    model = build_model(TRANSFORMER, inputs=F)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = nn.BCEWithLogitsLoss()
    values = []
    for _ in range(100):
        x = torch.randn(256, T, F)
        target = (x[:, 0, :1] + x[:, 3, :1] > 0.0).float()
        optimizer.zero_grad()
        value = loss(model(x), target)
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[0] == pytest.approx(math.log(2.0), abs=1e-6)
    assert values[-1] < 0.3
