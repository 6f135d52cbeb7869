"""The least that a discriminator can lose, which is more than nothing where its labels lie between real and fake."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.losses.gan import CrossEntropy, GanObjective, Label
from sr.types import Logits, Scalar


def least_loss(objective: GanObjective, labels: tuple[Label, Label], output: Logits, parts: int) -> Scalar | None:
    """The cross entropy of a discriminator that knows the labels of these two batches: their own entropy.

    A verdict of a coarse level covers several cells of the map (`sr.discriminators.levels.joint`), whose labels may
    differ, so that it cannot do better than their mean.

    Args:
        objective: of the discriminator.
        labels: of the cells of real and of fake pictures.
        output: on either: (batch, levels, height, width).
        parts: by which the sum of both terms is divided.

    Returns:
        None where every label is 0 or 1, and the least is 0, or where the loss is no cross entropy.
    """
    if not isinstance(objective, CrossEntropy):
        return None
    targets = objective.targets(labels)
    if all(isinstance(target, float) and target in (0.0, 1.0) for target in targets):
        return None
    cells = torch.ones_like(output[:, :1], dtype=torch.float32)
    real, fake = (_entropy(target * cells, output.shape[1]) for target in targets)
    return (real + fake) / parts


def _entropy(labels: Tensor, levels: int) -> Scalar:
    """Mean over levels, of which the last has a verdict per cell and each one before it half as many a side."""
    known = torch.cat([_shared(labels, 2**coarser) for coarser in range(levels)])
    return (torch.special.entr(known) + torch.special.entr(1 - known)).mean()


def _shared(labels: Tensor, cells: int) -> Tensor:
    """The mean of the labels that one verdict covers, at each of them; those at the border may cover fewer."""
    height, width = labels.shape[-2:]
    means = F.avg_pool2d(labels, cells, ceil_mode=True)
    return F.interpolate(means, scale_factor=cells, mode="nearest")[..., :height, :width]
