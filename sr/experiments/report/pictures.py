"""Pictures of a report: each lies there once, under a hash of its pixels, as a script that the page loads on demand.

A page that is opened from a disk may neither fetch a file nor read the pixels of one; those of a ``data:`` URL it may.
"""

import base64
import hashlib
import io
import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image as PillowImage

from sr.errors import UserError
from sr.files import write_atomically
from sr.image.opening import opened
from sr.printable import first_line, printable

FOLDER = "pictures"
LARGEST = 2048
"""Pixels a side, and ten times as many bytes as such a picture has is no picture of ours."""
_LARGEST_FILE = 3 * LARGEST**2
_AT_A_TIME = 8
_WAITING = 100
"""Pictures that wait to be written at most, so that a slow disk does not fill the memory."""
_NAME = re.compile(r"[0-9a-f]{32}\.js")
_CLEAN = (b"IHDR", b"IDAT", b"IEND")
"""Chunks of a PNG file whose pixels mean the same to every program."""


@dataclass(frozen=True)
class Stored:
    """A picture of the report.

    Attributes:
        hash: its name there.
        width: in pixels.
        height: in pixels.
    """

    hash: str
    width: int
    height: int


class PictureFiles:
    """The folder of a report's pictures; all are there once the block that it is entered for has ended.

    Files are written side by side: each waits for the disk, and there are thousands.

    Args:
        report: folder of the report.
    """

    def __init__(self, report: Path) -> None:
        self.folder = report / FOLDER
        self._shown: set[str] = set()
        self._known: dict[bytes, Stored] = {}  # by the file's content: most runs have the same truth
        self._pool = ThreadPoolExecutor(_AT_A_TIME)
        self._jobs: deque[Future[None]] = deque()

    def __enter__(self) -> "PictureFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        while kind is None and self._jobs:
            self._jobs.popleft().result()

    def add_file(self, path: Path) -> Stored:
        """Take a lossless picture file.

        Raises:
            UserError: it is missing, damaged or larger than any of ours, or the report cannot be written.
        """
        content = _read(path)
        key = hashlib.blake2b(content, digest_size=16).digest()
        if key not in self._known:
            pixels = _decoded(path)
            self._known[key] = self._add(pixels, content if _is_clean(content, pixels) else None)
        return self._known[key]

    def add_pixels(self, pixels: np.ndarray) -> Stored:
        """Take a picture.

        Args:
            pixels: (height, width, 3) uint8.

        Raises:
            UserError: the report cannot be written.
        """
        return self._add(pixels, None)

    def add_frame(self, path: Path) -> Stored:
        """Take a WebP file of a history as it is: decoded and encoded anew, it would be five times as large.

        Raises:
            UserError: it is missing, damaged or larger than any of ours, or the report cannot be written.
        """
        content = _read(path)
        whole = content[:4] == b"RIFF" and int.from_bytes(content[4:8], "little") + 8 == len(content)
        if not whole or content[8:12] != b"WEBP":
            raise UserError(f"{printable(path)} is damaged")
        width, height = _size(path)
        stored = Stored(hashlib.blake2b(content, digest_size=16).hexdigest(), width, height)
        self._write(stored.hash, "webp", lambda: content)
        return stored

    def delete_others(self) -> None:
        """Take away pictures that nobody shows any more."""
        for path in self.folder.glob("*.js"):
            if _NAME.fullmatch(path.name) and path.stem not in self._shown:
                path.unlink(missing_ok=True)

    def _add(self, pixels: np.ndarray, content: bytes | None) -> Stored:
        height, width = pixels.shape[:2]
        found = hashlib.blake2b(f"{width}x{height}:".encode() + pixels.tobytes(), digest_size=16).hexdigest()
        self._write(found, "png", lambda: content or _png(pixels))
        return Stored(found, width, height)

    def _write(self, name: str, kind: str, content: Callable[[], bytes]) -> None:
        path = self.folder / f"{name}.js"
        if name not in self._shown and not path.is_file():  # an earlier report has it, whole
            if len(self._jobs) >= _WAITING:
                self._jobs.popleft().result()
            self._jobs.append(self._pool.submit(lambda: write_atomically(path, wrapped(name, kind, content()))))
        self._shown.add(name)


def wrapped(name: str, kind: str, content: bytes) -> bytes:
    """The script that gives the page one picture.

    Args:
        name: its hash.
        kind: png or webp.
        content: of the picture file.
    """
    data = base64.b64encode(content).decode()
    return f'(window.PICTURES ??= {{}})["{name}"] = "data:image/{kind};base64,{data}";\n'.encode()


def read_pixels(path: Path) -> np.ndarray:
    """The pixels of a picture file of a run, (height, width, 3) uint8.

    Raises:
        UserError: it is missing, damaged or larger than any of ours.
    """
    _read(path)
    return _decoded(path)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe would be waited for
            raise UserError(f"{printable(path)} is gone")
        if path.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{printable(path)} is larger than any picture of a run")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{printable(path)} cannot be read: {error.strerror or error}") from error


def _size(path: Path) -> tuple[int, int]:
    try:
        with opened(path) as picture:
            width, height = picture.size
    except Exception as error:  # Pillow raises what it likes
        raise UserError(f"{printable(path)} is damaged: {first_line(error)}") from error
    if max(width, height) > LARGEST:
        raise UserError(f"{printable(path)} is larger than any picture of a run")
    return width, height


def _decoded(path: Path) -> np.ndarray:
    _size(path)  # before its pixels are decoded
    try:
        with opened(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except Exception as error:
        raise UserError(f"{printable(path)} is damaged: {first_line(error)}") from error


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def _is_clean(content: bytes, pixels: np.ndarray) -> bool:
    """Whether a file is a PNG of 8-bit RGB with nothing in it that would change how its pixels are shown."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[24:26] != b"\x08\x02":
        return False
    place, names = 8, []
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        names.append(content[place + 4 : place + 8])
        place += 12 + length
    size = (int.from_bytes(content[at : at + 4], "big") for at in (20, 16))
    return place == len(content) and set(names) <= set(_CLEAN) and tuple(size) == pixels.shape[:2]
