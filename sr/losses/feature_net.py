"""Features that a feature net predicts from the low resolution as the target of what was made: no truth is needed."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.losses.backbones import IMAGENET_STATISTICS, Features, Frozen, Standardise
from sr.losses.features import check_alike
from sr.losses.pixel import DISTANCES, Distance, at_least_float32
from sr.losses.pretrained import RANDOM
from sr.printable import printable
from sr.types import Image, LowResolution, Scalar, UserError


@runtime_checkable
class Predictor(Protocol):
    """What is asked of the trained network, see `sr.models.feature_net.FeatureNet`."""

    net: str
    layer: str
    scale: int

    def maps(self, lr: Image) -> Tensor:
        """Features of the high resolution that ``lr`` is thought to have."""


class FeatureNetLoss(Frozen):
    """crit(F(G(x)), F_lr(up(x))); a term with ``views: sr,lr``.

    DL-Art-School, July 2020 (note N3): F is VGG of ImageNet, F_lr the frozen feature net. The truth is not used, so
    that discriminators may have unrelated pictures as real ones.

    Args:
        network: a trained feature net.
        scale: of the generator.
        distance: crit: mean absolute or mean squared difference.
        weights: of F: ``imagenet``, ``random``, or a file.

    Raises:
        ValueError: a choice that does not exist.
        UserError: the net is of another scale or of other weights, or the weights cannot be had.
    """

    autocast = True
    across_scales = True
    """The pictures that it compares differ in size."""

    def __init__(self, network: nn.Module, scale: int, distance: Distance = "l1", weights: str = "imagenet") -> None:
        super().__init__()
        check_choice("distance", distance, Distance)
        net: Predictor = network  # type: ignore[assignment]
        if net.scale != scale:
            raise UserError(
                f"the feature net was trained at scale={net.scale}, and this run has scale={scale}; make one with "
                f"`uv run python train.py experiment=lessons/feature_net scale={scale}`"
            )
        known = getattr(network, "weights", None)
        if known is not None and (known == RANDOM) != (weights == RANDOM):
            raise UserError(
                f"the feature net predicts features of weights={printable(str(known))}, and weights={weights} sees the "
                "output: their features have nothing in common; set "
                f"loss.terms.feature_net.loss.weights={printable(str(known))}"
            )
        self.predictor = net
        self.network = network.requires_grad_(False).eval()
        self.what = f"{net.net}'s {net.layer}"
        self.distance = DISTANCES[distance]
        self.standardise = Standardise(*IMAGENET_STATISTICS)
        self.features = Features(net.net, [net.layer], weights)

    def forward(self, prediction: Image, target: LowResolution) -> Scalar:
        """Float32 scalar, at least 0; gradient flows to ``prediction`` alone.

        Args:
            prediction: (batch, 3, scale * h, scale * w) in [0, 1].
            target: the network's input, (batch, 3, h, w).

        Raises:
            UserError: the pictures are too small for the layer.
        """
        self.features.check(prediction)
        with torch.no_grad():
            wanted = self.predictor.maps(target)
        (made,) = self.features(self.standardise(prediction))
        check_alike(wanted, made, self.what)
        return self.distance(at_least_float32(made), at_least_float32(wanted))
