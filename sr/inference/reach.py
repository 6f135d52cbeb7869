"""How far a network looks: measured, so that it holds for networks that nobody here has seen."""

import torch
from torch import Tensor, nn

from sr.models.outputs import picture_of
from sr.models.scales import scale_of

_LARGEST = 512
"""Pixels to each side beyond which a network counts as global."""

_BREADTH = 24
"""Pixels across the strips that are measured: enough for a mirrored border, few enough to be quick."""

_PLACES = 8
"""Neighbouring pixels that are tried: what folds pixels into channels looks farther from some than from others."""


@torch.inference_mode()
def reach_of(network: nn.Module) -> int | None:
    """LR pixels to each side of an LR pixel that its SR pixels depend on.

    One pixel of an otherwise harmless strip is not a number: whatever depends on it is not one either, by whatever
    layers, whether their weights are zero or their neurons asleep. Then a strip and a piece of it are compared,
    which shows networks whose result depends on the size of the picture.

    Args:
        network: a generator in evaluation mode, float32, on any device.

    Returns:
        None where it is global: it looks farther than 512 pixels, or sees the picture's size, or makes nothing finite.
    """
    length = 64
    while length <= 2 * _LARGEST:
        found = max(_along(network, length, across) for across in (False, True))
        if found < length // 2 - _PLACES:
            return found if _sees_no_size(network, found) else None
        length *= 2
    return None


def _along(network: nn.Module, length: int, across: bool) -> int:
    """Farthest influence along one axis; ``length`` where it is everywhere."""
    scale, middle, reach = scale_of(network), length // 2, 0
    if not bool(_applied(network, _strip(network, length), across).isfinite().all()):
        return length
    for place in range(middle, middle + _PLACES):
        strip = _strip(network, length)
        strip[..., place] = torch.nan
        sr = _applied(network, strip, across)
        touched = (~sr.isfinite()).any(dim=(0, 1, 2)).nonzero().flatten().div(scale, rounding_mode="floor")
        if len(touched):
            reach = max(reach, place - int(touched.min()), int(touched.max()) - place)
    return reach


def _strip(network: nn.Module, length: int) -> Tensor:
    reference = next(network.parameters(), torch.empty(0))
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, _BREADTH, length, generator=generator).to(reference.device)


def _applied(network: nn.Module, strip: Tensor, across: bool) -> Tensor:
    if not across:
        return picture_of(network(strip))
    return picture_of(network(strip.mT.contiguous())).mT


def _sees_no_size(network: nn.Module, reach: int) -> bool:
    """Whether a piece of a strip gives what the whole gives, except near its cut."""
    scale, margin = scale_of(network), -(-reach // _PLACES) * _PLACES
    strip = _strip(network, 4 * _PLACES + 2 * margin)
    piece = strip[..., : strip.shape[-1] - 2 * _PLACES]
    kept = scale * (piece.shape[-1] - margin)
    for across in (False, True):
        whole, part = (_applied(network, one, across)[..., :kept] for one in (strip, piece))
        if not torch.allclose(whole, part, rtol=1e-3, atol=1e-4):
            return False
    return True
