"""Leave autocast where half precision would spoil a sum, and TF32 where float32 is promised."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which operations on ``device`` keep their dtype; devices without autocast, as meta, need none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def full_float32() -> Iterator[None]:
    """What is float32 is multiplied as such: by default an NVIDIA GPU's convolutions round their input to TF32.

    That leaves 10 of 23 bits of the mantissa. PyTorch's matrix products round nothing unless somebody asks for it.
    Recurrent layers and the older switch are set with the convolutions: where they differ, PyTorch raises as soon as
    anybody looks at ``torch.backends.cudnn.allow_tf32``.
    """
    cudnn: Any = torch.backends.cudnn  # whose types are not declared
    kinds = (cudnn.conv, cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    cudnn.allow_tf32 = False
    for kind in kinds:
        kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        cudnn.allow_tf32 = "tf32" in before
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
