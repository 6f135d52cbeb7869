"""A batch of pictures that need not have one size: what travels from stage to stage of a degradation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from sr.types import Image


def eight_bits(picture: Tensor) -> Tensor:
    """Rounded to 8 bits, as a file would hold it; where gradient is wanted it passes as if nothing were done.

    Rounding is flat between its steps, so its own gradient would be 0 (the straight-through estimator, Bengio et al.
    2013, arXiv 1308.3432).

    Args:
        picture: [0, 1].
    """
    if not (torch.is_grad_enabled() and picture.requires_grad):
        return picture.mul(255).round_().div_(255)
    return picture + ((picture.detach() * 255).round() / 255 - picture.detach())


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side on canvases of one size, each in the top left corner of its own.

    What lies beyond a picture's own size is undefined. A stage that looks at neighbours fills it first
    (`mirrored`, `repeated`); no value there may ever reach the picture.

    Attributes:
        pixels: (batch, 3, canvas height, canvas width) float32, [0, 1] unless a stage says otherwise.
        heights: (batch,) int64, rows of each picture; on the CPU, so that nothing waits for the device.
        widths: (batch,) int64, columns.
        lr_size: (height, width) that every picture has at the end of the pipeline.
        together: how stages compute: all pictures in few large operations, as a GPU wants it, or each by itself at its
            own size, which is faster on a CPU and keeps every bit of it apart from the batch. None: as the device of
            the pixels likes it. What comes out is the same but for rounding.
    """

    pixels: Image
    heights: np.ndarray
    widths: np.ndarray
    lr_size: tuple[int, int]
    together: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "together", at_once(self.together, self.pixels.device))

    @staticmethod
    def of(image: Image, lr_size: tuple[int, int], together: bool | None = None) -> "Pictures":
        """A batch in which every picture fills its canvas."""
        batch, _, height, width = image.shape
        return Pictures(image, np.full(batch, height), np.full(batch, width), lr_size, together)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) of the canvases."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    @property
    def filled(self) -> bool:
        """Every picture fills its canvas."""
        height, width = self.canvas
        return bool((self.heights == height).all() and (self.widths == width).all())

    def with_pixels(self, pixels: Tensor) -> "Pictures":
        """Other values, same sizes."""
        return replace(self, pixels=pixels)

    def with_sizes(self, pixels: Tensor, heights: np.ndarray, widths: np.ndarray) -> "Pictures":
        """Other values of other sizes."""
        return replace(self, pixels=pixels, heights=heights, widths=widths)

    def trimmed(self) -> "Pictures":
        """On the smallest canvas that holds them all; not copied."""
        size = int(self.heights.max()), int(self.widths.max())
        return self if size == self.canvas else self.with_pixels(self.pixels[..., : size[0], : size[1]])

    def at(self, positions: np.ndarray) -> "Pictures":
        """Some pictures of the batch, by index or boolean mask."""
        index = np.flatnonzero(positions) if positions.dtype == bool else positions
        if len(index) == len(self) and np.array_equal(index, np.arange(len(self))):
            return self
        if len(index) == 1:
            return self.only(int(index[0]))
        pixels = self.pixels.index_select(0, to_device(index, self.pixels.device))
        return self.with_sizes(pixels, self.heights[index], self.widths[index])

    def only(self, position: int) -> "Pictures":
        """One picture of the batch, not copied."""
        one = slice(position, position + 1)
        return self.with_sizes(self.pixels[one], self.heights[one], self.widths[one])

    def put(self, positions: np.ndarray, pixels: Tensor) -> "Pictures":
        """Replace the values of some pictures (index or boolean mask); their sizes stay, canvases may be smaller."""
        index = np.flatnonzero(positions) if positions.dtype == bool else positions
        if len(index) == len(self) and np.array_equal(index, np.arange(len(self))):
            return self.with_pixels(pixels)
        made = self.pixels.clone()
        write(made, index, pixels.to(made.dtype))
        return self.with_pixels(made)

    def mirrored(self, margin: int) -> Tensor:
        """Canvases grown by ``margin`` on all sides, everything outside a picture mirrored at its border pixel.

        The border pixel itself is not repeated (`reflect` of PyTorch and OpenCV's default); where a picture is
        smaller than the margin the reflection goes on back and forth.

        Returns:
            (batch, 3, canvas height + 2 margin, canvas width + 2 margin).
        """
        if self.filled and margin < min(self.canvas):
            return pad(self.pixels, (margin,) * 4, mode="reflect")
        return self._outside(margin, _reflected)

    def repeated(self, margin: int = 0) -> Tensor:
        """As `mirrored`, but everything outside a picture repeats its border pixel (`replicate`)."""
        if self.filled:
            return pad(self.pixels, (margin,) * 4, mode="replicate")
        return self._outside(margin, _clamped)

    def _outside(self, margin: int, inside: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Tensor:
        height, width = self.canvas
        rows = inside(np.arange(-margin, height + margin), self.heights)
        columns = inside(np.arange(-margin, width + margin), self.widths)
        device = self.pixels.device
        if (rows == rows[0]).all() and (columns == columns[0]).all():
            return self.pixels[..., to_device(rows[0], device)[:, None], to_device(columns[0], device)]
        batch = torch.arange(len(self), device=device)[:, None, None, None]
        channel = torch.arange(self.pixels.shape[1], device=device)[:, None, None]
        return self.pixels[
            batch, channel, to_device(rows, device)[:, None, :, None], to_device(columns, device)[:, None, None, :]
        ]


def at_once(together: bool | None, device: torch.device) -> bool:
    """Whether a batch is computed in few large operations; None: as the device likes it. Nobody else decides that."""
    return device.type != "cpu" if together is None else together


def portions(batch: int, together: bool | None) -> list[slice]:
    """What is computed at once: the whole batch, or each sample by itself.

    A CPU is fastest where the numbers of one sample stay in its cache. It also keeps each sample's bits apart from the
    rest of the batch: vectorised logarithms may round the last elements of a tensor otherwise than those in the middle.
    """
    return [slice(0, batch)] if together else [slice(i, i + 1) for i in range(batch)]


def write(canvases: Tensor, positions: np.ndarray, pixels: Tensor) -> None:
    """Put pictures into the top left corners of some canvases, in place.

    Args:
        canvases: (batch, channels, height, width).
        positions: index of the canvas of each picture.
        pixels: (len(positions), channels, rows, columns), no larger than the canvases.
    """
    corner = canvases[..., : pixels.shape[-2], : pixels.shape[-1]]
    if len(positions) == 1:
        corner[int(positions[0])] = pixels[0]
    else:
        corner.index_copy_(0, to_device(positions, canvases.device), pixels)


def to_device(values: np.ndarray, device: torch.device) -> Tensor:
    """Numbers of a batch on the device; no wait on a GPU."""
    return moved(torch.from_numpy(np.ascontiguousarray(values)), device)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on the device; no wait on a GPU."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def per_picture(values: np.ndarray, device: torch.device) -> Tensor:
    """(batch,) numbers as float32 (batch, 1, 1, 1) on the device, to multiply pictures with."""
    return to_device(values.astype(np.float32), device)[:, None, None, None]


def _reflected(index: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(batch, index) positions inside pictures of these sizes."""
    period = np.maximum(2 * (sizes - 1), 1)[:, None]
    folded = np.abs(index)[None, :] % period
    return np.minimum(folded, period - folded) * (sizes > 1)[:, None]


def _clamped(index: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.clip(index[None, :], 0, sizes[:, None] - 1)
