"""How a network that translates is measured: pictures of both sides, there and back."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from sr.data.sets import ShownPicture
from sr.image.io import as_batch
from sr.metrics.functional import PSNR_LIMIT, psnr_rgb, ssim_y
from sr.models.translators import generator_to
from sr.models.upscale import NotFiniteError, upscale_pixels
from sr.training.columns import CYCLE, IDENTITY, INPUT, SHIFT
from sr.training.watch import checkerboard, colour_error

TO_A, TO_B = "to_a", "to_b"
"""The generators of a network that translates, and the validation sets whose truth is of that side."""
_OTHER = {"a": (TO_B, TO_A), "b": (TO_A, TO_B)}
"""By which generator pictures of a side go there, and by which back."""
_MEASURES = (*CYCLE, *INPUT, IDENTITY, SHIFT, "checkerboard")

Translate = Callable[[np.ndarray, bool], np.ndarray]
"""As `sr.training.validation.Upscale`, to the same size."""


def period_of(network: nn.Module) -> int:
    """Of the pattern that the enlargements of a network's generators leave, in pixels."""
    return max(2, int(getattr(generator_to(network, "b"), "multiple", 2)))


class ThereAndBack(NamedTuple):
    """What is made of one picture.

    Attributes:
        made: of the other side; None where it is not finite.
        back: of its own side again.
        values: `_MEASURES`.
    """

    made: np.ndarray | None
    back: np.ndarray | None
    values: dict[str, float]


def generators(network: nn.Module, device: torch.device, autocast: torch.autocast) -> dict[str, Translate]:
    """Both directions of a network in evaluation mode, by `TO_A` and `TO_B`."""

    def translate(name: str) -> Translate:
        generator = generator_to(network, "a" if name == TO_A else "b")

        def made(pixels: np.ndarray, gray: bool) -> np.ndarray:
            with autocast:
                return upscale_pixels(generator, pixels, device, gray=False)  # another side may have colours

        return made

    return {name: translate(name) for name in (TO_A, TO_B)}


def there_and_back(translate: dict[str, Translate], picture: ShownPicture, period: int) -> ThereAndBack:
    """Translate a picture and bring it back.

    Args:
        translate: from `generators`.
        picture: of either side; one of none is taken for A's, as data.lr=DIR gives it.
        period: see `period_of`.
    """
    there, home = _OTHER[picture.side or "a"]
    try:
        made = translate[there](picture.lr, picture.gray)
        back, same = (translate[home](pixels, picture.gray) for pixels in (made, picture.lr))
    except NotFiniteError:
        return ThereAndBack(None, None, dict.fromkeys(_MEASURES, math.nan))
    before, after, again = (as_batch(pixels) for pixels in (picture.lr, made, back))
    given, translated, kept = (as_batch(pixels).float() / 255 for pixels in (picture.lr, made, same))
    values = {
        "cycle_psnr": min(float(psnr_rgb(again, before, 0)[0]), PSNR_LIMIT),
        "cycle_ssim": float(ssim_y(again, before, 0)[0]),
        "input_psnr": min(float(psnr_rgb(after, before, 0)[0]), PSNR_LIMIT),
        "input_ssim": float(ssim_y(after, before, 0)[0]),
        IDENTITY: float((kept - given).abs().mean()),
        SHIFT: float(colour_error(translated, given)),
        "checkerboard": float(checkerboard(translated, period)),
    }
    return ThereAndBack(made, back, values)
