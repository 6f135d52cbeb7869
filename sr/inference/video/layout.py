"""What the numbers of a decoded frame are: its planes, or those into which it is sorted without loss."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr.data.preparation.frames import FULL_RANGE, UNSPECIFIED, assumed_matrix
from sr.inference.video.yuv import Coding, to_rgb

_PLANAR = re.compile(r"(?:yuv([aj]?)(\d)(\d)(\d)p|gbra?p|gray)(\d*)(le)?")
_WHOLE = {"444": (1, 1), "440": (1, 2), "422": (2, 1), "420": (2, 2), "411": (4, 1), "410": (4, 4)}

_UNSAID = 0
"""The range where nobody says, in FFmpeg's numbering."""

Stored = tuple[np.ndarray, ...]
"""The planes of a frame, (rows, columns) of uint8 or uint16 each."""


@dataclass(frozen=True)
class Layout:
    """What the planes of a video are.

    Attributes:
        format: FFmpeg's name of a format of planes, into which frames of others are sorted without loss.
        coding: what the numbers mean; of RGB only the bits count.
        rgb: the planes are green, blue and red.
    """

    format: str
    coding: Coding
    rgb: bool = False


def layout_of(frame: av.VideoFrame, centred: bool, limited: bool) -> Layout:
    """What planes a frame has, or will have once it is sorted.

    Args:
        frame: decoded.
        centred: where its colour samples lie, see `Coding`.
        limited: its codec has gray in limited range where nobody says.
    """
    name, parts = frame.format.name, frame.format.components
    bits = min(max(part.bits for part in parts), 16)
    known = _PLANAR.fullmatch(name)
    deep = f"{bits}le" if bits > 8 else ""
    matrix = int(frame.colorspace)
    if frame.format.is_rgb or frame.format.has_palette:
        planar = name if known else f"gbrp{deep and '16le'}"
        depth = bits if known else 16 if deep else 8  # of the planes: what has fewer bits is sorted into these
        return Layout(planar, Coding(1, 1, depth, True, 0), rgb=True)
    two = bits == 1  # black and white, which become the ends of 8 bits
    gray = len([part for part in parts if not part.is_alpha]) == 1
    unsaid = gray and int(frame.color_range) == _UNSAID and not limited  # FFmpeg takes plain gray for full
    full = name.startswith("yuvj") or int(frame.color_range) == FULL_RANGE or two or unsaid
    matrix = assumed_matrix(frame.width, frame.height) if matrix == UNSPECIFIED else matrix
    if gray:
        return Layout(name if known else f"gray{deep}", Coding(1, 1, max(bits, 8), full, matrix, gray=True))
    across, down = 16 // frame.format.chroma_width(16), 16 // frame.format.chroma_height(16)
    sampling = next(name for name, both in _WHOLE.items() if both == (across, down))
    planar = name if known else f"yuv{sampling}p{deep}"
    coding = Coding(across, down, bits, full, matrix, centred=centred)
    return Layout(planar, coding, rgb=matrix == 0 and sampling == "444")


def rgb_of(frames: Sequence[Stored], layout: Layout, device: torch.device) -> Float[Tensor, "batch 3 height width"]:
    """Decoded frames as pictures in [0, 1] on a device."""
    stacks = [np.stack(same) for same in zip(*frames, strict=True)]
    wide = [stack if stack.dtype == np.uint8 else stack.astype(np.int32) for stack in stacks]
    planes = [torch.from_numpy(stack).to(device) for stack in wide]
    if not layout.rgb:
        return to_rgb(planes, layout.coding)
    green, blue, red = (plane.to(torch.float32) / (2**layout.coding.bits - 1) for plane in planes)
    return torch.stack((red, green, blue), dim=1)
