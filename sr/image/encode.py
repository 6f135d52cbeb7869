"""From pixels to the bytes of a picture file, one function per format.

PNG and TIFF keep everything. Pillow cannot write colour of 16 bits per channel, so 16-bit PNG is put together
here (PNG specification, third edition: IHDR, one deflated IDAT, IEND) and TIFF is left to tifffile.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from jaxtyping import UInt8, UInt16
from PIL import Image as pil

from sr.image.depth import to_uint8
from sr.image.details import NO_DETAILS, Details
from sr.types import Picture

Channels = UInt8[np.ndarray, "height width channels"] | UInt16[np.ndarray, "height width channels"]

QUALITY = 95
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour type by number of channels: gray, gray and alpha, RGB, RGB and alpha."""

JPEG_SIDE, WEBP_SIDE = 65500, 16383
"""Longest side that each format can hold (libjpeg's and libwebp's limits)."""


def encode(picture: Picture, suffix: str, details: Details = NO_DETAILS) -> bytes:
    """A picture file as bytes.

    Args:
        picture: what to write.
        suffix: lower case, one of ``ENCODERS``.
        details: profile, EXIF and the like that fit the picture.

    Returns:
        The whole file.

    Raises:
        ValueError: the format cannot hold the picture; the message says what can.
    """
    return ENCODERS[suffix](picture, details)


def _channels(picture: Picture) -> Channels:
    """Gray or RGB, then alpha, in one array."""
    colour = picture.pixels[..., :1] if picture.gray else picture.pixels
    if picture.alpha is None:
        return np.ascontiguousarray(colour)
    return np.concatenate((colour, picture.alpha[..., None]), axis=-1)


def _png(picture: Picture, details: Details) -> bytes:
    channels = _channels(picture)
    data = _deep_png(channels) if channels.dtype == np.uint16 else _with_pillow(channels, "PNG", {})
    head = len(PNG_SIGNATURE) + 25  # IHDR has 13 bytes; profile and colours must follow at once
    return data[:head] + b"".join(_chunk(*one) for one in _png_details(details)) + data[head:]


def _png_details(details: Details) -> Iterator[tuple[bytes, bytes]]:
    yield from details.colours
    if details.icc is not None:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(details.icc)
    if details.dpi is not None:
        yield b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in details.dpi), 1)
    if details.exif is not None:
        yield b"eXIf", details.exif
    if details.xmp is not None:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + details.xmp


def _jpeg(picture: Picture, details: Details) -> bytes:
    if picture.alpha is not None and picture.alpha.min() < np.iinfo(picture.alpha.dtype).max:
        raise ValueError("JPEG holds no transparency; write .png, .webp or .tif instead")
    _check_side(picture, "JPEG", JPEG_SIDE)
    channels = to_uint8(_channels(Picture(picture.pixels, None, picture.gray)))
    return _with_pillow(channels, "JPEG", {"quality": QUALITY, "subsampling": 0} | _for_pillow(details))


def _webp(picture: Picture, details: Details) -> bytes:
    _check_side(picture, "WebP", WEBP_SIDE)
    channels = to_uint8(_channels(Picture(picture.pixels, picture.alpha)))
    return _with_pillow(channels, "WEBP", {"quality": QUALITY} | _for_pillow(details))


def _tiff(picture: Picture, details: Details) -> bytes:
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
        iccprofile=details.icc,
        resolution=details.dpi,
        resolutionunit=None if details.dpi is None else "INCH",
        extratags=[] if details.xmp is None else [(700, "B", len(details.xmp), details.xmp, True)],
    )
    return buffer.getvalue()


ENCODERS = {".png": _png, ".jpg": _jpeg, ".jpeg": _jpeg, ".webp": _webp, ".tif": _tiff, ".tiff": _tiff}
"""What can be written, by suffix."""


def _check_side(picture: Picture, name: str, side: int) -> None:
    height, width = picture.pixels.shape[:2]
    if max(height, width) > side:
        raise ValueError(f"{name} holds at most {side} pixels a side, not {width}x{height}; write .png instead")


def _for_pillow(details: Details) -> dict[str, Any]:
    dpi = None if details.dpi is None else tuple(round(value) for value in details.dpi)
    exif = None if details.exif is None else b"Exif\0\0" + details.exif
    options = {"icc_profile": details.icc, "exif": exif, "xmp": details.xmp, "dpi": dpi}
    return {name: value for name, value in options.items() if value is not None}


def _with_pillow(channels: UInt8[np.ndarray, "height width channels"], format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image = pil.fromarray(channels[..., 0] if channels.shape[-1] == 1 else channels)
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _deep_png(channels: UInt16[np.ndarray, "height width channels"]) -> bytes:
    height, width, count = channels.shape
    rows = channels.astype(">u2").view(np.uint8).reshape(height, width * count * 2)
    differences = np.diff(rows, axis=0, prepend=np.zeros((1, rows.shape[1]), np.uint8))  # filter 2, "Up"
    filtered = np.concatenate((np.full((height, 1), 2, np.uint8), differences), axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPE[count], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
