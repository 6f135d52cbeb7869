"""Several processes that train together."""

import os

import torch
from torch import Tensor, distributed


def rank() -> int:
    """Number of this process among those that train together on this machine; 0 where there is one only."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def average_over_processes(values: Tensor) -> Tensor:
    """Mean of a tensor over the processes that train together."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    summed = values.clone()
    distributed.all_reduce(summed)
    return torch.div(summed, distributed.get_world_size())
