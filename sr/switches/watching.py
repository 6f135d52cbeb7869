"""What the switches of a network show of themselves: numbers for the log, pictures for validations."""

import colorsys

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.switches.switch import Attention
from sr.types import Image

SATURATION = 0.8


def attentions_of(network: nn.Module) -> list[Attention]:
    """The switches of a network, in the order in which they were made."""
    return [part for part in network.modules() if isinstance(part, Attention)]


def anneal(network: nn.Module, updates: int) -> None:
    """Give all switches the temperature of the update that begins."""
    for attention in attentions_of(network):
        attention.at_update(updates)


def switch_measures(network: nn.Module) -> dict[str, Tensor]:
    """``switch_temperature``, and of each switch ``switch_1_specificity`` and ``switch_1_busiest``.

    Of the newest pass in training; empty before the first.
    """
    found = {
        f"switch_{number}_{name}": value
        for number, attention in enumerate(attentions_of(network), 1)
        for name, value in attention.measured.items()
    }
    return found and {"switch_temperature": attentions_of(network)[0].temperature.clone()} | found


@torch.no_grad()
def attention_pictures(network: nn.Module, lr: Image) -> dict[str, Image]:
    """Which branch wins at each pixel, a picture ``switch_1`` for each switch.

    Args:
        network: a generator in evaluation mode.
        lr: (batch, 3, height, width) in [0, 1].

    Returns:
        (batch, 3, height, width) each, of the map that the switch works on.
    """
    seen: dict[int, Tensor] = {}
    hooks = [
        part.register_forward_hook(lambda _, __, made, number=number: seen.update({number: made}))
        for number, part in enumerate(attentions_of(network), 1)
    ]
    try:
        network(lr)
    finally:
        for hook in hooks:
            hook.remove()
    return {f"switch_{number}": coloured(attention) for number, attention in sorted(seen.items())}


def coloured(attention: Float[Tensor, "batch branches height width"]) -> Image:
    """The winner's colour, the brighter the more it weighs.

    As in DL-Art-School: the hue is the branch's number by T, the saturation 0.8, and the value the winner's weight:
    1/T where nobody wins, 1 where the others have nothing to say.
    """
    branches = attention.shape[1]
    hues = [colorsys.hsv_to_rgb(number / branches, SATURATION, 1.0) for number in range(branches)]
    weight, winner = attention.float().max(dim=1)
    colours = torch.tensor(hues, device=attention.device)[winner]
    return colours.movedim(-1, 1) * weight[:, None]
