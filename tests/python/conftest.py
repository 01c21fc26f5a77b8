"""Settings of the whole suite."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

# The same examples every time, and no clock: a slow machine is not a failure.
settings.register_profile("sentio", deadline=None, derandomize=True, database=None)
settings.load_profile("sentio")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Two threads on a small batch, on a busy machine, wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
