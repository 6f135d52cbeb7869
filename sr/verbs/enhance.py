"""`sr enhance`: pictures and videos of the same size, denoised gently, with more contrast, dithered."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from sr.console import plain_console
from sr.errors import UserError
from sr.inference.enhance.enhancer import Settings
from sr.inference.upscaler import Upscaler
from sr.verbs.code import code_digest
from sr.verbs.upscale.jobs import STREAM, Naming, check_naming, find_inputs
from sr.verbs.upscale.run import Asked, Work

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
    """Enhance files and folders, the way that `sr upscale` enlarges them. One that fails does not stop the others.

    Args:
        inputs: pictures, videos, folders, patterns.
        naming: how outputs are called.
        settings: what to do.
        quality: of JPEG, WebP and AVIF; None: the usual.
        force: make anew what is there.

    Returns:
        0, or `PARTLY_FAILED` where some of several failed; what was wrong is printed at the end.

    Raises:
        UserError: nothing to do, to read or to write, an original would be overwritten, or the only picture failed.
    """
    if settings.nothing:
        raise UserError("--denoise, --contrast and --dither are all 0, and nothing would change; give one of them")
    if STREAM in (*inputs, naming.output):
        raise UserError("- is not read or written by sr enhance; name files")
    console = plain_console(soft_wrap=True)
    found = find_inputs(inputs, naming.output, console.print)
    check_naming(naming, quality, len(found.files) > 1 or bool(found.folders))
    if naming.output is None and naming.added is None:
        naming = replace(naming, added=SUFFIX)
    asked = Asked(inputs, naming, quality=quality, force=force, enhance=settings)
    same = Upscaler([Same()], torch.device("cpu"), engine="torch")
    return Work(asked, same, code_digest(), console, ("enhancing", "enhanced")).all(found)
