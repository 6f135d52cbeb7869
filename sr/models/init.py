"""Initialisations."""

import torch
from torch import Tensor


@torch.no_grad()
def icnr_(tensor: Tensor, factor: int) -> Tensor:
    """Make a convolution in front of ``PixelShuffle(factor)`` start as nearest upsampling of a smaller one.

    ICNR of Aitken et al. 2017 (arXiv 1707.02937, section 3): the ``factor**2`` filters that the shuffle
    spreads over one block of pixels are made equal, so the untrained network draws no checkerboard. The
    values are those of every ``factor**2``-th filter as initialised before, hence their distribution is that
    of the usual initialisation.

    Args:
        tensor: weight (out, in, kh, kw) or bias (out,) with out = channels * factor**2; changed in place.
            Both need the treatment, or the bias alone brings the checkerboard back.
        factor: that of the PixelShuffle.

    Raises:
        ValueError: ``out`` is not a multiple of ``factor**2``.
    """
    group = factor**2
    if factor < 1 or tensor.shape[0] % group:
        raise ValueError(
            f"icnr_ needs a number of output channels that is a multiple of factor**2 = {group}, not {tensor.shape[0]}."
        )
    return tensor.copy_(tensor[::group].repeat_interleave(group, dim=0))
