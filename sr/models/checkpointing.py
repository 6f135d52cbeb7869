"""Training with less memory: what a block computed is forgotten, and computed again when its gradient is wanted."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run(block: nn.Module, features: Tensor, forgetful: bool, *more: Tensor) -> Any:
    """The output of a part of a network.

    Where ``forgetful`` and gradients are recorded, only the input is kept for the backward pass, which computes the
    rest once more (Chen et al. 2016, arXiv 1604.06174): about a third more time. Output and gradients are the same.
    Dropout draws the same the second time, and buffers (batch normalisation's statistics, spectral normalisation's
    vectors, the use of switches) are those that the first time began with, and are not changed again.

    Args:
        block: from tensors to one, or to several.
        features: its input, the first one.
        forgetful: false calls the block and nothing else.
        more: its other inputs.
    """
    if not (forgetful and torch.is_grad_enabled()) or torch.compiler.is_exporting():
        return block(features, *more)
    buffers = _buffers(block)
    copies = [getattr(owner, name).clone() for owner, name in buffers]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _with(buffers, copies)

    return checkpoint(block, features, *more, use_reentrant=False, context_fn=contexts)


def _buffers(block: nn.Module) -> list[tuple[nn.Module, str]]:
    """Where the buffers of a block are."""
    return [(owner, name) for owner in block.modules() for name, _ in owner.named_buffers(recurse=False)]


@contextmanager
def _with(buffers: list[tuple[nn.Module, str]], values: list[Tensor]) -> Iterator[None]:
    """Other tensors in the place of buffers, for as long as this lasts."""
    own = [getattr(owner, name) for owner, name in buffers]
    _put(buffers, values)
    try:
        yield
    finally:
        _put(buffers, own)


def _put(buffers: list[tuple[nn.Module, str]], values: list[Tensor]) -> None:
    for (owner, name), value in zip(buffers, values, strict=True):
        setattr(owner, name, value)
