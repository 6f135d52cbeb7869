"""What goes wrong in sharpening networks before it can be seen: colours that drift, checkerboards, explosions."""

import torch
from jaxtyping import Float
from torch import Tensor

from sr.types import Image, LowResolution

Scalar = Float[Tensor, ""]


@torch.no_grad()
def colour_error(sr: Image, lr: LowResolution) -> Scalar:
    """Mean difference of the mean colours of SR, brought back to the low resolution, and LR; in [0, 1].

    Shrinking by area keeps a picture's mean, so the mean of SR itself is taken. It grows when a generator pays for
    sharpness with colour.

    Args:
        sr: (batch, 3, s*h, s*w).
        lr: (batch, 3, h, w), what it was made from.
    """
    return (sr.float().mean(dim=(2, 3)) - lr.float().mean(dim=(2, 3))).abs().mean()


@torch.no_grad()
def checkerboard(sr: Image, scale: int) -> Scalar:
    """Root mean square amplitude of the pattern that repeats every ``scale`` pixels, in the pictures' unit.

    Pixels are averaged by their place within the blocks that a pixel shuffle writes; what differs between places is
    energy at the shuffle's period and its harmonics. Natural pictures have little of it over a whole crop: a ramp
    leaves half its slope per pixel.

    Args:
        sr: (batch, channels, height, width); rows and columns beyond a multiple of ``scale`` are left out.
        scale: period in pixels; 1 has no pattern.
    """
    rows, columns = sr.shape[-2] // scale, sr.shape[-1] // scale
    blocks = (
        sr.float()[:, :, : rows * scale, : columns * scale].unflatten(2, (rows, scale)).unflatten(4, (columns, scale))
    )
    places = blocks.mean(dim=(2, 4))
    return (places - places.mean(dim=(2, 3), keepdim=True)).square().mean().sqrt()


class Alarm:
    """Remembers, on the device, the first update that went wrong since the last `clear`."""

    def __init__(self) -> None:
        self._first_bad: Tensor | None = None
        self._first_over: Tensor | None = None

    def clear(self) -> None:
        """Forget."""
        self._first_bad = self._first_over = None

    def note(self, update: int, values: list[Tensor], total: Tensor, threshold: float) -> None:
        """Look at one update without waiting for the device.

        Args:
            update: its number.
            values: losses and gradient norms, which must be finite.
            total: the generator's loss.
            threshold: above which that is an explosion.
        """
        bad = ~torch.stack([value.detach().float() for value in values]).isfinite().all()
        over = total.detach() > threshold
        self._first_bad = _first(self._first_bad, bad, update)
        self._first_over = _first(self._first_over, over, update)

    def read(self) -> tuple[int | None, int | None]:
        """First update with a value that is no finite number, first above the threshold; waits for the device."""
        if self._first_bad is None or self._first_over is None:
            return None, None
        bad, over = torch.stack([self._first_bad, self._first_over]).tolist()
        return (None if bad < 0 else bad), (None if over < 0 else over)


def _first(before: Tensor | None, wrong: Tensor, update: int) -> Tensor:
    now = torch.where(wrong, update, -1)
    return now if before is None else torch.where(before >= 0, before, now)
