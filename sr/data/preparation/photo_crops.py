"""Crops of photographs for training: several sizes, no flat ones, noisy cameras' photographs shrunk first."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as pil

from sr.draws import Draws, name_key
from sr.image.names import composed

CAMERA_MODEL = 0x0110
"""EXIF and TIFF tag of the camera's model."""

NOISY_FACTOR = 2
"""How much smaller the photographs of noisy cameras are made: four pixels become one, noise halves."""


@dataclass(frozen=True)
class CropSettings:
    """How crops are taken from a photograph.

    Args:
        side: of a crop in pixels.
        downscales: whole factors by which the photograph is shrunk before crops are taken; 1 is the
            photograph itself. A shrunk photograph gives sharper crops that show more of the scene.
        per_photo: most crops of one photograph over all factors together; 0 takes all.
        overlap: share of its side that a crop has in common with the next, 0 to below 1.
        flat: crops whose gray values have a standard deviation below this, in levels of 0..255, are left out.
        seed: which crops are chosen where there are more than ``per_photo``.

    Raises:
        ValueError: a number outside its range.
    """

    side: int = 256
    downscales: tuple[int, ...] = (1, 2, 4, 8)
    per_photo: int = 40
    overlap: float = 0.0
    flat: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side < 8:
            raise ValueError(f"side is the pixels of a crop, 8 or more, got {self.side}; give 256")
        if not self.downscales or min(self.downscales) < 1:
            raise ValueError(f"downscales are whole factors from 1 on, got {list(self.downscales)}; give 1, 2, 4, 8")
        if self.per_photo < 0:
            raise ValueError(f"per_photo is a number of crops, 0 (all) or more, got {self.per_photo}; give 0")
        if not 0 <= self.overlap < 1:
            nearest = 0 if self.overlap < 0 else 0.9
            raise ValueError(f"overlap is a share from 0 to below 1, got {self.overlap:g}; nearest valid: {nearest}")
        if not 0 <= self.flat <= 128:
            raise ValueError(f"flat is a standard deviation between 0 and 128 levels, got {self.flat:g}; give 4")


@dataclass(frozen=True)
class Place:
    """Where a crop lies: the factor, and its first row and column in the shrunk photograph."""

    downscale: int
    top: int
    left: int


def grid(length: int, side: int, overlap: float) -> list[int]:
    """First pixels of the crops along one axis: as many as fit, spread evenly from edge to edge.

    Args:
        length: of the axis in pixels.
        side: of a crop.
        overlap: least share that neighbours have in common. Spreading them adds to it unless the crops fit exactly;
            with 0 there is none, and what is left over lies at both ends.

    Returns:
        Rising positions; none where the crop does not fit.
    """
    if length < side:
        return []
    stride = max(1, round(side * (1 - overlap)))
    count = (length - side) // stride + 1
    rest = length - side - (count - 1) * stride
    return [rest // 2 + k * stride for k in range(count)]


def crop_places(height: int, width: int, name: str, settings: CropSettings) -> list[Place]:
    """Which crops a photograph gives.

    All places of the grid at each factor are shuffled, then taken from the factors in turn, so that every size is
    there even where only a few crops are allowed.

    Args:
        height: of the photograph in pixels.
        width: of the photograph.
        name: decides with the seed which places are chosen.
        settings: side, factors, number, overlap.

    Returns:
        At most ``per_photo`` places, sorted by factor, row and column.
    """
    draws = Draws(settings.seed, np.array([name_key(composed(name))], dtype=np.uint64))
    levels = []
    for factor in settings.downscales:
        rows = grid(height // factor, settings.side, settings.overlap)
        columns = grid(width // factor, settings.side, settings.overlap)
        places = [Place(factor, top, left) for top in rows for left in columns]
        order = np.argsort(draws.uniform(f"order/{factor}", max(len(places), 1))[0], kind="stable")
        levels.append([places[k] for k in order[: len(places)]])
    turns = max(len(level) for level in levels)
    in_turn = [level[k] for k in range(turns) for level in levels if k < len(level)]
    chosen = in_turn[: settings.per_photo] if settings.per_photo else in_turn
    return sorted(chosen, key=lambda place: (place.downscale, place.top, place.left))


def shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """A photograph made smaller by a whole factor: each pixel is the mean of factor x factor.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        factor: at least 1.

    Returns:
        (height // factor, width // factor, 3) uint8; rows and columns that fill no whole pixel are left out.
    """
    if factor == 1:
        return pixels
    height, width = (length // factor * factor for length in pixels.shape[:2])
    if height == 0 or width == 0:
        return pixels[:0, :0]
    return np.asarray(pil.fromarray(np.ascontiguousarray(pixels[:height, :width])).reduce(factor))


def photo_crops(pixels: np.ndarray, name: str, settings: CropSettings) -> tuple[list[np.ndarray], int]:
    """The crops of one photograph.

    Args:
        pixels: (height, width, 3) uint8 RGB, upright.
        name: decides with the seed which places are chosen.
        settings: how.

    Returns:
        The crops, (side, side, 3) uint8 each, and how many flat ones were left out.
    """
    levels: dict[int, np.ndarray] = {}
    crops, flat = [], 0
    height, width = pixels.shape[:2]
    for place in crop_places(height, width, name, settings):
        if place.downscale not in levels:
            levels[place.downscale] = shrunk(pixels, place.downscale)
        level = levels[place.downscale]
        crop = level[place.top : place.top + settings.side, place.left : place.left + settings.side]
        if contrast(crop) < settings.flat:
            flat += 1
        else:
            crops.append(np.ascontiguousarray(crop))
    return crops, flat


def contrast(pixels: np.ndarray) -> float:
    """Standard deviation of the gray values (BT.601 weights) of uint8 RGB pixels, in levels of 0..255."""
    gray = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return float(gray.std())


def camera_model(path: Path) -> str:
    """The camera's model as the file's EXIF data names it, without surrounding blanks; empty where it does not."""
    try:
        with pil.open(path) as file:
            model = file.getexif().get(CAMERA_MODEL, "")
    except Exception:  # Pillow raises nearly anything on damaged metadata; whether the pixels are fine shows on reading
        return ""
    return str(model).replace("\0", " ").strip()


def is_noisy(model: str, noisy_cameras: tuple[str, ...]) -> bool:
    """Whether a camera's model is in the list; case and surrounding blanks do not matter."""
    return bool(model) and model.casefold() in {camera.strip().casefold() for camera in noisy_cameras}
