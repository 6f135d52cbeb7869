"""What the training module asks of an adversary (discriminator, GAN objective, update policy, optimiser)."""

from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from sr.types import Image, LowResolution


class Adversary(Protocol):
    """One opponent of the generator. The module takes a list: none (supervised), one (GAN), two (SPSR)."""

    name: str
    """Prefix of its columns: ``train/<name>/…``."""

    network: nn.Module
    """The discriminator; the module freezes it during the generator's step."""

    def optimizer(self) -> Optimizer:
        """A new optimiser over the discriminator's parameters."""

    def generator_loss(self, sr: Image, hr: Image, lr: LowResolution) -> Tensor:
        """Weighted scalar that joins the generator's objective; gradient flows through ``sr``."""

    def discriminator_loss(self, sr: Image, hr: Image, lr: LowResolution) -> Tensor:
        """Scalar that the discriminator descends; ``sr`` is detached, the same pictures that G was judged by."""

    def state_dict(self) -> dict[str, Any]:
        """Policies and buffers beyond network and optimiser, as plain values and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
