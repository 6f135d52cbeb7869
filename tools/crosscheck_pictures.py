"""Pictures of `crosscheck_claims.py`: drawings, and what is made of them in the low resolution."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BATCH, SIDE = 4, 32  # crops of an update, and their side in the high resolution
TRAINING, HELD_OUT, FRAME = 40, 6, 160  # pictures, and their side


def drawing(rng: np.random.Generator) -> Tensor:
    """Flat areas with a weak texture and dark lines, (3, FRAME, FRAME) in [0, 1], drawn twice as large and averaged."""
    side = 2 * FRAME
    y, x = np.mgrid[:side, :side] / side
    area = np.zeros((side, side), dtype=np.int64)
    for _ in range(4):
        angle, place = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.75, 2)
        area = 2 * area + ((x - place[0]) * math.cos(angle) + (y - place[1]) * math.sin(angle) > 0)
    picture = rng.uniform(0.25, 1, (16, 3))[area]
    picture += 0.06 * np.sin(rng.uniform(20, 120) * x + rng.uniform(20, 120) * y)[..., None]
    for _ in range(14):
        centre, radius = rng.uniform(-0.5, 1.5, 2), rng.uniform(0.15, 1)
        far = np.abs(np.hypot(x - centre[0], y - centre[1]) - radius) * FRAME
        ink = np.clip(rng.uniform(0.5, 1.5) - far + 0.5, 0, 1)[..., None]
        picture = picture * (1 - ink) + rng.uniform(0, 0.15) * ink
    large = torch.from_numpy(picture.clip(0, 1)).float().permute(2, 0, 1)
    return F.avg_pool2d(large[None], 2)[0]


def kernels(rng: np.random.Generator, count: int) -> Tensor:
    """Anisotropic Gaussians, (count, 9, 9), each with sum 1."""
    y, x = np.mgrid[-4:5, -4:5]
    made = []
    for _ in range(count):
        angle, (a, b) = rng.uniform(0, math.pi), rng.uniform(0.7, 1.6, 2)
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        kernel = np.exp(-((u / a) ** 2 + (v / b) ** 2) / 2)
        made.append(kernel / kernel.sum())
    return torch.from_numpy(np.stack(made)).float()


@dataclass(frozen=True)
class World:
    """Pictures (n, 3, FRAME, FRAME) to train on and held out, and the kernels that blur them."""

    pictures: Tensor
    held_out: Tensor
    kernels: Tensor


def drawn_world() -> World:
    """The same pictures and kernels every time."""
    rng = np.random.default_rng(2021)
    pictures = torch.stack([drawing(rng) for _ in range(TRAINING + HELD_OUT)])
    return World(pictures[:TRAINING], pictures[TRAINING:], kernels(rng, 16))


def low_resolution(hr: Tensor, real: bool, world: World, draws: torch.Generator) -> Tensor:
    """Half the size: bicubic without antialiasing, or a kernel, every second pixel, and noise of one level of 255."""
    if not real:
        return F.interpolate(hr, scale_factor=0.5, mode="bicubic", align_corners=False).clamp(0, 1)
    count = len(hr)
    chosen = world.kernels[torch.randint(len(world.kernels), (count,), generator=draws)]
    padded = F.pad(hr, (4, 4, 4, 4), mode="reflect")
    stacked = padded.reshape(1, count * 3, *padded.shape[2:])
    lr = F.conv2d(stacked, chosen.repeat_interleave(3, 0)[:, None], stride=2, groups=count * 3)
    lr = lr.reshape(count, 3, *lr.shape[2:])
    noise = F.avg_pool2d(torch.randn(lr.shape, generator=draws), 3, 1, 1) * 3 / 255
    return (lr + noise).clamp(0, 1)


def crops(real: bool, world: World, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """One batch: low and high resolution, mirrored half of the time."""
    high = []
    for _ in range(BATCH):
        which, y, x, mirror = (
            int(torch.randint(n, (), generator=draws)) for n in (TRAINING, FRAME - SIDE, FRAME - SIDE, 2)
        )
        crop = world.pictures[which, :, y : y + SIDE, x : x + SIDE]
        high.append(crop.flip(2) if mirror else crop)
    hr = torch.stack(high)
    return low_resolution(hr, real, world, draws), hr
