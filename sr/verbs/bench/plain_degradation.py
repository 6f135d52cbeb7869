"""What somebody would write from the paper for one picture: the baseline that `sr bench degradation` measures against.

Two rounds of blur, resize, noise and JPEG (Wang et al. 2021, "Real-ESRGAN", arXiv 2107.10833, section 3) with the
numbers of its published training, by PyTorch's and kornia's functions. It trains nothing and shares only the formulas
of the kernels with `sr.degradations`, so it draws the same distributions but not the same pictures.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from kornia.enhance import jpeg_codec_differentiable
from torch import Tensor
from torch.nn import functional as F

from sr.degradations import kernels
from sr.types import Image, LowResolution

_CANVAS = 21
_KINDS = ("iso", "aniso", "generalised_iso", "generalised_aniso", "plateau_iso", "plateau_aniso")
_WEIGHTS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
_SINC = 0.1
_GRAY = 0.4
_MODES = ("area", "bilinear", "bicubic")


class PlainLoop:
    """One picture after the other through the second-order degradation.

    Args:
        generator: of all random numbers, on the CPU.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __call__(self, hr: Image, scale: int) -> LowResolution:
        """Degrade a batch: float32 (batch, 3, s*h, s*w) to (batch, 3, h, w), [0, 1] in steps of 1/255."""
        return torch.cat([self._degraded(picture, scale) for picture in hr.split(1)])

    def _degraded(self, x: Tensor, scale: int) -> Tensor:
        height, width = x.shape[-2] // scale, x.shape[-1] // scale
        x = _filtered(x, self._kernel((0.2, 3.0)))
        x = self._resized(x, x.shape[-2:], (0.2, 0.7), (0.15, 1.5))
        x = self._jpeg(self._noisy(x, (1, 30), (0.05, 3.0)))
        if self._chance(0.8):
            x = _filtered(x, self._kernel((0.2, 1.5)))
        x = self._resized(x, (height, width), (0.3, 0.4), (0.3, 1.2))
        x = self._noisy(x, (1, 25), (0.05, 2.5))
        last: list[Callable[[Tensor], Tensor]] = [lambda x: self._sharp(x, (height, width)), self._jpeg]
        for step in last if self._chance(0.5) else last[::-1]:
            x = step(x)
        return x.mul(255).round().clamp(0, 255).div(255)

    def _sharp(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = F.interpolate(x, size, mode=self._mode())
        return _filtered(x, self._sinc_kernel(1.0472, 1.0472)) if self._chance(0.8) else x

    def _kernel(self, sigma: tuple[float, float]) -> np.ndarray:
        if self._chance(_SINC):
            return self._sinc_kernel(math.pi / 3, math.pi / 5)
        kind = _KINDS[self._choice(_WEIGHTS)]
        size, sigma_x, sigma_y, theta = self._size(), self._between(*sigma), self._between(*sigma), 0.0
        if kind.endswith("_iso") or kind == "iso":
            sigma_y = sigma_x
        else:
            theta = self._between(-math.pi, math.pi)
        shape = _CANVAS, np.array([size]), np.array([sigma_x]), np.array([sigma_y]), np.array([theta])
        if kind.startswith("generalised"):
            beta = self._between(0.5, 1) if self._chance(0.5) else self._between(1, 4)
            return kernels.generalised_gaussian(*shape, np.array([beta]))
        if kind.startswith("plateau"):
            return kernels.plateau(*shape, np.array([self._between(1, 2)]))
        return kernels.gaussian(*shape)

    def _sinc_kernel(self, lowest_small: float, lowest_large: float) -> np.ndarray:
        size = self._size()
        cutoff = self._between(lowest_small if size < 13 else lowest_large, math.pi)
        return kernels.sinc(_CANVAS, np.array([size]), np.array([cutoff]))

    def _resized(
        self, x: Tensor, basis: Sequence[int], weights: tuple[float, float], factors: tuple[float, float]
    ) -> Tensor:
        """Enlarge, shrink or keep, with such weights of the first two, up to factors[1] or down to factors[0]."""
        kind = self._choice((*weights, 1 - sum(weights)))
        factor = (self._between(1, factors[1]), self._between(factors[0], 1), 1.0)[kind]
        size = [max(int(side * factor), 1) for side in basis]
        return F.interpolate(x, size, mode=self._mode())

    def _noisy(self, x: Tensor, sigma: tuple[float, float], scale: tuple[float, float]) -> Tensor:
        gray = self._chance(_GRAY)
        if self._chance(0.5):
            field = torch.randn(1, 1 if gray else 3, *x.shape[-2:], generator=self.generator)
            return (x + field * (self._between(*sigma) / 255)).clamp(0, 1)
        levels = x.clamp(0, 1).mul(255).round()
        if gray:
            weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
            levels = (levels * weights).sum(1, keepdim=True).round()
        photons = 2 ** math.ceil(math.log2(len(torch.unique(levels))))
        light = levels / 255
        noise = torch.poisson(light * photons, generator=self.generator) / photons - light
        return (x + noise * self._between(*scale)).clamp(0, 1)

    def _jpeg(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        blocks = F.pad(x.clamp(0, 1), (0, -width % 16, 0, -height % 16), mode="replicate")
        return jpeg_codec_differentiable(blocks, torch.tensor([self._between(30, 95)]))[..., :height, :width]

    def _mode(self) -> str:
        return _MODES[self._choice((1, 1, 1))]

    def _size(self) -> int:
        return 7 + 2 * self._choice((1,) * 8)

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def _chance(self, probability: float) -> bool:
        return self._between(0, 1) < probability

    def _choice(self, weights: Sequence[float]) -> int:
        return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=self.generator))


def _filtered(x: Tensor, kernel: np.ndarray) -> Tensor:
    """With mirrored borders, which PyTorch pads no further than the picture is wide; smaller ones stay as they are."""
    reach = _CANVAS // 2
    if min(x.shape[-2:]) <= reach:
        return x
    weights = torch.from_numpy(kernel)[None].to(x.device)
    channels_as_batch = F.pad(x, (reach,) * 4, mode="reflect").transpose(0, 1)  # as the published training filters
    return F.conv2d(channels_as_batch, weights).transpose(0, 1)
