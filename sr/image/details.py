"""What a picture file says beside its pixels: colour profile, EXIF, XMP, resolution; read, and made to fit a copy.

The pixels of the copy are other pixels: enlarged, upright, perhaps RGB instead of CMYK. So the EXIF orientation becomes
1, sizes are the copy's, and a profile of another kind of colours is left out, with a word.
"""

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as pil

from sr.image.form import Form, held
from sr.image.opening import opened
from sr.image.png import SIGNATURE, chunk

LARGEST_PROFILE, LARGEST_BLOCK = 8 * 2**20, 65533 - 29
"""Bytes: of a profile (JPEG takes 16 MiB), and of EXIF or XMP (a JPEG segment less the name of the block)."""

_ORIENTATION, _EXIF, _GPS, _INTEROP, _WIDTH, _HEIGHT = 274, 0x8769, 0x8825, 0xA005, 0xA002, 0xA003
_KEPT = {
    *(270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432),
    *range(0x9C9B, 0x9CA0),
}
"""EXIF 3.0, table 4: description, maker, model, resolution, program, date, artist, rights; Windows' titles. The other
tags of the first directory describe how pixels are stored, in a TIFF all of them."""

_PNG_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
_SRGB_CICP, _SRGB_GAMMA = bytes((1, 13, 0, 1)), (45455,)
_SRGB_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_ROUNDED = 100  # of 100,000
_PNG_TEXTS = (b"iCCP", b"pHYs", b"eXIf", b"iTXt", b"tEXt", b"zTXt")
_NO_DPI = {".webp": "a WebP", ".avif": "an AVIF"}


@dataclass(frozen=True)
class Details:
    """What a file says beside its pixels; None or empty where it says nothing.

    Attributes:
        icc: colour profile, as it is in the file.
        exif: from the TIFF header on.
        xmp: the packet.
        dpi: pixels per inch across and down.
        colours: PNG chunks (name, content) that say how its numbers become colours.
        notes: what had to be left out and why, for the user.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    colours: tuple[tuple[bytes, bytes], ...] = ()
    notes: tuple[str, ...] = ()


NO_DETAILS = Details()


def read_details(path: Path) -> Details:
    """Read a file's details. Never raises because of what is in them: damage becomes a note.

    Args:
        path: of a picture that `sr.image.io.read_picture` reads.
    """
    try:
        with opened(path) as file:
            kind = file.format
        with opened(path if kind != "PNG" else io.BytesIO(_texts(path))) as file:
            if kind == "PNG":
                file.load()
            icc, xmp = file.info.get("icc_profile"), file.info.get("xmp")
            exif, notes = _exif(file)
            colours = _png_colours(path) if kind == "PNG" else ()
            return Details(
                icc if isinstance(icc, bytes) else None,
                exif,
                xmp.encode() if isinstance(xmp, str) else xmp if isinstance(xmp, bytes) else None,
                _dpi(file.info.get("dpi")),
                colours,
                notes,
            )
    except Exception:  # Pillow raises nearly anything on a damaged block; the pixels are read elsewhere
        return Details(notes=("what it says beside its pixels (profile, EXIF) is damaged and left out",))


def fitting(details: Details, form: Form, suffix: str) -> Details:
    """The details of a copy.

    Args:
        details: of the original.
        form: of the copy.
        suffix: of its file, lower case.

    Returns:
        What can be written; ``notes`` says what is left out.
    """
    gray = held(form, suffix).gray
    notes = list(details.notes)
    fault = None if details.icc is None else profile_fault(details.icc, b"GRAY" if gray else b"RGB ")
    if fault is not None:
        notes.append(f"its colour profile {fault} and is left out")
    exif = None if details.exif is None else _resized(details.exif, form.width, form.height)
    if exif is not None and (len(exif) > LARGEST_BLOCK or suffix in (".tif", ".tiff")):
        why = "is larger than a file can hold" if len(exif) > LARGEST_BLOCK else "has no place in a TIFF here"
        notes.append(f"its EXIF {why} and is left out")
        exif = None
    xmp = None if details.xmp is None else _resized_xmp(details.xmp, form.width, form.height)
    if details.xmp is not None and xmp is None:
        notes.append("its XMP speaks of more than the pixels, or is larger than a file can hold, and is left out")
    if form.deep and not held(form, suffix).deep:
        notes.append("its 16 bits per channel become 8, as its format holds no more; PNG and TIFF keep them")
    if suffix != ".png" and (lost := _beyond_srgb(details)):
        notes.append(
            f"what says how its numbers become colours (PNG's {lost}) has no place in its format; PNG keeps it"
        )
    if suffix in _NO_DPI and details.dpi is not None and exif is None:
        notes.append(f"its resolution has no place in {_NO_DPI[suffix]} and is left out")
    return replace(
        details,
        icc=None if fault else details.icc,
        exif=exif,
        xmp=xmp,
        colours=details.colours if suffix == ".png" else (),
        notes=tuple(notes),
    )


def profile_fault(icc: bytes, space: bytes) -> str | None:
    """Why a profile does not belong to pixels of a colour space; None where it does.

    Args:
        icc: the profile.
        space: ``RGB `` or ``GRAY``, as in the profile's header (ICC.1:2022, 7.2).
    """
    if len(icc) < 132 or icc[36:40] != b"acsp" or struct.unpack(">I", icc[:4])[0] > len(icc):
        return "is damaged"
    if len(icc) > LARGEST_PROFILE:
        return f"has {len(icc) / 2**20:.0f} MiB"
    if icc[16:20] != space:
        found = icc[16:20].decode("ascii", "replace").strip()
        return f"is one for {found} while the pixels are written as {space.decode().strip()}"
    return None


def _beyond_srgb(details: Details) -> str:
    """Names of the PNG chunks that hold and say something else than sRGB (third edition, 4.3: which one holds)."""
    chunks = dict(details.colours)
    if b"cICP" in chunks:
        return "" if chunks[b"cICP"] == _SRGB_CICP else "cICP"
    if details.icc is not None or b"sRGB" in chunks:
        return ""
    usual = {b"gAMA": _SRGB_GAMMA, b"cHRM": _SRGB_PRIMARIES}
    found = [name.decode() for name, values in usual.items() if name in chunks and not _near(chunks[name], values)]
    return " and ".join(found)


def _near(body: bytes, values: Sequence[int]) -> bool:
    """Whether a chunk's numbers are these, up to how programs round them."""
    return len(body) == 4 * len(values) and all(
        abs(a - b) <= _ROUNDED for a, b in zip(struct.unpack(f">{len(values)}I", body), values, strict=True)
    )


def _exif(file: pil.Image) -> tuple[bytes | None, tuple[str, ...]]:
    try:
        found = file.getexif()
        kept = pil.Exif()
        for tag in _KEPT & set(found):
            kept[tag] = found[tag]
        for directory in (_EXIF, _GPS):
            below = {tag: value for tag, value in found.get_ifd(directory).items() if tag != _INTEROP}
            if below:
                kept[directory] = below
        return (_bytes(kept) if len(kept) else None), ()
    except Exception:  # nearly anything, on a damaged block
        return None, ("its EXIF is damaged and left out",)


def _bytes(exif: pil.Exif) -> bytes:
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _resized(exif: bytes, width: int, height: int) -> bytes:
    block = pil.Exif()
    block.load(b"Exif\0\0" + exif)
    block[_ORIENTATION] = 1
    below = block.get_ifd(_EXIF)
    if below:
        below[_WIDTH], below[_HEIGHT] = width, height
    return _bytes(block)


def _resized_xmp(xmp: bytes, width: int, height: int) -> bytes | None:
    """None for a packet that speaks of other parts of its file: a second picture, or more XMP."""
    if len(xmp) > LARGEST_BLOCK or b"HasExtendedXMP" in xmp or b"Container:" in xmp or b"hdrgm:" in xmp:
        return None
    sizes = {"Orientation": 1, "PixelXDimension": width, "PixelYDimension": height, "ImageWidth": width}
    for name, value in (sizes | {"ImageLength": height}).items():
        xmp = re.sub(rf'((?:tiff|exif):{name}(?:="|>))\d+'.encode(), b"\\g<1>%d" % value, xmp)
    return xmp


def _dpi(found: object) -> tuple[float, float] | None:
    if not (isinstance(found, tuple) and len(found) == 2):
        return None
    try:
        across, down = float(found[0]), float(found[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # One is what Pillow says of a TIFF that has no resolution, and no printer's.
    fine = all(math.isfinite(value) and 1 < value <= 65535 for value in (across, down))
    return (across, down) if fine else None


def _png_colours(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """PNG specification, third edition, 11.3.2: all of them stand before the pixels."""
    return tuple(_chunks(path, _PNG_COLOURS, before_pixels=True))


def _texts(path: Path) -> bytes:
    """A PNG of one pixel with the profile, EXIF and texts of a PNG: those may follow pixels that need all memory."""
    gray = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))]
    pixel = [(b"IDAT", zlib.compress(bytes(2))), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*one) for one in [*gray, *_chunks(path, _PNG_TEXTS), *pixel])


def _chunks(path: Path, names: Sequence[bytes], before_pixels: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of a PNG's chunks whose sums are right."""
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"IEND" or (before_pixels and name == b"IDAT"):
                return
            if name not in names or length > LARGEST_PROFILE:
                file.seek(length + 4, io.SEEK_CUR)
                continue
            body = file.read(length)
            if file.read(4) == struct.pack(">I", zlib.crc32(name + body)):
                yield name, body
