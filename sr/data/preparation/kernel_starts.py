"""The kernel of one picture by KernelGAN, from another start where a training diverges."""

from collections.abc import Callable

import numpy as np
import torch

from sr.data.preparation.kernel_gan import KernelGan
from sr.draws import Draws, name_key
from sr.errors import UserError

ATTEMPTS = 3
"""Starts that are tried before a picture is given up."""


def estimated(
    pixels: np.ndarray,
    name: str,
    settings: KernelGan,
    seed: int,
    device: torch.device,
    on_update: Callable[[int], None] | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> np.ndarray:
    """Estimate the x2 kernel of a picture.

    Args:
        pixels: (height, width, 3), uint8 or uint16.
        name: of the picture; with the seed it decides all random numbers.
        settings: of the estimate.
        seed: another seed, another start.
        device: where to compute.
        on_update: called with the number of updates done, now and then.
        on_note: told of each start that failed.

    Returns:
        As `KernelGan.estimate`.

    Raises:
        UserError: the picture is too small or flat, or no start has led to a kernel.
    """
    for attempt in range(1, ATTEMPTS + 1):
        sample = np.array([name_key(f"{name} {attempt}")], dtype=np.uint64)
        try:
            return settings.estimate(pixels, Draws(seed, sample).within("kernel gan"), device, on_update)
        except ArithmeticError as error:
            more = f"trying start {attempt + 1} of {ATTEMPTS}" if attempt < ATTEMPTS else "giving up"
            on_note(f"{name}: {error}; {more}")
    raise UserError(f"no kernel after {ATTEMPTS} starts; leave the picture out, or allow more --updates")
