"""Noise that a picture has left, and content that noise has taken along."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from sr.metrics.profiles import Pictures, brightness, check_alike
from sr.types import PerPicture

_FLAT = 4 / 255  # largest step between neighbours around a flat pixel
_FREE = 4  # pixels around it without an edge
_WINDOW = 15  # of the mean that does not count as noise
_KEPT = 0.95  # share of the smallest deviations, which rare spots are not among
_OF_KEPT = 0.8711  # standard deviation of the middle 95 % of a normal distribution
_FEW = 200  # pixels below which nothing is said


def flat_noise(sr: Pictures, hr: Pictures) -> PerPicture:
    """Standard deviation of the noise of a picture where the true one is flat, in levels of 255.

    Flat is a pixel around which, 4 pixels in each direction, no step of the truth between neighbours is above 4 levels:
    an area of one colour, softly shaded or faintly textured. There the deviations of each channel from the truth count,
    less their mean over 15x15 pixels: a wrong colour is no noise. The largest 5 % are left out, and a normal
    distribution's value for the rest is scaled to that for all, so that a few spots do not decide.

    Args:
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths.

    Returns:
        Levels; 0 for the truth itself, s for white noise of s levels in each channel (less what the mean of the flat
        pixels in a window takes, 1 or 2 %). NaN where less than 200 pixels of the truth are flat.

    Raises:
        UserError: the sizes differ.
    """
    check_alike(sr, hr)
    flat = (_largest(_steps(hr.float())).amax(dim=1, keepdim=True) <= _FLAT + 1e-6).float()
    difference = (sr.float() - hr.float()) * flat
    share = _mean(flat).clamp(min=1e-6)
    deviation = (difference - _mean(difference) / share).abs()
    return torch.stack([_spread(one[:, mask[0] > 0]) for one, mask in zip(deviation, flat, strict=True)])


def content_in_noise(noise: Pictures, frame: Pictures) -> PerPicture:
    """Correlation of the energy of a noise patch with the edges of the frame that it was taken from.

    Both are means over 5x5 pixels: of the noise's squared deviation from its mean, and of the frame's squared slope.
    Noise that knows nothing of the picture has 0; residuals of a denoiser that also took lines away have more. The
    strength of the noise and the contrast of the frame do not count.

    Args:
        noise: patches as files hold them (0.5 is none), RGB or Y in [0, 1].
        frame: the frames, of the same size.

    Returns:
        Pearson's correlation, -1 to 1; NaN where either is flat throughout.

    Raises:
        UserError: the sizes differ.
    """
    check_alike(noise, frame)
    grain, picture = brightness(noise), brightness(frame)
    energy = (grain - grain.mean(dim=(1, 2), keepdim=True)).square()
    across, down = picture[:, 1:-1, 2:] - picture[:, 1:-1, :-2], picture[:, 2:, 1:-1] - picture[:, :-2, 1:-1]
    one, other = (avg_pool2d(x[:, None], 5, 1).flatten(1) for x in (energy[:, 1:-1, 1:-1], across**2 + down**2))
    one, other = one - one.mean(dim=1, keepdim=True), other - other.mean(dim=1, keepdim=True)
    size = one.norm(dim=1) * other.norm(dim=1)
    return torch.where(size > 1e-12, (one * other).sum(dim=1) / size, math.nan)


def _steps(pictures: Tensor) -> Tensor:
    """The larger of the differences to the pixel below and to the right."""
    whole = pad(pictures, (0, 1, 0, 1), mode="replicate")
    return torch.maximum(whole.diff(dim=-1)[..., :-1, :].abs(), whole.diff(dim=-2)[..., :-1].abs())


def _largest(pictures: Tensor) -> Tensor:
    """Of the square around each pixel, row by row and then column by column."""
    side = 2 * _FREE + 1
    around = pad(pictures, (_FREE,) * 4, mode="replicate")
    return max_pool2d(max_pool2d(around, (1, side), 1), (side, 1), 1)


def _mean(pictures: Tensor) -> Tensor:
    """Of the square around each pixel, as far as it lies inside."""
    half = _WINDOW // 2
    rows = avg_pool2d(pictures, (1, _WINDOW), 1, (0, half), count_include_pad=False)
    return avg_pool2d(rows, (_WINDOW, 1), 1, (half, 0), count_include_pad=False)


def _spread(deviation: Tensor) -> Tensor:
    """Robust standard deviation of (channels, pixels) absolute deviations, in levels."""
    if deviation.shape[1] < _FEW:
        return deviation.new_tensor(math.nan)
    smallest = deviation.flatten().sort().values[: math.ceil(_KEPT * deviation.numel())]
    return 255 * smallest.square().mean().sqrt() / _OF_KEPT
