"""Flips and quarter turns: the eight symmetries of the square, one per sample."""

import torch
from torch import Tensor

from sr.draws import Draws


class Flips:
    """Mirror left-right, mirror top-bottom and swap the axes, each with probability 1/2 (together 8 symmetries).

    The low- and the high-resolution picture of a sample get the same symmetry. Valid for degradations that
    commute with it, as all symmetric kernels do.
    """

    def __call__(self, lr: Tensor | None, hr: Tensor, draws: Draws) -> tuple[Tensor | None, Tensor]:
        """Draw one symmetry per sample.

        Args:
            lr: (batch, 3, h, h) of any dtype, or None where it is made later from ``hr``.
            hr: (batch, 3, s*h, s*h) of any dtype.
            draws: the batch's random numbers.

        Returns:
            The pair, same shapes and dtypes.

        Raises:
            ValueError: the pictures are not square.
        """
        if hr.shape[-1] != hr.shape[-2]:
            raise ValueError(f"quarter turns need square crops, not {hr.shape[-2]}x{hr.shape[-1]}")
        coins = torch.from_numpy(draws.uniform("flips", 3) < 0.5)
        turn = _turn_each if hr.device.type == "cpu" else _turn_all
        return None if lr is None else turn(lr, coins), turn(hr, coins)


class Identity:
    """No augmentation."""

    def __call__(self, lr: Tensor | None, hr: Tensor, draws: Draws) -> tuple[Tensor | None, Tensor]:
        """Give the pair back unchanged."""
        return lr, hr


def _turn_each(x: Tensor, coins: Tensor) -> Tensor:
    """Sample by sample: on a CPU four times faster than computing both outcomes for all."""
    turned = torch.empty_like(x)
    for sample, (mirror, upside_down, swap) in enumerate(coins.tolist()):
        picture = x[sample]
        axes = [axis for axis, chosen in ((-1, mirror), (-2, upside_down)) if chosen]
        picture = picture.flip(axes) if axes else picture
        turned[sample] = picture.transpose(-1, -2) if swap else picture
    return turned


def _turn_all(x: Tensor, coins: Tensor) -> Tensor:
    """Both outcomes for all samples, then the drawn one: a few kernels and no wait on a GPU."""
    mirror, upside_down, swap = coins.to(x.device, non_blocking=True).T[:, :, None, None, None]
    x = torch.where(mirror, x.flip(-1), x)
    x = torch.where(upside_down, x.flip(-2), x)
    return torch.where(swap, x.transpose(-1, -2), x)
