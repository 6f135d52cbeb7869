"""Transparency: what lies under fully transparent pixels is no colour of the picture.

Programs leave anything there: white, black, a matte, noise. It must neither be learned nor measured, and a filter that
reaches across the edge of a sprite draws it in as a halo.
"""

import cv2
import numpy as np

from sr.image.resize import taps


def hidden_filled(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Pixels whose fully transparent ones have the colour of the nearest one that shows at all.

    Args:
        pixels: (height, width, channels).
        alpha: (height, width), 0 where nothing shows.

    Returns:
        Likewise; ``pixels`` itself where every pixel shows or none does.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return pixels
    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(labels.max() + 1, dtype=np.int64)  # of each label, the place of the pixel that it stands for
    shown = np.flatnonzero(~hidden)
    nearest[labels.ravel()[shown]] = shown
    filled = pixels.copy()
    filled[hidden] = pixels.reshape(-1, pixels.shape[-1])[nearest[labels[hidden]]]
    return filled


class LargerAlpha:
    """An alpha enlarged by bicubic, some rows at a time; one that knows only on and off stays so.

    Args:
        alpha: (height, width), uint8, uint16, or floating point in [0, 1].
        height: of the result.
        width: of the result.
    """

    def __init__(self, alpha: np.ndarray, height: int, width: int) -> None:
        self._whole = alpha.dtype.kind == "u"
        self._alpha, self._most = alpha, int(np.iinfo(alpha.dtype).max) if self._whole else 1
        self._hard = bool(((alpha == 0) | (alpha == self._most)).all())
        self._down = taps(alpha.shape[0], height, height / alpha.shape[0], "mirror")
        self._across = taps(alpha.shape[1], width, width / alpha.shape[1], "mirror")

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Rows ``top`` to ``bottom`` of the result, in the dtype that was given."""
        rows = _weighted(self._alpha, *(side[top:bottom] for side in self._down))
        made = _weighted(rows.T, *self._across).T
        if self._hard:
            made = np.where(made >= self._most / 2, self._most, 0)
        made = made.clip(0, self._most)
        return (made.round() if self._whole else made).astype(self._alpha.dtype)


def _weighted(lines: np.ndarray, index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums of lines, (out, length): of each result its taps."""
    total = np.zeros((len(index), lines.shape[1]))
    for tap in range(index.shape[1]):
        total += lines[index[:, tap]] * weight[:, tap, None]
    return total
