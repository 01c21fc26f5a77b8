"""What the benchmark says of a runtime's bits, on runtimes whose faults are known."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.bars import Float32
from benchmarks.inference_agreement import Float64, agreement, reference_logits
from network_support import FEATURES, make_model, rows

from sentio_trainer.graph import graph_files

COUNT = 64


@pytest.fixture
def reference(tmp_path: Path) -> Float64:
    """Logits in float64 of rows that are numbered in their first feature."""
    model, settings = make_model(kind="mlp")
    for name, content in graph_files(model, window=1, inputs=FEATURES).items():
        (tmp_path / name).write_bytes(content)
    x = rows(settings, COUNT)
    found = reference_logits(tmp_path, x.numpy())
    np.testing.assert_array_equal(found, model.double()(x.double())[:, 0].detach().numpy())
    return found


def numbered() -> Float32:
    return np.arange(COUNT, dtype=np.float32)[:, None]


def test_a_runtime_that_rounds_once_is_within_half_an_ulp(reference: Float64) -> None:
    found = agreement(lambda x: reference[x[:, 0].astype(int)].astype(np.float32), numbered(), reference)
    assert 0.0 < found.ulp_median <= found.ulp_largest <= 0.5
    assert found.same_bits == COUNT
    assert found.error < 2.0**-23


def test_a_runtime_whose_bits_depend_on_the_batch_is_found(reference: Float64) -> None:
    def logits(x: Float32) -> Float32:
        found = reference[x[:, 0].astype(int)].astype(np.float32)
        found[1::2] += np.spacing(found[1::2])  # a row alone is an even one
        return found

    found = agreement(logits, numbered(), reference)
    assert found.same_bits == COUNT // 2
    assert 0.5 < found.ulp_largest <= 1.5
