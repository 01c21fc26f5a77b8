"""Settings of the whole suite."""

import signal
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

# The same examples every time, and no clock: a slow machine is not a failure.
settings.register_profile("sentio", deadline=None, derandomize=True, database=None)
settings.load_profile("sentio")

# A shell that starts the suite in the background has SIGINT ignored, and so would have what the tests start: they would
# wait forever for the end of what they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Two threads on a small batch, on a busy machine, wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
