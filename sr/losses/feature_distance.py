"""What LPIPS and DISTS share: features of both pictures in a frozen network, compared picture by picture."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from sr.losses.backbones import Features, Frozen, Maps, Standardise
from sr.types import Image, PerPicture, Scalar


class FeatureDistance(Frozen, ABC):
    """Distance between pictures in the features of a network.

    Args:
        standardise: brings [0, 1] to the range of the network.
        features: of the network.
    """

    autocast: ClassVar[bool] = True
    """The network may run in bfloat16; what becomes of its maps is float32 in any case."""

    def __init__(self, standardise: Standardise, features: Features) -> None:
        super().__init__()
        self.standardise = standardise
        self.features = features

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Mean over the batch, a float32 scalar; gradient flows to ``prediction`` alone.

        Args:
            prediction: (batch, 3, height, width), nominally in [0, 1].
            target: the same shape.

        Raises:
            UserError: the pictures are too small for the network, or not RGB.
        """
        return self.per_picture(prediction, target).mean()

    def per_picture(self, prediction: Image, target: Image) -> PerPicture:
        """As `forward`, a value for each picture; 0 (up to rounding) where both agree."""
        self.features.check(prediction)
        with torch.no_grad():  # first, so that its passing maps are gone before those that gradient needs come
            wanted = self.maps(target.detach())  # which may be among its own maps
        return self.compared(self.maps(prediction), wanted)

    def maps(self, picture: Image) -> Maps:
        """What is compared of a picture."""
        found: Maps = self.features(self.standardise(picture))
        return found

    @abstractmethod
    def compared(self, maps: Maps, wanted: Maps) -> PerPicture:
        """Distance between the maps of the predictions and those of the targets, float32."""
