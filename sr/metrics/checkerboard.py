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
    harmonics, beside = range(0, periods * scale, periods), [far for far in _BESIDE if periods >= 2 * far]
    power = _spectra(sr.float(), periods * scale)
    excess = [_excess(power, row, column, beside) for row in harmonics for column in harmonics if row or column]
    return torch.stack(excess).sum(dim=0).mean().sqrt()


def _spectra(sr: Image, side: int) -> Tensor:
    """(batch, channels, down, across, side, side) power of windows, so that a wave of amplitude 1 in one bin has 1."""
    hann, numbers = torch.hann_window(side, device=sr.device), torch.arange(side, device=sr.device)
    turns = -2 * torch.pi * (numbers[:, None] * numbers % side) / side
    waves = torch.polar((hann / hann.sum())[:, None].expand(side, side).contiguous(), turns)
    rows = sr.unfold(3, side, side // 2) @ torch.cat([waves.real, waves.imag], dim=1)
    rows = torch.complex(*rows.unfold(2, side, side // 2).split(side, dim=-2))
    return (rows @ waves).abs().square().transpose(-1, -2)


def _excess(power: Tensor, row: int, column: int, beside: list[int]) -> Tensor:
    """What each window has in a bin above the largest mean of two opposite ones so far away."""
    side, found = power.shape[-1], []
    for down, across in ((1, 0), (0, 1), (1, 1), (1, -1)):
        for far in beside:
            pair = [power[..., (row + s * down) % side, (column + s * across) % side] for s in (-far, far)]
            found.append((pair[0] + pair[1]) / 2)
    return (power[..., row, column] - torch.stack(found).amax(dim=0)).clamp(min=0)
