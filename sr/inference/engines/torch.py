"""Networks computed by PyTorch."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from sr.image.autocast import full_float32
from sr.inference.engines.engine import Precision
from sr.models.outputs import picture_of
from sr.models.scales import scale_of

HALVES = {"bf16": torch.bfloat16, "16": torch.float16}


class TorchEngine:
    """A network in PyTorch.

    Args:
        network: a generator; a copy is taken.
        device: where to compute.
        precision: "32", or the half format that its layers run in.
        compile: by ``torch.compile``, which takes its time at first.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, precision: Precision = "32", compile: bool = False
    ) -> None:
        self.scale = scale_of(network)
        self.name = "torch" if precision == "32" else f"torch, {'fp16' if precision == '16' else precision}"
        self.name += ", compiled" if compile else ""
        self._half, self._device = HALVES.get(precision), device
        placed = channels_last(deepcopy(network).to(device).eval())
        self._network: Callable[[Tensor], Any] = torch.compile(placed) if compile else placed

    @torch.inference_mode()
    def __call__(self, lr: Tensor) -> Tensor:
        """See `Engine.__call__`."""
        lr = lr.to(self._device, torch.float32, memory_format=torch.channels_last)
        with self._context():
            return picture_of(self._network(lr)).float()

    def _context(self) -> AbstractContextManager[Any]:
        if self._half is not None:
            return torch.autocast(self._device.type, self._half)
        return full_float32() if self._device.type == "cuda" else nullcontext()  # a switch for all threads


def channels_last(network: nn.Module) -> nn.Module:
    """The network in the layout that is quicker on the processors that were measured (no GPU was), in place.

    Transposed convolutions stay as they are: on a processor the sums of theirs depend on the size of the picture.
    """
    network = network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            module.to(memory_format=torch.contiguous_format)
            module.register_forward_pre_hook(_contiguous)
    return network


def _contiguous(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].contiguous(), *inputs[1:])
