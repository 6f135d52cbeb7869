"""Losses of a discriminator that need it to see more than the pictures and the fakes of a batch."""

from collections.abc import Callable

import torch
from torch import Tensor

from sr.losses.gan import GanObjective
from sr.losses.pixel import at_least_float32
from sr.training.adversary.shows import Shown
from sr.types import Logits, Scalar


def inconsistency(mixture: Logits, inside: Logits, outside: Logits, share: Tensor) -> Scalar:
    """Mean of (D(mix) - [m D(a) + (1 - m) D(b)])^2, mix = m a + (1 - m) b.

    U-Net GAN's consistency (Schönfeld et al. 2020, arXiv 2002.12655, equation 8), of raw outputs and as a mean over
    cells where the paper has the norm of them: the verdict on a region is not to depend on what lies around it.

    Args:
        mixture: verdict on the mixture.
        inside: on the whole picture that the boxes were taken from.
        outside: on the one that they were put into.
        share: of each cell inside boxes, (batch, 1, height, width).
    """
    mixture, inside, outside = (at_least_float32(logits) for logits in (mixture, inside, outside))
    return (mixture - (share * inside + (1 - share) * outside)).square().mean()


def mismatched(network: Callable[[Shown], Logits], objective: GanObjective, shown: Shown) -> Scalar:
    """The fake term of pictures beside the low resolution of their neighbours in the batch.

    Matching-aware discriminators (Reed et al. 2016, arXiv 1605.05396, GAN-CLS); DL-Art-School's cross-GAN (1d5f4f6).

    Args:
        network: the discriminator.
        objective: of the adversary.
        shown: pictures with their conditions, (batch, 6, height, width).
    """
    output = network(torch.cat([shown[:, :3], shown[:, 3:].roll(1, dims=0)], dim=1))
    return objective.discriminator(output.detach(), output, (1.0, 0.0))[1]
