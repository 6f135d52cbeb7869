"""Does the prediction, made small again, look like the network's input? Needs no ground truth."""

from fractions import Fraction
from functools import lru_cache
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.errors import UserError
from sr.image.resize import bicubic
from sr.losses.pixel import Scalar, at_least_float32, l1, l2
from sr.types import Image, LowResolution

Operator = Literal["bicubic", "bicubic_aligned", "bilinear_aa", "area", "gamma_area"]
"""How to make small; the same names as in conf/degradation, and none rounds.

- `bicubic`: MATLAB's, antialiased (:func:`sr.image.resize.bicubic`).
- `bicubic_aligned`: without antialiasing, the centres of the corner pixels stay (PyTorch's align_corners=True).
- `bilinear_aa`: antialiased bilinear, as Pillow and PyTorch have it.
- `area`: average of scale x scale pixels.
- `gamma_area`: the same in linear light, gamma 2.2; values outside [1e-6, 1] are clipped and get no gradient.
"""

Distance = Literal["l1", "l2"]

GAMMA, DARKEST = 2.2, 1e-6
"""Of `gamma_area`; the lower bound because the root's slope is infinite at 0."""

BLOCK = 128
"""Output pixels per matrix product: small enough that few weights are zero, large enough to be fast."""

Band = tuple[int, int, Tensor]
"""First input pixel, one past the last, and the weights (inputs, outputs) of one block of output pixels."""


def downscaled(image: Image, scale: int, operator: Operator) -> LowResolution:
    """Make pictures smaller by ``scale``; differentiable, in float64 (float32 on MPS) whatever surrounds it.

    Args:
        image: (batch, channel, scale * h, scale * w), in [0, 1] for `gamma_area`, any range otherwise.
        scale: whole factor.
        operator: see :data:`Operator`.

    Returns:
        (batch, channel, h, w) in the image's dtype; the bicubic ones overshoot at edges.
    """
    if operator == "bicubic":
        return bicubic(image, scale=Fraction(1, scale))
    wide = image.to(torch.float32 if image.device.type == "mps" else torch.float64)
    if operator == "gamma_area":
        linear = wide.clamp(DARKEST, 1) ** GAMMA
        small = F.avg_pool2d(linear, scale).clamp(DARKEST, 1) ** (1 / GAMMA)
    elif operator == "area":
        small = F.avg_pool2d(wide, scale)
    else:
        small = _interpolated(wide, scale, aligned=operator == "bicubic_aligned")
    return small.to(image.dtype)


@torch.compiler.disable
def _interpolated(wide: Image, scale: int, aligned: bool) -> LowResolution:
    """PyTorch's ``interpolate`` as matrix products: its own backward pass sums in no fixed order on a GPU."""
    rows, columns = (_bands(side, side // scale, aligned, wide.device) for side in wide.shape[-2:])
    wide = torch.cat([weight.T @ wide[..., low:high, :] for low, high, weight in rows], dim=-2)
    return torch.cat([wide[..., low:high] @ weight for low, high, weight in columns], dim=-1)


@lru_cache(maxsize=64)
def _bands(length: int, out: int, aligned: bool, device: torch.device) -> tuple[Band, ...]:
    """The weights of one axis as dense blocks: what becomes of a picture with a bright diagonal."""
    with torch.inference_mode(False), torch.no_grad():  # else a later training step could not save them
        lines = torch.eye(length, dtype=torch.float64)[None, None]
        if aligned:
            made = F.interpolate(lines, (out, length), mode="bicubic", align_corners=True)
        else:
            made = F.interpolate(lines, (out, length), mode="bilinear", antialias=True)
        weights = made[0, 0].T
        bands = []
        for start in range(0, out, BLOCK):
            block = weights[:, start : start + BLOCK]
            used = block.any(dim=1).nonzero()
            low, high = int(used.min()), int(used.max()) + 1
            dtype = torch.float32 if device.type == "mps" else torch.float64
            kept = block[low:high].to(device, dtype, copy=True)  # a view would keep all the rest as well
            bands.append((low, high, kept))
    return tuple(bands)


class LrConsistency(nn.Module):
    """Distance between the downscaled prediction and the low-resolution picture; a term with ``views: sr,lr``.

    The operator should be the one that made the low resolution, without its noise and rounding. The internship of 2019
    (keyber, Single-Image-Super-Resolution) trained on unpaired pictures with ``bicubic_aligned``, ``clamp`` and l2,
    with weight 100 on pictures in [-1, 1], which is 400 here.

    Args:
        scale: the network's.
        operator: see :data:`Operator`.
        distance: l1 or l2.
        clamp: bring overshoot back to [0, 1] before comparing; no gradient flows where that changes anything.

    Raises:
        ValueError: a scale below 1, or a choice that does not exist.
    """

    def __init__(
        self, scale: int, operator: Operator = "bicubic", distance: Distance = "l1", clamp: bool = False
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale={scale} must be at least 1; take the network's scale.")
        for name, value, choices in (
            ("operator", operator, get_args(Operator)),
            ("distance", distance, get_args(Distance)),
        ):
            if value not in choices:
                raise ValueError(f"{name}={value} does not exist; choose from {', '.join(choices)}.")
        self.scale = scale
        self.operator: Operator = operator
        self.distance = l1 if distance == "l1" else l2
        self.clamp = clamp

    def forward(self, prediction: Image, target: LowResolution) -> Scalar:
        """Scalar, 0 where the network's input is met exactly.

        Args:
            prediction: (batch, channel, scale * h, scale * w).
            target: the low resolution, (batch, channel, h, w).

        Raises:
            UserError: the prediction is not ``scale`` times as large.
        """
        (rows, columns), (height, width) = prediction.shape[-2:], target.shape[-2:]
        if (rows, columns) != (self.scale * height, self.scale * width):
            raise UserError(
                f"the consistency loss at scale {self.scale} cannot compare pictures of {rows}x{columns} pixels with "
                f"low resolution of {height}x{width}; give it the views sr,lr and the network's scale."
            )
        small = downscaled(at_least_float32(prediction), self.scale, self.operator)
        return self.distance(small.clamp(0, 1) if self.clamp else small, target)
