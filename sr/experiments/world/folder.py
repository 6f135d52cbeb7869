"""The world's folder below the cache: where everything lies, and how it is made once, whole or not at all.

``worlds/KEY/`` holds

- ``world.json``: all settings, and what is hidden from those who train;
- ``reference/episode_NN/``, ``foreign/``: pictures to train on;
- ``originals/``, ``releases/NAME/clean/``, ``releases/NAME/frames/``: the target before the camera, after it, and with
  its noise (frame for frame);
- ``val/SET/hr/``, ``val/SET/lr/``: validation sets;
- ``releases/NAME/kernels/`` and ``releases/NAME/CODE/``: what `sr.experiments.world.pools` finds in the frames.

The key is a hash of all settings, so other settings are another folder. It is filled under another name, which it keeps
until it is complete: what a killed process leaves is gone on with.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pil

from sr.data.contract import OnMessage, OnProgress
from sr.data.store.store import cache_root
from sr.errors import UserError
from sr.experiments.world.drawing import foreign_frame, reference_frame, target_original
from sr.experiments.world.filming import clean_frame, filmed, hidden_kernel
from sr.experiments.world.sets import SETS, drawn_pair, is_drawn
from sr.experiments.world.settings import RELEASES, WorldSettings
from sr.files import sweep_up, write_atomically
from sr.image.io import write_picture
from sr.locks import alone
from sr.types import Picture

RECORD = "world.json"

_GRAIN = 5  # purpose of the random numbers


class World:
    """A world that exists, or will once somebody needs it.

    Args:
        settings: what it is made of.
        cache: folder of the worlds; None takes ``SR_CACHE`` or the user's cache folder.

    Raises:
        UserError: a folder of real pictures is missing or empty.
    """

    def __init__(self, settings: WorldSettings, cache: str | None = None) -> None:
        self.settings = settings
        self.folder = cache_root(cache) / "worlds" / settings.key

    def reference(self) -> Path:
        """Folder of the reference's episodes."""
        return Path(self.settings.reference or self.folder / "reference")

    def foreign(self) -> Path:
        """Folder of the foreign reference."""
        return Path(self.settings.foreign or self.folder / "foreign")

    def release(self, name: str) -> Path:
        """Folder of one release of the target.

        Raises:
            UserError: there is no such release.
        """
        if name not in RELEASES:
            raise UserError(f"data.release={name} is no release of the target; there is {' and '.join(RELEASES)}")
        return self.folder / "releases" / name

    def frames(self, release: str) -> Path:
        """Folder of the frames of a release, in which kernels and noise are looked for.

        A real target is one folder, or has one of each release's name.
        """
        if self.settings.target_video is None:
            return self.release(release) / "frames"
        own = Path(self.settings.target_video).expanduser() / release
        return own if own.is_dir() else own.parent

    def kernels(self, release: str) -> Path:
        """Folder of the kernels of a release."""
        return self.release(release) / "kernels"

    def validation(self, name: str, side: str) -> Path:
        """Folder of one side, ``hr`` or ``lr``, of a validation set."""
        return self.folder / "val" / name / side

    def draw(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Make everything but pools, where it is not there; a process that does so already is waited for.

        What is damaged or missing of a finished world is drawn again; each process looks once.

        Raises:
            UserError: the disk is full or not writable.
        """
        if (self.folder / RECORD).is_file() and not _broken(self.folder, self.settings):
            return
        try:
            with alone(
                self.folder.with_suffix(".lock"), lambda: on_message("another process draws the world; waiting for it")
            ):
                _broken.cache_clear()
                if not (self.folder / RECORD).is_file():
                    self._draw(on_progress, on_message)
                elif broken := _broken(self.folder, self.settings):
                    on_message(f"{len(broken)} damaged files of the world are drawn again: {', '.join(broken[:3])}")
                    self._fill(self.folder, broken, on_progress)
                _broken.cache_clear()
        except OSError as error:
            raise UserError(f"cannot make the world in {self.folder}: {error.strerror or error}") from error

    def _draw(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        on_message(_why(self.folder, self.settings))
        unfinished = self.folder.with_suffix(".part")
        if self.folder.exists() and not unfinished.exists():  # somebody took its record: what is there is gone on with
            self.folder.rename(unfinished)
        sweep_up(unfinished, below=True)
        self._fill(unfinished, [name for name, _ in _files(self.settings)], on_progress)
        record = {**self.settings.facts(), "hidden": {n: hidden_kernel(r).tolist() for n, r in RELEASES.items()}}
        write_atomically(unfinished / RECORD, json.dumps(record, indent=1).encode())
        unfinished.rename(self.folder)

    def _fill(self, folder: Path, names: Collection[str], on_progress: OnProgress) -> None:
        """Draw those of these files that are not there whole."""
        asked = set(names)
        wanted = [(name, make) for name, make in _files(self.settings) if name in asked]
        for number, (name, make) in enumerate(wanted):
            if not is_whole(folder / name):
                write_picture(_with_folder(folder / name), Picture(make()))
            on_progress("drawing the world", number + 1, len(wanted))


@lru_cache(maxsize=8)
def _broken(folder: Path, settings: WorldSettings) -> tuple[str, ...]:
    """Files of a world that are missing or damaged."""
    return tuple(name for name, _ in _files(settings) if not is_whole(folder / name))


def is_whole(path: Path) -> bool:
    """Whether a PNG file is there and fits its checksums."""
    try:
        with pil.open(path) as picture:
            picture.verify()
    except (OSError, SyntaxError):  # Pillow's for a PNG that does not fit its checksums
        return False
    return True


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _files(settings: WorldSettings) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Each file of a world with the function that draws it."""
    yield from _training_files(settings)
    for i in range(settings.target_frames if settings.drawn_target else 0):
        yield f"originals/{i:05d}.png", partial(target_original, settings, i)
        for name in RELEASES:
            yield f"releases/{name}/clean/{i:05d}.png", partial(_clean_frame, settings, name, i)
            yield f"releases/{name}/frames/{i:05d}.png", partial(target_frame, settings, name, i)
    for name in (name for name in SETS if is_drawn(settings, name)):
        for i in range(settings.val_pictures):
            for side, folder in enumerate(("hr", "lr")):
                yield f"val/{name}/{folder}/{i:05d}.png", partial(_side, settings, name, i, side)


def _training_files(settings: WorldSettings) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    for i in range(settings.reference_frames if settings.reference is None else 0):
        name = f"reference/episode_{i // settings.episode_frames:02d}/{i:05d}.png"
        yield name, partial(reference_frame, settings, i)
    for i in range(settings.foreign_frames if settings.foreign is None else 0):
        yield f"foreign/{i:05d}.png", partial(foreign_frame, settings, i)


def target_frame(settings: WorldSettings, release: str, number: int) -> np.ndarray:
    """A frame of a release as those who train have it."""
    rng = np.random.default_rng([settings.seed, _GRAIN, number])
    return filmed(target_original(settings, number), RELEASES[release], rng)


def _clean_frame(settings: WorldSettings, release: str, number: int) -> np.ndarray:
    clean = clean_frame(target_original(settings, number), RELEASES[release])
    return np.rint(clean).astype(np.uint8)


def _side(settings: WorldSettings, name: str, number: int, side: int) -> np.ndarray:
    return drawn_pair(settings, name, number)[side]


def _why(folder: Path, settings: WorldSettings) -> str:
    """What is drawn, and in which settings it differs from the newest other world."""
    facts, others = settings.facts(), []
    for path in folder.parent.glob(f"*/{RECORD}"):
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
            if isinstance(found, dict):
                others.append((path.stat().st_mtime, found))
    if not others:
        return f"drawing the miniature world, once: {folder}"
    last = max(others, key=lambda pair: pair[0])[1]
    differing = [
        f"{name} {json.dumps(last.get(name))} -> {json.dumps(value)}"
        for name, value in facts.items()
        if name != "releases" and last.get(name) != value
    ]
    return f"drawing another world, since settings differ from the last one's ({', '.join(differing)}): {folder}"


def target_folder(settings: Mapping[str, Any], release: str, code: str, cache: str | None) -> Path:
    """Where `sr.experiments.world.pools.Pool` lies.

    Args:
        settings: arguments of `WorldSettings`; wrong ones, which the check of the configuration tells, give a path at
            which nothing lies.
        release: of the target.
        code: of the extraction.
        cache: see `World`.
    """
    try:
        world = World(WorldSettings(**settings), cache).folder
    except (TypeError, ValueError, UserError):
        world = Path("no world")
    return world / "releases" / release / code
