"""Distance between the features of two pictures in a VGG network: the perceptual or content loss."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.choices import check_choice
from sr.image.separable import DARKEST, GAMMA
from sr.losses.backbones import IMAGENET_STATISTICS, VGG16, VGG19, Features, Frozen, Maps, Standardise
from sr.losses.pixel import DISTANCES, Distance, at_least_float32
from sr.losses.pretrained import VggNet
from sr.types import Image, LowResolution, Scalar, UserError

Input = Literal["imagenet", "zero_one", "minus_one_one"]
INPUTS: dict[Input, tuple[Sequence[float], Sequence[float]]] = {
    "imagenet": IMAGENET_STATISTICS,
    "zero_one": ((0.0,) * 3, (1.0,) * 3),
    "minus_one_one": ((0.5,) * 3, (0.5,) * 3),
}
"""What is subtracted from pictures in [0, 1], and what they are divided by then."""


def reduced(picture: Image, factor: int, linear_light: bool) -> LowResolution:
    """Average over squares of ``factor`` x ``factor`` pixels; rows and columns that fill no square are dropped.

    Args:
        picture: (batch, channels, height, width), nominally in [0, 1].
        factor: side of the squares; 1 gives the picture back, not even clipped.
        linear_light: average light rather than code values, taking the display's gamma as 2.2 (a checkerboard of 0 and
            1 becomes 0.73, not 0.5); the picture is clipped to [1e-6, 1] first.
    """
    if factor == 1:
        return picture
    # A mean over squares is pooling, for which PyTorch is faster than the general resize.
    if not linear_light:
        return F.avg_pool2d(picture, factor)
    light = at_least_float32(picture).clamp(DARKEST, 1) ** GAMMA
    return F.avg_pool2d(light, factor) ** (1 / GAMMA)


def masked_layers(net: str, mask: int) -> list[str]:
    """The last maps before an activation of the blocks whose bits are set: bit i is block i + 1.

    These are convolutions, and in networks with batch norm its outputs.

    Raises:
        ValueError: ``mask`` is not in 1..31.
    """
    if isinstance(mask, bool) or not 1 <= mask <= 31:
        raise ValueError(f"layers={mask} must be a list of layer names, or a bit mask of the five blocks, 1 to 31.")
    blocks, kind = VGG16 if net.startswith("vgg16") else VGG19, "bn" if net.endswith("_bn") else "conv"
    return [f"{kind}{block}_{len(row)}" for block, row in enumerate(blocks, 1) if mask >> (block - 1) & 1]


class Vgg(Frozen):
    """Weighted distances between feature maps of VGG (Johnson et al. 2016, arXiv 1603.08155, equation 2).

    The sum over resolutions and layers of weight times mean distance. Convolutions (conv1_1 and so on) are taken before
    their activation (ESRGAN: Wang et al. 2018, arXiv 1809.00219, section 3.3), relu1_1 and so on after it. Networks
    with batch norm have it between the two: there the map before the activation is bn1_1.

    Args:
        net: which VGG, of ImageNet.
        layers: names of layers, or a bit mask: bit i is the last map before an activation (conv, or bn in networks
            with batch norm) before max pooling i + 1.
        layer_weights: one factor of at least 0 per layer, None for all 1.
        distance: mean absolute or mean squared difference.
        weights: ``imagenet`` (a local copy, else a download), ``random`` (untrained, always the same), or a file.
        input: how [0, 1] reaches the network: normalised as on ImageNet, as it is, or stretched to [-1, 1].
        resolutions: divisors of the picture's sides: 1 is the picture itself, 2 its half.
        resolution_weights: one factor of at least 0 per resolution, None for all 1.
        linear_light: reduce the picture in linear light (gamma 2.2) rather than in code values.
        pool: average each map to so many values per side before comparing; None compares the maps themselves.
        flattened: one mean over the values of all layers together, so that a layer counts by its size, instead of the
            sum of each layer's mean.
        inplace: reproduce the trap of in-place activations: a ReLU overwrites the map before it (of a convolution, or
            of batch norm) before that is compared, except that of the deepest layer.
        trim: so many pixels at the borders are not compared (zero padding makes features wrong there): maps lose the
            same share of their sides, rounded down.

    Raises:
        ValueError: an argument without sense.
        UserError: the weights cannot be had, or lack layers.
    """

    autocast: ClassVar[bool] = True
    """The network may run in bfloat16; distances are float32 in any case."""

    def __init__(
        self,
        net: VggNet = "vgg19",
        layers: Sequence[str] | int = ("conv5_4",),
        layer_weights: Sequence[float] | None = None,
        distance: Distance = "l1",
        weights: str = "imagenet",
        input: Input = "imagenet",
        resolutions: Sequence[int] = (1,),
        resolution_weights: Sequence[float] | None = None,
        linear_light: bool = True,
        pool: int | None = None,
        flattened: bool = False,
        inplace: bool = False,
        trim: int = 0,
    ) -> None:
        super().__init__()
        check_choice("net", net, VggNet)
        check_choice("distance", distance, Distance)
        check_choice("input", input, Input)
        if pool is not None and pool < 1:
            raise ValueError(f"pool={pool} must be at least 1, or null to compare whole maps.")
        if trim < 0:
            raise ValueError(f"trim={trim} counts pixels; use 0 to compare whole maps.")
        if not resolutions or any(factor < 1 for factor in resolutions):
            raise ValueError(f"resolutions={list(resolutions)} must be divisors of at least 1, such as [1,2].")
        if isinstance(layers, str):
            raise ValueError(f"layers={layers} must be a list, layers=[{layers}], or a bit mask.")
        names = masked_layers(net, layers) if isinstance(layers, int) else list(layers)
        self.layer_weights = _factors("layer_weights", layer_weights, "layers", names)
        self.resolutions = tuple(resolutions)
        self.resolution_weights = _factors("resolution_weights", resolution_weights, "resolutions", self.resolutions)
        self.distance = DISTANCES[distance]
        self.linear_light = linear_light
        self.pool = pool
        self.trim = trim
        self.flattened = flattened
        self.standardise = Standardise(*INPUTS[input])
        self.features = Features(net, names, weights, inplace)

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Float32 scalar, at least 0; gradient flows to ``prediction`` alone.

        Args:
            prediction: (batch, 3, height, width), nominally in [0, 1].
            target: the same shape.

        Raises:
            UserError: the pictures are too small for the deepest layer, or not RGB.
        """
        self.features.check(prediction, max(self.resolutions))
        if 2 * self.trim >= min(prediction.shape[-2:]):
            height, width = prediction.shape[-2:]
            raise UserError(
                f"trim={self.trim} at each border leaves nothing of pictures of {height}x{width}; take larger crops, "
                f"or trim={(min(height, width) - 1) // 2} at most"
            )
        total = torch.zeros((), device=prediction.device)
        for factor, weight in zip(self.resolutions, self.resolution_weights, strict=True):
            with torch.no_grad():  # first, so that its passing maps are gone before those that gradient needs come
                wanted = self._maps(target, factor)
            total = total + weight * self._compare(self._maps(prediction, factor), wanted)
        return total

    def _maps(self, picture: Image, factor: int) -> Maps:
        maps: Maps = self.features(self.standardise(reduced(picture, factor, self.linear_light)))
        height, width = picture.shape[-2:]
        maps = [_trimmed(x, self.trim * x.shape[-2] // height, self.trim * x.shape[-1] // width) for x in maps]
        if self.pool is None:
            return maps
        return [F.adaptive_avg_pool2d(at_least_float32(x), self.pool) for x in maps]

    def _compare(self, maps: Maps, wanted: Maps) -> Tensor:
        sizes = [x[0].numel() for x in maps]
        total = torch.zeros((), device=wanted[0].device)
        for x, y, size, weight in zip(maps, wanted, sizes, self.layer_weights, strict=True):
            share = size / sum(sizes) if self.flattened else 1.0
            total = total + weight * share * self.distance(x, y)
        return total


def _trimmed(x: Tensor, rows: int, columns: int) -> Tensor:
    """Without so many rows at top and bottom, and columns at left and right."""
    return x[..., rows : x.shape[-2] - rows, columns : x.shape[-1] - columns]


def _factors(name: str, given: Sequence[float] | None, of: str, things: Sequence[object]) -> tuple[float, ...]:
    """One number of at least 0 per thing, 1 where none are given."""
    if given is None:
        return (1.0,) * len(things)
    if len(given) != len(things) or not all(0 <= factor < math.inf for factor in given):
        raise ValueError(
            f"{name}={list(given)} must be one finite number of at least 0 for each of the {len(things)} {of} "
            f"({', '.join(map(str, things))})."
        )
    return tuple(float(factor) for factor in given)
