"""Validation pictures as one strip: LR upscaled, SR, HR, error map."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

_SIDE = 320
_CAPTION = 16
_ERROR_GAIN = 4


def strip(
    bicubic: np.ndarray, sr: np.ndarray, hr: np.ndarray, side: int = _SIDE, translated: bool = False
) -> np.ndarray:
    """Four views of the middle of a picture side by side, captioned.

    Args:
        bicubic: (height, width, 3) uint8, the low-resolution picture upscaled.
        sr: same shape, the network's result.
        hr: same shape, the truth.
        side: largest side of the shown part in pixels.
        translated: the first view is the picture itself, and the result a translation.

    Returns:
        (height, width, 3) uint8.
    """
    views = _middles(side, bicubic, sr, hr)
    error = np.abs(views[1].astype(np.int16) - views[2]).max(axis=2)
    shown = np.minimum(error * _ERROR_GAIN, 255).astype(np.uint8)
    views.append(np.repeat(shown[:, :, None], 3, axis=2))
    names = (
        ("picture", "translated", "truth", "|difference|") if translated else ("LR, bicubic", "SR", "HR", "|SR - HR|")
    )
    return _in_a_row(views, (*names[:3], f"{names[3]} x {_ERROR_GAIN}"))


def strip_without_truth(bicubic: np.ndarray, sr: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """The first two views of `strip`."""
    return _in_a_row(_middles(side, bicubic, sr), ("LR, bicubic", "SR"))


def there_and_back(picture: np.ndarray, made: np.ndarray, back: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """A picture, what a network translates it to, and what it makes of that again; as `strip`."""
    return _in_a_row(_middles(side, picture, made, back), ("picture", "translated", "and back"))


def parts(pixels: np.ndarray, count: int = 4) -> list[np.ndarray]:
    """The first three views of a strip again, without captions: an error map is left out.

    Args:
        pixels: what `strip` gave, `strip_without_truth` or `there_and_back`.
        count: of its views, which are 4, 2 or 3.

    Raises:
        ValueError: that is no strip.
    """
    height, width = pixels.shape[:2]
    if height <= _CAPTION or width % count or not width:
        raise ValueError(f"a picture of {width}x{height} is no strip of {count} views")
    return np.split(pixels[_CAPTION:], count, axis=1)[:3]


def _middles(side: int, *pictures: np.ndarray) -> list[np.ndarray]:
    height, width = (min(side, n) for n in pictures[0].shape[:2])
    top, left = (pictures[0].shape[0] - height) // 2, (pictures[0].shape[1] - width) // 2
    return [picture[top : top + height, left : left + width] for picture in pictures]


def _in_a_row(views: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    return np.concatenate([captioned(view, name) for view, name in zip(views, names, strict=True)], axis=1)


def captioned(view: np.ndarray, text: str) -> np.ndarray:
    """A picture below a black bar with a line of text.

    Args:
        view: (height, width, 3) uint8.
        text: in the bar.
    """
    bar = PillowImage.new("RGB", (view.shape[1], _CAPTION), "black")
    ImageDraw.Draw(bar).text((4, 2), text, fill="white")
    return np.concatenate([np.asarray(bar), view])
