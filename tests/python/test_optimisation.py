"""One optimizer step against plain torch, and its laws."""

import copy
import math

import pytest
import torch
from loop_support import ALONE, CPU, config_of, make_model
from torch import Tensor, nn

from sentio_trainer.device import compiles, pick_dtype
from sentio_trainer.losses import direction_loss, regression_loss, smoothed, weighted_mean
from sentio_trainer.optimisation import Optimisation, fuses, learning_rate_share, parameter_groups

pytestmark = pytest.mark.usefixtures("one_thread")

# Sums of the same numbers in another order: a few float32 roundings.
ROUNDING = 1e-5


def test_losses_by_hand() -> None:
    output = torch.tensor([[0.0], [2.0]])
    weight = torch.tensor([3.0, 1.0])
    expected = (3.0 * math.log(2.0) + math.log1p(math.exp(2.0))) / 4.0
    assert float(weighted_mean(direction_loss(output, torch.tensor([1.0, 0.0])), weight)) == pytest.approx(expected)
    # |error| 0.5 is squared and halved; 3 is linear.
    assert regression_loss(output, torch.tensor([0.5, -1.0])).tolist() == pytest.approx([0.125, 2.5])
    assert float(weighted_mean(torch.ones(2), torch.zeros(2))) == 0.0


def test_the_learning_rate_rises_over_the_warm_up_and_falls_to_nothing() -> None:
    shares = [learning_rate_share(step, 100, 0.1) for step in range(100)]
    assert shares[0] == pytest.approx(0.05)
    assert max(shares) == pytest.approx(1.0, abs=1e-3)
    assert shares.index(max(shares)) == 10
    assert shares[:11] == sorted(shares[:11])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert 0.0 < shares[-1] < 1e-3
    assert learning_rate_share(0, 1, 0.0) == pytest.approx(0.5)


Samples = tuple[Tensor, Tensor, Tensor]


def make_samples(n: int, *, seed: int = 0) -> Samples:
    """Features, directions, weights."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    target = (x[:, 0] + torch.randn(n, generator=generator) > 0.0).float()
    return x, target, torch.rand(n, generator=generator)


def cut(samples: Samples, *sizes: int) -> list[Samples]:
    pieces = zip(*(each.split(list(sizes)) for each in samples), strict=True)
    return [(x, target, weight) for x, target, weight in pieces]


def trained_by(steps: list[list[Samples]], **settings: object) -> nn.Module:
    """A model after these steps, each of some batches."""
    model = make_model(dropout=0.0)
    optimisation = Optimisation(model, "direction", config_of(**settings), ALONE)
    for batches in steps:
        for batch in batches:
            optimisation.add(*batch)
        optimisation.step(0.01)
    return optimisation.model


def assert_close(one: nn.Module, other: nn.Module, *, tolerance: float) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0.0)


def test_steps_are_those_of_plain_torch() -> None:
    samples = make_samples(300)
    batches = [make_samples(100, seed=seed) for seed in range(5)]
    plain = make_model(dropout=0.0)
    weights = [module.weight for module in plain.modules() if isinstance(module, nn.Linear)]
    rest = [each for each in plain.parameters() if all(each is not weight for weight in weights)]
    adamw = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.3}, {"params": rest, "weight_decay": 0.0}], lr=0.01
    )
    for x, target, weight in batches:
        adamw.zero_grad()
        weighted_mean(direction_loss(plain(x), target), weight).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.05)
        adamw.step()
    found = trained_by([[batch] for batch in batches], weight_decay=0.3, max_grad_norm=0.05)
    assert_close(found, plain, tolerance=ROUNDING)
    start = make_model(dropout=0.0)
    assert (start(samples[0]) - plain(samples[0])).abs().max() > 0.01  # they went somewhere


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_cutting_a_batch_into_pieces_changes_nothing(precision: str) -> None:
    steps = [make_samples(128, seed=seed) for seed in range(4)]
    # A piece of nothing but bars that did not move: a mean of means would count it as one of four.
    for _, _, weight in steps:
        weight[30:50] = 0.0
    whole = trained_by([[batch] for batch in steps], precision=precision)
    pieces = trained_by([cut(batch, 30, 20, 1, 77) for batch in steps], precision=precision)
    # bf16 keeps 8 binary digits of what a layer hands on, fp16 11; AdamW divides a small gradient by its own size.
    assert_close(whole, pieces, tolerance={"fp32": ROUNDING, "fp16": 2e-3, "bf16": 1e-2}[precision])


def test_the_norm_that_is_told_is_that_of_the_mean_loss_before_clipping() -> None:
    batch = make_samples(64)
    norms = []
    for max_norm in (None, 1e-3):
        plain, model = make_model(dropout=0.0), make_model(dropout=0.0)
        weighted_mean(direction_loss(plain(batch[0]), batch[1]), batch[2]).backward()
        expected = torch.nn.utils.get_total_norm([each.grad for each in plain.parameters() if each.grad is not None])
        optimisation = Optimisation(model, "direction", config_of(max_grad_norm=max_norm), ALONE)
        for piece in cut(batch, 40, 24):
            optimisation.add(*piece)
        norms.append(optimisation.step(0.01))
        torch.testing.assert_close(norms[-1], expected)
        left = torch.nn.utils.get_total_norm([each.grad for each in model.parameters() if each.grad is not None])
        assert float(left) == pytest.approx(float(expected) if max_norm is None else max_norm, rel=1e-3)


def test_sums_are_those_of_all_batches_of_a_step() -> None:
    batch = make_samples(64)
    optimisation = Optimisation(make_model(dropout=0.0), "direction", config_of(), ALONE)
    for piece in cut(batch, 40, 24):
        optimisation.add(*piece)
    optimisation.step(0.01)
    x, target, weight = batch
    loss = direction_loss(make_model(dropout=0.0)(x), target)
    expected = torch.stack([(loss * weight).sum(), weight.sum(), torch.tensor(64.0)])
    torch.testing.assert_close(optimisation.sums, expected.detach())


def test_a_step_of_bars_that_did_not_move_has_no_gradient() -> None:
    x, target, weight = make_samples(16)
    model = make_model(dropout=0.0)
    optimisation = Optimisation(model, "direction", config_of(), ALONE)
    optimisation.add(x, target, torch.zeros_like(weight))
    assert float(optimisation.step(0.01)) == 0.0
    assert all(torch.equal(each.grad, torch.zeros_like(each)) for each in model.parameters() if each.grad is not None)


def test_a_share_of_a_batch_may_be_empty() -> None:
    batch = make_samples(16)
    empty = cut(batch, 0, 16)
    assert_close(trained_by([empty]), trained_by([[batch]]), tolerance=0.0)


def test_weights_of_layers_decay_and_biases_norms_and_positions_do_not() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.position = nn.Parameter(torch.zeros(4, 8))
            self.layer = nn.Linear(8, 8)
            self.norm = nn.LayerNorm(8)

    net = Net()
    decayed, kept = parameter_groups(net, 0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [id(each) for each in decayed["params"]] == [id(net.layer.weight)]
    assert {id(each) for each in kept["params"]} == {id(each) for each in net.parameters()} - {id(net.layer.weight)}


def test_smoothing_moves_targets_of_training_towards_one_half() -> None:
    assert smoothed(torch.tensor([0.0, 1.0, 0.5]), 0.2).tolist() == pytest.approx([0.1, 0.9, 0.5])
    x, target, weight = make_samples(64)
    by_hand = trained_by([[(x, smoothed(target, 0.2), weight)]])
    assert_close(trained_by([[(x, target, weight)]], label_smoothing=0.2), by_hand, tolerance=0.0)
    # A regression has no directions to smooth.
    weights = []
    for smoothing in (0.0, 0.2):
        model = make_model(dropout=0.0)
        optimisation = Optimisation(model, "regression", config_of(label_smoothing=smoothing), ALONE)
        optimisation.add(x, target, weight)
        optimisation.step(0.01)
        weights.append(model)
    assert_close(weights[0], weights[1], tolerance=0.0)


def test_the_average_weighs_earlier_weights_by_powers_of_its_decay() -> None:
    decay, history = 0.8, []
    model = make_model(dropout=0.0)
    optimisation = Optimisation(model, "direction", config_of(ema=decay), ALONE)
    for number in range(6):
        optimisation.add(*make_samples(64, seed=number))
        optimisation.step(0.01)
        history.append(copy.deepcopy(model))
        powers = [decay ** (number - earlier) for earlier in range(number + 1)]
        expected = copy.deepcopy(model)
        with torch.no_grad():
            for parameter, *of_steps in zip(
                expected.parameters(), *(each.parameters() for each in history), strict=True
            ):
                parameter.copy_(sum(w * p for w, p in zip(powers, of_steps, strict=True)) / sum(powers))
        assert_close(optimisation.model, expected, tolerance=1e-6)
    assert not optimisation.model.training


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_goes_the_same_way_and_keeps_float32_weights(precision: str) -> None:
    steps = [[make_samples(256, seed=seed)] for seed in range(8)]
    full, lower = trained_by(steps, precision="fp32"), trained_by(steps, precision=precision)
    assert {each.dtype for each in lower.parameters()} == {torch.float32}
    with torch.inference_mode():
        outputs = torch.stack([model(make_samples(256, seed=99)[0])[:, 0] for model in (full, lower)])
    assert float(torch.corrcoef(outputs)[0, 1]) > 0.99
    assert not torch.equal(outputs[0], outputs[1])


def test_a_gradient_beyond_fp16_skips_its_step_and_lowers_the_scale() -> None:
    x, target, weight = make_samples(64)
    model = make_model(dropout=0.0)
    optimisation = Optimisation(model, "direction", config_of(precision="fp16", batch_size=1), ALONE)
    before = copy.deepcopy(model)
    scale = optimisation.state()["scaler"]["scale"]
    optimisation.add(x, target, weight * 1e4)
    optimisation.step(0.01)
    assert_close(model, before, tolerance=0.0)
    assert optimisation.state()["scaler"]["scale"] < scale


def test_compiling_leaves_the_names_of_the_weights_and_the_way_they_go() -> None:
    steps = [[make_samples(64)]]
    plain, compiled = trained_by(steps, compile="off"), trained_by(steps, compile="on")
    assert list(compiled.state_dict()) == list(plain.state_dict())
    assert_close(compiled, plain, tolerance=ROUNDING)


def test_auto_computes_in_float32_and_compiles_nothing_on_the_cpu() -> None:
    assert pick_dtype("auto", CPU) is None
    assert pick_dtype("fp32", CPU) is None
    assert pick_dtype("bf16", CPU) is torch.bfloat16
    assert [compiles(choice, CPU) for choice in ("auto", "on", "off")] == [False, True, False]
    cuda = torch.device("cuda")
    assert [compiles(choice, cuda) for choice in ("auto", "on", "off")] == [True, True, False]


def test_a_fused_step_heeds_the_scaler_or_is_not_taken() -> None:
    half, single = torch.float16, None
    for name, found in {"cpu": [True, True], "cuda": [True, True], "mps": [False, True], "xpu": [False, False]}.items():
        assert [fuses(torch.device(name), dtype) for dtype in (half, single)] == found


def test_what_was_stored_goes_on_with_the_same_bits() -> None:
    # Gradients of a sum are beyond fp16 at first: the scale is among what is stored.
    config = config_of(ema=0.9, precision="fp16", batch_size=1)
    batches = [make_samples(64, seed=seed) for seed in range(8)]

    def go(optimisation: Optimisation, some: list[Samples]) -> None:
        for batch in some:
            optimisation.add(*batch)
            optimisation.step(0.01)

    whole = Optimisation(make_model(dropout=0.0), "direction", config, ALONE)
    go(whole, batches)
    first = Optimisation(make_model(dropout=0.0), "direction", config, ALONE)
    go(first, batches[:5])
    state = copy.deepcopy(first.state())
    assert state["scaler"]["scale"] < 65536.0
    assert state["optimizer"]["state"]  # and some steps were taken
    second = Optimisation(make_model(dropout=0.0, seed=3), "direction", config, ALONE)
    second.load(state)
    go(second, batches[5:])
    for name, value in whole.state()["average"].items():
        assert torch.equal(value, second.state()["average"][name])
    for name, value in whole.state()["model"].items():
        assert torch.equal(value, second.state()["model"][name])
