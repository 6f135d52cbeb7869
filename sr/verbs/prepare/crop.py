"""`sr prepare crop`: cut black bars off frames, drop frames whose bars are not black."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from rich.console import Console

from sr.console import plain_console
from sr.data.kinds.photos import photographs
from sr.data.preparation.letterbox import BARS_BLACK, Bars, bar_brightness, centred, common_letterbox, fitted, without
from sr.errors import UserError
from sr.files import real_path
from sr.image.depth import to_uint8
from sr.image.io import read_visible, write_picture
from sr.image.names import names_as
from sr.types import Picture
from sr.verbs.prepare.output import Steps, counted, journal, tell_failures
from sr.verbs.screen.tables import say

MEASURED = 60
"""Frames of a folder on which `auto` measures the bars."""

RATIO_BELOW = 64.0
"""Numbers below this are an aspect ratio (16:9), larger ones pixels (1440:1080)."""

Cut = Callable[[Path, np.ndarray], Bars | None]
"""From a frame to what to cut off; None where the frame does not fit."""


def prepare_crop(folder: Path, size: str, output: Path, limit: float = BARS_BLACK) -> None:
    """Write the frames below ``folder``, without their bars, to the same relative paths below ``output``.

    Args:
        folder: of frames.
        size: ``WIDTH:HEIGHT`` in pixels, an aspect ratio such as ``16:9``, or ``auto``.
        output: another folder; what it holds already is not made again.
        limit: frames whose `bar_brightness` is not below this are dropped.

    Raises:
        UserError: the size is no size, the folder is missing or not ours, or (after all others are done) files
            that cannot be read.
    """
    console = plain_console(soft_wrap=True)
    asked = parse_size(size)
    if real_path(output) == real_path(folder):
        raise UserError(f"-o {output} is the folder that is read; choose another")
    paths, names = photographs([folder])
    counts: Counter[str] = Counter()
    failures = []
    with journal(output, "crop", {"size": size, "limit": limit}) as done:
        cut = _measured(console, paths) if asked is None else _asked(asked)
        with Steps(console, "cropping", len(paths)) as steps:
            targets = [output / place for place in names_as([PurePosixPath(name) for name in names])]
            for number, (path, name, target) in enumerate(zip(paths, names, targets, strict=True), 1):
                if name not in done.done:
                    try:
                        done.finish(name, {"result": _crop(path, target, cut, limit)})
                    except UserError as error:
                        failures.append(str(error))
                        continue
                counts[done.done[name]["result"]] += 1
                steps.done(number)
    dropped = "".join(f", {counts[why]} dropped because {why}" for why in sorted(counts) if why != "kept")
    say(console, f"{counts['kept']} of {counted(len(paths), 'frame')} cropped{dropped}: {output}")
    if not counts["kept"] and not failures:
        failures.append(f"no frame of '{folder}' was kept{dropped}; try another W:H, auto, or a higher --limit")
    tell_failures(failures)


def parse_size(text: str) -> tuple[float, float] | None:
    """``WIDTH:HEIGHT`` as two numbers, ``auto`` as None.

    Raises:
        UserError: neither.
    """
    if text == "auto":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)[:x](\d+(?:\.\d+)?)", text)
    width, height = (float(part) for part in match.groups()) if match else (0.0, 0.0)
    if width <= 0 or height <= 0:
        raise UserError(f"'{text}' is no size; give WIDTH:HEIGHT in pixels (1440:1080), a ratio (16:9), or auto")
    pixels = max(width, height) >= RATIO_BELOW
    if pixels and not (width.is_integer() and height.is_integer()):
        raise UserError(f"'{text}' has half pixels; nearest is {round(width)}:{round(height)}")
    return width, height


def _asked(size: tuple[float, float]) -> Cut:
    width, height = size

    def cut(path: Path, pixels: np.ndarray) -> Bars | None:
        rows, columns = pixels.shape[:2]
        wanted = (int(height), int(width)) if max(size) >= RATIO_BELOW else fitted(rows, columns, width / height)
        if wanted[0] > rows or wanted[1] > columns:
            return None
        return centred(rows, columns, *wanted)

    return cut


def _measured(console: Console, paths: list[Path]) -> Cut:
    """Bars by folder and size of the frame, measured on frames spread over each folder."""
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    found: dict[tuple[Path, int, int], Bars] = {}
    for folder, files in folders.items():
        sizes: dict[tuple[int, int], list[np.ndarray]] = {}
        for k in sorted({round(i) for i in np.linspace(0, len(files) - 1, min(MEASURED, len(files)))}):
            pixels = _pixels_or_none(files[k])
            if pixels is not None:
                sizes.setdefault(pixels.shape[:2], []).append(pixels)
        for (height, width), frames in sizes.items():
            bars = common_letterbox(frames)
            found[folder, height, width] = bars
            say(
                console,
                f"{folder}: {counted(len(frames), 'frame')} of {width}x{height} measured, bars top {bars.top}, "
                f"bottom {bars.bottom}, left {bars.left}, right {bars.right}; {width - bars.left - bars.right}x"
                f"{height - bars.top - bars.bottom} remain",
            )
    return lambda path, pixels: found.get((path.parent, *pixels.shape[:2]))


def _pixels_or_none(path: Path) -> np.ndarray | None:
    try:
        return to_uint8(read_visible(path).pixels)
    except UserError:  # told when its turn comes
        return None


def _crop(path: Path, target: Path, cut: Cut, limit: float) -> str:
    """Crop one file: ``kept``, or why not."""
    picture = read_visible(path)
    bars = cut(path, picture.pixels)
    if bars is None:
        return "their size does not fit"
    if any(bars) and bar_brightness(to_uint8(picture.pixels), bars) >= limit:
        return "their bars are not black"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_picture(target, Picture(np.ascontiguousarray(without(picture.pixels, bars))))
    return "kept"
