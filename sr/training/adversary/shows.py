"""What a discriminator is shown of a picture."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sr.choices import check_choice
from sr.draws import Draws
from sr.losses.shift import shifted
from sr.losses.views import Views, pair_of
from sr.losses.weights import Weight
from sr.training.adversary.noise import InstanceNoise
from sr.training.adversary.swap import RegionSwap

Shown = Float[Tensor, "batch shown height width"]
"""Pictures, and beside them the upscaled LR where the discriminator is conditional."""

Condition = Literal["none", "bicubic", "bicubic_aligned"]

PLAIN, GRADIENTS = "sr,real", "grad(sr),grad(real)"
"""Views: pictures as they are, and their gradient maps."""


class Shows:
    """Turns pictures in [0, 1] into what the discriminator is given.

    Args:
        scale: between LR and HR.
        condition: ``none`` shows SR or HR alone (3 channels); ``bicubic`` puts the LR, enlarged as `Bicubic` does,
            beside it (6 channels); ``bicubic_aligned`` enlarges with the corner pixels aligned, as the experiment log
            does.
        gradients: show gradient maps, as the second discriminator of SPSR sees them: another way to write
            ``views="grad(sr),grad(real)"``.
        shift: random crops: each picture loses ``shift`` rows and columns, 0 to ``shift`` - 1 of them at the top and
            left; SR, HR and condition lose the same. 0 for none. A discriminator that halves its input three times
            cannot tell shifts by 8 apart, so that 8 shows it all there is.
        noise: added to what the discriminator learns from, or None.
        swap: regions exchanged between real and fake, or None.
        views: the pictures themselves, fake and real (`sr.losses.views`). ``real`` is ``hr``, or what the batch brings
            in its place; ``"branch,grad(real)"`` shows a side output of the generator. Three channels each.
        also: a view that is a second fake, judged against the same real picture, such as ``branch`` beside
            ``grad(sr)``; None for none.

    Raises:
        ValueError: a condition that does not exist, a negative shift, views that are no two names, or a second fake
            that is no name.
    """

    def __init__(
        self,
        scale: int,
        condition: Condition = "none",
        gradients: bool = False,
        shift: int = 0,
        noise: InstanceNoise | None = None,
        swap: RegionSwap | None = None,
        views: str = PLAIN,
        also: str | None = None,
    ) -> None:
        check_choice("condition", condition, Condition)
        if shift < 0:
            raise ValueError(f"shift={shift} counts pixels; use 0 for none.")
        if gradients and views not in (PLAIN, GRADIENTS):
            raise ValueError(f"gradients=true means views={GRADIENTS}, not views={views}; set one of the two.")
        self.scale, self.condition = scale, condition
        self.shift, self.noise, self.swap = shift, noise, swap
        self.pair = pair_of(GRADIENTS if gradients else views)
        self.pairs = [self.pair]
        """Each fake with the real picture that it is compared with."""
        if also is not None:
            self.pairs.append(pair_of(f"{also},{self.pair.wanted}"))

    @property
    def channels(self) -> int:
        """Of what is shown: 3, or 6 with a condition."""
        return 3 if self.condition == "none" else 6

    @property
    def schedules(self) -> dict[str, Weight]:
        """Of the noise and of the swap, by name; one may listen to validations."""
        noise = {} if self.noise is None else {"noise": self.noise.sigma}
        return noise if self.swap is None else {**noise, "swap": self.swap.probability}

    def fakes(self, views: Views) -> list[Shown]:
        """What the generator made, with its condition, before shift, noise and swap. Gradient flows through it."""
        return [self._whole(views, pair.made) for pair in self.pairs]

    def real(self, views: Views) -> Shown:
        """What it should look like, likewise."""
        return self._whole(views, self.pair.wanted)

    def _whole(self, views: Views, name: str) -> Shown:
        shown = views[name].float()
        return shown if self.condition == "none" else torch.cat([shown, views[f"{self.condition}(lr)"].detach()], dim=1)

    def shifted(self, draws: Draws, *wholes: Shown) -> list[Shown]:
        """The same random window of each."""
        return shifted(draws, self.shift, *wholes)
