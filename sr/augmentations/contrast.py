"""Brightness and contrast of a pair of crops, one strength per sample."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from sr.degradations.pictures import to_device
from sr.draws import Draws
from sr.image.adjust import contrast
from sr.types import Crops


class Branch:
    """One way to change a picture: clip(x (1 + contrast) + brightness).

    Args:
        brightness: [low, high], in units of the whole range.
        contrast: [low, high]; 0 keeps the slope.
    """

    def __init__(self, brightness: tuple[float, float], contrast: tuple[float, float]) -> None:
        for name, (low, high) in {"brightness": brightness, "contrast": contrast}.items():
            if not -1 <= low <= high <= 1:
                raise ValueError(f"{name}=[{low:g}, {high:g}] must be a range within [-1, 1]")
        self.brightness, self.contrast = brightness, contrast


class Contrast:
    """Change brightness and contrast of target and input alike, as if the scene had been lit otherwise.

    Args:
        probability: how often a sample is changed at all, 0..1.
        branches: by any names; one is drawn per sample, each as often.
    """

    changes_input = False

    def __init__(self, probability: float, branches: Mapping[str, Branch]) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability={probability:g} must be between 0 and 1")
        if not branches:
            raise ValueError("branches is empty; give at least one with brightness and contrast")
        self.probability, self.branches = probability, list(branches.values())

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Change uint8 pictures, rounded to 8 bits again."""
        chosen = draws.integers("branch", len(self.branches))
        u = draws.uniform("strength", 2)
        ranges = np.array([[branch.brightness, branch.contrast] for branch in self.branches])[chosen]
        strength = ranges[..., 0] + (ranges[..., 1] - ranges[..., 0]) * u
        changes = draws.chance("changed", self.probability)
        strength *= changes[:, None]
        for name, values in zip(("brightness", "contrast"), strength.T, strict=True):
            draws.note(name, values, where=changes)
        brightness, slope = to_device(strength.astype(np.float32).T, crops.hr.device)[:, :, None, None, None]

        def changed(pictures: Tensor) -> Tensor:
            return contrast(pictures.float() / 255, brightness, slope).mul_(255).round_().to(pictures.dtype)

        return crops.changed(changed)
