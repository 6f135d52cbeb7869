"""Damage that a decoder covers up: it fills such frames by guesses, and says so only where it is told to be strict."""

from pathlib import Path

import av

from sr.data.preparation.frames import opened


def damaged_packets(path: Path) -> int:
    """How many packets of a video a strict decoder refuses; decodes all of it, which takes little beside a network.

    Raises:
        UserError: it is no video.
    """
    count = 0
    with opened(path) as (container, stream):
        stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
        try:
            for packet in container.demux(stream):
                try:
                    packet.decode()
                except EOFError:
                    break
                except av.FFmpegError:
                    count += 1
        except av.FFmpegError:  # of the file's own structure: told by the reader
            count += 1
    return count
