"""Leave autocast where half precision would spoil a sum."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which operations on ``device`` keep their dtype; devices without autocast, as meta, need none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
