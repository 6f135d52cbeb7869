"""What is hidden from those who train: how the target's clean originals became its frames.

The very steps of ``degradation=realsr`` with a known kernel and known noise: other proportions, a blur kernel and every
second pixel, then grain through a codec. So a kernel that somebody estimates can be compared with the true one.
"""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from sr.degradations.filters import filtered
from sr.degradations.jpeg import jpeg
from sr.degradations.kernel_pool import shifted_to
from sr.degradations.kernels import gaussian
from sr.degradations.pictures import Pictures
from sr.degradations.resize import Resize, ResizeAxes
from sr.draws import Draws
from sr.experiments.world.settings import FRAME, Release
from sr.image.io import to_image, to_pixels

Array = np.ndarray

KERNEL = 13
"""Side of the hidden kernels, as of KernelGAN's."""

NOTHING_DRAWN = Draws(0, np.zeros(1))
"""For stages that draw nothing, as those of the world."""

_COLOUR_GRAIN = 0.5  # deviation of the grain that each channel has for itself, as a share of the common one


def hidden_kernel(release: Release) -> Array:
    """The release's blur kernel: (13, 13) float64, sums to 1, its centre where a stride of 2 shifts nothing."""
    size, angle = np.array([KERNEL]), np.radians([release.angle])
    long, short = (np.array([sigma]) for sigma in release.sigmas)
    moved = shifted_to(gaussian(KERNEL, size, long, short, angle)[0], 0.5)
    edge = (len(moved) - KERNEL) // 2
    kernel = np.maximum(moved[edge : edge + KERNEL, edge : edge + KERNEL], 0)
    return kernel / kernel.sum()


def clean_frame(original: Array, release: Release) -> Array:
    """The frame before any noise: float32 (height, width, 3) levels.

    Args:
        original: (height, width, 3) uint8.
        release: whose kernel.
    """
    image = to_image(original)
    pictures = Pictures.of(image, (image.shape[-2] // 2, image.shape[-1] // 2))
    shaped = ResizeAxes(*FRAME, mode="bicubic", rounding="even")(pictures, NOTHING_DRAWN)
    kernel = torch.from_numpy(hidden_kernel(release).astype(np.float32))[None]
    made = filtered(shaped.mirrored(KERNEL // 2), kernel, 2, shaped.together)
    return np.asarray(255 * made[0].clamp(0, 1).permute(1, 2, 0).numpy(), np.float32)


def noise(clean: Array, release: Release, rng: np.random.Generator) -> Array:
    """What grain and codec add to a frame: float32 (height, width, 3) levels, alike in neighbouring pixels.

    Args:
        clean: from `clean_frame`.
        release: how strong and how coarse.
        rng: of the grain.
    """
    gray, coloured = rng.standard_normal((*clean.shape[:2], 1)), rng.standard_normal(clean.shape)
    grain = gaussian_filter(gray + _COLOUR_GRAIN * coloured, (release.softness, release.softness, 0))
    grainy = clean + np.asarray(release.grain * grain / grain.std(), np.float32)
    image = torch.from_numpy(grainy.transpose(2, 0, 1)[None] / 255)
    coded = jpeg(image, np.array([release.quality]))[0].permute(1, 2, 0).numpy()
    return np.asarray(255 * coded - clean, np.float32)


def filmed(original: Array, release: Release, rng: np.random.Generator, times: float = 1.0) -> Array:
    """A frame of the target: (rows, columns, 3) uint8.

    Args:
        original: (height, width, 3) uint8.
        release: of the target.
        rng: of the grain.
        times: how many times the noise is as strong as the release's.
    """
    clean = clean_frame(original, release)
    return np.clip(np.rint(clean + times * noise(clean, release, rng)), 0, 255).astype(np.uint8)


def network_input(frame: Array, height: int, width: int) -> Array:
    """A frame enlarged to the proportions of the reference, as networks meet it: (height, width, 3) uint8."""
    back = Resize(of="lr", modes="bicubic_aligned", clamp=True)
    return to_pixels(back(Pictures.of(to_image(frame), (height, width)), NOTHING_DRAWN).pixels)
