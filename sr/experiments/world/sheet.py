"""A world at a glance: its pictures, its kernels beside those that were found, its noise."""

from pathlib import Path

import numpy as np

from sr.data.preparation.contact_sheet import contact_sheet, kernel_tile, noise_tile
from sr.data.preparation.kernel_gan import widths
from sr.data.preparation.noise_patches import from_file
from sr.degradations.kernel_pool import read_kernels
from sr.experiments.world.filming import hidden_kernel, network_input
from sr.experiments.world.folder import World
from sr.experiments.world.pools import Pool
from sr.experiments.world.settings import RELEASES
from sr.image.depth import to_uint8
from sr.image.io import find_pictures, read_visible

Array = np.ndarray

_SHOWN = 3  # pictures of a kind
_PAPER = 250


def misplaced(kernel: Array, truth: Array) -> float:
    """Share of a kernel's weight that lies elsewhere than the true kernel's: 0 for the same, 1 where nothing agrees.

    Args:
        kernel: (n, n), sums to 1.
        truth: likewise, of the same size.
    """
    return float(np.abs(kernel - truth).sum() / 2)


def kernel_errors(world: World, release: str) -> list[tuple[str, float, tuple[float, float]]]:
    """Of each estimated kernel of a release: the frame's name, `misplaced`, and how wide it is along both axes."""
    truth = hidden_kernel(RELEASES[release])
    found = read_kernels(str(world.kernels(release)))
    return [(Path(name).stem, misplaced(kernel, truth), widths(kernel)) for name, kernel in found]


def sheet(world: World, pools: list[Pool]) -> Array:
    """Pictures of everything that is there.

    Args:
        world: with all that the pools need.
        pools: made.

    Returns:
        (height, width, 3) uint8.
    """
    rows = [_pictures(world.reference(), "reference"), _pictures(world.foreign(), "foreign")]
    if world.settings.drawn_target:
        rows.insert(1, _pictures(world.folder / "originals", "target, clean original"))
    releases = list(dict.fromkeys(pool.release for pool in pools))
    rows += [_inputs(world, release) for release in releases]
    rows += [_kernels(world, release) for release in releases]
    rows.append(contact_sheet(*_noise(pools), columns=8))
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=_PAPER) for row in rows]
    )


def _some(folder: Path) -> list[Path]:
    paths = find_pictures(folder)
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(_SHOWN, len(paths))).round().astype(int)]


def _pixels(path: Path) -> Array:
    return to_uint8(read_visible(path).pixels)


def _pictures(folder: Path, what: str) -> Array:
    paths = _some(folder)
    return contact_sheet([_pixels(path) for path in paths], [f"{what} {path.stem}" for path in paths], columns=_SHOWN)


def _inputs(world: World, release: str) -> Array:
    """Frames of a release as networks meet them, each pixel shown as four."""
    paths, size = _some(world.frames(release)), (world.settings.height // 2, world.settings.width // 2)
    tiles = [network_input(_pixels(path), *size).repeat(2, axis=0).repeat(2, axis=1) for path in paths]
    return contact_sheet(tiles, [f"{release} {path.stem}, pixels twice as large" for path in paths], columns=_SHOWN)


def _kernels(world: World, release: str) -> Array:
    tiles, labels = [], []
    if world.settings.drawn_target:
        truth = hidden_kernel(RELEASES[release])
        tiles.append(kernel_tile(truth))
        labels.append(_label(truth, "hidden"))
    for name, kernel in read_kernels(str(world.kernels(release))):
        tiles.append(kernel_tile(kernel))
        labels.append(_label(kernel, Path(name).stem))
    return contact_sheet(tiles, [f"{release[:4]} {label}" for label in labels], columns=8)


def _label(kernel: Array, name: str) -> str:
    wide, narrow = widths(kernel)
    return f"{wide:.1f}x{narrow:.1f} {name}"


def _noise(pools: list[Pool]) -> tuple[list[Array], list[str]]:
    tiles, labels = [], []
    for pool in pools:
        patches = [from_file(_pixels(path)) for path in _some(pool.folder / "noise" / "patches")]
        deviation = float(np.mean([patch.std() for patch in patches]))
        tiles.append(noise_tile(patches[-1]))
        labels.append(f"{pool.release[:4]} {pool.code} {deviation:.1f} x4")
    return tiles, labels
