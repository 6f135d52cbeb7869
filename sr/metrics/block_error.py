"""Whether the error of a picture is gathered in a few places."""

import math

import torch
from torch.nn.functional import avg_pool2d

from sr.metrics.profiles import Pictures, check_alike
from sr.types import PerPicture, UserError

SIDE = 16
_ROUNDING = 1 / 255 / math.sqrt(12)


def block_error(sr: Pictures, hr: Pictures) -> PerPicture:
    """Root mean square error of the worst block of 16x16 pixels, beside that of the median block.

    "Artifacts of locally exploding gradients" (experiment log #05) are a few blocks far worse than the others. Errors
    below that of rounding to 8 bits count as that. Multiplying all errors changes nothing.

    Args:
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths.

    Returns:
        Ratio, at least 1, which the truth itself has.

    Raises:
        UserError: the sizes differ, or there is no whole block.
    """
    check_alike(sr, hr)
    if min(sr.shape[-2:]) < SIDE:
        raise UserError(f"a picture of {sr.shape[-1]}x{sr.shape[-2]} pixels has no whole block of {SIDE}x{SIDE}")
    squared = (sr.float() - hr.float()).square().mean(dim=1, keepdim=True)
    errors = avg_pool2d(squared, SIDE).flatten(1).sqrt().clamp(min=_ROUNDING)
    return errors.amax(dim=1) / torch.quantile(errors, 0.5, dim=1)
