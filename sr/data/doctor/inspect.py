"""What one picture file holds, as far as training cares. Runs in a worker process."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as pil

from sr.data.doctor.duplicates import perceptual_hash, small_copy
from sr.data.doctor.profile import wide_gamut
from sr.data.doctor.spectrum import upscaled_by
from sr.image.depth import to_uint8
from sr.image.io import MAX_PIXELS, read_visible
from sr.image.jpeg_tables import LUMA_TABLE
from sr.types import Picture, UserError

_HEADER = 2**20  # bytes; the tables of a JPEG come first


@dataclass(frozen=True)
class Facts:
    """What one file holds.

    Attributes:
        width: pixels, EXIF orientation applied.
        height: likewise.
        format: Pillow's name of the file format.
        mode: Pillow's name of the pixel format in the file.
        deep: more than 8 bits per channel.
        transparent: some pixel is not opaque.
        animated: more than one frame.
        quality: 1..100, of a JPEG; 0 for all else.
        flat: every pixel has the same colour.
        profile: name of a colour profile with a wide gamut; empty for all others.
        upscaled: by about what factor the picture was enlarged before; 0 where nothing says so.
        digest: hash of the 8-bit RGB pixels and the size.
        phash: `duplicates.perceptual_hash`.
        small: `duplicates.small_copy`, as bytes.
    """

    width: int
    height: int
    format: str
    mode: str
    deep: bool
    transparent: bool
    animated: bool
    quality: int
    flat: bool
    upscaled: float
    digest: bytes
    phash: int
    small: bytes
    profile: str = ""


def inspect(path: str) -> Facts | str:
    """Read one picture.

    Args:
        path: the file.

    Returns:
        What it holds, or one sentence why training cannot read it.
    """
    cv2.setNumThreads(1)
    if not Path(path).is_file():
        return "a link that leads nowhere, or no ordinary file; remove it"
    try:
        picture = read_visible(path, MAX_PIXELS)
    except UserError as error:
        return str(error)
    pixels = np.ascontiguousarray(to_uint8(picture.pixels))
    small = small_copy(pixels)
    name, mode, quality, profile = _header(Path(path))
    return Facts(
        width=pixels.shape[1],
        height=pixels.shape[0],
        format=name,
        mode=mode,
        deep=picture.pixels.dtype == np.uint16,
        transparent=_transparent(picture),
        animated=picture.moving,
        quality=quality,
        flat=bool((pixels == pixels[0, 0]).all()),
        upscaled=upscaled_by(pixels),
        digest=hashlib.blake2b(pixels.data, digest_size=16, key=repr(pixels.shape).encode()).digest(),
        phash=perceptual_hash(small),
        small=small.tobytes(),
        profile=profile,
    )


def sniff(path: str) -> str:
    """The format of a file that is no picture by its name: Pillow's name, or nothing."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(_HEADER)
        with pil.open(io.BytesIO(start)) as picture:
            return picture.format or ""
    except Exception:  # Pillow raises nearly anything on what is no picture, which is the usual case here
        return ""


def jpeg_quality(table: list[int]) -> int:
    """The quality setting, 1..100, of the IJG's encoder (libjpeg) whose luminance table comes nearest.

    Args:
        table: 64 steps of the luminance quantisation, in any order.
    """
    wanted = np.sort(np.array(table, dtype=np.float64))
    qualities = np.arange(1, 101)
    percent = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = ((np.sort(LUMA_TABLE)[None] * percent[:, None] + 50) // 100).clip(1, 255)
    return int(qualities[np.abs(tables - wanted).sum(axis=1).argmin()])


def _header(path: Path) -> tuple[str, str, int, str]:
    """Format, mode, the quality of a JPEG, and the name of a wide colour profile."""
    try:
        with path.open("rb") as stream, pil.open(stream) as file:
            tables = getattr(file, "quantization", None)
            quality = jpeg_quality(tables[0]) if tables and 0 in tables and len(tables[0]) == 64 else 0
            return file.format or "", file.mode, quality, wide_gamut(file.info.get("icc_profile"))
    except Exception:  # it could be read, so a frame further on is damaged, which training never looks at
        return "", "", 0, ""


def _transparent(picture: Picture) -> bool:
    return picture.alpha is not None and bool((picture.alpha != np.iinfo(picture.alpha.dtype).max).any())
