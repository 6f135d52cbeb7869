"""Drawings of the same scenes in two styles, so that a translation between them has a true result."""

from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from sr.choices import check_choice
from sr.data.contract import PictureSource
from sr.types import Picture

Style = Literal["a", "b"]
VERSION = 2  # raise when the same settings give other pictures, so that older stores are not taken for current

_FINE = 4  # samples per pixel and axis
_SHAPES = 1 / 500  # per pixel, so that each crop has several: instance normalisation forgets what a crop has one of
_SIDES = 12  # of the outline of a round shape
_COLOURS = (
    (220, 60, 50),
    (240, 200, 60),
    (70, 160, 80),
    (60, 110, 200),
    (150, 80, 170),
    (240, 140, 60),
    (90, 190, 200),
)
_PAPER, _INK = (245, 243, 238), (20, 20, 24)
_INK_WIDTH = {"a": 1.0, "b": 2.5}  # pixels
# Of B, from the colours of A: an evening, in which black ink is a dark blue.
_EVENING = np.array([[0.72, 0.10, 0.00], [0.06, 0.66, 0.08], [0.10, 0.18, 0.66]], np.float32)
_SHIFT = np.array([4.0, 10.0, 46.0], np.float32)


class Styles(PictureSource):
    """Flat shapes and strokes on paper, in one of two styles: B has thicker ink and the colours of an evening.

    Picture ``index`` of either style shows scene ``first + index``.

    Args:
        style: ``a`` or ``b``.
        first: number of the first scene.
        pictures: how many.
        size: side in pixels.
        seed: another seed, other scenes.

    Raises:
        ValueError: a style that does not exist, or a number out of range.
    """

    heavy = True

    def __init__(self, style: Style, first: int, pictures: int, size: int, seed: int) -> None:
        check_choice("style", style, Style)
        if first < 0 or pictures < 1 or size < 16 or seed < 0:
            raise ValueError(
                f"first={first} and seed={seed} must be at least 0, pictures={pictures} at least 1, size={size} at "
                "least 16"
            )
        self.style, self.first, self.pictures, self.size, self.seed = style, first, pictures, size, seed

    def stamp(self) -> str:
        """The settings, and the version of the drawing code."""
        return f"styles v{VERSION} {self.style} {self.first}+{self.pictures} size={self.size} seed={self.seed}"

    def __len__(self) -> int:
        return self.pictures

    def name(self, index: int) -> str:
        """The number of the scene."""
        return f"scene_{self.first + index:05d}"

    def read(self, index: int) -> Picture:
        """Draw one picture."""
        drawn = scene(self.size, np.random.default_rng([self.seed, self.first + index]), _INK_WIDTH[self.style])
        return Picture(drawn if self.style == "a" else evening(drawn))


def scene(size: int, rng: np.random.Generator, ink: float) -> np.ndarray:
    """A drawing; the same draws make the same scene, whatever the width of its ink.

    Args:
        size: side in pixels.
        rng: source of every draw.
        ink: width of outlines and strokes in pixels.

    Returns:
        (size, size, 3) uint8, in the colours of A.
    """
    large = Image.new("RGB", (size * _FINE, size * _FINE), _PAPER)
    pen, width = ImageDraw.Draw(large), round(ink * _FINE)
    for number in range(max(1, round(size**2 * _SHAPES))):
        corners = _shape(size, rng)
        colour = _COLOURS[rng.integers(len(_COLOURS))]
        if number % 4:
            pen.polygon(corners, fill=colour)
            pen.line([*corners, corners[0]], fill=_INK, width=width, joint="curve")
        else:
            pen.line(corners[: len(corners) // 2 + 1], fill=_INK, width=width, joint="curve")
    return np.asarray(large.reduce(_FINE))


def _shape(size: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Corners of something round, or of a polygon, in fine samples."""
    centre, radii = rng.random(2) * size, rng.uniform(5, 18, 2)
    count = int(rng.choice([3, 4, 5, _SIDES]))
    angles = 2 * np.pi * (np.arange(count) / count + rng.random())
    points = (centre + radii * np.stack([np.cos(angles), np.sin(angles)], 1)) * _FINE
    return [(float(x), float(y)) for x, y in points]


def evening(pixels: np.ndarray) -> np.ndarray:
    """The colours of B.

    Args:
        pixels: (height, width, 3) uint8, in the colours of A.
    """
    made = pixels.astype(np.float32) @ _EVENING.T + _SHIFT
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)
