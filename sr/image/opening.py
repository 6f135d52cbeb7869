"""A picture file opened by Pillow: without warnings, and only in formats that hold pixels of their own."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from PIL import Image as pil

NOT_DECODED = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""Pillow's formats without pixels of their own: EPS is a program that it would run in Ghostscript."""


class _Quiet:
    """Silences warnings while any thread decodes.

    ``warnings.catch_warnings`` alone restores the filters out of order when threads overlap; here the first
    reader saves them and the last one puts them back.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.readers = 0
        self.saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.readers == 0:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.simplefilter("ignore")
            self.readers += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.readers -= 1
            if self.readers == 0:
                self.saved.__exit__(kind, error, trace)


_QUIET = _Quiet()


@contextmanager
def opened(path: Path | io.BytesIO) -> Iterator[pil.Image]:
    """The file, its pixels not yet decoded; raises whatever Pillow raises.

    Args:
        path: of the file, or its content. A file is opened here: given a path, Pillow maps the pixels of an
            uncompressed TIFF into memory with the sides of the turned picture, which scrambles orientations 5 to 8
            (Pillow 13.0).
    """
    with _QUIET:
        pil.init()
        formats = [name for name in pil.ID if name not in NOT_DECODED]
        with path.open("rb") if isinstance(path, Path) else path as stream, pil.open(stream, formats=formats) as file:
            yield file
