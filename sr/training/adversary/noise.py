"""Instance noise: what a discriminator learns from is made a little less sharp."""

import math

import torch
from torch import Tensor

from sr.degradations.fields import normal_field
from sr.draws import Draws
from sr.losses.objective import weight_of
from sr.losses.weights import Weight


class InstanceNoise:
    """Normal noise on real and fake pictures in the discriminator's step (Sønderby et al. 2016, arXiv 1610.04490).

    Around 1/255 it hides that real pictures have 256 levels and fakes more. The generator's step sees clean pictures.
    Each sample's noise follows from its number, so that batch size and restarts do not change it.

    Args:
        sigma: standard deviation in the unit of what is shown (1 is black to white), or a schedule of it
            (`sr.losses.weights`).
        shared: the same noise on a fake and on its truth; otherwise each has its own.

    Raises:
        ValueError: a negative or infinite sigma.
    """

    def __init__(self, sigma: float | Weight, shared: bool = False) -> None:
        if not isinstance(sigma, Weight) and not 0 <= sigma < math.inf:
            raise ValueError(f"sigma={sigma} is a standard deviation: a number from 0 on; 0.004 is one 8-bit level.")
        self.sigma = weight_of(sigma)
        self.shared = shared

    def __call__(self, draws: Draws, updates: int, real: Tensor, fakes: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Noisy copies. Only the first three channels change: the condition of a conditional discriminator stays.

        Args:
            draws: of these samples.
            updates: so far.
            real: (batch, channels, height, width).
            fakes: likewise, one tensor or several.
        """
        sigma = self.sigma(updates)
        if sigma == 0:
            return real, fakes
        names = ["noise"] * (1 + len(fakes)) if self.shared else [f"noise {i}" for i in range(1 + len(fakes))]
        noisy = [self._added(draws, name, sigma, shown) for name, shown in zip(names, [real, *fakes], strict=True)]
        return noisy[0], noisy[1:]

    @staticmethod
    def _added(draws: Draws, name: str, sigma: float, shown: Tensor) -> Tensor:
        height, width = shown.shape[-2:]
        noise = normal_field(draws.bits(name), 3, height, width, shown.device) * sigma
        if shown.shape[1] > 3:
            noise = torch.cat([noise, torch.zeros_like(shown[:, 3:])], dim=1)
        return shown + noise
