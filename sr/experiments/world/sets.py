"""Validation sets: pictures that nothing is trained on, with low-resolution twins."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from sr.degradations.pictures import Pictures
from sr.degradations.resize import DownUp
from sr.experiments.world.drawing import foreign_frame, reference_frame, target_original
from sr.experiments.world.filming import NOTHING_DRAWN, filmed, network_input
from sr.experiments.world.settings import RELEASES, WorldSettings
from sr.image.io import to_image, to_pixels

Array = np.ndarray
Origin = Literal["target", "reference", "foreign"]

_GRAIN = 6  # purpose of the random numbers
_QUARTER = (0.25, 0.25)  # DownHR of run #15 at HR level, the middle of 0.2 to 0.3


def halved(hr: Array) -> Array:
    """OpenCV's bicubic of (height, width, 3) uint8 pixels, even sides: no antialiasing, as the log has it up to #15."""
    height, width = hr.shape[:2]
    return np.asarray(cv2.resize(hr, (width // 2, height // 2), interpolation=cv2.INTER_CUBIC))


def blurred(hr: Array) -> Array:
    """Halved, then averaged over 3x3 pixels: the blur of run #06."""
    low = to_image(halved(hr))
    mean = Pictures.of(low, (low.shape[-2], low.shape[-1])).repeated(1).unfold(2, 3, 1).unfold(3, 3, 1).mean((-1, -2))
    return to_pixels(mean)


def shrunk(hr: Array) -> Array:
    """Halved after its detail was taken: what run #15 was trained on."""
    image = to_image(hr)
    soft = DownUp(_QUARTER)(Pictures.of(image, (image.shape[-2], image.shape[-1])), NOTHING_DRAWN).pixels
    return halved(to_pixels(soft))


@dataclass(frozen=True)
class ValidationSet:
    """How a set comes about.

    Attributes:
        origin: where its high resolution is from.
        made: its low resolution, of pictures of the reference or foreign ones.
        release: of the target.
        times: how many times the target's noise is as strong.
    """

    origin: Origin
    made: Callable[[Array], Array] = halved
    release: str = "soultaker"
    times: float = 1.0


_TARGET = ValidationSet("target")
SETS = {
    "target": _TARGET,
    "target_noise2": replace(_TARGET, times=2.0),
    "target_noise3": replace(_TARGET, times=3.0),
    "target_aniboters": replace(_TARGET, release="aniboters"),
    "clean": ValidationSet("reference"),
    "blurred": ValidationSet("reference", blurred),
    "shrunk": ValidationSet("reference", shrunk),
    "foreign": ValidationSet("foreign"),
    "foreign_blurred": ValidationSet("foreign", blurred),
}


def drawn_pair(settings: WorldSettings, name: str, number: int) -> tuple[Array, Array]:
    """Picture ``number`` of a set whose pictures are drawn.

    Returns:
        (high resolution, low resolution), (height, width, 3) and half of it, uint8.
    """
    kind = SETS[name]
    if kind.origin == "target":
        hr = target_original(settings, settings.target_frames + number)
        rng = np.random.default_rng([settings.seed, _GRAIN, number])
        frame = filmed(hr, RELEASES[kind.release], rng, kind.times)
        return hr, network_input(frame, settings.height // 2, settings.width // 2)
    if kind.origin == "foreign":
        hr = foreign_frame(settings, settings.foreign_frames + number)
    else:  # of the next whole episode: its colours are in no frame that is trained on
        episodes = -(-settings.reference_frames // settings.episode_frames)
        hr = reference_frame(settings, episodes * settings.episode_frames + number)
    return hr, kind.made(hr)


def is_drawn(settings: WorldSettings, name: str) -> bool:
    """Whether a set's pictures are drawn, and not from a folder that somebody gave."""
    given = {"target": settings.target_video, "reference": settings.reference, "foreign": settings.foreign}
    return given[SETS[name].origin] is None
