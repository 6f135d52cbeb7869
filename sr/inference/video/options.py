"""How a video is to be written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sr.errors import UserError
from sr.printable import printable

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's names of the files that are written, by suffix; the first is taken where nobody says."""

_LATEST = 1e9
"""Seconds, thirty years: FFmpeg counts ticks in 64 bits."""
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True)
class Codec:
    """An encoder and what it takes.

    Attributes:
        encoder: FFmpeg's name.
        worst: highest value of `crf`; 0 is the best.
        crf: where nobody says: hardly to be told from the pictures.
        presets: from fast to thorough.
        preset: where nobody says: so that encoding leaves the processor to the network.
        tunes: what it can be tuned for.
        quiet: options that keep it from writing to the terminal.
        largest: columns and rows of the largest frames.
        least: shortest side of the smallest frames.
        fastest: frames per second that it can be told; their times say what they really are.
    """

    encoder: str
    worst: int
    crf: int
    presets: tuple[str, ...]
    preset: str
    tunes: tuple[str, ...]
    quiet: tuple[tuple[str, str], ...] = ()
    largest: tuple[int, int] = (16384, 16384)
    least: int = 1
    fastest: int | None = None

    def check_size(self, width: int, height: int) -> None:
        """Refuse frames that no encoder or player takes.

        Raises:
            UserError: a side is too long, or too short.
        """
        if min(width, height) < self.least:
            near = f"{max(width, self.least)}x{max(height, self.least)}"
            raise UserError(
                f"size {width}x{height} is less than {self.encoder} writes, sides of {self.least}; "
                f"nearest is --size {near}"
            )
        if width > self.largest[0] or height > self.largest[1]:
            most = f"{self.largest[0]}x{self.largest[1]}"
            near = f"{min(width, self.largest[0])}x{min(height, self.largest[1])}"
            raise UserError(
                f"size {width}x{height} is more than {self.encoder} writes, {most}; nearest is --size {near}"
            )


CODECS = {
    "x264": Codec(
        "libx264",
        51,
        17,
        _PRESETS,
        "veryfast",
        ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"),
    ),
    "x265": Codec(
        "libx265",
        51,
        20,
        _PRESETS,
        "medium",
        ("animation", "grain", "psnr", "ssim", "fastdecode", "zerolatency"),
        (("x265-params", "log-level=error"),),
        least=16,
    ),
    "av1": Codec(
        "libsvtav1",
        63,
        24,
        tuple(map(str, range(10, -1, -1))),
        "8",
        ("vq", "psnr", "ssim"),
        largest=(16384, 8704),
        least=4,
        fastest=240,
    ),
}
"""What is written, by name."""


@dataclass(frozen=True)
class VideoOptions:
    """How a video is to be written.

    Args:
        codec: a name of `CODECS`.
        crf: quality, 0 (best) to 51, of av1 to 63; None takes the codec's usual one.
        preset: how thoroughly the encoder searches; None takes the codec's usual one.
        tune: what the encoder favours, or None.
        start: seconds from the beginning that are left out.
        length: seconds that are taken; None goes to the end.
        size: (width, height) as shown, of square pixels; None takes the network's scale and keeps the pixels' shape.
        batch: frames that the network sees at once.

    Raises:
        UserError: a value that does not exist.
    """

    codec: str = "x264"
    crf: int | None = None
    preset: str | None = None
    tune: str | None = None
    start: float = 0.0
    length: float | None = None
    size: tuple[int, int] | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        _check_name("codec", self.codec, tuple(CODECS))
        kind = CODECS[self.codec]
        if self.crf is not None and not 0 <= self.crf <= kind.worst:
            near = min(max(self.crf, 0), kind.worst)
            raise UserError(
                f"crf {self.crf} does not exist; {self.codec} takes 0 (best) to {kind.worst}, nearest is {near}"
            )
        if self.preset is not None:
            _check_name("preset", self.preset, kind.presets)
        if self.tune is not None:
            _check_name("tune", self.tune, kind.tunes)
        if not 0 <= self.start <= _LATEST:
            raise UserError(
                f"start {self.start:g} is no time; give seconds from the beginning, 0 or more, at most {_LATEST:g}"
            )
        if self.length is not None and not (math.isfinite(self.length) and self.length > 0):
            raise UserError(f"length {self.length:g} is no time; give seconds above 0, or leave it out for all")
        if self.size is not None and min(self.size) < 2:
            raise UserError(f"size {self.size[0]}x{self.size[1]} is too small; nearest is at least 2x2")
        if self.size is not None:
            kind.check_size(*self.size)
        if self.batch < 1:
            raise UserError(f"batch {self.batch} is too small; nearest is 1")

    def encoder_options(self) -> dict[str, str]:
        """What the encoder is told, by FFmpeg's names."""
        kind = CODECS[self.codec]
        told = dict(kind.quiet)
        told["crf"] = str(kind.crf if self.crf is None else self.crf)
        told["preset"] = kind.preset if self.preset is None else self.preset
        if self.tune is not None and self.codec == "av1":
            told["svtav1-params"] = f"tune={kind.tunes.index(self.tune)}"
        elif self.tune is not None:
            told["tune"] = self.tune
        return told


def _check_name(what: str, value: str, known: Sequence[str]) -> None:
    """Refuse what is not known.

    Raises:
        UserError: it is not; the nearest is named.
    """
    if value in known:
        return
    near = (get_close_matches(value, known, 1, 0) or known)[0]
    raise UserError(f"{what} {printable(value)!r} does not exist; nearest is {near}, all are {', '.join(known)}")
