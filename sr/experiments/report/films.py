"""Films of a history: one picture after more and more updates, as mp4 and gif."""

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image as PillowImage

from sr.errors import UserError
from sr.experiments.report.pictures import read_pixels
from sr.files import write_atomically
from sr.training.panels import captioned

FOLDER = "films"
Film = Literal["mp4", "gif", "both", "none"]
FILMS: dict[Film, tuple[str, ...]] = {"mp4": (".mp4",), "gif": (".gif",), "both": (".mp4", ".gif"), "none": ()}
"""Kinds of files by the word that asks for them."""
_RATE = 4
"""Pictures a second: slow enough to see each."""
_LAST = 6
"""So many times as long the last one stays."""
_QUALITY = "18"  # x264's: nothing is seen to be lost
_NAME = re.compile(r"[\w.-]+-[0-9a-f]{12}\.(mp4|gif)", re.ASCII)

History = Sequence[tuple[int, str, Path]]
"""(updates, hash of the picture, its file), the newest last."""


def film_name(run: str, picture: str, history: History) -> str:
    """Of a film's files, without their ending: what it shows, and a hash of that, so that it is made once.

    Args:
        run: name of the run.
        picture: of the picture.
        history: that is shown.
    """
    content = repr([(updates, name) for updates, name, _ in history]).encode()
    words = re.sub(r"[^\w.-]+", "_", f"{run}_{Path(picture).stem}", flags=re.ASCII)[:100].lstrip(".-")
    return f"{words}-{hashlib.blake2b(content, digest_size=6).hexdigest()}"


def write_film(folder: Path, name: str, history: History, kinds: Iterable[str]) -> bool:
    """Write the films of one history that are not there yet; whether it has any.

    Args:
        folder: of the films.
        name: see `film_name`.
        history: files of pictures of one size; damaged ones are left out.
        kinds: of files, ``.mp4`` and ``.gif``.

    Raises:
        UserError: the folder cannot be written.
    """
    missing = [kind for kind in kinds if not (folder / f"{name}{kind}").is_file()]
    if not missing:
        return True
    frames = _frames(history)
    if len(frames) < 2:
        return False
    for kind in missing:
        write_atomically(folder / f"{name}{kind}", as_mp4(frames) if kind == ".mp4" else as_gif(frames))
    return True


def delete_others(folder: Path, shown: Iterable[str]) -> None:
    """Take away films of earlier reports that nobody shows any more.

    Args:
        folder: of the films; may be missing.
        shown: names of files that stay.
    """
    kept = set(shown)
    for path in folder.glob("*"):
        if _NAME.fullmatch(path.name) and path.name not in kept:
            path.unlink(missing_ok=True)


def _frames(history: History) -> list[np.ndarray]:
    found = []
    for updates, _, path in history:
        try:
            found.append(captioned(read_pixels(path), f"{updates} updates"))
        except UserError:  # told when the picture was taken, or gone since
            continue
    return [frame for frame in found if frame.shape == found[-1].shape]


def as_mp4(frames: Sequence[np.ndarray]) -> bytes:
    """H.264 in the colour format that every player knows.

    Args:
        frames: (height, width, 3) uint8, all of one size. Odd sides get a line more, as the format has even ones.
    """
    height, width = frames[0].shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("h264", rate=_RATE, options={"crf": _QUALITY, "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        for pixels in [*frames, *[frames[-1]] * (_LAST - 1)]:
            even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            file.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def as_gif(frames: Sequence[np.ndarray]) -> bytes:
    """An animation that begins again and again; each picture has its own 256 colours.

    Args:
        frames: (height, width, 3) uint8, all of one size.
    """
    pictures = [PillowImage.fromarray(pixels).quantize(256) for pixels in frames]
    durations = [1000 // _RATE] * (len(pictures) - 1) + [1000 // _RATE * _LAST]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return buffer.getvalue()
