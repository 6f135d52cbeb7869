"""Normalisation by name."""

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from sr.discriminators.contract import nearest_multiple
from sr.image.autocast import without_autocast

GROUPS = 8  # of group normalisation, as in the discriminators of the lessons learned


def norm_layers(name: str, kind: str, channels: int) -> list[nn.Module]:
    """The normalisation ``kind`` for ``channels`` channels, as a list: empty for ``none``.

    ``batch`` learns a scale and shift; so does ``group`` (8 groups); ``instance`` has no parameters.

    Args:
        name: of the network, for messages.
        kind: ``none``, ``batch``, ``group`` or ``instance``.
        channels: of the map that is normalised.

    Raises:
        ValueError: the channels cannot be grouped.
    """
    if kind == "none":
        return []
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "instance":
        return [nn.InstanceNorm2d(channels)]
    if channels % GROUPS:
        raise ValueError(
            f"{name} with norm=group needs channels in multiples of {GROUPS}, not {channels}; "
            f"choose {nearest_multiple(channels, GROUPS)} or another norm."
        )
    return [nn.GroupNorm(GROUPS, channels)]


class _SpectralNormInFloat32(_SpectralNorm):
    """PyTorch's, whose power iteration autocast would run in half precision."""

    def forward(self, weight: Tensor) -> Tensor:
        with without_autocast(weight.device):
            made: Tensor = super().forward(weight)
        return made


def spectral_norm(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with its weight divided by its largest singular value (Miyato et al. 2018, arXiv 1802.05957).

    As `torch.nn.utils.parametrizations.spectral_norm`, in float32 whatever surrounds it.
    """
    parametrize.register_parametrization(layer, "weight", _SpectralNormInFloat32(layer.weight))
    return layer
