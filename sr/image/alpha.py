"""Transparency: what lies under fully transparent pixels is no colour of the picture.

Programs leave anything there: white, black, a matte, noise. It must neither be learned nor measured, and a filter that
reaches across the edge of a sprite draws it in as a halo.
"""

import cv2
import numpy as np


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
