"""The frames of the miniature world before any camera: pure functions of the settings and a number."""

from functools import lru_cache

import numpy as np

from sr.data.generated.dead_leaves import dead_leaves
from sr.data.generated.drawings import drawing, fill
from sr.data.generated.palettes import base_colours
from sr.data.generated.textures import TILE, noise_tile, pattern
from sr.data.kinds.scaled import shrunk
from sr.experiments.world.settings import WorldSettings

Array = np.ndarray

THINNER = 2 / 3
"""The target's lines beside the reference's: what ScaleHR of runs #20 to #22 makes up for."""

DIM = (0.125, 0.9)
"""Black and white of the reference."""

CONTRASTY = (-0.15, 0.2)
"""Brightness and contrast by which the target differs: the upper branch of the augmentation of run #28."""

_SPOTS = 0.5  # share of the frames whose second texture is a printed pattern, the others' is a noise
_COLOURS = 9  # of an episode
_LEAVES = (1.0, 100.0, 0.3)  # smallest and largest radius and softness of a painted background


@lru_cache(maxsize=2)
def reference_frame(settings: WorldSettings, number: int) -> Array:
    """Frame ``number`` of the reference: a drawing, (height, width, 3) uint8.

    Frames of an episode share their colours. Numbers from ``reference_frames`` on are held out for validation.
    """
    pixels = _frame(settings, settings.height, settings.width, 1, number)
    return _levels(pixels, 0.0, 0.0)


@lru_cache(maxsize=2)  # its frames and its twins follow one another
def target_original(settings: WorldSettings, number: int) -> Array:
    """Frame ``number`` of the target before anything happened to it: other drawings, finer, with more contrast.

    Drawn larger than the reference and shrunk, so that all of it is finer, as in a film that was drawn for a smaller
    screen; (height, width, 3) uint8. Numbers from ``target_frames`` on are for validation alone.
    """
    height, width = (round(side / THINNER) for side in (settings.height, settings.width))
    pixels = _frame(settings, height, width, 2, number)
    small = shrunk(pixels, THINNER, "area")[: settings.height, : settings.width]
    return _levels(small, *CONTRASTY)


def is_background(settings: WorldSettings, number: int) -> bool:
    """Whether frame ``number`` shows a painted background without lines: the last one of each episode does."""
    return number % settings.episode_frames == settings.episode_frames - 1


@lru_cache(maxsize=2)
def foreign_frame(settings: WorldSettings, number: int) -> Array:
    """Picture ``number`` of the foreign reference: dead leaves, which have the statistics of photographs."""
    return dead_leaves(settings.height, settings.width, np.random.default_rng([settings.seed, 3, number]))


def _frame(settings: WorldSettings, height: int, width: int, film: int, number: int) -> Array:
    rng = np.random.default_rng([settings.seed, film, number])
    if is_background(settings, number):
        return dead_leaves(height, width, rng, *_LEAVES)
    of_episode = np.random.default_rng([settings.seed, film, number // settings.episode_frames, 4])
    colours = 255 * base_colours(_COLOURS, of_episode)
    ground = fill(height, width, colours[rng.choice(_COLOURS, 3, replace=False)], rng)
    ground += settings.texture * texture(height, width, rng)[..., None]
    background = np.clip(np.rint(ground), 0, 255).astype(np.uint8)
    return drawing(height, width, rng, settings.lines, background=background, thickness=settings.thickness)


def texture(height: int, width: int, rng: np.random.Generator) -> Array:
    """Two textures, each in its own parts of the picture and a third of it bare.

    Returns:
        (height, width) float32, about unit deviation where there is any.
    """
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    wrapped = (y % TILE, x % TILE)
    cloud = noise_tile(2.5, 1.0, 0.0, rng)[wrapped]
    rough = noise_tile(rng.uniform(0.6, 1.2), rng.uniform(1, 4), rng.uniform(0, np.pi), rng)[wrapped]
    if rng.random() < _SPOTS:
        angle, period = rng.uniform(0, np.pi), rng.uniform(5, 10)
        u = (np.cos(angle) * x + np.sin(angle) * y) / period
        v = (np.cos(angle) * y - np.sin(angle) * x) / period
        kind = int(rng.choice([0, 1, 4]))
        other = pattern(np.full(u.shape, kind), u, v, np.full(u.shape, 0.5))
    else:
        other = noise_tile(0.4, 1.0, 0.0, rng)[wrapped]
    first, second = (np.clip(4 * (sign * cloud - 0.4), 0, 1) for sign in (1, -1))
    return np.asarray(first * rough + second * other, np.float32)


def _levels(pixels: Array, brightness: float, contrast: float) -> Array:
    """Black and white moved to ``DIM``, then value * (1 + contrast) + brightness."""
    dim = DIM[0] + (DIM[1] - DIM[0]) / 255 * pixels.astype(np.float32)
    return np.clip(np.rint(255 * (dim * (1 + contrast) + brightness)), 0, 255).astype(np.uint8)
