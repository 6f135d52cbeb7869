"""From a batch of crops to what a training step compares: augmented pairs of low and high resolution."""

from typing import Protocol

import torch

from sr.data.crops import Batch
from sr.draws import Draws
from sr.training.precision import Compute
from sr.types import Crops, Image, LowResolution


class Degrade(Protocol):
    """A degradation on the device: float32 [0, 1] high resolution to low resolution, drawn per sample."""

    def __call__(self, hr: Image, draws: Draws) -> LowResolution:
        """Make the low-resolution pictures."""


class Augment(Protocol):
    """Changes a batch of crops on the device, drawn per sample."""

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Give back the changed crops; ``seen`` is what the degradation gets where it is not the target."""


def make_pair(
    batch: Batch, draws: Draws, degradation: Degrade, augmentation: Augment, compute: Compute
) -> tuple[LowResolution, Image]:
    """Augmented (lr, hr), float32 [0, 1] on the device.

    Args:
        batch: uint8 crops; LR is made here where they come without.
        draws: of these samples.
        degradation: makes LR.
        augmentation: applied to each pair.
        compute: device.
    """
    lr = None if batch.lr is None else batch.lr.to(compute.device, non_blocking=True)
    crops = augmentation(Crops(lr, batch.hr.to(compute.device, non_blocking=True)), draws)
    target = compute.to_image(crops.hr)
    if crops.lr is not None:
        return compute.to_image(crops.lr), target
    source = target if crops.seen is None else compute.to_image(crops.seen)
    with torch.no_grad():
        return degradation(source, draws), target
