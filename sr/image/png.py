"""A PNG strip by strip (PNG specification, third edition): filtered as it recommends, deflated as one stream."""

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import UInt8

from sr.image.depth import Channels
from sr.image.form import Form

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour type by number of channels: gray, gray and alpha, RGB, RGB and alpha."""

LEVEL, ROWS = 6, 32
"""Of deflate, and how many rows are filtered at once: as many as stay in a processor's cache."""

Bytes = UInt8[np.ndarray, "height bytes"]


def png_strips(form: Form, strips: Iterator[Channels], said: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The parts of a PNG file.

    Args:
        form: as it is written.
        strips: of any heights, in ``form``'s depth and number of channels.
        said: chunks (name, content) of what the file says beside its pixels; all stand before them.
    """
    header = (form.width, form.height, 16 if form.deep else 8, COLOUR_TYPE[form.channels], 0, 0, 0)
    yield SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    for name, body in said:
        yield chunk(name, body)
    # Runs only: after the filters longer matches save nothing in pictures, and cost ten times the time.
    deflate = zlib.compressobj(LEVEL, strategy=zlib.Z_RLE)
    pixel = form.channels * (2 if form.deep else 1)
    above = np.zeros(form.width * pixel, np.uint8)
    for strip in strips:
        rows = strip.astype(">u2").view(np.uint8) if form.deep else strip
        rows = rows.reshape(len(strip), form.width * pixel)
        for top in range(0, len(rows), ROWS):
            part = rows[top : top + ROWS]
            data = deflate.compress(_filtered(part, above, pixel).tobytes())
            above = part[-1]
            if data:
                yield chunk(b"IDAT", data)
    yield chunk(b"IDAT", deflate.flush()) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length and its sum (section 5.3)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _filtered(rows: Bytes, above: UInt8[np.ndarray, "bytes"], pixel: int) -> UInt8[np.ndarray, "height more"]:
    """Each row by the filter that leaves the least (sections 9.2 and 12.7), behind the number of that filter.

    Args:
        rows: as they are.
        above: the row before the first one.
        pixel: bytes per pixel.
    """
    up = np.concatenate((above[None], rows[:-1]))
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel:], corner[:, pixel:] = rows[:, :-pixel], up[:, :-pixel]
    a, b, c = (near.astype(np.int16) for near in (left, up, corner))
    near_a, near_b, near_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    paeth = np.where((near_a <= near_b) & (near_a <= near_c), left, np.where(near_b <= near_c, up, corner))
    tried = (rows, rows - left, rows - up, rows - ((a + b) >> 1).astype(np.uint8), rows - paeth)
    left_over = [np.abs(one.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for one in tried]
    best = np.argmin(left_over, axis=0)
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = best
    for number, one in enumerate(tried):
        filtered[best == number, 1:] = one[best == number]
    return filtered
