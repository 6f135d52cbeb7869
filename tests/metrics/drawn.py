"""Pictures whose measures are known: steps and lines as smooth as one likes, at any angle, and what happens to them."""

import math

import torch

SIDE = 96


def across(angle, offset=0.0, side=SIDE):
    """Signed distance of each pixel to a line through the middle, float64 (side, side)."""
    y, x = torch.meshgrid(*[torch.arange(side, dtype=torch.float64) - side / 2] * 2, indexing="ij")
    return x * math.cos(angle) + y * math.sin(angle) - offset


def _risen(distance, sigma):
    return (1 + torch.erf(distance / (sigma * math.sqrt(2)))) / 2


def step(sigma, angle=0.0, low=0.2, high=0.8, offset=0.0, side=SIDE):
    """An edge blurred by a Gaussian, (1, 1, side, side)."""
    return (low + (high - low) * _risen(across(angle, offset, side), sigma)).float()[None, None]


def line(width, sigma, angle=0.0, ground=0.9, depth=0.6, offset=0.0, right=0.0):
    """A dark line blurred by a Gaussian; ``right`` is added to the ground beyond it."""
    distance = across(angle, offset)
    dip = _risen(distance + width / 2, sigma) - _risen(distance - width / 2, sigma)
    return (ground + right * _risen(distance, sigma) - depth * dip).float()[None, None]


def noise(like, levels, seed=0):
    """White noise of so many levels."""
    return levels / 255 * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
