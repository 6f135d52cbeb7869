"""Old fakes, shown to the discriminator again: it must not forget what the generator has left behind."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sr.draws import Draws


class Replay(Protocol):
    """Keeps fakes of earlier steps."""

    capacity: int
    """So many are kept."""

    @property
    def most(self) -> int:
        """So many batches come out of an exchange at most."""

    def bytes_of_one(self, batch: int, values: int) -> int:
        """Memory of one of those that are kept, where a batch has so many pictures of so many values."""

    def exchange(self, fakes: Tensor, draws: Draws) -> list[Tensor]:
        """Take in new fakes and give the batches of fakes to learn from."""

    def state_dict(self) -> dict[str, Any]:
        """Everything kept, as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""


class ImagePool:
    """A pool of single pictures (Shrivastava et al. 2017, arXiv 1612.07828, section 2.3, in the form of CycleGAN).

    While the pool fills, new fakes enter and are used. Once it is full, with some probability a new fake takes the
    place of a random old one, which is used instead; otherwise the new one is used and not kept.

    Args:
        capacity: pictures kept.
        probability: of the exchange.

    Raises:
        ValueError: numbers out of range.
    """

    def __init__(self, capacity: int = 50, probability: float = 0.5) -> None:
        if capacity < 1 or not 0 <= probability <= 1:
            raise ValueError(f"capacity={capacity} must be at least 1, probability={probability} between 0 and 1.")
        self.capacity, self.probability = capacity, probability
        self.kept: list[Tensor] = []

    @property
    def most(self) -> int:
        """One batch."""
        return 1

    def bytes_of_one(self, batch: int, values: int) -> int:
        """A picture in float32."""
        return 4 * values

    def exchange(self, fakes: Tensor, draws: Draws) -> list[Tensor]:
        """One batch of the same size, in which some pictures are old."""
        if self.kept and self.kept[0].shape != fakes.shape[1:]:  # of a run that was resumed with other crops
            self.kept = []
        chances, slots = draws.chance("exchange", self.probability), draws.integers("slot", self.capacity)
        used = []
        for fake, chance, slot in zip(fakes.detach(), chances.tolist(), slots.tolist(), strict=True):
            if len(self.kept) < self.capacity:
                self.kept.append(fake.clone())
                used.append(fake)
            elif chance:
                used.append(self.kept[slot])
                self.kept[slot] = fake.clone()
            else:
                used.append(fake)
        return [torch.stack(used)]

    def state_dict(self) -> dict[str, Any]:
        """The pictures."""
        return {"kept": list(self.kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave, as far as there is room."""
        self.kept = list(state["kept"])[: self.capacity]


class BatchStore:
    """A store of whole batches; each step learns from the new batch and from a share of the stored ones.

    The internship's "experience replay": 1000 batches and 1 %, so nothing until 100 are stored and 10 old batches at
    most. When the store is full a random batch is overwritten. Losses of old batches are added to that of the new
    one, so their weight grows with their number.

    Args:
        capacity: batches kept, in half precision on the device: 1000 batches of 16 crops of 96x96 take 0.9 GB, there
            and in every checkpoint.
        share: of the stored batches that each step learns from, rounded down.

    Raises:
        ValueError: numbers out of range.
    """

    def __init__(self, capacity: int = 1000, share: float = 0.01) -> None:
        if capacity < 1 or not 0 <= share <= 1:
            raise ValueError(f"capacity={capacity} must be at least 1, share={share} between 0 and 1.")
        self.capacity, self.share = capacity, share
        self.kept: list[Tensor] = []

    @property
    def sample_size(self) -> int:
        """Old batches that the next step learns from: int(share * stored)."""
        return self._sample(len(self.kept))

    @property
    def most(self) -> int:
        """The new batch, and as many old ones as a full store gives."""
        return 1 + self._sample(self.capacity)

    def bytes_of_one(self, batch: int, values: int) -> int:
        """A batch in half precision."""
        return 2 * batch * values

    def _sample(self, stored: int) -> int:
        # 0.01 * 100 is exactly 1.0; other shares may fall just short of a whole number.
        return int(self.share * stored + 1e-9)

    def exchange(self, fakes: Tensor, draws: Draws) -> list[Tensor]:
        """The new batch, then old ones without repetition; only then is the new one stored."""
        if self.kept and self.kept[0].shape != fakes.shape:  # of a run that was resumed with other batches
            self.kept = []
        order = np.argsort(draws.uniform("old", max(1, len(self.kept)))[0])
        old = [self.kept[slot].to(fakes.dtype) for slot in order[: self.sample_size].tolist()]
        new = fakes.detach().to(torch.float16)
        if len(self.kept) < self.capacity:
            self.kept.append(new)
        else:
            self.kept[int(draws.integers("slot", self.capacity)[0])] = new
        return [fakes.detach(), *old]

    def state_dict(self) -> dict[str, Any]:
        """The batches."""
        return {"kept": list(self.kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave, as far as there is room."""
        self.kept = list(state["kept"])[: self.capacity]
