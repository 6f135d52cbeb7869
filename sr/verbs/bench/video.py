"""Frames per second of a whole video job against its network alone."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import torch
from torch import Tensor

from sr.inference.video.job import upscale_video
from sr.inference.video.layout import rgb_of
from sr.inference.video.options import VideoOptions
from sr.inference.video.reading import Reader, video_facts
from sr.inference.video.work import Enlarger

_ALONE = 8
"""Frames that the network gets alone before the job, and again after it."""


@dataclass(frozen=True)
class VideoRates:
    """What was measured.

    Attributes:
        frames: enlarged in the job; repeated ones are not among them.
        job: such frames per second of the whole job.
        alone: frames per second of the network on frames that are in memory.
    """

    frames: int
    job: float
    alone: float

    @property
    def share(self) -> float:
        """Of the network's speed that the job reaches."""
        return self.job / self.alone


def video_rates(source: Path, upscaler: Enlarger, options: VideoOptions, device: torch.device) -> VideoRates:
    """Enlarge a video for measuring, and its first frames with the network alone before and after.

    On a machine with other work only a large number of frames says anything.

    Raises:
        UserError: as `upscale_video`.
    """
    facts = video_facts(source)
    planes = [one.planes for one, _ in zip(Reader(source, facts).frames(None, None), range(_ALONE), strict=False)]
    pictures = [rgb_of([one], facts.layout, device) for one in planes if one is not None]
    upscaler.image(pictures[0])  # the first one finds out how to compute
    before = _seconds(pictures, upscaler)
    with TemporaryDirectory() as folder:
        report = upscale_video(source, Path(folder) / "timed.mkv", upscaler, options, lambda line: None, device=device)
    after = _seconds(pictures, upscaler)
    fresh = report.frames - report.repeated
    return VideoRates(fresh, fresh / report.seconds, 2 * len(pictures) / (before + after))


def _seconds(pictures: list[Tensor], upscaler: Enlarger) -> float:
    began = monotonic()
    for picture in pictures:
        upscaler.image(picture).cpu()
    return monotonic() - began
