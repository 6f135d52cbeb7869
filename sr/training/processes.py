"""Several processes that train together."""

import os

import numpy as np
import torch
from torch import Tensor, distributed


def rank() -> int:
    """Number of this process among those that train together on this machine; 0 where there is one only."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def in_company() -> bool:
    """Whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def average_over_processes(values: Tensor) -> Tensor:
    """Mean of a tensor over the processes that train together."""
    if not in_company():
        return values
    summed = values.clone()
    distributed.all_reduce(summed)
    return torch.div(summed, distributed.get_world_size())


def joint_batch(own: Tensor) -> Tensor:
    """The batches of all processes, one after another in the order of their numbers: (processes * batch, ...).

    Args:
        own: (batch, ...), of the same shape in every process.
    """
    if not in_company():
        return own
    parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, own.contiguous())
    return torch.cat(parts)


def joint_samples(own: np.ndarray) -> np.ndarray:
    """Sample numbers of the joint batch, of which every process has so many in a row.

    Args:
        own: (batch,) consecutive numbers.
    """
    if not in_company():
        return own
    first, count = int(own[0]) - distributed.get_rank() * len(own), distributed.get_world_size() * len(own)
    return np.arange(first, first + count)


def own_share(joint: Tensor) -> Tensor:
    """This process's part of what `joint_batch` gave."""
    return joint.chunk(distributed.get_world_size())[distributed.get_rank()] if in_company() else joint
