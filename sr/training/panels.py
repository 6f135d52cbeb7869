"""Validation pictures as one strip: LR upscaled, SR, HR, error map."""

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

_SIDE = 320
_CAPTION = 16
_ERROR_GAIN = 4


def strip(bicubic: np.ndarray, sr: np.ndarray, hr: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """Four views of the middle of a picture side by side, captioned.

    Args:
        bicubic: (height, width, 3) uint8, the low-resolution picture upscaled.
        sr: same shape, the network's result.
        hr: same shape, the truth.
        side: largest side of the shown part in pixels.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = (min(side, n) for n in hr.shape[:2])
    top, left = (hr.shape[0] - height) // 2, (hr.shape[1] - width) // 2
    views = [view[top : top + height, left : left + width] for view in (bicubic, sr, hr)]
    error = np.abs(views[1].astype(np.int16) - views[2]).max(axis=2)
    shown = np.minimum(error * _ERROR_GAIN, 255).astype(np.uint8)
    views.append(np.repeat(shown[:, :, None], 3, axis=2))
    names = ("LR, bicubic", "SR", "HR", f"|SR - HR| x {_ERROR_GAIN}")
    return np.concatenate([_captioned(view, name) for view, name in zip(views, names, strict=True)], axis=1)


def _captioned(view: np.ndarray, text: str) -> np.ndarray:
    bar = PillowImage.new("RGB", (view.shape[1], _CAPTION), "black")
    ImageDraw.Draw(bar).text((4, 2), text, fill="white")
    return np.concatenate([np.asarray(bar), view])
