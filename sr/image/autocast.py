"""Leave autocast where half precision would spoil a sum, and TF32 where float32 is promised."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which operations on ``device`` keep their dtype; devices without autocast, as meta, need none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def full_float32() -> AbstractContextManager[None]:
    """What is float32 is multiplied as such: by default an NVIDIA GPU's convolutions round their input to TF32.

    That leaves 10 of 23 bits of the mantissa. PyTorch's matrix products round nothing unless somebody asks for it.
    Recurrent layers and the older switch are set with the convolutions: where they differ, PyTorch raises as soon as
    anybody looks at ``torch.backends.cudnn.allow_tf32``. All are switches for all threads: the last one that leaves
    sets them back.
    """
    return _SWITCH.on()


class _Switch:
    """See `full_float32`."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = Lock(), 0, ("", "")

    @contextmanager
    def on(self) -> Iterator[None]:
        cudnn: Any = torch.backends.cudnn  # whose types are not declared
        with self._lock:
            if self._users == 0:
                self._before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
                self._set(False, ("ieee", "ieee"))
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._set("tf32" in self._before, self._before)

    @staticmethod
    def _set(tf32: bool, precisions: tuple[str, str]) -> None:
        cudnn: Any = torch.backends.cudnn
        cudnn.allow_tf32 = tf32
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = precisions


_SWITCH = _Switch()
