"""Drawings of the same scenes in two styles, so that a translation between them has a true result."""

from typing import Literal

import numpy as np

from sr.choices import check_choice
from sr.data.contract import PictureSource
from sr.data.generated.drawings import drawing
from sr.types import Picture

Style = Literal["a", "b"]
VERSION = 1  # raise when the same settings give other pictures, so that older stores are not taken for current

_THICKNESS = {"a": 1.0, "b": 2.0}
# Of B, from the colours of A: an evening, in which black ink is a dark blue.
_COLOURS = np.array([[0.72, 0.10, 0.00], [0.06, 0.66, 0.08], [0.10, 0.18, 0.66]], np.float32)
_SHIFT = np.array([4.0, 10.0, 46.0], np.float32)


class Styles(PictureSource):
    """Line drawings (`sr.data.generated.drawings`) in one of two styles: B has thicker strokes and other colours.

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
        rng = np.random.default_rng([self.seed, self.first + index])
        drawn = drawing(self.size, self.size, rng, lines=16, thickness=_THICKNESS[self.style])
        return Picture(drawn if self.style == "a" else evening(drawn))


def evening(pixels: np.ndarray) -> np.ndarray:
    """The colours of B.

    Args:
        pixels: (height, width, 3) uint8, in the colours of A.
    """
    made = pixels.astype(np.float32) @ _COLOURS.T + _SHIFT
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)
