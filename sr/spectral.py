"""Spectral normalisation, of generators and discriminators."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from sr.image.autocast import without_autocast


class _SpectralNormInFloat32(_SpectralNorm):
    """PyTorch's, whose power iteration autocast would run in half precision."""

    copied_buffers: ClassVar[tuple[str, ...]] = ("_u", "_v")  # unit vectors, which a mean of two is not

    def forward(self, weight: Tensor) -> Tensor:
        with without_autocast(weight.device):
            made: Tensor = super().forward(weight)
        return made

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if not weight_mat.is_meta:  # there is nothing to find, and meta tensors take seconds
            super()._power_method(weight_mat, n_power_iterations)


def spectral_norm(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with its weight divided by its largest singular value (Miyato et al. 2018, arXiv 1802.05957).

    As `torch.nn.utils.parametrizations.spectral_norm`, in float32 whatever surrounds it.
    """
    parametrize.register_parametrization(layer, "weight", _SpectralNormInFloat32(layer.weight))
    return layer
