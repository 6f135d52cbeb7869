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
        coins = torch.from_numpy(draws.uniform("flips", 3) < 0.5).to(hr.device, non_blocking=True)
        choices = coins.T[:, :, None, None, None]
        return None if lr is None else _turn(lr, choices), _turn(hr, choices)


class Identity:
    """No augmentation."""

    def __call__(self, lr: Tensor | None, hr: Tensor, draws: Draws) -> tuple[Tensor | None, Tensor]:
        """Give the pair back unchanged."""
        return lr, hr


def _turn(x: Tensor, choices: Tensor) -> Tensor:
    x = torch.where(choices[0], x.flip(-1), x)
    x = torch.where(choices[1], x.flip(-2), x)
    return torch.where(choices[2], x.transpose(-1, -2), x)
