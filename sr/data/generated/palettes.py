"""Colours that go together: a few base colours per picture, or the colours of a picture that somebody painted."""

import numpy as np
from PIL import Image, ImageFilter

Array = np.ndarray

# Rows: luminance, warm-cool (red against blue), magenta-green. They are the uncorrelated axes of the colours of
# photographs, in falling order of variance: Ohta, Kanade and Sakai, "Color information for region segmentation" (1980).
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def base_colours(count: int, rng: np.random.Generator) -> Array:
    """Base colours of one picture.

    Luminance spans most of the range in random order (a picture has darks and lights); the chroma of all
    colours shares one cast and scatters around it, less than the luminance does and from warm to cool
    more than from magenta to green.

    Args:
        count: how many colours.
        rng: source of every draw.

    Returns:
        (count, 3) float64 RGB, 0..1.
    """
    lightness = (rng.permutation(count) + rng.random(count)) / count
    middle, spread = rng.uniform(0.38, 0.58), rng.uniform(0.6, 1.0)
    luminance = middle + spread * (lightness - 0.5)
    saturation = rng.uniform(0.4, 2.2)
    cast = rng.normal((0.03, -0.005), (0.07, 0.025))
    chroma = cast + saturation * rng.normal(0, (0.11, 0.05), (count, 2)) + rng.normal(0, 0.01, (count, 2))
    opponent = np.concatenate([luminance[:, None] * np.sqrt(3), chroma], 1)
    return np.clip(opponent @ OPPONENT, 0.0, 1.0)


def leaf_colours(bases: Array, field: Array, rng: np.random.Generator) -> Array:
    """Colours of leaves: a base each, then a heavy-tailed step in luminance and a small one in chroma.

    Args:
        bases: (k, 3) base colours, 0..1.
        field: (n,) smooth field at each leaf's place, about N(0, 1): neighbours get neighbouring bases.
        rng: source of every draw.

    Returns:
        (n, 3) float64 RGB, 0..1.
    """
    n, k = len(field), len(bases)
    rank = np.clip((field + rng.normal(0, 0.5, n)) / 3.2 + 0.5, 0, 0.999)
    near = bases[(rank * k).astype(int)]
    anywhere = bases[rng.integers(0, k, n)]
    colour = np.where((rng.random(n) < 0.5)[:, None], near, anywhere)
    step = np.concatenate([rng.laplace(0, 0.12, (n, 1)), rng.laplace(0, (0.03, 0.015), (n, 2))], 1)
    return np.clip(colour + step @ OPPONENT, 0.02, 0.98)


def blurred_colours(pixels: Array, kernel: int) -> Array:
    """The colours of a picture after a box blur: a palette for `drawing`, which draws three of them.

    Areas weigh by their size, and the blur keeps outlines and noise from becoming colours of their own.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        kernel: side of the box in pixels, odd.

    Returns:
        (height * width, 3) uint8 RGB.

    Raises:
        ValueError: the kernel is even or below 1.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is the odd side of a box blur, got {kernel}; give {max(1, kernel + 1)}")
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.BoxBlur(kernel // 2))).reshape(-1, 3)
