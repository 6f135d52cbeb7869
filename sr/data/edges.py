"""Crops where there is something to see: positions drawn by edge content instead of uniformly.

The probability of a crop follows the blurred gradient magnitude at its centre, plus a background so that flat
regions are seen too. The maps are computed once per store and cached beside it.
"""

import hashlib
import io
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sr.data.contract import OnMessage
from sr.data.store.store import Store
from sr.errors import UserError
from sr.files import write_atomically
from sr.locks import alone

VERSION = 3  # since 2 a checksum follows the maps, since 3 sums have 64 bits
_CHECKSUM = 4  # bytes
_CELL = 4  # low-resolution pixels per cell of a map: far below the blur, so nothing is lost


@dataclass(frozen=True)
class EdgeContent:
    """Settings of the maps.

    Attributes:
        background: added to the map, whose largest value is 1, before it is normalised: the share of flat regions.
        sigma: of the Gaussian that spreads the edges, in high-resolution pixels.
    """

    background: float = 0.01
    sigma: float = 9.5

    def __post_init__(self) -> None:
        if not self.background > 0:
            raise ValueError(f"edge_background={self.background:g} must be above 0, or a flat picture has no crop")
        if not 0 < self.sigma <= 200:
            raise ValueError(f"edge_sigma={self.sigma:g} must be above 0 and at most 200 pixels")


def edge_map(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred gradient magnitude of a picture.

    Args:
        pixels: (height, width, 3) uint8.
        sigma: of the blur, pixels.

    Returns:
        (height, width) float32, the largest value 1 (all 0 for a flat picture).
    """
    channels = pixels.astype(np.float32) / 255
    across, down = (cv2.Sobel(channels, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    magnitude = np.sqrt(across**2 + down**2).mean(axis=2)
    blurred = cv2.GaussianBlur(magnitude, (0, 0), sigma)
    largest = float(blurred.max())
    return blurred / largest if largest > 1e-6 else np.zeros_like(blurred)


def crop_weights(pixels: np.ndarray, rows: int, columns: int, scale: int, crop: int, edges: EdgeContent) -> np.ndarray:
    """Weights of the cells of one picture: cell (i, j) stands for crops whose corner lies in its square.

    Args:
        pixels: (height, width, 3) uint8, high resolution.
        rows: possible first rows of a crop, in low-resolution pixels.
        columns: possible first columns.
        scale: high-resolution pixels per low-resolution pixel.
        crop: side of a crop in low-resolution pixels.
        edges: settings.

    Returns:
        (ceil(rows / 4), ceil(columns / 4)) float64, positive: map plus background at the centre of the crop, times
        the number of corners in the cell.
    """
    values = edge_map(pixels, edges.sigma).astype(np.float64)
    tops, heights = _cells(rows)
    lefts, widths = _cells(columns)
    y = np.clip(((tops + heights / 2 + crop / 2) * scale).astype(int), 0, pixels.shape[0] - 1)
    x = np.clip(((lefts + widths / 2 + crop / 2) * scale).astype(int), 0, pixels.shape[1] - 1)
    return (values[np.ix_(y, x)] + edges.background) * np.outer(heights, widths)


def _cells(positions: int) -> tuple[np.ndarray, np.ndarray]:
    """First position and number of positions of each cell along one axis."""
    starts = np.arange(0, positions, _CELL)
    return starts, np.minimum(_CELL, positions - starts)


class EdgeMaps:
    """Cumulative weights of all pictures of a store, in one memory-mapped file. Pickles by path.

    Args:
        path: of the file: a .npy file, then its CRC-32 in 4 bytes, little-endian.
        shapes: (pictures, 2) possible first rows and columns of each picture.

    Raises:
        ValueError: the file is damaged, or of other pictures.
    """

    def __init__(self, path: Path, shapes: np.ndarray) -> None:
        self.path, self.shapes = path, shapes
        data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        if zlib.crc32(data[:-_CHECKSUM].data).to_bytes(_CHECKSUM, "little") != data[-_CHECKSUM:].tobytes():
            raise ValueError(f"{path} is damaged")
        self._cumulative = np.load(path, mmap_mode="r")
        cells = np.prod(-(-shapes // _CELL), axis=1)
        self._ends = np.cumsum(cells)
        if self._cumulative.shape != (self._ends[-1],):
            raise ValueError(f"{path} has {self._cumulative.shape} cells instead of {self._ends[-1]}")

    def __reduce__(self) -> tuple[type["EdgeMaps"], tuple[Path, np.ndarray]]:
        return EdgeMaps, (self.path, self.shapes)

    def corner(self, picture: int, u: np.ndarray) -> tuple[int, int]:
        """The crop's first row and column in low-resolution pixels.

        Args:
            picture: its number.
            u: three uniform numbers in [0, 1): cell, row in the cell, column in the cell.
        """
        rows, columns = self.shapes[picture].tolist()
        across = -(-columns // _CELL)
        end = int(self._ends[picture])
        cumulative = self._cumulative[end - -(-rows // _CELL) * across : end]
        cell = min(int(np.searchsorted(cumulative, u[0] * cumulative[-1], side="right")), len(cumulative) - 1)
        top, left = cell // across * _CELL, cell % across * _CELL
        return top + int(u[1] * min(_CELL, rows - top)), left + int(u[2] * min(_CELL, columns - left))


def open_edge_maps(
    store: Store,
    shapes: np.ndarray,
    scale: int,
    crop: int,
    edges: EdgeContent,
    on_progress: Callable[[int, int], None],
    on_message: OnMessage = lambda _: None,
) -> EdgeMaps:
    """Read the maps beside the store, computing them where they are missing or damaged.

    The file's name holds everything that the maps depend on: the store, the scale, the crop and the settings. No lock
    is needed to read it: it appears as a whole.

    Args:
        store: high-resolution pictures.
        shapes: (pictures, 2) possible first rows and columns of each picture, in low-resolution pixels.
        scale: high-resolution pixels per low-resolution pixel.
        crop: side of a crop in low-resolution pixels.
        edges: settings of the maps.
        on_progress: called with (pictures done, pictures in all).
        on_message: told about damage.

    Raises:
        UserError: the maps are missing and cannot be written.
    """
    settings = f"edges/{VERSION} {store.key} scale={scale} crop={crop} cell={_CELL} {edges}"
    digest = hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()
    path = store.folder.with_name(f"{store.key}.edges-{digest}.npy")
    try:
        maps = _opened(path, shapes)
        if maps is not None:
            return maps
        with alone(path.with_suffix(".lock"), lambda: on_message(f"another process is making {path}; waiting for it")):
            maps = _opened(path, shapes)  # another process may have made them meanwhile
            if maps is None and os.path.lexists(path):
                on_message(f"{path} is damaged; making the edge maps again")
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            return maps if maps is not None else _made(path, store, shapes, scale, crop, edges, on_progress)
    except OSError as error:
        raise UserError(
            f"could not read or write the edge maps {path}: {error.strerror or error}; free some space, or choose "
            "another place with data.cache=DIR or SR_CACHE"
        ) from error


def _opened(path: Path, shapes: np.ndarray) -> EdgeMaps | None:
    """The maps in a file; None where there is none, or none that can be used."""
    if not path.is_file():
        return None
    try:
        return EdgeMaps(path, shapes)
    except ValueError:
        return None


def _made(
    path: Path,
    store: Store,
    shapes: np.ndarray,
    scale: int,
    crop: int,
    edges: EdgeContent,
    on_progress: Callable[[int, int], None],
) -> EdgeMaps:
    parts = []
    for index, (rows, columns) in enumerate(shapes.tolist()):
        weights = crop_weights(store.picture(index), rows, columns, scale, crop, edges)
        parts.append(np.cumsum(weights.ravel()))
        on_progress(index + 1, len(store))
    file = io.BytesIO()
    np.save(file, np.concatenate(parts))
    data = file.getvalue()
    write_atomically(path, data + zlib.crc32(data).to_bytes(_CHECKSUM, "little"))
    return EdgeMaps(path, shapes)
