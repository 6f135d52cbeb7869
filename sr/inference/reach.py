"""How far a network looks: measured, so that it holds for networks that nobody here has seen."""

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sr.devices import out_of_memory
from sr.image.autocast import full_float32
from sr.models.outputs import picture_of
from sr.models.scales import scale_of

_LENGTHS = (64, 256, 1024, 2048)
"""Of the strips that are tried one after the other; a network that looks farther than half the last one is global."""

_BREADTH = 16
"""Pixels across the strips that are measured: enough for a mirrored border, few enough to be quick."""

FOLD = 8
"""Largest period of networks that fold pixels into channels, or see windows of their own: powers of two up to this."""


class Reach(NamedTuple):
    """What a tile needs for equalling the whole picture.

    Attributes:
        pixels: LR pixels to each side of an LR pixel that its SR pixels depend on.
        step: its windows must begin at multiples of so many pixels.
    """

    pixels: int
    step: int


@torch.inference_mode()
def measured_reach(network: nn.Module) -> Reach | None:
    """Measure a network's receptive field.

    One pixel of an otherwise harmless strip is not a number: whatever depends on it is not one either, by whatever
    layers, whether their weights are zero or their neurons asleep. Then a strip and a piece of it are compared,
    which shows networks whose result depends on the size of the picture or on where it begins.

    Args:
        network: a generator in evaluation mode, float32, on any device.

    Returns:
        None where it is global: it looks farther than 1000 pixels, or sees the picture's size, or makes nothing finite.
    """
    device = next(network.parameters(), torch.empty(0)).device
    with full_float32() if device.type == "cuda" else nullcontext():
        return _measured(network)


def _measured(network: nn.Module) -> Reach | None:
    if not bool(_applied(network, _strip(network, _LENGTHS[0]), False).isfinite().all()):
        return None
    for length in _LENGTHS:
        pixels = _along(network, length, False)
        if pixels < length // 2 - FOLD:
            pixels = max(pixels, _along(network, length, True))
        if pixels < length // 2 - FOLD:
            if _same_in_pieces(network, pixels, 1):
                return Reach(pixels, 1)
            pixels += FOLD - 1  # from another pixel of a fold it may look that much farther
            return Reach(pixels, FOLD) if _same_in_pieces(network, pixels, FOLD) else None
    return None


def _along(network: nn.Module, length: int, across: bool) -> int:
    """Farthest influence along one axis; ``length`` where it is everywhere."""
    middle = length // 2
    strip = _strip(network, length)
    strip[..., middle] = torch.nan
    touched = (~_applied(network, strip, across).isfinite()).any(dim=(0, 1, 2)).nonzero().flatten()
    if len(touched) == 0:
        return 0
    first, last = int(touched.min()) // scale_of(network), int(touched.max()) // scale_of(network)
    return length if first == 0 and last == length - 1 else max(middle - first, last - middle)


def _strip(network: nn.Module, length: int) -> Tensor:
    reference = next(network.parameters(), torch.empty(0))
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, _BREADTH, length, generator=generator).to(reference.device)


def _applied(network: nn.Module, strip: Tensor, across: bool) -> Tensor:
    if not across:
        return picture_of(network(strip))
    return picture_of(network(strip.mT.contiguous())).mT


def _same_in_pieces(network: nn.Module, reach: int, step: int) -> bool:
    """Whether a piece of a strip, ``step`` pixels from its begin, gives what the whole gives away from the cuts."""
    scale, margin = scale_of(network), -(-reach // FOLD) * FOLD
    strip = _strip(network, 6 * FOLD + 2 * margin)
    piece = strip[..., step : strip.shape[-1] - 2 * FOLD]
    kept = slice(scale * margin, scale * (piece.shape[-1] - margin))
    for across in (False, True):
        whole = _applied(network, strip, across)[..., scale * step :]
        try:
            part = _applied(network, piece, across)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            return False  # it takes no such size
        if not torch.allclose(whole[..., kept], part[..., kept], rtol=1e-3, atol=1e-4):
            return False
    return True
