"""DISTS: similarity of structure and of texture in VGG features; forgives a texture that is resampled."""

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.errors import UserError
from sr.losses.backbones import Features, Frozen, Maps
from sr.losses.pixel import at_least_float32
from sr.losses.pretrained import bundled, read_tensors
from sr.losses.vgg import IMAGENET, Standardise
from sr.types import Image

Scalar = Float[Tensor, ""]
PerPicture = Float[Tensor, " batch"]
Pooled = Float[Tensor, "batch channel pooled_height pooled_width"]
LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
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


class Dists(Frozen):
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

    autocast: ClassVar[bool] = True
    """The network may run in bfloat16; pooling, statistics and distances are float32 in any case."""
    texture: Tensor
    structure: Tensor

    def __init__(self, weights: str = "imagenet", factors: str = "bundled") -> None:
        super().__init__()
        texture, structure = _read_factors(factors)
        self.standardise = Standardise(*IMAGENET)
        self.features = Features("vgg16", LAYERS, weights, pooling=L2Pool, fixed=True)
        total = texture.sum() + structure.sum()
        self.register_buffer("texture", texture / total, persistent=False)
        self.register_buffer("structure", structure / total, persistent=False)

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Mean over the batch, a float32 scalar; gradient flows to ``prediction`` alone.

        Args:
            prediction: (batch, 3, height, width), nominally in [0, 1].
            target: the same shape.

        Raises:
            UserError: the pictures are not RGB.
        """
        return self.per_picture(prediction, target).mean()

    def per_picture(self, prediction: Image, target: Image) -> PerPicture:
        """As `forward`, a value for each picture: 0 (up to rounding) where both agree, below 1 otherwise."""
        self.features.check(prediction)
        with torch.no_grad():
            wanted = self._maps(target.detach())  # the picture itself is among the maps
        shares = zip(self.texture.split(WIDTHS), self.structure.split(WIDTHS), strict=True)
        total = torch.ones((), device=prediction.device)
        for x, y, (texture, structure) in zip(self._maps(prediction), wanted, shares, strict=True):
            total = total - similarity(x, y, texture, structure)
        return total

    def _maps(self, picture: Image) -> Maps:
        return [picture, *self.features(self.standardise(picture))]


def _read_factors(factors: str) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"]]:
    count = sum(WIDTHS)
    if factors == "equal":
        return torch.ones(count), torch.ones(count)
    place = "functional/image/dists_models/weights.pt"
    path = bundled("torchmetrics", place) if factors == "bundled" else Path(factors).expanduser()
    tensors = read_tensors(path)
    found = [tensors[key].flatten().float() for key in ("alpha", "beta") if key in tensors]
    if len(found) != 2 or any(len(numbers) != count for numbers in found):
        shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in tensors.items())
        raise UserError(
            f"{path} holds no DISTS factors: alpha and beta of {count} numbers each are needed, and it has {shapes}; "
            "name another file, or set factors=equal"
        )
    return found[0], found[1]
