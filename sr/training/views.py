"""The views of super-resolution: what a batch and the generator give, and what can be derived from it."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from sr.image.gradient_map import gradient_map
from sr.losses.lr_consistency import downscaled
from sr.losses.views import Derive
from sr.models.bicubic import Bicubic

DEGRADED = "degraded"
"""A view that the training module adds: made small as the run's degradation does it, drawn anew for each sample."""


def derivations(scale: int) -> dict[str, Derive]:
    """What can be derived from a view, by name.

    - ``grad``: its gradient map (`sr.losses.gradient_map`);
    - ``lr``: made small by ``scale``, MATLAB's bicubic without its rounding;
    - ``bicubic``, ``bicubic_aligned``: enlarged by ``scale``, as MATLAB does, or with the corner pixels aligned.

    Args:
        scale: between LR and HR.
    """
    return {
        "grad": gradient_map,
        "lr": partial(downscaled, scale=scale, operator="bicubic"),
        "bicubic": _Enlarge(scale),
        "bicubic_aligned": partial(F.interpolate, scale_factor=scale, mode="bicubic", align_corners=True),
    }


class _Enlarge:
    """Moves its filters where the pictures are, and makes them when it is first asked."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self._bicubic: Bicubic | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        self._bicubic = (self._bicubic or Bicubic(self.scale)).to(picture.device)
        made: Tensor = self._bicubic(picture)
        return made
