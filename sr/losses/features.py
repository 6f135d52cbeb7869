"""Do predicted features equal those of VGG for the truth? What a feature net is trained with."""

import torch
from torch import Tensor

from sr.choices import check_choice
from sr.losses.backbones import IMAGENET_STATISTICS, Features, Frozen, Standardise
from sr.losses.pixel import DISTANCES, Distance, at_least_float32
from sr.losses.pretrained import VggNet
from sr.types import Image, Scalar, UserError


class PredictedFeatures(Frozen):
    """Distance of predicted features and VGG's features of the truth; a term with ``views: features,hr``.

    DL-Art-School, July 2020 (note N3): the mean squared error between `sr.models.feature_net.FeatureNet` of the low
    resolution and VGG19's conv5_4, before activation, of the high resolution.

    Attributes:
        about: what a file of the network says of it, as its use needs the same weights.

    Args:
        net: which VGG, of ImageNet.
        layer: whose map is predicted.
        distance: mean absolute or mean squared difference.
        weights: ``imagenet`` (a local copy, else a download), ``random`` (untrained, always the same), or a file.

    Raises:
        ValueError: a choice that does not exist.
        UserError: the weights cannot be had, or lack layers.
    """

    autocast = True
    across_scales = True
    """It compares features with a picture."""

    def __init__(
        self, net: VggNet = "vgg19", layer: str = "conv5_4", distance: Distance = "l2", weights: str = "imagenet"
    ) -> None:
        super().__init__()
        check_choice("net", net, VggNet)
        check_choice("distance", distance, Distance)
        self.net, self.layer, self.about = net, layer, {"features": weights}
        self.distance = DISTANCES[distance]
        self.standardise = Standardise(*IMAGENET_STATISTICS)
        self.features = Features(net, [layer], weights)

    def forward(self, prediction: Tensor, target: Image) -> Scalar:
        """Float32 scalar, at least 0.

        Args:
            prediction: (batch, channels, h, w) features.
            target: the truth, (batch, 3, height, width) in [0, 1].

        Raises:
            UserError: the prediction is of another layer, or the pictures are too small for the layer.
        """
        self.features.check(target)
        with torch.no_grad():
            (wanted,) = self.features(self.standardise(target))
        check_alike(prediction, wanted, f"{self.net}'s {self.layer}")
        return self.distance(at_least_float32(prediction), at_least_float32(wanted))


def check_alike(prediction: Tensor, wanted: Tensor, what: str) -> None:
    """Make sure that two maps are of one layer.

    Args:
        prediction: of a feature net.
        wanted: of VGG.
        what: the layer, for the message.

    Raises:
        UserError: they differ in shape.
    """
    if prediction.shape != wanted.shape:
        one, other = ("x".join(map(str, maps.shape[1:])) for maps in (prediction, wanted))
        raise UserError(
            f"the feature net predicts maps of {one}, and {what} has {other}: give model=feature_net and the loss the "
            "same net and layer"
        )
