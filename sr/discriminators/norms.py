"""Normalisation by name."""

from torch import nn

from sr.discriminators.contract import nearest_multiple
from sr.spectral import spectral_norm as spectral_norm

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
