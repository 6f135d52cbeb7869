"""LPIPS: distance between pictures in a classifier's features, calibrated on human judgement."""

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sr.choices import check_choice
from sr.errors import UserError
from sr.losses.backbones import VGG16_LAST_RELUS, Features, Maps, Standardise
from sr.losses.feature_distance import FeatureDistance
from sr.losses.pixel import at_least_float32
from sr.losses.pretrained import bundled, named_or_file, read_tensors
from sr.types import PerPicture

Net = Literal["alex", "vgg", "squeeze"]
BACKBONES: dict[str, tuple[str, tuple[str, ...]]] = {
    "alex": ("alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
    "vgg": ("vgg16", VGG16_LAST_RELUS),
    "squeeze": ("squeezenet1_1", ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")),
}
"""torchvision's name, and the layers that the heads of version 0.1 belong to."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of pictures in [-1, 1], as the authors' networks take them (nearly ImageNet's normalisation)."""
EPS = 1e-8
"""Under the root of a feature vector's length: no division by 0 where every feature is 0."""


def unit(features: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel h w"]:
    """Every position's feature vector at length 1, in float32 or better; (almost) zero vectors stay short."""
    x = at_least_float32(features)
    return x * (x.square().sum(1, keepdim=True) + EPS).rsqrt()


class Lpips(FeatureDistance):
    """Learned Perceptual Image Patch Similarity, version 0.1 (Zhang et al. 2018, arXiv 1801.03924, equation 1).

    The sum over layers of the mean over positions of weighted squared differences between unit feature vectors.
    ``alex`` is the variant that papers report; ``vgg`` the one that is closer to a classical perceptual loss, for
    training; ``squeeze`` the smallest.

    Args:
        net: the network that sees the pictures.
        weights: of that network: ``imagenet`` (a local copy, else a download), ``random`` (untrained, always the
            same), or a file.
        heads: weights of the channels: ``bundled`` (the authors', which torchmetrics ships), or a file like theirs.

    Raises:
        ValueError: a network that does not exist.
        UserError: weights or heads cannot be had, or belong to another network.
    """

    heads: Tensor

    def __init__(self, net: Net = "alex", weights: str = "imagenet", heads: str = "bundled") -> None:
        check_choice("net", net, Net)
        path = named_or_file("heads", heads, ("bundled",))
        path = path or bundled("torchmetrics", f"functional/image/lpips_models/{net}.pth")
        name, layers = BACKBONES[net]
        # pictures in [0, 1]: ((2 x - 1) - shift) / scale
        standardise = Standardise([(1 + shift) / 2 for shift in SHIFT], [scale / 2 for scale in SCALE])
        super().__init__(standardise, Features(name, layers, weights, fixed=True))
        with torch.no_grad():
            side = self.features.smallest
            self.widths = [x.shape[1] for x in self.features(torch.zeros(1, 3, side, side))]
        self.register_buffer("heads", _read_heads(path, net, self.widths), persistent=False)

    def compared(self, maps: Maps, wanted: Maps) -> PerPicture:
        """Distance between the maps of the predictions and those of the targets, about 0.1 to 0.7 where they differ."""
        total = torch.zeros((), device=maps[0].device)
        for x, y, head in zip(maps, wanted, self.heads.split(self.widths), strict=True):
            differences = (unit(x) - unit(y)).square() * head[:, None, None]
            total = total + differences.sum(1).mean((1, 2))
        return total


def _read_heads(path: Path, net: str, widths: list[int]) -> Float[Tensor, " channels"]:
    """The weights of all layers' channels, one after the other."""
    tensors = read_tensors(path)
    heads = []
    for index, width in enumerate(widths):
        key = f"lin{index}.model.1.weight"
        if key not in tensors:
            raise UserError(f"{path} holds no LPIPS heads of {net}: {key} is missing; name a file of {net}'s heads")
        if tensors[key].numel() != width:
            raise UserError(
                f"{path} holds the LPIPS heads of another network than {net}: {key} has {tensors[key].numel()} "
                f"numbers instead of {width}; set net, or name a file of {net}'s heads"
            )
        heads.append(tensors[key].flatten().float())
    return torch.cat(heads)
