"""Bit depths of pixels."""

import numpy as np
from jaxtyping import UInt8, UInt16

Channels = UInt8[np.ndarray, "height width channels"] | UInt16[np.ndarray, "height width channels"]
"""Pixels as files have them: gray or RGB, perhaps alpha behind."""


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is; uint16 0..65535 rounded to 0..255."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
