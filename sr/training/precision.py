"""Which number format and memory layout the hardware runs natively."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sr.devices import native_bf16

Precision = Literal["auto", "32", "bf16"]
ChannelsLast = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Compute:
    """How the networks of a run are computed.

    Attributes:
        device: where.
        bf16: networks run under bfloat16 autocast; degradations, losses and updates stay float32.
        channels_last: pictures and weights lie in memory with the channels innermost.
        reason: one line for the user.
    """

    device: torch.device
    bf16: bool
    channels_last: bool
    reason: str

    def autocast(self) -> torch.autocast:
        """Context in which networks run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def exact(self) -> torch.autocast:
        """Context in which everything stays float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=False)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the chosen layout."""
        network = network.to(self.device)
        if not self.channels_last:
            return network
        network = network.to(memory_format=torch.channels_last)
        for module in network.modules():
            for name, buffer in module.named_buffers(recurse=False):
                # Fixed kernels have one channel, whose stride the layout leaves open: processes that exchange
                # buffers cannot write to such a tensor. A copy has usual strides.
                setattr(module, name, buffer.clone(memory_format=torch.contiguous_format))
        return network

    def to_image(self, crops: Tensor) -> Tensor:
        """uint8 0..255 of any layout to float32 [0, 1] in the chosen layout, on the device."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        moved = crops.to(self.device, non_blocking=True)
        return moved.to(torch.float32, memory_format=layout).div_(255)


def choose_compute(
    device: torch.device, precision: Precision, channels_last: ChannelsLast, needs_float32: str | None = None
) -> Compute:
    """Resolve ``auto`` for this hardware.

    Args:
        device: where the networks run.
        precision: ``32``, ``bf16``, or ``auto``: bf16 where it is native.
        channels_last: ``on``, ``off``, or ``auto``: on together with bf16, whose convolutions are faster so.
        needs_float32: the setting for which half precision is too coarse, or None.

    Raises:
        ValueError: bf16 is asked for where it cannot be.
    """
    if needs_float32 is not None and precision == "bf16":
        raise ValueError(
            f"trainer.precision=bf16, but {needs_float32} takes the gradient of a gradient, which needs float32; "
            "set trainer.precision=32, or auto"
        )
    native = native_bf16(device)
    bf16 = native and needs_float32 is None if precision == "auto" else precision == "bf16"
    layout = bf16 if channels_last == "auto" else channels_last == "on"
    number = "bf16 autocast" if bf16 else "float32"
    number += " without TF32" if device.type == "cuda" else ""
    why = f"bf16 is {'' if native else 'not '}native here" if precision == "auto" else f"precision={precision}"
    if needs_float32 is not None and precision == "auto":
        why = f"{needs_float32} needs float32"
    return Compute(device, bf16, layout, f"{number}, {'channels_last' if layout else 'contiguous'} ({why})")
