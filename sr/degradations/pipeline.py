"""A degradation as named stages in a row, each with its own draws per sample."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from sr.degradations.pictures import Pictures, eight_bits, write
from sr.draws import Draws
from sr.errors import UserError
from sr.image.io import to_image, to_pixels
from sr.types import Image, LowResolution

RUNG = 32
"""Canvases of single pictures come in multiples of so many pixels; those of one size meet a stage in one call."""

VALIDATION_SEED = 0
"""Validation pictures are degraded alike in every run, whatever its seed: else their numbers could not be compared."""


@runtime_checkable
class Stage(Protocol):
    """One step of a degradation. A frozen dataclass: its `repr` tells all settings, so that a store can be keyed.

    The result of a sample depends on that sample's picture and draws alone, never on its neighbours in the batch.
    """

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the pictures; ``draws`` is scoped to this stage."""


class Pipeline:
    """Stages one after another.

    Args:
        scale: how many times smaller the result is.
        stages: by name, in order. A name is the scope of the stage's draws.
        in_advance: make low-resolution pictures once, for a store, one per picture instead of one per crop; needed
            where a stage runs outside the device (WebP, video codecs).
        eight_bits: round the result to 8 bits, as a file would hold it.

    Raises:
        ValueError: the scale is not positive, a stage is none, or one needs ``in_advance``.
    """

    slow = True

    def __init__(
        self, scale: int, stages: Mapping[str, Stage | None], in_advance: bool = False, eight_bits: bool = True
    ) -> None:
        if scale < 1:
            raise ValueError(f"scale={scale} must be at least 1")
        self.scale = scale
        self.stages = {name: stage for name, stage in stages.items() if stage is not None}
        for name, stage in self.stages.items():
            if not callable(stage):
                raise ValueError(f"stages.{name}={stage} is no stage; give it a _target_")
            if getattr(stage, "only_in_advance", False) and not in_advance:
                raise ValueError(f"stages.{name} runs on the CPU only; set degradation.in_advance=true")
        self.in_advance = in_advance
        self.eight_bits = eight_bits

    @property
    def key(self) -> str:
        """Settings that the result depends on."""
        return f"scale={self.scale} eight_bits={self.eight_bits} stages={self.stages}"

    @property
    def pools(self) -> list[str]:
        """Files and folders that stages read; they need not be there yet."""
        return [*_pools(self.stages.values())]

    @property
    def of_validation(self) -> "Pipeline":
        """Itself without the stages that say ``training_only``."""
        stages = {name: stage for name, stage in self.stages.items() if not getattr(stage, "training_only", False)}
        return Pipeline(self.scale, stages, self.in_advance, self.eight_bits)

    def __call__(self, hr: Image, draws: Draws, together: bool | None = None) -> LowResolution:
        """Degrade a batch on its device: float32 (batch, 3, s*h, s*w) to (batch, 3, h, w), [0, 1].

        Args:
            hr: the batch.
            draws: of its samples.
            together: see `sr.degradations.pictures.Pictures`; None: as the device likes it.

        Raises:
            UserError: the stages end with another size.
        """
        lr_size = (hr.shape[-2] // self.scale, hr.shape[-1] // self.scale)
        with one_thread(hr.device):
            return self._degraded(hr, draws, Pictures.of(hr.float(), lr_size, together))

    def _degraded(self, hr: Image, draws: Draws, whole: Pictures) -> LowResolution:
        groups, lr_size = [(np.arange(len(hr)), whole)], whole.lr_size
        for name, stage in self.stages.items():
            scoped = draws.within(name)
            groups = [(positions, stage(pictures, scoped.at(positions))) for positions, pictures in groups]
            groups = regrouped(groups, (hr.shape[-2], hr.shape[-1]))
        made = torch.empty(len(hr), hr.shape[1], *lr_size, device=hr.device)
        for positions, pictures in groups:
            wrong = next((size for size in _sizes(pictures) if size != lr_size), None)
            if wrong is not None:
                height, width = wrong
                raise UserError(
                    f"degradation: the stages {', '.join(self.stages)} end with {width}x{height} pixels instead of "
                    f"{lr_size[1]}x{lr_size[0]}; end them with a resize to the low resolution"
                )
            write(made, positions, pictures.trimmed().pixels)
        made = made.clamp_(0, 1)
        return eight_bits(made) if self.eight_bits else made

    def picture(self, hr: np.ndarray, index: int) -> np.ndarray:
        """Degrade one whole picture of a store, the same way every time.

        Args:
            hr: (height, width, 3) uint8; rows and columns beyond a multiple of ``scale`` are left out.
            index: its number, which decides its draws.

        Returns:
            (height // scale, width // scale, 3) uint8.
        """
        height, width = (side // self.scale * self.scale for side in hr.shape[:2])
        draws = Draws(VALIDATION_SEED, np.array([index])).within("picture")
        with torch.no_grad():
            return to_pixels(self(to_image(np.ascontiguousarray(hr[:height, :width])), draws))


def _pools(stages: Iterable[object]) -> Iterator[str]:
    for stage in stages:
        if isinstance(pool := getattr(stage, "pool", None), str):
            yield pool
        yield from _pools([*getattr(stage, "stages", {}).values(), *filter(None, [getattr(stage, "stage", None)])])


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """On a CPU, let PyTorch compute in the calling thread alone.

    Stages work picture by picture there: sharing out such small pieces costs more than it gains, most of all beside
    other busy programs. It also keeps the result the same whatever the number of threads.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_Groups = list[tuple[np.ndarray, Pictures]]


def regrouped(groups: _Groups, hr_size: tuple[int, int]) -> _Groups:
    """Bring pictures of similar size together on canvases that fit them.

    The canvas of a picture then depends on its own size alone, and so does every bit of the result. Where pictures are
    computed together one large batch is faster than several tight ones, and stays one.
    """
    if groups[0][1].together:
        return [(positions, pictures.trimmed()) for positions, pictures in groups]
    exact = {hr_size, groups[0][1].lr_size}
    fitting = [[_canvas(size, exact) for size in _sizes(pictures)] for _, pictures in groups]
    fits = all(set(sizes) == {pictures.canvas} for sizes, (_, pictures) in zip(fitting, groups, strict=True))
    if fits and len({pictures.canvas for _, pictures in groups}) == len(groups):
        return groups
    members: dict[tuple[int, int], list[tuple[int, Pictures, int]]] = {}
    for sizes, (positions, pictures) in zip(fitting, groups, strict=True):
        for i, (canvas, position) in enumerate(zip(sizes, positions.tolist(), strict=True)):
            members.setdefault(canvas, []).append((position, pictures, i))
    return [_gathered(canvas, found) for canvas, found in sorted(members.items())]


def _sizes(pictures: Pictures) -> list[tuple[int, int]]:
    return list(zip(pictures.heights.tolist(), pictures.widths.tolist(), strict=True))


def _canvas(size: tuple[int, int], exact: set[tuple[int, int]]) -> tuple[int, int]:
    if size in exact:
        return size
    return -(-size[0] // RUNG) * RUNG, -(-size[1] // RUNG) * RUNG


def _gathered(canvas: tuple[int, int], members: list[tuple[int, Pictures, int]]) -> tuple[np.ndarray, Pictures]:
    position, first, i = members[0]
    if len(members) == 1 and first.canvas == canvas:
        return np.array([position]), first.only(i)
    pixels = first.pixels.new_zeros(len(members), first.pixels.shape[1], *canvas)
    heights, widths = np.empty(len(members), dtype=np.int64), np.empty(len(members), dtype=np.int64)
    for row, (_, pictures, i) in enumerate(members):
        height, width = int(pictures.heights[i]), int(pictures.widths[i])
        pixels[row, :, :height, :width] = pictures.pixels[i, :, :height, :width]
        heights[row], widths[row] = height, width
    positions = np.array([position for position, _, _ in members])
    return positions, first.with_sizes(pixels, heights, widths)
