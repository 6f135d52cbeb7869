"""Noise cut out of pictures: what a denoiser takes away, where nothing but noise is there to be taken.

Two recipes meet here. The experiment log's: the residual of non-local means, of the whole frame, once or after a
second filter that takes content out of it. RealSR's (Ji et al. 2020, "Real-World Super-Resolution via Kernel
Estimation and Noise Injection", section 3.3): patches of flat regions only, since no denoiser tells noise from texture.

All values are 8-bit levels. A file holds ``round(noise + 128)``, so noise beyond -128 and 127 is clipped.
"""

from dataclasses import dataclass

import cv2
import numpy as np

MEAN = 128
"""What a file holds where there is no noise."""

SEARCH = 3
"""Non-local means searches a window so many times the template's side."""

AUTO = 1.5
"""Strength for one level of noise, where the strength is found from the picture.

Much less leaves part of the noise in the picture (2 levels leave nearly half of 8), more of it where neighbouring
pixels' noise is alike; much more takes soft shading for noise. The tests show what this value reaches.
"""

_BLOCK = 16  # side of the blocks whose flattest ones tell the noise level
_FLATTEST = 0.1  # share of the blocks that are taken for flat


@dataclass(frozen=True)
class Extraction:
    """How noise is taken out of a picture.

    Attributes:
        strength: h and hColor of OpenCV's `fastNlMeansDenoisingColored`, in levels. None takes 1.5 times the noise
            level of each picture.
        window: side of the templates, odd; the search window is three times as wide.
        kernel: side of the box whose average is taken from the residual in the second stage, odd; 0 leaves it out.

    Raises:
        ValueError: a setting is out of range.
    """

    strength: float | None = 2.0
    window: int = 7
    kernel: int = 0

    def __post_init__(self) -> None:
        if self.strength is not None and not 0 < self.strength <= 100:
            raise ValueError(f"strength={self.strength} must be above 0 and at most 100; 2 is usual, or auto")
        if self.window < 3 or self.window % 2 == 0:
            raise ValueError(
                f"window={self.window} must be odd and at least 3; the nearest is {max(self.window | 1, 3)}"
            )
        if self.kernel < 0 or (self.kernel and self.kernel % 2 == 0) or self.kernel == 1:
            raise ValueError(f"kernel={self.kernel} must be 0 (one stage) or odd and at least 3; 3 and 5 are usual")

    def split(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take a picture apart.

        Args:
            pixels: (height, width, 3) uint8 RGB.

        Returns:
            (content, noise), both (height, width, 3); content uint8, what non-local means leaves; noise float32 levels.
        """
        strength = self.strength if self.strength is not None else max(AUTO * noise_level(pixels), 1.0)
        content = denoised(pixels, strength, self.window)
        noise = pixels.astype(np.float32) - content.astype(np.float32)
        return content, high_passed(noise, self.kernel) if self.kernel else noise


def denoised(pixels: np.ndarray, strength: float, window: int) -> np.ndarray:
    """OpenCV's non-local means of a colour picture (Buades, Coll, Morel 2011), run in L*a*b*.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        strength: filter strength h of lightness and colour, in levels.
        window: template side, odd; pixels are compared within 3 times the side.

    Returns:
        (height, width, 3) uint8.
    """
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    made = cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, window, SEARCH * window)
    return np.ascontiguousarray(made[..., ::-1])


def high_passed(noise: np.ndarray, kernel: int) -> np.ndarray:
    """The second stage of two: noise minus its box blur, minus the mean over all pixels and channels.

    Args:
        noise: (height, width, 3) float32.
        kernel: side of the box, odd.
    """
    rough = noise - cv2.blur(noise, (kernel, kernel))
    return rough - rough.mean(dtype=np.float64).astype(np.float32)


def noise_level(pixels: np.ndarray) -> float:
    """Standard deviation of the noise, from the flattest tenth of the blocks of 16x16 pixels.

    Unlike an estimate from the finest details it also sees noise that is alike in neighbouring pixels. Blocks with
    clipped pixels do not count.

    Args:
        pixels: (height, width, 3) uint8.

    Returns:
        Levels, the root of the mean over channels of the variance; 0 where every block is clipped.
    """
    rows, columns = (side // _BLOCK for side in pixels.shape[:2])
    cut = pixels[: rows * _BLOCK, : columns * _BLOCK].astype(np.float32)
    blocks = cut.reshape(rows, _BLOCK, columns, _BLOCK, 3).transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1, 3)
    open_ended = ((blocks > 0) & (blocks < 255)).all(axis=(1, 2))
    variances = blocks[open_ended].var(axis=1, ddof=1).mean(axis=1)
    if not len(variances):
        return 0.0
    flattest = np.sort(variances)[: max(int(len(variances) * _FLATTEST), 1)]
    return float(np.sqrt(flattest.mean()))


@dataclass(frozen=True)
class Selection:
    """Which patches hold noise and nothing else.

    Attributes:
        side: of the square patches in pixels; they do not overlap.
        variance: highest variance of the content's gray values; RealSR allows 20 for content and noise together.
        std: lowest and highest standard deviation of the noise, in levels.
        excess: highest standard deviation, as a multiple of the picture's noise level; beyond it lies texture.
        unevenness: how many times more or less than their median the standard deviation of a sixteenth of the patch
            may be.
        clipped: highest share of values at 0 or 255, where noise is cut off.

    Raises:
        ValueError: a setting is out of range.
    """

    side: int
    variance: float = 10.0
    std: tuple[float, float] = (0.5, 40.0)
    excess: float = 1.1
    unevenness: float = 1.35
    clipped: float = 0.001

    def __post_init__(self) -> None:
        if self.side < 16:
            raise ValueError(f"patch={self.side} is too small to tell noise from content; 16 is the least, 64 usual")
        if not self.variance > 0:
            raise ValueError(f"variance={self.variance} must be positive; 10 is usual")
        if not 0 <= self.std[0] < self.std[1]:
            raise ValueError(
                f"std={self.std[0]},{self.std[1]} must be a lowest and a higher value, for instance 0.5,40"
            )


@dataclass(frozen=True)
class Patch:
    """A patch that was kept: its top left corner, and its noise (side, side, 3) float32 levels."""

    top: int
    left: int
    noise: np.ndarray


def select(
    pixels: np.ndarray, content: np.ndarray, noise: np.ndarray, selection: Selection
) -> tuple[list[Patch], dict[str, int]]:
    """The patches that hold noise only.

    Args:
        pixels: (height, width, 3) uint8, the picture.
        content: as `Extraction.split` returns it.
        noise: likewise.
        selection: the rules.

    Returns:
        Patches from top left to bottom right, and how many were dropped by reason.
    """
    level = noise_level(pixels)
    side = selection.side
    kept: list[Patch] = []
    dropped: dict[str, int] = {}
    for top in range(0, pixels.shape[0] - side + 1, side):
        for left in range(0, pixels.shape[1] - side + 1, side):
            at = (slice(top, top + side), slice(left, left + side))
            reason = _fault(pixels[at], content[at], noise[at], level, selection)
            if reason:
                dropped[reason] = dropped.get(reason, 0) + 1
            else:
                kept.append(Patch(top, left, noise[at]))
    return kept, dropped


def _fault(pixels: np.ndarray, content: np.ndarray, noise: np.ndarray, level: float, selection: Selection) -> str:
    """Why a patch is of no use; empty where it is."""
    if ((pixels == 0) | (pixels == 255)).mean() > selection.clipped:
        return "clipped"
    gray = content.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    std = float(noise.std())
    if float(gray.var()) > selection.variance or std > selection.excess * level:
        return "content"
    if not selection.std[0] <= std <= selection.std[1]:
        return f"noise outside {selection.std[0]:g} to {selection.std[1]:g}"
    part = selection.side // 4
    parts = noise[: 4 * part, : 4 * part].reshape(4, part, 4, part, 3).std(axis=(1, 3, 4))
    middle, ratio = float(np.median(parts)), selection.unevenness
    return "uneven" if parts.max() > ratio * middle or parts.min() < middle / ratio else ""


def to_file(noise: np.ndarray) -> np.ndarray:
    """round(noise + 128), clipped to 0..255: (height, width, 3) uint8."""
    return np.clip(np.rint(noise + MEAN), 0, 255).astype(np.uint8)


def from_file(pixels: np.ndarray) -> np.ndarray:
    """The noise that a file holds, float32 levels."""
    return pixels.astype(np.float32) - MEAN
