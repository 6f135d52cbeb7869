"""From pixels to the bytes of a picture file, strip by strip, one function per format.

PNG, JPEG and TIFF are written as the strips come, so that nobody needs the memory for a whole picture; the encoders of
WebP and AVIF want it whole. Pillow's own writers take whole pictures only, and no colour of 16 bits per channel. So a
PNG is put together here (third edition of its specification), a JPEG from Pillow's for each strip, and a TIFF by
tifffile from strips that are compressed here.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import tifffile
from jaxtyping import UInt8
from PIL import Image as pil

from sr.devices import out_of_memory
from sr.image.depth import Channels, to_uint8
from sr.image.details import NO_DETAILS, Details
from sr.image.form import Form, form_of, held
from sr.image.png import png_strips
from sr.printable import first_line
from sr.types import Picture

File = BinaryIO | io.BytesIO

Strip = tuple[np.ndarray, np.ndarray | None]
"""Rows of a picture, from its top on: (rows, width, 3) and their alpha (rows, width), as in `Picture`."""

Encoder = Callable[[File, Form, Iterator[Channels], Details, int], None]

QUALITY = 95
ROWS = 64
"""Rows per strip of a TIFF, and of a JPEG: eight rows of blocks, as the markers between them count to eight."""

SIDES = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383, ".avif": 65536}
"""Longest side that each format can hold (limits of libjpeg, libwebp and of AV1)."""

CLASSIC = (1 << 32) - (1 << 25)
"""Bytes of pixels above which a TIFF is written as BigTIFF: a classic one counts to 4 GiB, and packing may not help."""

OPAQUE_ONLY = (".jpg", ".jpeg")
LOSSY = (".jpg", ".jpeg", ".webp", ".avif")


class EncodingError(ValueError):
    """An encoder does not take what `check_fits` has passed; the message says which one, and why."""


def encode(picture: Picture, suffix: str, details: Details = NO_DETAILS, quality: int = QUALITY) -> bytes:
    """A picture file as bytes.

    Args:
        picture: what to write.
        suffix: lower case, one of ``ENCODERS``.
        details: profile, EXIF and the like that fit the picture.
        quality: 1..100, of JPEG, WebP and AVIF.

    Returns:
        The whole file.

    Raises:
        ValueError: the format cannot hold the picture; the message says what can.
        EncodingError: its encoder fails.
    """
    if suffix in OPAQUE_ONLY and picture.alpha is not None and is_opaque(picture.alpha):
        picture = replace(picture, alpha=None)
    form = form_of(picture)
    check_fits(form, suffix)
    buffer = io.BytesIO()
    write_strips(buffer, form, [(picture.pixels, picture.alpha)], suffix, details, quality)
    return buffer.getvalue()


def is_opaque(alpha: np.ndarray) -> bool:
    """Whether every pixel shows wholly."""
    return bool(alpha.min() == np.iinfo(alpha.dtype).max)


def check_fits(form: Form, suffix: str) -> None:
    """Before anything is computed.

    Raises:
        ValueError: the format cannot hold such a picture; the message says what can.
    """
    if form.alpha and suffix in OPAQUE_ONLY:
        raise ValueError("JPEG holds no transparency; write .png, .webp or .tif instead")
    side = SIDES.get(suffix)
    if side is not None and max(form.height, form.width) > side:
        name = {".webp": "WebP", ".avif": "AVIF"}.get(suffix, "JPEG")
        raise ValueError(
            f"{name} holds at most {side} pixels a side, not {form.width}x{form.height}; write .png instead"
        )


def write_strips(file: File, form: Form, strips: Iterable[Strip], suffix: str, details: Details, quality: int) -> None:
    """Write a picture file while its strips come.

    Args:
        file: opened for writing.
        form: of the picture; `check_fits` has passed it.
        strips: of any heights, in the depth that ``form`` says.
        suffix: lower case, one of ``ENCODERS``.
        details: profile, EXIF and the like that fit the picture.
        quality: 1..100, of JPEG, WebP and AVIF.

    Raises:
        EncodingError: the format's encoder fails.
    """
    written = held(form, suffix)
    ENCODERS[suffix](file, written, (_channels(strip, written) for strip in strips), details, quality)


def _channels(strip: Strip, form: Form) -> Channels:
    """Gray or RGB, then alpha, in one array of the depth that is written."""
    colour, alpha = strip
    parts = [colour[..., :1] if form.gray else colour]
    if form.alpha:
        assert alpha is not None
        parts.append(alpha[..., None])
    together = np.ascontiguousarray(np.concatenate(parts, axis=-1))
    return together if form.deep else to_uint8(together)


def _png(file: File, form: Form, strips: Iterator[Channels], details: Details, quality: int) -> None:
    for part in png_strips(form, strips, _png_details(details)):
        file.write(part)


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


def _jpeg(file: File, form: Form, strips: Iterator[Channels], details: Details, quality: int) -> None:
    """Each strip is a JPEG of its own, of the same tables; their data follow each other with markers between.

    Nothing of what lies before a restart marker counts behind it (ITU-T T.81, F.1.1.5.1), and colour is not subsampled:
    so the blocks are those of the whole picture.
    """
    options = {"quality": quality, "subsampling": 0, "restart_marker_rows": 1}
    for number, strip in enumerate(_regrouped(strips, ROWS)):
        data = _with_pillow(strip, "JPEG", options | (_for_pillow(details) if number == 0 else {}))
        size, start = _jpeg_places(data)
        if number == 0:
            file.write(data[:size] + struct.pack(">H", form.height) + data[size + 2 : start])
        else:
            file.write(b"\xff\xd7")  # the eighth marker; the strip before has the seven others
        file.write(data[start:-2])
    file.write(b"\xff\xd9")


def _jpeg_places(data: bytes) -> tuple[int, int]:
    """Where the height of a JPEG lies and where its coded data begin (ITU-T T.81, B.2)."""
    size, place = 0, 2
    while True:
        marker, length = struct.unpack(">HH", data[place : place + 4])
        if marker == 0xFFC0:
            size = place + 5
        place += 2 + length
        if marker == 0xFFDA:
            return size, place


def _regrouped(strips: Iterator[Channels], rows: int) -> Iterator[Channels]:
    """Strips of so many rows, the last one of what remains."""
    kept: list[np.ndarray] = []
    count = 0
    for strip in strips:
        kept.append(strip)
        count += len(strip)
        if count < rows:
            continue
        together = np.concatenate(kept)
        whole = count - count % rows
        for top in range(0, whole, rows):
            yield together[top : top + rows]
        kept, count = [together[whole:]], count - whole
    if count:
        yield np.concatenate(kept)


def _webp(file: File, form: Form, strips: Iterator[Channels], details: Details, quality: int) -> None:
    file.write(_with_pillow(np.concatenate(list(strips)), "WEBP", {"quality": quality} | _for_pillow(details)))


def _avif(file: File, form: Form, strips: Iterator[Channels], details: Details, quality: int) -> None:
    options = {"quality": quality, "subsampling": "4:4:4"} | _for_pillow(details)
    file.write(_with_pillow(np.concatenate(list(strips)), "AVIF", options))


def _tiff(file: File, form: Form, strips: Iterator[Channels], details: Details, quality: int) -> None:
    count = form.channels
    tifffile.imwrite(
        file,
        (_tiff_strip(strip) for strip in _regrouped(strips, ROWS)),
        shape=(form.height, form.width, count) if count > 1 else (form.height, form.width),
        dtype="<u2" if form.deep else "<u1",
        byteorder="<",
        bigtiff=form.height * form.width * count * (2 if form.deep else 1) > CLASSIC,
        rowsperstrip=ROWS,
        photometric="rgb" if count > 2 else "minisblack",
        planarconfig="contig" if count > 1 else None,
        extrasamples=["unassalpha"] if form.alpha else None,
        compression="zlib",
        predictor=True,
        metadata=None,
        iccprofile=details.icc,
        resolution=details.dpi,
        resolutionunit=None if details.dpi is None else "INCH",
        extratags=[] if details.xmp is None else [(700, "B", len(details.xmp), details.xmp, True)],
    )


def _tiff_strip(strip: Channels) -> bytes:
    """Differences to the left neighbour, deflated (TIFF 6.0, section 14)."""
    differences = np.diff(strip, axis=1, prepend=np.zeros_like(strip[:, :1]))
    return zlib.compress(differences.astype(differences.dtype.newbyteorder("<")).tobytes(), 6)


ENCODERS: dict[str, Encoder] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".webp": _webp,
    ".avif": _avif,
    ".tif": _tiff,
    ".tiff": _tiff,
}
"""What can be written, by suffix."""


def _for_pillow(details: Details) -> dict[str, Any]:
    dpi = None if details.dpi is None else tuple(round(value) for value in details.dpi)
    exif = None if details.exif is None else b"Exif\0\0" + details.exif
    options = {"icc_profile": details.icc, "exif": exif, "xmp": details.xmp, "dpi": dpi}
    return {name: value for name, value in options.items() if value is not None}


def _with_pillow(channels: UInt8[np.ndarray, "height width channels"], format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image = pil.fromarray(channels[..., 0] if channels.shape[-1] == 1 else channels)
    try:
        image.save(buffer, format, **options)
    except (ValueError, OSError, RuntimeError) as error:  # Pillow's plug-ins raise any of them
        if out_of_memory(error):
            raise
        size = f"{image.width}x{image.height}"
        raise EncodingError(
            f"the encoder of {format} fails at {size} ({first_line(error)}); write .png instead"
        ) from error
    return buffer.getvalue()
