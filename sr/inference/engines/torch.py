"""Networks computed by PyTorch."""

from collections.abc import Callable
from copy import deepcopy

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
        precision: float32, or the half format that its layers run in.
        compiled: by ``torch.compile``, which takes its time at first.
        say: told once where half precision did not do.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        precision: Precision = "32",
        compiled: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.scale = scale_of(network)
        self.name = "torch" if precision == "32" else f"torch, {'fp16' if precision == '16' else precision}"
        self._half, self._device, self._say = HALVES.get(precision), device, say
        self._network: Callable[[Tensor], Tensor] = deepcopy(network).to(device).eval()
        self._layout = torch.contiguous_format if self._half is None else torch.channels_last
        if isinstance(self._network, nn.Module):
            self._network = self._network.to(memory_format=self._layout)
        if compiled:
            self._network = torch.compile(self._network)

    @torch.inference_mode()
    def __call__(self, lr: Tensor) -> Tensor:
        """See `Engine.__call__`."""
        lr = lr.to(self._device, memory_format=self._layout)
        if self._half is not None:
            with torch.autocast(self._device.type, self._half):
                sr = picture_of(self._network(lr)).float()
            if bool(sr.isfinite().all()):
                return sr
            self._say(f"{self.name} makes something infinite of this network; such tiles are computed in float32")
        with full_float32():
            return picture_of(self._network(lr)).float()
