"""What a discriminator is given to judge, and what it says."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from sr.draws import Draws
from sr.training.adversary.shows import Shown


@dataclass(frozen=True)
class Verdict:
    """What the discriminator made of one batch; all values are scalars on the device.

    Attributes:
        real: loss term of real pictures.
        fake: loss term of fakes.
        penalty: of gradients, already weighted; None where there is none.
        output_real: mean raw output for real pictures.
        output_fake: mean raw output for fakes, a second one (`Shows.pairs`) and old batches apart.
        newest: loss without penalty and old batches: what a stepper compares from step to step.
        floor: of the loss, set by labels between real and fake; None where it is 0 or not known.
    """

    real: Tensor
    fake: Tensor
    penalty: Tensor | None
    output_real: Tensor
    output_fake: Tensor
    newest: Tensor
    floor: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """What the discriminator descends."""
        both = self.real + self.fake
        return both if self.penalty is None else both + self.penalty

    def values(self) -> dict[str, Tensor]:
        """For the log, detached."""
        values = {
            "real": self.real,
            "fake": self.fake,
            "total": self.total,
            "output_real": self.output_real,
            "output_fake": self.output_fake,
        }
        more = {"penalty": self.penalty, "floor": self.floor}
        values |= {name: value for name, value in more.items() if value is not None}
        return {name: value.detach() for name, value in values.items()}


@dataclass(frozen=True)
class Exhibits:
    """What the discriminator learns from in one batch, before shift, noise and swap.

    Attributes:
        real: pictures with their condition.
        fakes: those of the generator first (one per pair of `Shows.pairs`), or a pool's in their place; then whole
            batches of old ones.
        draws: of these samples.
    """

    real: Shown
    fakes: list[Shown]
    draws: Draws


class Judged(NamedTuple):
    """What the discriminator is given in one of its steps.

    Attributes:
        real: pictures, after shift, noise and swap.
        fakes: the newest, likewise, then old ones.
        mask: 1 where the two were exchanged; None where nothing is.
        clean: both without what was exchanged, where something looks at that.
    """

    real: Shown
    fakes: list[Shown]
    mask: Tensor | None = None
    clean: tuple[Shown, Shown] | None = None
