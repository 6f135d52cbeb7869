"""Building what a file describes without using more memory than the file accounts for."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils._python_dispatch import TorchDispatchMode

FEW = 64  # what a network may have beyond its weights before it counts as larger than its file: layers, a width
TIMES = 4  # as many times the file's: a network that differs a little is told weight by weight, and some build twice
UPDATES = 10**12  # more than any run has
NO_SIZES = ("temperature", "cool_until", "coldest_at")  # arguments that need no memory: degrees, and times in updates
FARTHEST = 1024  # pixels that one convolution may look: what it needs at the border grows with the square


class LargerError(Exception):
    """What a file describes is larger than what it holds."""


@contextmanager
def no_larger_than(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, building a network stops where it gets larger than a file's weights; nothing larger is ever allocated.

    The meta device, which needs no memory at all, would take seconds at its first use: it imports the compiler. And
    some constructors of spandrel's networks read tensors, which have no values there.

    Args:
        tensors: the file's weights.

    Raises:
        LargerError: more parameters are registered, or a tensor is made, than `TIMES` what the file holds and a few.
    """
    names, numbers = len(tensors), sum(tensor.numel() for tensor in tensors.values())
    registered, here = [0, 0], get_ident()

    def count(_: nn.Module, name: str, tensor: Tensor | None) -> None:
        if get_ident() != here:  # the hook is one for all threads, and others build networks of their own
            return
        if tensor is not None:
            registered[0], registered[1] = registered[0] + 1, registered[1] + tensor.numel()
        if registered[0] > TIMES * (names + FEW) or registered[1] > TIMES * (numbers + FEW**2):
            raise LargerError(f"a network of more than {registered[1]:,} parameters, and holds {numbers:,}")

    hook = register_module_parameter_registration_hook(count)
    try:
        with _Bounded(TIMES * (numbers + FEW**2)):
            yield
    finally:
        hook.remove()


_SINGLE = ("aten.arange", "aten.linspace")


class _Bounded(TorchDispatchMode):
    """Refuses each operation whose result would have more numbers than a limit, before it gets the memory."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or defining this class imports the compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [*args, *kwargs.values()]
        shapes = [value.shape for value in given if isinstance(value, Tensor)]
        # Sizes are lists of integers, of two functions a single one; other functions broadcast their inputs together.
        single = str(func).startswith(_SINGLE)
        numbers = [_product(value) for value in given if _is_sizes(value, single)]
        if len(shapes) > 1:
            numbers.append(_broadcast(shapes))
        largest = max(numbers, default=0)
        if largest > self.limit:
            raise LargerError(f"a network with a tensor of {largest:,} numbers, and holds {self.limit // TIMES:,}")
        return func(*args, **kwargs)


def _is_sizes(value: Any, single: bool) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(part, int) for part in value)
    return single and isinstance(value, int | float)


def _product(value: Any) -> int:
    return math.prod(abs(part) for part in value) if isinstance(value, list | tuple) else int(abs(value))


def _broadcast(shapes: Iterable[torch.Size]) -> int:
    try:
        return math.prod(np.broadcast_shapes(*shapes))
    except ValueError:  # of other kinds of operations
        return 0


def check_breadth(network: nn.Module) -> None:
    """Refuse convolutions whose border would need more memory than any picture.

    Args:
        network: that was built from a file.

    Raises:
        LargerError: a convolution looks farther than `FARTHEST`.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            far = max(d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True))
            if far > FARTHEST:
                raise LargerError(f"a convolution that looks {far:,} pixels far, of {FARTHEST:,} at most")


def too_large(value: Any, tensors: Mapping[str, Tensor]) -> str | None:
    """What no constructor needs to be told: a list longer than the file's weights, a number beyond their count.

    Numbers under `NO_SIZES` may be as large as `UPDATES`: a small network cools as slowly as a large one.

    Args:
        value: a constructor's arguments, plain values.
        tensors: the file's weights.
    """
    names, numbers = len(tensors), sum(tensor.numel() for tensor in tensors.values())
    return next(_too_large(value, max(names, FEW), max(numbers, FEW)), None)


def _too_large(value: Any, names: int, numbers: int) -> Iterator[str]:
    waiting = [value]  # not by recursion: a file may nest as deep as its reader lets it
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += (part for key, part in value.items() if key not in NO_SIZES or not _is_time(part))
        elif isinstance(value, list):
            if len(value) > names:
                yield f"a network with {len(value):,} layers, and holds {names:,} weights or fewer"
            waiting += value
        elif isinstance(value, int) and abs(value) > numbers:
            yield f"a network by a number of {len(str(abs(value)))} digits, and holds {numbers:,} parameters or fewer"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"a network by {value}"


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and abs(value) <= UPDATES
