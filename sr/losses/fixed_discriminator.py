"""A discriminator of an earlier run, frozen, as a network for features."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.losses.backbones import Frozen
from sr.losses.pixel import DISTANCES, Distance
from sr.types import Image, Scalar

OPPONENT = "d"
"""The adversary of the earlier run whose discriminator it is."""


class FixedDiscriminator(Frozen):
    """Distance between what an earlier run's discriminator says of two pictures (DL-Art-School, d5fa059).

    Its weights come from ``+init_from.TERM=RUN``, TERM being the term's name: a run's folder, a .ckpt, an experiment.
    They are in the checkpoints of the run, and never learn. It is always in evaluation mode.

    Args:
        network: of the kind of the earlier run's, for RGB alone; its weights are replaced.
        layers: names of its modules whose outputs are compared, beside its verdict.
        distance: mean absolute or mean squared difference of each; they are added up.

    Raises:
        ValueError: it judges other channels, or has no such layers.
    """

    autocast: ClassVar[bool] = True
    """The network may run in bfloat16; distances are float32 in any case."""

    def __init__(self, network: nn.Module, layers: Sequence[str] = (), distance: Distance = "l1") -> None:
        super().__init__()
        check_choice("distance", distance, Distance)
        channels = getattr(network, "in_channels", 3)
        if channels != 3:
            raise ValueError(
                f"a fixed discriminator sees the picture alone, and this {type(network).__name__} judges {channels} "
                "channels; leave in_channels out, and take a run whose adversary shows no condition."
            )
        known = [name for name, _ in network.named_modules() if name]
        for layer in layers:
            if layer not in known:
                raise ValueError(f"layers names {layer}, and {type(network).__name__} has {', '.join(known[:8])}, …")
        self.network = network.eval().requires_grad_(False)
        self.layers, self.distance = tuple(layers), DISTANCES[distance]

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Float32 scalar, at least 0; gradient flows to ``prediction`` alone."""
        with torch.no_grad():
            wanted = self._outputs(target)
        found = self._outputs(prediction)
        return torch.stack([self.distance(x, y) for x, y in zip(found, wanted, strict=True)]).sum()

    def _outputs(self, picture: Image) -> list[Tensor]:
        kept: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            kept.append(output.clone())  # what follows may overwrite it

        with ExitStack() as hooks:
            for layer in self.layers:
                handle = self.network.get_submodule(layer).register_forward_hook(keep)
                hooks.callback(handle.remove)
            verdict: Tensor = self.network(picture)
        return [*kept, verdict]
