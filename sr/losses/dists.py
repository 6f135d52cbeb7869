"""DISTS: similarity of structure and of texture in VGG features; forgives a texture that is resampled."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.errors import UserError
from sr.losses.backbones import IMAGENET_STATISTICS, VGG16_LAST_RELUS, Features, Maps, Standardise
from sr.losses.feature_distance import FeatureDistance
from sr.losses.pixel import at_least_float32
from sr.losses.pretrained import bundled, named_or_file, read_tensors
from sr.types import Image, PerPicture

Pooled = Float[Tensor, "batch channel pooled_height pooled_width"]
WIDTHS = (3, 64, 128, 256, 512, 512)
"""Channels of the picture, which is compared as well, and of the layers."""
STABLE = 1e-6
"""The paper's constants c1 and c2."""
EPS = 1e-12
"""Under the root of the pooling, whose slope at 0 is infinite."""


class L2Pool(nn.Module):
    """Root of a weighted mean of squares, at half size (Henaff and Simoncelli 2016, arXiv 1511.06394).

    The weights are the outer product of a Hann window, [1, 2, 1] / 4, with itself, the border is 0.
    """

    def forward(self, x: Image) -> Pooled:
        """(batch, channels, height, width) to sides of half as many values, rounded up; float32 or better."""
        squares = at_least_float32(x).square()
        # [1, 2, 1] is [1, 1] after [1, 1]; as poolings both stay float32 inside autocast, unlike a convolution
        means = F.avg_pool2d(F.avg_pool2d(squares, 2, stride=1, padding=1), 2, stride=2)
        return (means + EPS).sqrt()


def similarity(
    x: Float[Tensor, "batch channel h w"],
    y: Float[Tensor, "batch channel h w"],
    texture: Float[Tensor, " channel"],
    structure: Float[Tensor, " channel"],
) -> PerPicture:
    """Weighted similarity of the maps' means (texture) and of their deviations from them (structure).

    The sum that DISTS subtracts from 1, for one layer.

    Args:
        x: maps, which are brought to float32.
        y: likewise.
        texture: the paper's alpha of each channel.
        structure: its beta.
    """
    x, y = at_least_float32(x), at_least_float32(y)
    mean_x, mean_y = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
    x, y = x - mean_x, y - mean_y
    variances = x.square().mean((2, 3)) + y.square().mean((2, 3))
    covariance = (x * y).mean((2, 3))
    mean_x, mean_y = mean_x[:, :, 0, 0], mean_y[:, :, 0, 0]
    of_means = (2 * mean_x * mean_y + STABLE) / (mean_x.square() + mean_y.square() + STABLE)
    of_structure = (2 * covariance + STABLE) / (variances + STABLE)
    return (texture * of_means + structure * of_structure).sum(1)


class Dists(FeatureDistance):
    """Deep Image Structure and Texture Similarity as a distance (Ding et al. 2020, arXiv 2004.07728).

    The authors compare pictures whose shorter side is 256 pixels; nothing is resized here.

    Args:
        weights: of VGG16: ``imagenet`` (a local copy, else a download), ``random`` (untrained, always the same), or a
            file.
        factors: how much each channel counts: ``bundled`` (the authors' alpha and beta, which torchmetrics ships), a
            file with ``alpha`` and ``beta`` of 1475 numbers each, or ``equal``.

    Raises:
        UserError: weights or factors cannot be had, or are not of this network.
    """

    texture: Tensor
    structure: Tensor

    def __init__(self, weights: str = "imagenet", factors: str = "bundled") -> None:
        texture, structure = _read_factors(factors)
        features = Features("vgg16", VGG16_LAST_RELUS, weights, pooling=L2Pool, fixed=True)
        super().__init__(Standardise(*IMAGENET_STATISTICS), features)
        total = texture.sum() + structure.sum()
        self.register_buffer("texture", texture / total, persistent=False)
        self.register_buffer("structure", structure / total, persistent=False)

    def maps(self, picture: Image) -> Maps:
        """The picture itself and its maps."""
        return [picture, *super().maps(picture)]

    def compared(self, maps: Maps, wanted: Maps) -> PerPicture:
        """1 minus the similarity of the maps, below 1."""
        shares = zip(self.texture.split(WIDTHS), self.structure.split(WIDTHS), strict=True)
        total = torch.ones((), device=maps[0].device)
        for x, y, (texture, structure) in zip(maps, wanted, shares, strict=True):
            total = total - similarity(x, y, texture, structure)
        return total


def _read_factors(factors: str) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"]]:
    count = sum(WIDTHS)
    if factors == "equal":
        return torch.ones(count), torch.ones(count)
    path = named_or_file("factors", factors, ("bundled", "equal"))
    path = path or bundled("torchmetrics", "functional/image/dists_models/weights.pt")
    tensors = read_tensors(path)
    found = [tensors[key].flatten().float() for key in ("alpha", "beta") if key in tensors]
    if len(found) != 2 or any(len(numbers) != count for numbers in found):
        shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in tensors.items())
        raise UserError(
            f"{path} holds no DISTS factors: alpha and beta of {count} numbers each are needed, and it has {shapes}; "
            "name another file, or set factors=equal"
        )
    return found[0], found[1]
