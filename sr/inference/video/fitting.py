"""What of a source a new file holds, found out before the work: by writing the first packets into memory."""

from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from av.stream import Disposition, Stream

from sr.data.preparation.frames import opened
from sr.errors import UserError
from sr.inference.video.copying import Span
from sr.inference.video.joining import Plan, write_video
from sr.inference.video.options import CODECS
from sr.printable import first_line, printable

_TRIED = 500
"""Packets of the source that are read for a trial: what a file refuses, it refuses at one of the first."""


def left_out(source: Path, plan: Plan) -> dict[int, str]:
    """What of a source does not fit into the new file, found by writing its first packets into memory.

    Args:
        source: the video.
        plan: with nothing left out so far.

    Returns:
        A line for the user on each stream, by its number.

    Raises:
        UserError: the pictures themselves do not fit, or what fits alone does not fit together.
    """
    if not _refused(source, plan):
        return {}
    with opened(source) as (container, moving):
        kinds = {stream.index: _kind(stream) for stream in container.streams if stream.index != moving.index}
    if why := _refused(source, replace(plan, without=kinds)):
        look, encoder = plan.look, CODECS[plan.options.codec].encoder
        raise UserError(
            f"{printable(plan.target)}: {encoder} does not write {look.width}x{look.height} at "
            f"{float(look.rate):g} frames a second with these settings ({why}); take another codec, size or suffix"
        )
    suffix = plan.target.suffix.lower()
    lines = {
        index: f"its stream {index} ({kind}) does not fit into {suffix} and is left out"
        for index, kind in kinds.items()
        if _refused(source, replace(plan, without=kinds.keys() - {index}))
    }
    if why := _refused(source, replace(plan, without=lines)):
        raise UserError(f"{printable(plan.target)} cannot hold all that is in {printable(source)} ({why}); take .mkv")
    return lines


def _kind(stream: Stream) -> str:
    kind = "cover picture" if stream.disposition & Disposition.attached_pic else stream.type
    name = stream.codec_context.name if stream.codec_context is not None else "unknown"
    return f"{printable(kind)}, {printable(name)}"


def _refused(source: Path, plan: Plan) -> str:
    """Why a plan fails at its beginning; empty where it does not."""
    try:
        with opened(source) as opened_source:
            span = Span(Fraction(0), Fraction(0), plan.facts.shift, cut=False)
            write_video(BytesIO(), opened_source, (), plan, span, _TRIED)
    except av.FFmpegError as error:
        return error.strerror or first_line(error)
    except ValueError as error:
        return first_line(error)
    return ""
