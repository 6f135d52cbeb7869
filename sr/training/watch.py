"""What goes wrong in sharpening networks before it can be seen: colours that drift, checkerboards, explosions."""

from typing import NamedTuple

import torch
from torch import Tensor

from sr.types import Image, LowResolution, Scalar


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


class Alert(NamedTuple):
    """What went wrong since the last look; None where nothing did.

    Attributes:
        bad: first update with a value that is no finite number.
        who: the network that it was a value of.
        over: first update whose loss was above the threshold.
    """

    bad: int | None
    who: str | None
    over: int | None


QUIET = Alert(None, None, None)


class Alarm:
    """Remembers, on the device, the first update that went wrong since the last `clear`."""

    def __init__(self) -> None:
        self._bad: dict[tuple[str, str], Tensor] = {}
        self._over: Tensor | None = None

    def clear(self) -> None:
        """Forget."""
        self._bad, self._over = {}, None

    def note(self, update: int, who: str, what: str, values: list[Tensor]) -> None:
        """Look at one update without waiting for the device.

        Args:
            update: its number.
            who: the network that they are of.
            what: they are; each is to be noted in the same order at each update.
            values: of any shape, which must be finite.
        """
        bad = ~torch.cat([value.detach().float().flatten() for value in values]).isfinite().all()
        self._bad[who, what] = _first(self._bad.get((who, what)), bad, update)

    def note_total(self, update: int, total: Tensor, threshold: float) -> None:
        """Look whether the generator's loss is above the threshold of an explosion, without waiting for the device."""
        self._over = _first(self._over, total.detach() > threshold, update)

    def read(self) -> Alert:
        """What was noted; waits for the device."""
        if self._over is None and not self._bad:
            return QUIET
        never = torch.tensor(-1, device=next(iter(self._bad.values())).device) if self._over is None else self._over
        over, *bad = torch.stack([never, *self._bad.values()]).tolist()
        # Of several in one update the first that was noted: what the others are given comes from it.
        found = [(update, who) for (who, _), update in zip(self._bad, bad, strict=True) if update >= 0]
        first, who = min(found, key=lambda pair: pair[0]) if found else (None, None)
        return Alert(first, who, None if over < 0 else over)


def _first(before: Tensor | None, wrong: Tensor, update: int) -> Tensor:
    now = torch.where(wrong, update, -1)
    return now if before is None else torch.where(before >= 0, before, now)
