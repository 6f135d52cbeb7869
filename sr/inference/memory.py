"""How much memory a network needs for a window."""

import weakref
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sr.devices import free_bytes
from sr.models.outputs import picture_of

ROOM = 768 * 2**20
"""Bytes that windows and strips take at most."""

_SHARE = 0.25
"""Of what is free: other programs need some, and so do the rows that are read and written."""

_MOST = 0.7
"""Of what is free: where the usual share makes tiles too small to be worth their border."""

_SCRATCH = 1.5
"""Convolutions need copies in layouts of their own, which no tensor shows."""

_PROBE = 64
"""Side of the window that is measured."""


class Memory(NamedTuple):
    """Bytes of a device.

    Attributes:
        room: that tiles take without a thought.
        most: that they may take where less would cost much time.
    """

    room: float
    most: float


def memory_on(device: torch.device, times: int) -> Memory:
    """Bytes that tiles may use on a device.

    Args:
        device: where.
        times: how often a network is applied, each time with tiles of its own.
    """
    free = free_bytes(device) / times
    return Memory(min(ROOM / times if device.type == "cpu" else float("inf"), _SHARE * free), _MOST * free)


@torch.inference_mode()
def bytes_per_pixel(network: nn.Module) -> float:
    """Bytes that live at once at worst, per pixel of the window: the same at any size.

    Args:
        network: a generator in evaluation mode.
    """
    reference = next(network.parameters(), torch.empty(0))
    window = torch.zeros(1, 3, _PROBE, _PROBE, device=reference.device)
    with _Watching() as watched:
        picture_of(network(window))
    return _SCRATCH * watched.peak / _PROBE**2


class _Watching(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._storages: dict[int, list[int]] = {}  # place: bytes, and how many tensors share it

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        self.peak = max(self.peak, self.live)
        return result

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place, nbytes = storage.data_ptr(), storage.nbytes()
        known = self._storages.setdefault(place, [nbytes, 0])
        self.live += nbytes if known[1] == 0 else 0
        known[1] += 1
        weakref.finalize(tensor, self._forget, place)

    def _forget(self, place: int) -> None:
        known = self._storages[place]
        known[1] -= 1
        if known[1] == 0:
            self.live -= known[0]
            del self._storages[place]
