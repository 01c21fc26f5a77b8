"""Several processes that train one model: who they are, and what they tell each other.

Each process holds the whole model and learns from its own share of every batch. Gradients are summed by one collective
a step, over the flat gradient of optimisation.py: these models are below a few megabytes, so that the time of a step
goes into its latency. DistributedDataParallel would send several buckets, average where weights must be summed, and
rename the parameters.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from sentio_trainer.device import pick_device
from sentio_trainer.errors import ConfigError, SentioError

# A process that has died is noticed at once; this is how long one that hangs, or validates, is waited for.
TIMEOUT = timedelta(minutes=30)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Group:
    """The processes of one training; alone by default. All must call the same methods in the same order."""

    device: torch.device  # of this one
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process validates, writes and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> None:
        """Replaces `values` by their sum over the processes: the same bits in each."""
        if self.world > 1:
            with _partner_errors(self):
                dist.all_reduce(values)

    def any(self, flag: bool) -> bool:
        """Whether any process holds true."""
        if self.world == 1:
            return flag
        # A tensor on the CPU: the answer is there without waiting for an accelerator.
        count = torch.tensor(int(flag))
        self.sum(count)
        return bool(count)

    def wait(self) -> None:
        """Returns when all processes have called it."""
        self.any(False)

    def of_first(self, value: T) -> T:
        """What the first process holds."""
        if self.world == 1:
            return value
        held = [value]
        with _partner_errors(self):
            dist.broadcast_object_list(held, src=0)
        return held[0]

    def all_of(self, value: T) -> list[T]:
        """What each process holds, by rank."""
        if self.world == 1:
            return [value]
        held: list[T] = [value] * self.world
        with _partner_errors(self):
            dist.all_gather_object(held, value)
        return held

    def copy_first(self, tensors: Iterator[Tensor]) -> None:
        """Gives all processes the tensors of the first."""
        if self.world > 1:
            with _partner_errors(self), torch.no_grad():
                for tensor in tensors:
                    dist.broadcast(tensor, src=0)


@contextmanager
def _partner_errors(group: Group) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise SentioError(
            f"process {group.rank} of {group.world}: another process has stopped; its own message says why"
        ) from error


@contextmanager
def joined(device_name: str) -> Iterator[Group]:
    """The processes that torchrun started, or this one alone; `device_name` is training.device.

    Leaving, in order or by an error, frees the others from waiting for this one.

    Raises:
        ConfigError: there is no such device here, or not one for each process.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Group(device=pick_device(device_name))
        return
    rank = int(os.environ["RANK"])
    device = _device_of_process(device_name, int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The optimizer imports it; imported while there is a group, it holds on to the group by a default argument. The
    # group's threads would then outlive us, and now and then abort the process as the interpreter ends.
    importlib.import_module("torch._dynamo")
    # Decisions travel between CPUs, also where gradients travel between accelerators.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield Group(rank=rank, world=world, device=device)
    finally:
        dist.destroy_process_group()


def _device_of_process(name: str, local_rank: int) -> torch.device:
    device = pick_device(name)
    if device.type == "mps" or device.index is not None:
        raise ConfigError(f"training.device: several processes train on cuda or cpu, found {device}")
    if device.type != "cuda":
        return device
    if local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"training.device: {torch.cuda.device_count()} CUDA devices do not suffice for process {local_rank + 1}; "
            "start as many processes as there are devices, or set it to cpu"
        )
    return torch.device("cuda", local_rank)
