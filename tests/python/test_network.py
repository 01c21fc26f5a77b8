"""A network out of model.json and weights.bin is the one that was trained, or is refused."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from network_support import EVERY_KIND, FEATURES, make_model, network_of, rows

from sentio_trainer.errors import ArtifactError
from sentio_trainer.graph import graph_files
from sentio_trainer.network import parse_network
from sentio_trainer.network_module import NetworkModule

Json = dict[str, Any]


@pytest.mark.parametrize("config", EVERY_KIND, ids=str)
def test_every_kind_of_network_gives_the_logits_of_the_trained_model(config: Json) -> None:
    model, settings = make_model(**config)
    x = rows(settings, 50)
    with torch.inference_mode():
        expected, found = model(x).numpy(), NetworkModule(network_of(model, settings))(x).numpy()
    assert expected.std() > 0.05, "the model says the same of all rows, so nothing was tested"
    # The same formulas; products of other shapes may be summed in another order. Logits are of about 1.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_a_network_has_the_names_and_numbers_of_the_trained_model() -> None:
    model, settings = make_model(kind="transformer")
    found = NetworkModule(network_of(model, settings)).state_dict()
    expected = model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def spoilt(change: Callable[[Json], object]) -> tuple[bytes, bytes]:
    files = graph_files(make_model(kind="mlp")[0], window=1, inputs=FEATURES)
    document = json.loads(files["model.json"])
    change(document)
    return json.dumps(document).encode(), files["weights.bin"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.update(format_version="2.0"), "reads sentio-graph 1.x, found sentio-graph 2.0"),
        (lambda document: document.pop("tensors"), "model.json: is not a graph: key 'tensors' is missing"),
        (lambda document: document.update(tensors=3), "model.json: is not a graph: "),
        (lambda document: document["tensors"][0].update(shape=[9]), "weights.bin: the tensors of model.json take "),
        (lambda document: document["tensors"][0].update(shape=[-8]), "model.json: tensor mean: "),
    ],
)
def test_a_graph_that_is_damaged_is_refused(change: Callable[[Json], object], message: str) -> None:
    with pytest.raises(ArtifactError) as error:
        parse_network(*spoilt(change))
    assert message in str(error.value)


def test_weights_that_are_not_finite_are_refused() -> None:
    model, weights = spoilt(lambda document: None)
    bad = weights[:8] + np.array([np.nan], dtype="<f4").tobytes() + weights[12:]
    with pytest.raises(ArtifactError, match=r"weights\.bin: number 2 is not finite"):
        parse_network(model, bad)
    with pytest.raises(ArtifactError, match=r"weights\.bin: the tensors of model\.json take \d+ bytes, found \d+"):
        parse_network(model, weights[:-1])


def test_a_tensor_whose_name_a_module_cannot_hold_is_refused() -> None:
    def rename(document: Json) -> None:
        document["tensors"][0]["name"] = "forward"

    with pytest.raises(ArtifactError, match=r"model\.json: a tensor cannot be named 'forward'"):
        NetworkModule(parse_network(*spoilt(rename)))
