"""From a batch of crops to what a training step compares: augmented pairs of low and high resolution."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from sr.data.crops import Batch
from sr.degradations.pictures import moved
from sr.draws import Draws
from sr.models.outputs import outputs_of
from sr.models.translators import is_translator
from sr.training.precision import Compute
from sr.types import Crops, Image, LowResolution, UserError


class Degrade(Protocol):
    """A degradation on the device: float32 [0, 1] high resolution to low resolution, drawn per sample."""

    def __call__(self, hr: Image, draws: Draws) -> LowResolution:
        """Make the low-resolution pictures."""


class Augment(Protocol):
    """Changes a batch of crops on the device, drawn per sample."""

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Give back the changed crops; ``seen`` is what the degradation gets where it is not the target."""


class Given(NamedTuple):
    """The pictures that a training step is given, float32 [0, 1] on the device.

    Attributes:
        lr: the generator's input.
        hr: its truth, or None where there is none.
        real: what discriminators take as real; ``hr`` itself unless the batch brings others.
    """

    lr: LowResolution
    hr: Image | None
    real: Image | None

    def named(self) -> dict[str, Tensor]:
        """Those that there are, by name."""
        return {name: picture for name, picture in self._asdict().items() if picture is not None}


def reference_of(batch: Batch, network: nn.Module, compute: Compute) -> Tensor | None:
    """The photographs of a batch, (batch, 4, side, side) float32 in [0, 1], for a network that asks for them.

    Such a network has an attribute ``reference``: their side in pixels. They are not flipped with the crops.

    Raises:
        UserError: it asks for them, and the batch has none, or of another size.
    """
    if getattr(network, "reference", None) is None:
        return None
    _check_reference(network, None if batch.reference is None else batch.reference.shape[-1])
    assert batch.reference is not None
    return moved(batch.reference, compute.device).float() / 255


def made_of(network: nn.Module, given: Given, reference: Tensor | None = None) -> dict[str, Tensor]:
    """What a generator makes of a batch, by name.

    One that has a method ``cycle(lr, real)``, as `sr.models.cyclegan.CycleGan`, translates pictures of two sides, and
    is given both.

    Args:
        network: the generator.
        given: to the step.
        reference: photographs, for a network that asks for them.
    """
    if is_translator(network):
        if given.real is None:
            raise ValueError(f"{type(network).__name__} translates between two sides, and the batch has one")
        cycle: Callable[[Tensor, Tensor], Any] = network.cycle  # type: ignore[assignment]
        return outputs_of(cycle(given.lr, given.real))
    return outputs_of(network(given.lr) if reference is None else network(given.lr, reference))


def _check_reference(network: nn.Module, given: int | None) -> None:
    """The data gives the photographs that a network asks for, if it does.

    Args:
        network: the generator.
        given: side in pixels of what the data gives, or None.

    Raises:
        UserError: it does not.
    """
    asked: int | None = getattr(network, "reference", None)
    if asked is not None and asked != given:
        raise UserError(
            f"{type(network).__name__} looks at the photograph of each crop, {asked} pixels a side, and the data gives "
            f"{'none' if given is None else given}; train it on data that CropData prepares"
        )


def make_pair(batch: Batch, draws: Draws, degradation: Degrade, augmentation: Augment, compute: Compute) -> Given:
    """Augmented pictures. Those that belong to no others are augmented apart.

    Args:
        batch: uint8 crops; LR is made here where they come without.
        draws: of these samples.
        degradation: makes LR.
        augmentation: applied to each pair.
        compute: device.

    Raises:
        ValueError: a batch of neither low nor high resolution.
    """

    def alone(pictures: Tensor, scope: Draws) -> Image:
        return compute.to_image(augmentation(Crops(None, pictures.to(compute.device, non_blocking=True)), scope).hr)

    real = None if batch.real is None else alone(batch.real, draws.within("real"))
    if batch.hr is None:
        if batch.lr is None:
            raise ValueError("a batch has neither low nor high resolution")
        return Given(alone(batch.lr, draws), None, real)
    lr = None if batch.lr is None else batch.lr.to(compute.device, non_blocking=True)
    crops = augmentation(Crops(lr, batch.hr.to(compute.device, non_blocking=True)), draws)
    target = compute.to_image(crops.hr)
    real = target if real is None else real
    if crops.lr is not None:
        return Given(compute.to_image(crops.lr), target, real)
    source = target if crops.seen is None else compute.to_image(crops.seen)
    with torch.no_grad():
        return Given(degradation(source, draws), target, real)
