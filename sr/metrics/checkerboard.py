"""The pattern of a pixel shuffle, place by place: also where its sign follows the content."""

import torch
from torch import Tensor

from sr.types import Image, Scalar

_PERIODS = 8  # in a window
_BESIDE = (2, 4)  # bins; Hann's window has its first zero at 2


@torch.no_grad()
def checkerboard_local(sr: Image, scale: int) -> Scalar:
    """Root mean square amplitude of the pattern that repeats every ``scale`` pixels, in the pictures' unit.

    `sr.training.watch.checkerboard` averages over the whole picture before it looks, so that a pattern whose sign
    follows the content cancels. Here windows of 8 periods (Hann, half overlapping) are looked at one by one: what each
    has at the period and its harmonics, less the most that it has at frequencies beside them along any of the four
    directions. Edges, lines and ramps have as much there, a pattern has not. Then the mean over windows and channels.
    A pattern of one sign all over reads as its amplitude (as with `checkerboard`); white noise as about a tenth of its
    standard deviation.

    Args:
        sr: (batch, channels, height, width).
        scale: period in pixels; 1 has no pattern. Pictures of less than 4 periods read 0.
    """
    periods = min(_PERIODS, min(sr.shape[-2:]) // scale)
    if scale < 2 or periods < 2 * _BESIDE[0]:
        return sr.new_zeros(())
    side = periods * scale
    harmonics, beside = range(0, side, periods), [far for far in _BESIDE if periods >= 2 * far]
    bins = sorted({(harmonic + s) % side for harmonic in harmonics for far in (0, *beside) for s in (-far, far)})
    power = _spectra(sr.float(), side, bins)
    excess = [
        _excess(power, bins, side, row, column, beside) for row in harmonics for column in harmonics if row or column
    ]
    return torch.stack(excess).sum(dim=0).mean().sqrt()


def _spectra(sr: Image, side: int, bins: list[int]) -> Tensor:
    """(batch, channels, down, across, bins, bins) power of windows, so that a wave of amplitude 1 in one bin has 1."""
    hann, numbers = torch.hann_window(side, device=sr.device), torch.arange(side, device=sr.device)
    turns = -2 * torch.pi * (numbers[:, None] * numbers[bins] % side) / side
    waves = torch.polar((hann / hann.sum())[:, None].expand(turns.shape).contiguous(), turns)
    rows = sr.unfold(3, side, side // 2) @ torch.cat([waves.real, waves.imag], dim=1)
    rows = torch.complex(*rows.unfold(2, side, side // 2).split(len(bins), dim=-2))
    return (rows @ waves).abs().square().transpose(-1, -2)


def _excess(power: Tensor, bins: list[int], side: int, row: int, column: int, beside: list[int]) -> Tensor:
    """What each window has in a bin above the largest mean of two opposite ones so far away."""
    place, found = {number: index for index, number in enumerate(bins)}, []
    for down, across in ((1, 0), (0, 1), (1, 1), (1, -1)):
        for far in beside:
            pair = [
                power[..., place[(row + s * down) % side], place[(column + s * across) % side]] for s in (-far, far)
            ]
            found.append((pair[0] + pair[1]) / 2)
    return (power[..., place[row], place[column]] - torch.stack(found).amax(dim=0)).clamp(min=0)
