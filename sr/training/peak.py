"""The most memory that tensors take at once while something is computed."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Bytes beyond those that were there before, at the moment when they are most.

    On a GPU the allocator counts. Elsewhere every tensor that an operation makes is noted, forwards and backwards,
    until nothing holds it: what a library takes inside an operation and gives back is not seen.

    Args:
        work: for which it is measured; it runs once.
        device: where.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with _Living() as living:
        work()
    return living.most


class _Living(TorchDispatchMode):
    """Counts the bytes of tensors that were made while it is active, and of them those that are still held.

    Attributes:
        most: at once, so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._now = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """One operation."""
        kwargs = kwargs or {}
        given = {one.untyped_storage()._cdata for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        made = func(*args, **kwargs)
        for one in tree_leaves(made):
            if isinstance(one, Tensor) and one.untyped_storage()._cdata not in given:
                self._note(one.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._sizes or not storage.nbytes():
            return
        self._sizes[place] = storage.nbytes()
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._gone, place)

    def _gone(self, place: int) -> None:
        self._now -= self._sizes.pop(place, 0)
