"""`sr enhance`: pictures of the same size, denoised gently, with more contrast, dithered."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sr.console import plain_console, shares
from sr.devices import out_of_memory
from sr.errors import PARTLY_FAILED, UserError
from sr.files import check_writable
from sr.image.encode import QUALITY
from sr.inference.enhance.enhancer import Settings
from sr.inference.pictures import upscale_file
from sr.inference.upscaler import Upscaler
from sr.printable import printable
from sr.verbs.screen.errors import print_error
from sr.verbs.upscale.jobs import Job, Naming, check_naming, find_inputs, jobs_of

SUFFIX = "_e"
"""Follows the stem of each name beside the inputs, as in the log."""


class Same(nn.Module):
    """The network that changes nothing."""

    scale = 1

    def forward(self, lr: Tensor) -> Tensor:
        """Give back (n, 3, height, width)."""
        return lr


def enhance_files(
    inputs: Sequence[str], naming: Naming, settings: Settings, quality: int | None = None, force: bool = False
) -> int:
    """Enhance files and folders. A picture that fails does not stop the others.

    Args:
        inputs: pictures, folders, patterns.
        naming: how outputs are called.
        settings: what to do.
        quality: of JPEG, WebP and AVIF; None: the usual.
        force: make anew what is there.

    Returns:
        0, or `PARTLY_FAILED` where some of several pictures failed; what was wrong is printed at the end.

    Raises:
        UserError: nothing to do, to read or to write, an original would be overwritten, or the only picture failed.
    """
    if settings.nothing:
        raise UserError("nothing to do: --denoise, --contrast and --dither are all 0; give one of them")
    console = plain_console(soft_wrap=True)
    found = find_inputs(inputs, naming.output)
    check_naming(naming, quality, len(found.files) > 1 or bool(found.folders))
    if naming.output is None and naming.added is None:
        naming = Naming(None, naming.ending, SUFFIX)
    jobs = jobs_of(found, naming, 1)
    for note in found.notes:
        console.print(note)
    waiting = [job for job in jobs if force or not job.target.exists()]
    if len(waiting) < len(jobs):
        console.print(f"{len(jobs) - len(waiting)} are there already and passed over; --force makes them anew")
    same = Upscaler([Same()], torch.device("cpu"), engine="torch")
    notes: dict[str, list[Path]] = defaultdict(list)
    failures: list[str] = []
    for job, share in shares(waiting, "enhancing", console):
        try:
            check_writable(job.target.parent)
            _check_picture(job)
            for note in upscale_file(same, job.source, job.target, quality or QUALITY, settings, share):
                notes[note].append(job.source)
        except UserError as error:
            failures.append(str(error))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            failures.append(f"{printable(job.source)} is too large for the memory that is free")
    for note, sources in notes.items():
        console.print(f"{', '.join(map(printable, sources[:3]))}{', …' if len(sources) > 3 else ''}: {note}")
    if done := len(waiting) - len(failures):
        console.print(f"{done} of {len(jobs)} enhanced: {_where(waiting, naming)}")
    if failures and len(jobs) == 1:
        raise UserError(*failures)
    for failure in failures:
        print_error(failure)
    return PARTLY_FAILED if failures else 0


def _check_picture(job: Job) -> None:
    if job.is_video:
        raise UserError(f"{printable(job.source)} is a video; only pictures are enhanced, a film's are by sr upscale")


def _where(jobs: Sequence[Job], naming: Naming) -> str:
    return str(jobs[0].target) if len(jobs) == 1 else naming.output or "beside the originals"
