"""From pixels to the bytes of a picture file, one function per format.

PNG and TIFF keep everything. Pillow cannot write colour of 16 bits per channel, so 16-bit PNG is put together
here (PNG specification, third edition: IHDR, one deflated IDAT, IEND) and TIFF is left to tifffile.
"""

import io
import struct
import zlib

import numpy as np
import tifffile
from jaxtyping import UInt8, UInt16
from PIL import Image as pil

from sr.image.depth import to_uint8
from sr.types import Picture

Channels = UInt8[np.ndarray, "height width channels"] | UInt16[np.ndarray, "height width channels"]

QUALITY = 95
COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour type by number of channels: gray, gray and alpha, RGB, RGB and alpha."""

JPEG_SIDE, WEBP_SIDE = 65500, 16383
"""Longest side that each format can hold (libjpeg's and libwebp's limits)."""


def encode(picture: Picture, suffix: str) -> bytes:
    """A picture file as bytes.

    Args:
        picture: what to write.
        suffix: lower case, one of ``ENCODERS``.

    Returns:
        The whole file.

    Raises:
        ValueError: the format cannot hold the picture; the message says what can.
    """
    return ENCODERS[suffix](picture)


def _channels(picture: Picture) -> Channels:
    """Gray or RGB, then alpha, in one array."""
    colour = picture.pixels[..., :1] if picture.gray else picture.pixels
    if picture.alpha is None:
        return np.ascontiguousarray(colour)
    return np.concatenate((colour, picture.alpha[..., None]), axis=-1)


def _png(picture: Picture) -> bytes:
    channels = _channels(picture)
    if channels.dtype == np.uint16:
        return _deep_png(channels)
    return _with_pillow(channels, "PNG")


def _jpeg(picture: Picture) -> bytes:
    if picture.alpha is not None and picture.alpha.min() < np.iinfo(picture.alpha.dtype).max:
        raise ValueError("JPEG holds no transparency; write .png, .webp or .tif instead")
    _check_side(picture, "JPEG", JPEG_SIDE)
    channels = to_uint8(_channels(Picture(picture.pixels, None, picture.gray)))
    return _with_pillow(channels, "JPEG", quality=QUALITY, subsampling=0)


def _webp(picture: Picture) -> bytes:
    _check_side(picture, "WebP", WEBP_SIDE)
    channels = to_uint8(_channels(Picture(picture.pixels, picture.alpha)))
    return _with_pillow(channels, "WEBP", quality=QUALITY)


def _tiff(picture: Picture) -> bytes:
    deep_gray_alpha = picture.gray and picture.alpha is not None and picture.pixels.dtype == np.uint16
    channels = _channels(Picture(picture.pixels, picture.alpha, picture.gray and not deep_gray_alpha))
    count = channels.shape[-1]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        channels if count > 1 else channels[..., 0],
        photometric="rgb" if count > 2 else "minisblack",
        planarconfig="contig" if count > 1 else None,
        extrasamples=["unassalpha"] if count in (2, 4) else None,
        compression="zlib",
        predictor=True,
        metadata=None,
    )
    return buffer.getvalue()


ENCODERS = {".png": _png, ".jpg": _jpeg, ".jpeg": _jpeg, ".webp": _webp, ".tif": _tiff, ".tiff": _tiff}
"""What can be written, by suffix."""


def _check_side(picture: Picture, name: str, side: int) -> None:
    height, width = picture.pixels.shape[:2]
    if max(height, width) > side:
        raise ValueError(f"{name} holds at most {side} pixels a side, not {width}x{height}; write .png instead")


def _with_pillow(
    channels: UInt8[np.ndarray, "height width channels"],
    format: str,
    quality: int | None = None,
    subsampling: int | None = None,
) -> bytes:
    options = {"quality": quality, "subsampling": subsampling}
    buffer = io.BytesIO()
    image = pil.fromarray(channels[..., 0] if channels.shape[-1] == 1 else channels)
    image.save(buffer, format, **{name: value for name, value in options.items() if value is not None})
    return buffer.getvalue()


def _deep_png(channels: UInt16[np.ndarray, "height width channels"]) -> bytes:
    height, width, count = channels.shape
    rows = channels.astype(">u2").view(np.uint8).reshape(height, width * count * 2)
    differences = np.diff(rows, axis=0, prepend=np.zeros((1, rows.shape[1]), np.uint8))  # filter 2, "Up"
    filtered = np.concatenate((np.full((height, 1), 2, np.uint8), differences), axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPE[count], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in chunks:
        parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    return b"".join(parts)
