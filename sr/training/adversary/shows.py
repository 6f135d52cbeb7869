"""What a discriminator is shown of a picture."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr.choices import check_choice
from sr.draws import Draws
from sr.losses.gradient_map import gradient_map
from sr.losses.shift import shifted
from sr.models.bicubic import Bicubic
from sr.training.adversary.noise import InstanceNoise
from sr.training.adversary.swap import RegionSwap
from sr.types import Image, LowResolution

Shown = Float[Tensor, "batch shown height width"]
"""Pictures, and beside them the upscaled LR where the discriminator is conditional."""

Condition = Literal["none", "bicubic", "bicubic_aligned"]


class Shows:
    """Turns pictures in [0, 1] into what the discriminator is given.

    Args:
        scale: between LR and HR.
        condition: ``none`` shows SR or HR alone (3 channels); ``bicubic`` puts the LR, enlarged as `Bicubic` does,
            beside it (6 channels); ``bicubic_aligned`` enlarges with the corner pixels aligned, as the experiment log
            does.
        gradients: show gradient maps (`sr.losses.gradient_map`) instead of pictures, as the second discriminator of
            SPSR sees them.
        shift: random crops: each picture loses ``shift`` rows and columns, 0 to ``shift`` - 1 of them at the top and
            left; SR, HR and condition lose the same. 0 for none. A discriminator that halves its input three times
            cannot tell shifts by 8 apart, so that 8 shows it all there is.
        noise: added to what the discriminator learns from, or None.
        swap: regions exchanged between real and fake, or None.

    Raises:
        ValueError: a condition that does not exist, or a negative shift.
    """

    def __init__(
        self,
        scale: int,
        condition: Condition = "none",
        gradients: bool = False,
        shift: int = 0,
        noise: InstanceNoise | None = None,
        swap: RegionSwap | None = None,
    ) -> None:
        check_choice("condition", condition, Condition)
        if shift < 0:
            raise ValueError(f"shift={shift} counts pixels; use 0 for none.")
        self.scale, self.condition, self.gradients = scale, condition, gradients
        self.shift, self.noise, self.swap = shift, noise, swap
        self._bicubic = Bicubic(scale) if condition == "bicubic" else None

    @property
    def channels(self) -> int:
        """Of what is shown: 3, or 6 with a condition."""
        return 3 if self.condition == "none" else 6

    def enlarged(self, lr: LowResolution) -> Image | None:
        """The condition, (batch, 3, s*h, s*w) float32, or None."""
        if self.condition == "none":
            return None
        with torch.no_grad(), torch.autocast(lr.device.type, enabled=False):
            if self._bicubic is not None:
                self._bicubic = self._bicubic.to(lr.device)
                made: Tensor = self._bicubic(lr)
            else:
                made = F.interpolate(lr.float(), scale_factor=self.scale, mode="bicubic", align_corners=True)
            return made

    def whole(self, picture: Image, enlarged: Image | None) -> Shown:
        """A picture and its condition, before shift, noise and swap. Gradient flows through ``picture``."""
        with torch.autocast(picture.device.type, enabled=False):
            shown = picture.float()
            if self.gradients:
                shown = gradient_map(shown)
        return shown if enlarged is None else torch.cat([shown, enlarged], dim=1)

    def shifted(self, draws: Draws, *wholes: Shown) -> list[Shown]:
        """The same random window of each."""
        return shifted(draws, self.shift, *wholes)
