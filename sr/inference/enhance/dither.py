"""Dither: noise smaller than a level before rounding, so that a smooth ramp has no steps."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr.types import Image


def dithered(image: Image, strength: float = 1.0, levels: int = 255, top: int = 0) -> Image:
    """round(x + strength (U(0, 1) - 0.5)), clipped.

    The noise belongs to the place in the picture: a strip gets what the whole picture gets there.

    Args:
        image: (n, 3, height, width) float32 in [0, 1]; or one channel, whose noise is the first of three.
        strength: width of the noise in levels; 1 makes the mean of many equal pixels exact, 0 only rounds.
        levels: of the file that it goes into, 255 or 65535.
        top: row of the picture that is the first here.

    Returns:
        The same shape, whole levels divided by ``levels``.
    """
    height, width = image.shape[-2:]
    rows = [np.random.default_rng([0, top + row]).random((3, width), np.float32) for row in range(height)]
    noise = torch.from_numpy(np.stack(rows, axis=1))[: image.shape[1]].to(image.device) - 0.5
    return (image * levels + strength * noise).round().clamp(0, levels) / levels


def frame_noise(time: int, plane: int, rows: int, columns: int) -> Float[Tensor, "rows columns"]:
    """Noise of one plane of a frame of a film, U(-0.5, 0.5): another one for each frame, or it would stand still.

    Args:
        time: of the frame, in ticks: the same frame gets the same noise, wherever a job began.
        plane: number of the plane.
        rows: of the plane.
        columns: of the plane.
    """
    generator = np.random.default_rng([time % 2**64, plane])
    return torch.from_numpy(generator.random((rows, columns), np.float32)) - 0.5
