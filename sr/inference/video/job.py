"""A video in, a larger video out: decoding, network and encoding beside each other, in parts that survive a kill."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import monotonic

import av
import torch

from sr.errors import UserError
from sr.files import check_writable
from sr.inference.enhance.enhancer import NOTHING, Settings
from sr.inference.video.damage import damaged_packets
from sr.inference.video.encoding import look_of
from sr.inference.video.fitting import left_out
from sr.inference.video.joining import Plan, join
from sr.inference.video.options import CODECS, FORMATS, VideoOptions
from sr.inference.video.parts import parts_beside
from sr.inference.video.reading import Facts, video_facts
from sr.inference.video.work import Enlarger, Work
from sr.printable import first_line, printable

PART = 60
"""Frames of a part: what a kill costs at most, and the longest way to a frame where decoding can begin."""

_MANY = 1000
"""Frames of a film that does not say how many it has."""


@dataclass(frozen=True)
class VideoReport:
    """What was done.

    Attributes:
        frames: of the result.
        repeated: of those that were enlarged now, how many equal the one before and were not enlarged again.
        kept: frames that an interrupted job had left.
        width: of the result in columns.
        height: in rows.
        seconds: from beginning to end.
        network_seconds: of these, in the network.
        notes: a line each on what the user should know.
    """

    frames: int
    repeated: int
    kept: int
    width: int
    height: int
    seconds: float
    network_seconds: float
    notes: tuple[str, ...]


def upscale_video(
    source: Path,
    target: Path,
    upscaler: Enlarger,
    options: VideoOptions,
    say: Callable[[str], None],
    made_by: str = "",
    done: Callable[[int, int | None], None] = lambda frames, total: None,
    device: torch.device | None = None,
    enhance: Settings = NOTHING,
) -> VideoReport:
    """Enlarge a video. Interrupted, even killed, the same call goes on after the last finished part.

    Args:
        source: the video.
        target: with a suffix of `FORMATS`; replaced where it is there.
        upscaler: the networks at work.
        options: how it is written.
        say: gets lines as they come up; the report has them too.
        made_by: stands for what the frames depend on beside all this: digests of the networks and of the code, and how
            the networks are used; frames of another one are not taken over.
        done: gets the number of finished frames, and about how many there will be, where that is known.
        device: where the networks are, and colours are computed: what goes to it and comes back is then no more than
            the video's own numbers, and what denoising and dither, which the CPU does, have to move; None for the CPU.
        enhance: what is done with the frames after the network; dither in levels of what the encoder gets.

    Returns:
        What was done.

    Raises:
        UserError: not a video, no frame in the span, a suffix or codec that is not written, a full disk, and so on.
    """
    began = monotonic()
    _check_target(source, target, options)
    facts = video_facts(source)
    work = Work(upscaler, enhance, options, facts, PART, device or torch.device("cpu"), say)
    height, width = work.result_size
    look = look_of(facts, options, width, height)
    CODECS[options.codec].check_size(look.width, look.height)
    plan = Plan(target, facts, look, options)
    absent = left_out(source, plan)
    for note in absent.values():
        work.note(note)
    total = _expected(facts, options)
    status = source.stat()
    key = {
        "source": [status.st_size, status.st_mtime_ns],
        "options": asdict(options),
        "by": made_by,
        "enhance": asdict(enhance),
        "scale": upscaler.scale,
        "frames": PART,
        "av": av.__version__,
    }
    with parts_beside(target, key) as parts, _ffmpeg_told(source, target):
        begun = "\n".join(parts.computed_by())
        parts.take(upscaler.computed_by(*work.network_size, total or _MANY, begun))
        kept = sum(len(part.times) for part in parts.finished())
        if kept:
            say(f"{kept} frames are finished; going on after them")
        finished = work.run(source, parts, _ticks(facts, options), lambda frames: done(frames, total))
        if not finished:
            raise UserError(_empty(source, facts, options))
        if options.start == 0 and options.length is None and (damaged := damaged_packets(source)):
            work.note(f"{damaged} places of it are damaged; what is seen there is the decoder's guess")
        look = look_of(facts, options, finished[0].width, finished[0].height)
        join(source, finished, replace(plan, look=look, without=absent))
    return VideoReport(
        frames=sum(len(part.times) for part in finished),
        repeated=work.repeated,
        kept=kept,
        width=look.width,
        height=look.height,
        seconds=monotonic() - began,
        network_seconds=work.network_seconds,
        notes=tuple(work.notes),
    )


def _ticks(facts: Facts, options: VideoOptions) -> tuple[int | None, int | None]:
    """Ticks from which on, and before which, frames are wanted."""
    if options.start == 0 and options.length is None:
        return None, None
    begin = facts.origin + Fraction(str(options.start))
    first = math.ceil(begin / facts.time_base) if options.start else None
    if options.length is None:
        return first, None
    return first, math.ceil((begin + Fraction(str(options.length))) / facts.time_base)


def _expected(facts: Facts, options: VideoOptions) -> int | None:
    if options.start == 0 and options.length is None and facts.frames is not None:
        return facts.frames
    left = math.inf if facts.seconds is None else max(0.0, facts.seconds - options.start)
    seconds = min(left, math.inf if options.length is None else options.length)
    return None if math.isinf(seconds) else round(seconds * facts.rate)


def _check_target(source: Path, target: Path, options: VideoOptions) -> None:
    """Before long work: can the result be written at all?

    Raises:
        UserError: it cannot.
    """
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(
            f"{printable(target)}: no videos are written with the suffix {suffix or 'of none'}; "
            f"nearest is .mkv, all are {', '.join(FORMATS)}"
        )
    if suffix == ".webm" and options.codec != "av1":
        raise UserError(f"{printable(target)}: .webm does not hold {options.codec}; take .mkv, or the codec av1")
    if target.is_dir():
        raise UserError(f"{printable(target)} is a folder; name a file")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{printable(target)} would be overwritten by its result; choose another name")
    check_writable(target.parent)


@contextmanager
def _ffmpeg_told(source: Path, target: Path) -> Iterator[None]:
    """What FFmpeg could not do, in one sentence.

    Raises:
        UserError: it could not.
    """
    try:
        yield
    except av.FFmpegError as error:
        raise UserError(
            f"could not make {printable(target)} of {printable(source)}: {first_line(error)}; "
            "what is finished is kept, and the same command goes on"
        ) from error


def _empty(source: Path, facts: Facts, options: VideoOptions) -> str:
    lasts = "" if facts.seconds is None else f"; it lasts {facts.seconds:.3f} seconds"
    length = "" if options.length is None else f" within {options.length:g} seconds"
    return f"the video '{printable(source)}' has no frame from second {options.start:g} on{length}{lasts}"
