"""Validation sets of a drawn world: pictures that nothing is trained on, with low-resolution twins as files."""

from collections.abc import Callable

import numpy as np

from sr.degradations.pictures import Pictures
from sr.degradations.resize import DownUp
from sr.draws import Draws
from sr.experiments.world.drawing import foreign_frame, reference_frame, target_original
from sr.experiments.world.filming import filmed, network_input
from sr.experiments.world.settings import RELEASES, WorldSettings
from sr.image.io import to_image, to_pixels
from sr.image.resize import bicubic

Array = np.ndarray
Pair = tuple[Array, Array]

_GRAIN = 6  # purpose of the random numbers
_NOTHING_DRAWN = Draws(0, np.zeros(1))
_QUARTER = (0.25, 0.25)  # DownHR of run #15 at HR level, the middle of 0.2 to 0.3


def _target(release: str, times: float) -> Callable[[WorldSettings, int], Pair]:
    """The target as it is, enlarged to the network's input, with noise so many times as strong."""

    def pair(settings: WorldSettings, number: int) -> Pair:
        hr = target_original(settings, settings.target_frames + number)
        rng = np.random.default_rng([settings.seed, _GRAIN, number])
        return hr, network_input(filmed(hr, RELEASES[release], rng, times), settings.height // 2, settings.width // 2)

    return pair


def _halved(hr: Array) -> Array:
    return to_pixels(bicubic(to_image(hr), 0.5, clip=True))


def _blurred(hr: Array) -> Array:
    """Halved, then averaged over 3x3 pixels: the blur of run #06."""
    low = to_image(_halved(hr))
    mean = Pictures.of(low, (low.shape[-2], low.shape[-1])).repeated(1).unfold(2, 3, 1).unfold(3, 3, 1).mean((-1, -2))
    return to_pixels(mean)


def _shrunk(hr: Array) -> Array:
    """Halved after its detail was taken: what run #15 was trained on."""
    image = to_image(hr)
    soft = DownUp(_QUARTER)(Pictures.of(image, (image.shape[-2], image.shape[-1])), _NOTHING_DRAWN).pixels
    return _halved(to_pixels(soft))


def _reference(made: Callable[[Array], Array]) -> Callable[[WorldSettings, int], Pair]:
    def pair(settings: WorldSettings, number: int) -> Pair:
        # The next whole episode: its colours are in no frame that is trained on.
        episodes = -(-settings.reference_frames // settings.episode_frames)
        hr = reference_frame(settings, episodes * settings.episode_frames + number)
        return hr, made(hr)

    return pair


def _foreign(made: Callable[[Array], Array]) -> Callable[[WorldSettings, int], Pair]:
    def pair(settings: WorldSettings, number: int) -> Pair:
        hr = foreign_frame(settings, settings.foreign_frames + number)
        return hr, made(hr)

    return pair


SETS: dict[str, Callable[[WorldSettings, int], Pair]] = {
    "target": _target("soultaker", 1),
    "target_noise2": _target("soultaker", 2),
    "target_noise3": _target("soultaker", 3),
    "target_aniboters": _target("aniboters", 1),
    "clean": _reference(_halved),
    "blurred": _reference(_blurred),
    "shrunk": _reference(_shrunk),
    "foreign": _foreign(_halved),
    "foreign_blurred": _foreign(_blurred),
}
"""How picture ``number`` of each set comes about: (hr, lr), uint8, lr half as large."""


def drawn_sets(settings: WorldSettings) -> list[str]:
    """Names of the sets that a world has: those of pictures that it draws."""
    known = {"target": settings.drawn_target, "foreign": settings.foreign is None}
    return [name for name in SETS if known.get(name.split("_")[0], settings.reference is None)]
