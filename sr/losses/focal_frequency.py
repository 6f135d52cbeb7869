"""Focal frequency loss (Jiang, Dai, Wu and Loy 2021, arXiv 2012.12821): squared error where the spectrum is worst."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.errors import UserError
from sr.losses.pixel import at_least_float32
from sr.types import Image, Scalar

Patches = Float[Tensor, "batch patch rows columns"]


def focal_frequency(d: Patches, alpha: float) -> Scalar:
    """FFL = mean over u, v of w(u, v) |F(u, v)|^2 with w = |F|^alpha (eq. 8 to 10), F the spectrum of a difference.

    The transform is linear, so the distance of two spectra is the length of the difference's own. It is orthonormal,
    so that without weights (alpha 0) the loss is the mean squared error.

    Args:
        d: difference of the pictures, at least float32.
        alpha: exponent of the weight, at least 0.

    Returns:
        Between 0 and the mean squared error. The weights are divided by their maximum, per picture and channel, and
        get no gradient.
    """
    spectrum = torch.fft.fft2(d, norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    with torch.no_grad():
        largest = power.amax(dim=(-2, -1), keepdim=True)
        w = (power / largest.clamp_min(torch.finfo(power.dtype).tiny)) ** (alpha / 2)
    return (w * power).mean()


def patches(image: Image, factor: int) -> Patches:
    """Cut both sides into ``factor`` parts; the (factor^2 channel) parts of a picture become its channels.

    Raises:
        UserError: a side is no multiple of ``factor``.
    """
    height, width = image.shape[-2:]
    if height % factor or width % factor:
        raise UserError(
            f"focal frequency loss with patch_factor={factor} cannot divide pictures of {height}x{width} pixels "
            "into equal patches; take patch_factor=1, or a data.crop that it divides."
        )
    cut = image.unflatten(-2, (factor, height // factor)).unflatten(-1, (factor, width // factor))
    return cut.transpose(-3, -2).flatten(1, 3)


class FocalFrequency(nn.Module):
    """Focal frequency loss: frequencies that the prediction misses most count most.

    Args:
        alpha: exponent of the weight; 1 in the paper, 0 gives every frequency the same weight and so the mean squared
            error, more focuses more.
        patch_factor: transform patches of 1 / patch_factor of each side instead of the whole picture; 1 in the paper.

    Raises:
        ValueError: ``alpha`` negative or not finite, or ``patch_factor`` below 1.
    """

    def __init__(self, alpha: float = 1.0, patch_factor: int = 1) -> None:
        super().__init__()
        if not 0 <= alpha < math.inf:
            raise ValueError(f"alpha={alpha} must be a finite number of at least 0; the paper takes 1.")
        if patch_factor < 1:
            raise ValueError(
                f"patch_factor={patch_factor} must be at least 1, which transforms the picture as a whole."
            )
        self.alpha = alpha
        self.patch_factor = patch_factor

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 1] for pictures in [0, 1]; never above their mean squared error.

        Raises:
            UserError: a side is no multiple of ``patch_factor``.
        """
        d = at_least_float32(prediction) - at_least_float32(target)
        return focal_frequency(patches(d, self.patch_factor), self.alpha)
