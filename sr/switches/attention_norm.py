"""Keeps a switch from taking the same few branches everywhere."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

ROWS_PER_BRANCH = 16
"""Updates that are remembered, times the number of branches (SwitchedConvolutions, commit a2285ff)."""
_LEAST = 1e-6  # a branch that nothing takes is not divided by nothing


class AttentionNorm(nn.Module):
    """Divides each branch's weight by how much it was used lately, so that all are used (SwitchedConvolutions c9cd54a).

    The use of branch g in an update is n_g = S_g / mean(S), where S_g is the sum of its weights over batch and pixels.
    The last 16 T updates are remembered; once there are so many, weights are divided by the mean use and brought back
    to a sum of 1. Shazeer et al. 2017 (arXiv 1701.06538) balance load by a loss term instead.

    The original remembers at each forward pass. Here an update is remembered as a whole, before the next one
    (`at_update`), so real pictures and fakes are judged alike; a pass that `sr.models.checkpointing` computes again
    counts once. All is kept in buffers, so that resuming and exporting keep it; evaluation changes none of it.

    Args:
        branches: T.
    """

    copied_buffers: ClassVar[tuple[str, ...]] = ("used", "uses")

    def __init__(self, branches: int) -> None:
        super().__init__()
        rows = ROWS_PER_BRANCH * branches
        self.used: Tensor  # sums of this update's weights
        self.uses: Tensor
        self.row: Tensor  # of `uses` that is written next
        self.seen: Tensor  # rows written, at most all
        self.register_buffer("used", torch.zeros(branches))
        self.register_buffer("uses", torch.ones(rows, branches))
        self.register_buffer("row", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(1, dtype=torch.int64))

    def forward(
        self, attention: Float[Tensor, "batch branches height width"]
    ) -> Float[Tensor, "batch branches height width"]:
        """Weights that sum to 1 over the branches, to the same with use evened out."""
        if self.training:
            with torch.no_grad():
                self.used += attention.detach().float().sum(dim=(0, 2, 3))
        full = self.seen >= len(self.uses)
        mean = torch.where(full, self.uses.mean(dim=0), torch.ones_like(self.used)).clamp(min=_LEAST)
        divided = attention / mean[:, None, None].to(attention.dtype)
        return divided / divided.sum(dim=1, keepdim=True)

    @torch.no_grad()
    def at_update(self) -> None:
        """Remember the use in the update that has ended; nothing where none was. Does not wait for the device."""
        total = self.used.sum()
        any_use = (total > 0).long().reshape(1)
        relative = self.used * len(self.used) / total.clamp(min=_LEAST)
        before = self.uses.index_select(0, self.row)
        self.uses.index_copy_(0, self.row, torch.where(any_use.bool(), relative[None], before))
        self.row.copy_((self.row + any_use) % len(self.uses))
        self.seen.copy_((self.seen + any_use).clamp(max=len(self.uses)))
        self.used.zero_()
