"""`sr prepare frames`: frames of videos as PNG files, one folder per video."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from sr.console import plain_console
from sr.data.preparation.frames import Changed, Span, VideoFacts, read_frames, video_facts
from sr.data.preparation.noise_patches import denoised
from sr.draws import Draws
from sr.errors import UserError
from sr.image.io import write_picture
from sr.types import Picture
from sr.verbs.prepare.output import Journal, Steps, counted, journal, tell_failures
from sr.verbs.screen.tables import say

_LIGHT = 1, 5  # strength and window of the denoising of the anime runs' frames


@dataclass(frozen=True)
class Slicing:
    """Settings of the verb.

    Attributes:
        start: seconds, or the largest start where it is random.
        random_start: draw the start of each video uniformly from 0 to ``start``.
        length: seconds of each video; 0 goes to the end.
        step: seconds between frames.
        denoise: light non-local means on every frame.
        change: leave out frames whose mean difference from the last kept one is below so many levels.
        seed: of the random starts.
    """

    start: float = 0.0
    random_start: bool = False
    length: float = 0.0
    step: float = 1.0
    denoise: bool = False
    change: float = 0.0
    seed: int = 0

    def span(self, episode: str, facts: VideoFacts) -> Span:
        """The span of one video; the start depends on its name and the seed alone."""
        if not self.random_start:
            return Span(self.start, self.length, self.step)
        most = self.start if facts.seconds is None else min(self.start, facts.seconds)
        draw = float(Draws(self.seed, np.array([0])).uniform(f"start/{episode}")[0, 0])
        return Span(round(draw * most, 6), self.length, self.step)


def parse_start(text: str) -> tuple[float, bool]:
    """``12.5`` as (12.5, False), ``r90`` as (90, True).

    Raises:
        UserError: neither.
    """
    random = text[:1] in ("r", "R")
    try:
        seconds = float(text[random:])
    except ValueError:
        seconds = -1.0
    if not (np.isfinite(seconds) and seconds >= 0):
        raise UserError(f"--start takes seconds, or r and seconds for a random start, got '{text}'; give 90 or r90")
    return seconds, random


def prepare_frames(videos: Sequence[Path], output: Path, slicing: Slicing, numbered: bool = False) -> None:
    """Write the frames of each video to ``output/STEM/00001.png`` or ``output/ep01/00001.png``.

    Args:
        videos: files.
        output: folder; what it holds already is not made again.
        slicing: which frames.
        numbered: folders ep01, ep02, … in the order given, instead of the videos' names.

    Raises:
        UserError: a setting out of range, the folder is not ours, or (after all others are done) videos that are
            damaged.
    """
    _check(slicing)
    console = plain_console(soft_wrap=True)
    episodes = _episodes(videos, numbered)
    failures = []
    with journal(output, "frames", vars(slicing)) as done:
        for episode, video in episodes.items():
            failures += _episode(console, done, output, episode, video, slicing)
        frames = sum(done.done[episode]["frames"] for episode in episodes if episode in done.done)
    if frames:
        say(console, f"{counted(frames, 'frame')} of {counted(len(episodes), 'video')}: {output}")
    tell_failures(failures)


def _check(slicing: Slicing) -> None:
    try:
        Span(slicing.start, slicing.length, slicing.step)
    except ValueError as error:
        raise UserError(str(error)) from error
    if not 0 <= slicing.change <= 255:
        nearest = min(max(slicing.change, 0), 255)
        raise UserError(f"--change is a difference between 0 and 255 levels, got {slicing.change:g}; give {nearest:g}")


def _episodes(videos: Sequence[Path], numbered: bool) -> dict[str, Path]:
    """Folder name of each video."""
    if numbered:
        return {f"ep{number:02d}": video for number, video in enumerate(videos, 1)}
    twice = [stem for stem, count in Counter(video.stem for video in videos).items() if count > 1]
    if twice:
        raise UserError(f"two videos are called '{twice[0]}'; number the folders with --numbered, or rename one")
    return {video.stem: video for video in videos}


def _episode(console: Console, done: Journal, output: Path, episode: str, video: Path, slicing: Slicing) -> list[str]:
    """Slice one video; returns the sentence about what is wrong with it, if anything."""
    size = video.stat().st_size if video.is_file() else -1
    known = done.done.get(episode)
    if known is not None and known["size"] == size:
        say(console, f"{episode}: {counted(known['frames'], 'frame')} done already")
        return [known["fault"]] if known["fault"] else []
    if known is not None:
        return [f"'{output / episode}' holds the frames of another video than '{video}'; choose another -o"]
    try:
        facts = video_facts(video)
    except UserError as error:
        return [str(error)]
    span = slicing.span(episode, facts)
    _tell(console, episode, facts, slicing, span)
    fault = ""
    written = skipped = 0
    changed = Changed(slicing.change)
    (output / episode).mkdir(exist_ok=True)
    with Steps(console, episode, span.count(facts)) as steps:
        try:
            for frame in read_frames(video, span):
                if slicing.change and not changed.admit(frame.pixels):
                    skipped += 1
                else:
                    written += 1
                    _write(output / episode / f"{written:05d}.png", frame.pixels, slicing.denoise)
                steps.done(written + skipped)
        except UserError as error:
            fault = str(error)
    if skipped:
        say(console, f"{episode}: {counted(skipped, 'frame')} left out, hardly different from the one before")
    if written == 0 and not fault:
        fault = f"no frame of '{video}' lies in the span asked for; it starts at {span.start:g} seconds{_lasts(facts)}"
        return [fault]  # not written down: another --start belongs to another folder, but nothing is there yet
    done.finish(episode, {"size": size, "frames": written, "start": span.start, "fault": fault})
    return [fault] if fault else []


def _lasts(facts: VideoFacts) -> str:
    return "" if facts.seconds is None else f" and the video lasts {facts.seconds:.1f}"


def _write(path: Path, pixels: np.ndarray, denoise: bool) -> None:
    if not path.exists():  # written in one step: a file that is there is whole
        write_picture(path, Picture(denoised(pixels, *_LIGHT) if denoise else pixels))


def _tell(console: Console, episode: str, facts: VideoFacts, slicing: Slicing, span: Span) -> None:
    """What the user may not expect."""
    if slicing.random_start:
        say(console, f"{episode}: starts at {span.start:.2f} seconds")
    if facts.rate is not None and slicing.step * facts.rate < 1 - 1e-6:
        say(
            console,
            f"{episode}: a step of {slicing.step:g} seconds is below the distance of its frames "
            f"({1 / facts.rate:.3f}); every frame is taken",
        )
    if abs(facts.pixel_aspect - 1) > 1e-3:
        say(
            console,
            f"{episode}: its pixels are not square ({facts.pixel_aspect:.3f} times as wide as tall); "
            f"the stored {facts.width}x{facts.height} are kept",
        )
