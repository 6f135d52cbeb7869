"""Noise measured on real pictures: patches from files, one random crop of one patch per sample.

The recipe of RealSR (Ji et al. 2020, "Real-world super-resolution via kernel estimation and noise injection", CVPRW)
and of SR_base's experiments from 16 on: LR = degraded picture + noise patch.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from sr.degradations.pictures import Pictures, to_device
from sr.degradations.ranges import Number, check_probability
from sr.draws import Draws
from sr.errors import UserError
from sr.image.io import find_pictures, read_visible

SELECTION_SEED = 7
"""Decides which patches a ``count`` keeps, as for kernels."""

_FAR = 32
"""A file whose mean is further from the pool's, in levels, is a picture and no noise."""


@dataclass(frozen=True, repr=False)
class NoisePool:
    """Noise patches from picture files, read when they are first needed and kept in memory as 8 bits.

    Args:
        path: a folder, searched through all levels, or a file. Value = round(noise + mean), in 8-bit levels.
        count: use only so many of them, chosen by chance but the same on every machine; a larger count keeps the
            choice of a smaller one. None uses all.
        mean: the level that stands for no noise.

    Raises:
        ValueError: ``count`` or ``mean`` makes no sense.
    """

    path: str
    count: int | None = None
    mean: Number = 128
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(f"count={self.count} must be at least 1, or null for all patches")
        if not 0 <= self.mean <= 255:
            raise ValueError(f"mean={self.mean} must lie between 0 and 255; 128 is usual")

    def __repr__(self) -> str:
        stamp = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in self.files]
        digest = hashlib.blake2b(repr(stamp).encode(), digest_size=8).hexdigest()
        return f"NoisePool({len(stamp)} files, mean={self.mean}, {digest})"

    def __getstate__(self) -> dict[str, Any]:
        """Without the patches: another process reads its own."""
        return {"path": self.path, "count": self.count, "mean": self.mean, "_kept": {}}

    @property
    def files(self) -> list[Path]:
        """The files of the pool, in order.

        Raises:
            UserError: there is none, or fewer than ``count``.
        """
        if "files" not in self._kept:
            found = find_pictures(Path(self.path).expanduser())
            if self.count is not None:
                if self.count > len(found):
                    raise UserError(
                        f"count={self.count} noise patches are asked for, but {self.path} has {len(found)}; "
                        f"set count={len(found)}, or null for all"
                    )
                order = np.argsort(Draws(SELECTION_SEED, np.arange(len(found))).uniform("patches")[:, 0], kind="stable")
                found = [found[i] for i in order[: self.count]]
            self._kept["files"] = found
        return list(self._kept["files"])

    @property
    def patches(self) -> list[np.ndarray]:
        """uint8 (3, height, width) each.

        Raises:
            UserError: a file cannot be used; the message names it.
        """
        if "patches" not in self._kept:
            with ThreadPoolExecutor() as threads:
                self._kept["patches"] = list(threads.map(self._read, self.files))
        return list(self._kept["patches"])

    def on(self, device: torch.device) -> Tensor:
        """All patches one after another, uint8, kept on the device."""
        if device not in self._kept:
            flat = np.concatenate([patch.ravel() for patch in self.patches])
            self._kept[device] = torch.from_numpy(flat).to(device)
        kept: Tensor = self._kept[device]
        return kept

    def _read(self, file: Path) -> np.ndarray:
        pixels = read_visible(file).pixels
        if pixels.dtype != np.uint8:
            raise UserError(f"{file} has 16 bits per channel; noise patches are 8-bit pictures, write it as such")
        if abs(pixels.mean() - self.mean) > _FAR:
            raise UserError(
                f"{file} has the mean {pixels.mean():.0f} instead of about {self.mean:g}: it is no noise patch; "
                "remove it, or set mean"
            )
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True, repr=False)
class PooledNoise:
    """Add a random crop of a random noise patch; the result is clamped to [0, 1].

    noise = clamp(amplitude * (v - mean) / 255, -clamp / 255, clamp / 255). A patch smaller than the picture goes on
    mirrored, back and forth, as often as needed.

    Args:
        pool: file or folder of patches, see `NoisePool`.
        amplitude: multiplies the noise.
        clamp: its largest size after that, in 8-bit levels; None sets no limit.
        flips: ``horizontal`` mirrors half of the crops, ``both`` also half of them upside down.
        count: see `NoisePool`.
        mean: see `NoisePool`.
        probability: how many pictures get noise.

    Raises:
        ValueError: a setting is out of its range.
    """

    pool: str
    amplitude: Number = 1.0
    clamp: Number | None = None
    flips: Literal["none", "horizontal", "both"] = "horizontal"
    count: int | None = None
    mean: Number = 128
    probability: Number = 1.0
    _pool: NoisePool = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.amplitude <= 100:
            raise ValueError(f"amplitude={self.amplitude} must lie between 0 and 100; 1 keeps the patches' strength")
        if self.clamp is not None and not 0 < self.clamp <= 255:
            raise ValueError(f"clamp={self.clamp} must lie between 0 and 255, or be null for no limit")
        if self.flips not in ("none", "horizontal", "both"):
            raise ValueError(f"flips={self.flips} must be none, horizontal or both")
        check_probability("probability", self.probability)
        object.__setattr__(self, "_pool", NoisePool(self.pool, self.count, self.mean))

    def __repr__(self) -> str:
        return (
            f"PooledNoise({self._pool!r}, amplitude={self.amplitude}, clamp={self.clamp}, flips={self.flips}, "
            f"probability={self.probability})"
        )

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Add noise."""
        applied = draws.chance("applied", self.probability)
        if not applied.any():
            return pictures
        chosen = draws.integers("patch", len(self._pool.files))
        draws.note("patch", [self._pool.files[i].name for i in chosen.tolist()], where=applied)
        some, own = pictures.at(applied), draws.at(applied)
        chosen = chosen[applied]
        sizes = np.array([self._pool.patches[i].shape[1:] for i in chosen.tolist()])
        rows = _positions(own, "row", sizes[:, 0], some.heights, some.canvas[0], self.flips == "both")
        columns = _positions(own, "column", sizes[:, 1], some.widths, some.canvas[1], self.flips != "none")
        noise = (self._gathered if some.together else self._one_by_one)(some.pixels.device, chosen, rows, columns)
        noise = (noise.float() - self.mean).mul_(self.amplitude / 255)
        if self.clamp is not None:
            noise.clamp_(-self.clamp / 255, self.clamp / 255)
        return pictures.put(applied, noise.add_(some.pixels).clamp_(0, 1))

    def _one_by_one(self, device: torch.device, chosen: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        made = torch.empty(len(chosen), 3, rows.shape[1], columns.shape[1], dtype=torch.uint8, device=device)
        for i, patch in enumerate(chosen.tolist()):
            whole = torch.from_numpy(self._pool.patches[patch])
            made[i] = whole[:, torch.from_numpy(rows[i])][:, :, torch.from_numpy(columns[i])].to(device)
        return made

    def _gathered(self, device: torch.device, chosen: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """One look-up per value in the buffer on the device: nothing waits for it."""
        shapes = np.array([patch.shape[1:] for patch in self._pool.patches])
        areas = shapes.prod(1)
        begin = np.concatenate([[0], np.cumsum(3 * areas)])[chosen]
        planes = begin[:, None] + np.arange(3) * areas[chosen, None]
        lines = to_device(planes, device)[:, :, None] + to_device(rows * shapes[chosen, 1:], device)[:, None]
        return self._pool.on(device)[lines[..., None] + to_device(columns, device)[:, None, None]]


def _positions(draws: Draws, name: str, patch: np.ndarray, picture: np.ndarray, canvas: int, flips: bool) -> np.ndarray:
    """Where in its patch each row (or column) of each picture looks: int64 (batch, canvas)."""
    period = np.maximum(2 * (patch - 1), 1)
    starts = np.where(patch >= picture, patch - picture + 1, period)
    start = (draws.uniform(name)[:, 0] * starts).astype(np.int64)
    place = np.tile(np.arange(canvas), (len(patch), 1))
    if flips:
        place = np.where(draws.chance(f"{name} flip", 0.5)[:, None], picture[:, None] - 1 - place, place)
    folded = np.abs(start[:, None] + place) % period[:, None]
    return np.minimum(folded, period[:, None] - folded) * (patch > 1)[:, None]
