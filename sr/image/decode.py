"""From an opened picture file to pixels: every mode that Pillow knows becomes RGB with alpha kept apart.

Pillow reads a colour file of 16 bits per channel, but hands it out in 8. Those files are decoded again by
readers that keep all bits: libvips for PNG, tifffile or libvips for TIFF. They are there anyway,
open gray, RGB and alpha alike, and raise ordinary exceptions on damaged data.
kornia-rs was the alternative: it reads 16-bit RGB, but no 16-bit TIFF with alpha.

Embedded ICC profiles are not applied: a network sees the numbers in the file, and CMYK becomes RGB by
Pillow's plain formula.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from jaxtyping import UInt8, UInt16
from PIL import Image as pil
from PIL import PngImagePlugin, TiffImagePlugin

from sr.image.alpha import hidden_filled
from sr.image.depth import Channels
from sr.image.vips import told, vips_image
from sr.printable import printable
from sr.types import Picture, UserError

Upright = UInt8[np.ndarray, "out_height out_width channels"] | UInt16[np.ndarray, "out_height out_width channels"]

ORIENTATION, BITS, PHOTOMETRIC, EXTRA_SAMPLES = 274, 258, 262, 338
"""TIFF and EXIF tag numbers (TIFF 6.0, sections 3 to 8)."""

WHITE_IS_ZERO, RGB_PHOTOMETRIC, PREMULTIPLIED = 0, 2, 1
"""Tag values: of PHOTOMETRIC, PHOTOMETRIC and EXTRA_SAMPLES."""

DEEP = 65535


class Facts(NamedTuple):
    """What must be asked of a file before Pillow decodes it and forgets.

    Attributes:
        orientation: of a TIFF; Pillow turns TIFFs while decoding them.
        bits: per sample of a TIFF, else 8.
        deep: colour with 16 bits per channel, which Pillow would reduce to 8.
        white_is_zero: a TIFF whose gray counts down.
        premultiplied: a TIFF whose colours are multiplied by their alpha.
    """

    orientation: int = 1
    bits: int = 8
    deep: bool = False
    white_is_zero: bool = False
    premultiplied: bool = False


def decode(file: pil.Image, path: Path) -> Picture:
    """Pixels of the first frame of an opened picture.

    Args:
        file: just opened by Pillow, not yet loaded.
        path: the same file, for the readers of 16-bit colour.

    Returns:
        RGB with EXIF orientation applied; uint16 where the file holds more than 8 bits per channel. Fully transparent
        pixels have the colour of the nearest one that shows.

    Raises:
        UserError: the values fit no picture (negative, not finite, beyond 16 bits).
        Exception: nearly any other, from the decoders, on a damaged file.
    """
    facts = _facts(file)
    clear = file.info.get("transparency")
    file.load()  # also for 16-bit colour: Pillow is strict about damage
    if facts.deep:
        channels = _deep_tiff(path, facts) if file.format == "TIFF" else _by_libvips(path)
        channels = channels[..., : max(3, len(file.getbands()))] if file.format == "TIFF" else channels
        channels = _with_clear(channels, clear)
    elif file.mode.startswith("I") or file.mode == "F":
        channels = _with_clear(_numbers(np.array(file), facts, path)[..., None], clear)
    else:
        target = "L" if file.mode in ("1", "L", "LA", "La") else "RGB"
        channels = np.array(file.convert(target + ("A" if file.has_transparency_data else "")))
        channels = channels.reshape(*channels.shape[:2], -1)
    turn = facts.orientation if facts.deep and file.format == "TIFF" else orientation_of(file)
    return _picture(oriented(channels, turn), is_moving(file))


def is_moving(file: pil.Image) -> bool:
    """Whether an opened file goes on after its first frame: an animation, or a TIFF of several pages.

    A phone's JPEG with a second picture inside (MPO: depth, a gain map, the other eye) does not count.
    """
    try:
        return file.format != "MPO" and bool(getattr(file, "is_animated", False))
    except Exception:  # a frame further on is damaged, which nobody looks at
        return True


def oriented(channels: Channels, orientation: int) -> Upright:
    """Turns pixels upright.

    Args:
        channels: pixels as stored.
        orientation: EXIF tag 274; 1 and unknown values leave the pixels alone.

    Returns:
        The upright pixels, contiguous.
    """
    if orientation in (5, 6, 7, 8):
        channels = channels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        channels = channels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        channels = channels[::-1]
    return np.ascontiguousarray(channels)


def _facts(file: pil.Image) -> Facts:
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        tags = file.tag_v2
        bits = set(tags.get(BITS, (1,)))
        return Facts(
            orientation=int(tags.get(ORIENTATION, 1)),
            bits=max(bits),
            deep=bits == {16} and file.mode in ("RGB", "RGBA") and tags.get(PHOTOMETRIC) == RGB_PHOTOMETRIC,
            white_is_zero=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO,
            premultiplied=PREMULTIPLIED in tags.get(EXTRA_SAMPLES, ()),
        )
    if isinstance(file, PngImagePlugin.PngImageFile) and file.mode in ("LA", "RGB", "RGBA"):
        return Facts(deep=any(";16" in str(tile.args) for tile in file.tile))
    return Facts()


def orientation_of(file: pil.Image) -> int:
    """EXIF's number of how an opened picture lies, 1 where nothing says it; a TIFF must not be loaded yet."""
    try:
        return int(file.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block raises nearly anything, and says nothing about the pixels
        return 1


def _by_libvips(path: Path) -> UInt16[np.ndarray, "height width channels"]:
    with told():
        image = vips_image(path)
        data = np.frombuffer(image.write_to_memory(), np.uint16)
    return data.reshape(image.height, image.width, image.bands)


def _deep_tiff(path: Path, facts: Facts) -> Channels:
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            values = page.asarray()
            channels = np.moveaxis(values, 0, -1) if page.planarconfig == 2 else values
    except (KeyError, ValueError):  # compressed in a way that tifffile does not know, which rounds better than libvips
        return _by_libvips(path)  # its colours are divided by their alpha
    if facts.premultiplied and channels.shape[-1] > 3:
        colour, alpha = channels[..., :3].astype(np.float64), channels[..., 3:4]
        colour = (colour * DEEP / np.maximum(alpha, 1)).round().clip(0, DEEP)
        channels = np.concatenate((colour.astype(np.uint16), alpha), axis=-1)
    return channels.astype(np.uint16)


def _with_clear(
    channels: Channels, clear: object
) -> UInt8[np.ndarray, "height width all"] | UInt16[np.ndarray, "height width all"]:
    """Adds the alpha of a 16-bit PNG that names one colour as transparent."""
    if clear is None or channels.shape[-1] in (2, 4):
        return channels
    hidden = (channels == np.asarray(clear)).all(axis=-1, keepdims=True)
    full = np.iinfo(channels.dtype).max
    return np.concatenate((channels, np.where(hidden, 0, full).astype(channels.dtype)), axis=-1)


def _numbers(
    values: np.ndarray, facts: Facts, path: Path
) -> UInt8[np.ndarray, "height width"] | UInt16[np.ndarray, "height width"]:
    """Gray of 16 bits, 32 bits or floating point as uint8 or uint16."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > DEEP:
        raise UserError(
            f"cannot read '{printable(path)}': its values run from {low:g} to {high:g}, which is no picture "
            "of up to 16 bits; scale them to 0..65535 and save it as 16-bit gray"
        )
    if values.dtype.kind == "f":  # floating point has two habits: white is 1, or white is 255
        if high <= 1:
            return (values * DEEP).round().astype(np.uint16)
        if high <= 255:
            return values.round().astype(np.uint8)
        return values.round().astype(np.uint16)
    gray = values.astype(np.uint16)
    if 8 < facts.bits < 16:  # 12 bits, as scanners and microscopes write them
        most = 2**facts.bits - 1
        gray = ((gray.astype(np.uint32) * DEEP + most // 2) // most).astype(np.uint16)
    return DEEP - gray if facts.white_is_zero else gray


def _picture(channels: Channels, moving: bool) -> Picture:
    gray = channels.shape[-1] < 3
    alpha = channels[..., -1].copy() if channels.shape[-1] in (2, 4) else None
    if alpha is not None:
        channels = hidden_filled(channels, alpha)
    pixels = np.repeat(channels[..., :1], 3, axis=-1) if gray else channels[..., :3].copy()
    return Picture(pixels=pixels, alpha=alpha, gray=gray, moving=moving)
