"""Does the prediction, made small again, look like the network's input? Needs no ground truth."""

from typing import Literal

from torch import nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.image.separable import GAMMA, resized
from sr.image.taps import Mode
from sr.losses.pixel import DISTANCES, Distance, at_least_float32
from sr.types import Image, LowResolution, Scalar

Operator = Literal["bicubic", "bicubic_cv", "bicubic_aligned", "bilinear_aa", "area", "gamma_area"]
"""How to make small, as the degradations of the same names in conf/degradation; none rounds, and `clamp` is apart.

- `bicubic`: MATLAB's, antialiased.
- `bicubic_cv`: without antialiasing, as OpenCV's INTER_CUBIC.
- `bicubic_aligned`: without antialiasing, the centres of the corner pixels stay (PyTorch's align_corners=True).
- `bilinear_aa`: antialiased bilinear, as Pillow and PyTorch have it.
- `area`: average of scale x scale pixels; `gamma_area` without the gamma.
- `gamma_area`: the same in linear light, gamma 2.2; values outside [1e-6, 1] are clipped and get no gradient.

Out of reach are the degradations that draw something for each sample (`aug_*`, `jpeg_light`, `realsr` with its kernels
and noise, `second_order`, `shuffled`) or call an encoder (`video_codec`): take the operator that comes nearest.
"""

RESIZES: dict[Operator, tuple[Mode, float | None]] = {
    "bicubic": ("matlab", None),
    "bicubic_cv": ("bicubic", None),
    "bicubic_aligned": ("bicubic_aligned", None),
    "bilinear_aa": ("bilinear_aa", None),
    "area": ("area", None),
    "gamma_area": ("area", GAMMA),
}
"""Mode and gamma of :func:`sr.image.separable.resized`."""


def downscaled(image: Image, scale: int, operator: Operator) -> LowResolution:
    """Make pictures smaller by ``scale``; differentiable, in float32 or wider whatever surrounds it.

    Args:
        image: (batch, channel, scale * h, scale * w), in [0, 1] for `gamma_area`, any range otherwise.
        scale: whole factor.
        operator: see :data:`Operator`.

    Returns:
        (batch, channel, h, w) in the image's dtype; the bicubic ones overshoot at edges.
    """
    mode, gamma = RESIZES[operator]
    height, width = image.shape[-2:]
    return resized(image, (height // scale, width // scale), mode, gamma)


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

    across_scales = True
    """The pictures that it compares differ in size."""

    def __init__(
        self, scale: int, operator: Operator = "bicubic", distance: Distance = "l1", clamp: bool = False
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale={scale} must be at least 1; take the network's scale.")
        check_choice("operator", operator, Operator)
        check_choice("distance", distance, Distance)
        self.scale = scale
        self.operator: Operator = operator
        self.distance = DISTANCES[distance]
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
