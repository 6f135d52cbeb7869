"""Picture files: read one, write one, find those in folders. Whatever is wrong becomes one clear sentence."""

import difflib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8, UInt16
from PIL import Image as pil
from PIL import UnidentifiedImageError

from sr.files import oddity, real_path, write_atomically
from sr.image.decode import decode
from sr.image.details import NO_DETAILS, Details
from sr.image.encode import ENCODERS, QUALITY, encode
from sr.image.names import order
from sr.image.opening import opened
from sr.printable import first_line, printable
from sr.types import Image, Picture, UserError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".jp2", ".j2k", ".tga"),
    *(".dds", ".psd", ".qoi", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ico", ".jfif", ".mpo"),
)
"""Names by which pictures are found in folders, in lower case; the case in a name does not matter."""

_TABLES = {"--markdown": ".md", "--pictures": ".csv"}
"""Endings of what options write, where their name is not the ending."""

MAX_PIXELS = 178_956_970
"""Twice Pillow's own warning level, beyond which it refuses; changing its global limit is not ours to do."""


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Reads one picture file.

    EXIF orientation is applied, transparency kept apart (its hidden colours replaced, `sr.image.alpha`), CMYK,
    palettes, 1 bit, gray and LAB become RGB, and an animation gives its first frame. More than 8 bits per channel
    stay 16 bits in gray files of any format and in PNG and TIFF of any colour. Floating point is taken as white = 1
    where no value exceeds 1, else as 0..255, else as 0..65535. Colour profiles are not applied.

    Args:
        path: the file.
        max_pixels: most pixels (width times height) to decode; checked in the header, before decoding.

    Returns:
        The decoded picture.

    Raises:
        UserError: the file is missing, a folder, empty, no picture, damaged, truncated, or too large.
    """
    path = Path(path)
    with reading(path), opened(path) as file:
        check_size(path, file.size, max_pixels)
        return decode(file, path)


def check_size(path: Path, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Before anything is decoded.

    Raises:
        UserError: more pixels than may be, or none.
    """
    width, height = size
    if min(size) < 1:
        raise UserError(f"cannot read '{printable(path)}': it has {width}x{height} pixels; make it anew")
    if width * height > max_pixels:
        raise UserError(
            f"cannot read '{printable(path)}': {width}x{height} is {width * height / 1e6:.1f} megapixels "
            f"and the limit is {max_pixels / 1e6:.1f}; shrink it or cut it into pieces"
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong while a picture file is read becomes one sentence.

    Raises:
        UserError: the file is missing, a folder, empty, no picture, damaged or too large for the memory.
    """
    _check_there(path)
    shown = printable(path)
    try:
        yield
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(
            f"cannot read '{shown}': it is damaged or not a picture in a known format; "
            "open it in an image editor and save it as PNG"
        ) from error
    except pil.DecompressionBombError as error:
        raise UserError(
            f"cannot read '{shown}': it claims to be larger than Pillow's limit of {MAX_PIXELS / 1e6:.0f} "
            "megapixels; shrink it or cut it into pieces"
        ) from error
    except PermissionError as error:
        raise UserError(f"cannot read '{shown}': permission denied; make the file readable") from error
    except MemoryError as error:
        raise UserError(f"cannot read '{shown}': not enough memory to decode it; shrink it first") from error
    except Exception as error:  # decoders raise nearly any built-in exception on damaged files
        reason = first_line(error).rstrip(".")
        raise UserError(
            f"cannot read '{shown}': truncated, damaged or unsupported ({reason}); copy it again or save it as PNG"
        ) from error


def read_visible(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """As `read_picture`, for training and measuring: a picture of which nothing shows is refused.

    Raises:
        UserError: likewise, or every pixel is fully transparent.
    """
    picture = read_picture(path, max_pixels)
    if picture.alpha is not None and not picture.alpha.any():
        raise UserError(f"'{printable(path)}' is fully transparent: nothing of it shows; take it out")
    return picture


def write_picture(path: str | Path, picture: Picture, details: Details = NO_DETAILS, quality: int = QUALITY) -> None:
    """Writes one picture file in the format that its suffix names.

    PNG and TIFF keep 8 or 16 bits, gray and alpha (only 16-bit gray with alpha becomes RGBA in TIFF). JPEG
    (colour not subsampled), WebP and AVIF round 16 bits to 8. JPEG refuses transparency,
    unless it is opaque everywhere: what to put behind the picture is not ours to guess. The file appears
    whole or not at all, also when the power fails.

    Args:
        path: the file; an existing one is replaced.
        picture: what to write.
        details: colour profile, EXIF and the like; what does not fit the picture has to be left out before
            (`sr.image.details.fitting`).
        quality: 1..100, of JPEG, WebP and AVIF.

    Raises:
        UserError: unknown suffix, missing folder, a picture that the format cannot hold, or a failing disk.
    """
    path = Path(path)
    suffix = check_target(path)
    try:
        data = encode(picture, suffix, details, quality)
    except (ValueError, OSError) as error:
        raise UserError(f"cannot write '{printable(path)}': {error}") from error
    write_atomically(path, data)


def check_target(path: Path) -> str:
    """The suffix of a picture that can be written there, in lower case.

    Raises:
        UserError: unknown suffix, or a missing folder.
    """
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        near = difflib.get_close_matches(suffix, ENCODERS, 1, 0)[0]
        raise UserError(
            f"cannot write '{printable(path)}': unknown suffix '{printable(path.suffix)}'; nearest is '{near}', "
            f"all are {', '.join(ENCODERS)}"
        )
    if not path.parent.is_dir():
        raise UserError(
            f"cannot write '{printable(path)}': there is no folder '{printable(path.parent)}'{_nearest(path.parent)}; "
            "create it"
        )
    return suffix


def check_no_picture(option: str, path: Path | None) -> None:
    """Of a table or report that is about to be written: a slip of the hand must not cost a picture.

    Raises:
        UserError: its name is a picture's.
    """
    if path is not None and path.suffix.lower() in SUFFIXES:
        better = path.with_suffix(_TABLES.get(option, f".{option.removeprefix('--')}"))
        raise UserError(f"{option} {printable(path)} is the name of a picture; take {printable(better)}")


def find_pictures(folders: str | Path | Iterable[str | Path]) -> list[Path]:
    """Pictures in folders and all their subfolders, by suffix (:data:`SUFFIXES`).

    Hidden files and folders (a leading dot, as in macOS's ``._photo.jpg``) are passed over, links followed.

    Args:
        folders: one or several; a file stands for itself, whatever its suffix.

    Returns:
        Folder by folder in the order given, each sorted by the parts of the relative path in Unicode's composed
        form, so that the order depends neither on the file system nor on the machine; a file met twice is listed once.

    Raises:
        UserError: a folder is missing or holds no picture, or no folder is given.
    """
    roots = [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
    if not roots:
        raise UserError("no folder of pictures is given; name at least one")
    found: dict[Path, Path] = {}
    for root in roots:
        for path in [root] if oddity(root) is None and root.is_file() else _in_folder(root):
            found.setdefault(real_path(path), path)
    return list(found.values())


def passed_over(folder: Path) -> str | None:
    """What a folder holds beside the pictures that `find_pictures` finds, in words."""
    others = [path for path in _files(folder) if path.suffix.lower() not in SUFFIXES]
    return _kinds(others) if others else None


def to_image(pixels: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]) -> Image:
    """Pixels of a file as a batch of one, float32 RGB in [0, 1], shape (1, 3, height, width)."""
    values = torch.from_numpy(pixels.astype(np.float32)) / np.iinfo(pixels.dtype).max
    return values.permute(2, 0, 1).unsqueeze(0).contiguous()


def as_batch(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[torch.Tensor, "1 3 height width"]:
    """Pixels of a file as a batch of one, uint8 as they are; a copy."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


def to_pixels(image: Image, deep: bool = False) -> np.ndarray:
    """A batch of one, [0, 1], as pixels of a file; values beyond the range are clipped.

    Args:
        image: RGB, shape (1, 3, height, width).
        deep: 16 bits per channel instead of 8.

    Returns:
        (height, width, 3), uint8 or uint16.

    Raises:
        ValueError: the batch holds more than one picture.
    """
    if len(image) != 1:
        raise ValueError(f"a file holds one picture, got a batch of {len(image)}; pass image[i : i + 1]")
    dtype = np.uint16 if deep else np.uint8
    values = image[0].detach().float().clamp(0, 1).mul(int(np.iinfo(dtype).max)).round()
    return np.ascontiguousarray(values.permute(1, 2, 0).cpu().numpy().astype(dtype))


def _check_there(path: Path) -> None:
    odd = oddity(path)
    if odd is not None:
        raise UserError(f"cannot read '{printable(path)[:300]}': it {odd}; name a file")
    if path.is_dir():
        raise UserError(f"cannot read '{printable(path)}': it is a folder; name a picture in it")
    if not path.is_file():
        raise UserError(f"cannot read '{printable(path)}': there is no such file{_nearest(path)}; check the name")
    if path.stat().st_size == 0:
        raise UserError(f"cannot read '{printable(path)}': the file is empty; copy or download it again")


def _nearest(path: Path) -> str:
    """'; nearest is ...' with a name beside the missing one, or nothing."""
    if not path.parent.is_dir():
        return f" (nor a folder '{printable(path.parent)}')"
    names = sorted(entry.name for entry in path.parent.iterdir())
    near = difflib.get_close_matches(path.name, names, 1)
    return f"; nearest is '{printable(path.parent / near[0])}'" if near else ""


def _in_folder(root: Path) -> list[Path]:
    odd = oddity(root)
    if odd is not None:
        raise UserError(f"'{printable(root)[:300]}' {odd}; name a folder of pictures")
    if not root.is_dir():
        raise UserError(f"there is no folder '{printable(root)}'{_nearest(root)}; check the name")
    files = list(_files(root))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        what = f"holds no pictures, only {_kinds(files)}" if files else "is empty"
        raise UserError(f"folder '{printable(root)}' {what}; pictures end in {' '.join(SUFFIXES)}")
    return sorted(pictures, key=lambda path: order(path.relative_to(root)))


def _kinds(files: Sequence[Path]) -> str:
    kinds = Counter(path.suffix.lower() or "no suffix" for path in files)
    seen = ", ".join(f"{count} {printable(kind)}" for kind, count in sorted(kinds.items()))
    return f"{len(files)} {'file' if len(files) == 1 else 'files'} of other kinds ({seen})"


def _files(root: Path) -> Iterator[Path]:
    visited: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        visited.add(os.path.realpath(folder))
        shown = sorted(name for name in below if not name.startswith("."))
        below[:] = [name for name in shown if os.path.realpath(Path(folder, name)) not in visited]  # no loops
        yield from (Path(folder, name) for name in names if not name.startswith("."))
