"""LPIPS and DISTS of whole pictures, where their networks' weights are."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from sr.errors import UserError
from sr.image.io import as_batch
from sr.losses.dists import Dists
from sr.losses.feature_distance import FeatureDistance
from sr.losses.lpips import Lpips
from sr.losses.pretrained import found


class Perceptual:
    """A distance of whole 8-bit RGB pictures in float32, nothing cropped.

    Args:
        network: that measures.
        device: where to.
    """

    def __init__(self, network: FeatureDistance, device: torch.device) -> None:
        self.network, self.device = network.to(device), device

    @property
    def smallest(self) -> int:
        """The shorter side that a picture needs, in pixels."""
        return self.network.features.smallest

    def __call__(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """Of two pictures, (height, width, 3) uint8; NaN where they are smaller than `smallest`."""
        if min(hr.shape[:2]) < self.smallest:
            return math.nan
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            one, two = (as_batch(pixels).to(self.device).float() / 255 for pixels in (sr, hr))
            return float(self.network.per_picture(one, two)[0])

    def about_small(self, sizes: Sequence[tuple[int, ...]]) -> str | None:
        """What to say of the pictures that are too small for it; None where none is.

        Args:
            sizes: (height, width) of every picture.
        """
        small = [size for size in sizes if min(size) < self.smallest]
        if not small:
            return None
        of = f"is the mean over the other {len(sizes) - len(small)}" if len(small) < len(sizes) else "is left empty"
        least, (height, width) = f"{self.smallest}x{self.smallest}", min(small, key=min)
        name = type(self.network).__name__.upper()
        return (
            f"{len(small)} of {len(sizes)} pictures are too small for {name}, which needs {least} pixels (the smallest "
            f"is {width}x{height}): {name} {of}"
        )


_NETWORKS: dict[str, tuple[str, Callable[[str], FeatureDistance]]] = {
    "lpips": ("alexnet", partial(Lpips, "alex")),
    "dists": ("vgg16", Dists),
}
"""Names of the feature networks' weights, and how the distances are made of them."""


def build_distance(
    name: str, choice: str | None, device: torch.device, setting: str = "trainer.lpips="
) -> Perceptual | None:
    """What ``trainer.lpips`` asks for; None where it is null, or ``auto`` and the weights are not on this machine.

    Args:
        name: lpips or dists.
        choice: auto, imagenet, a file, or None.
        device: where to compute it.
        setting: how the user says it, for messages.

    Raises:
        UserError: the weights cannot be had.
    """
    weights, network = _NETWORKS[name]
    if choice is None or (choice == "auto" and found(weights) is None):
        return None
    with _said_as(setting, choice):
        return Perceptual(network("imagenet" if choice == "auto" else choice), device)


@contextmanager
def _said_as(setting: str, choice: str) -> Iterator[None]:
    """Messages about ``weights=`` name what the user typed."""
    try:
        yield
    except UserError as error:
        text = str(error).replace("weights=", setting)
        start = "" if text.startswith(setting) else f"{setting}{choice}: "
        raise UserError(f"{start}{text}; or {setting}{'null' if setting.endswith('=') else 'none'}") from error
