"""Any augmentation of kornia on pairs: whatever happens to the target happens to the low resolution too."""

from collections.abc import Mapping
from inspect import Parameter

import torch
from torch import Tensor

from sr.degradations.kornia import Parameters, applied, drawn, tell
from sr.degradations.kornia_classes import built, check_name, parameters_of
from sr.degradations.pictures import at_once, to_device
from sr.degradations.ranges import Number, checked_share
from sr.draws import Draws
from sr.errors import UserError
from sr.types import Crops

_TURNS = {"RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation90"}
_COLOURS = {
    "ColorJiggle", "ColorJitter", "RandomBrightness", "RandomChannelDropout", "RandomChannelShuffle", "RandomContrast",
    "RandomGamma", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPlanckianJitter", "RandomPosterize",
    "RandomRGBShift", "RandomSaturation", "RandomSolarize",
}  # fmt: skip
EXACT = _TURNS | _COLOURS
"""What gives a pair again when it is done to both pictures of one: turns of the square, and colours pixel by pixel."""


class Kornia:
    """An augmentation of ``kornia.augmentation`` by name; in a configuration its arguments stand beside the name.

    What is not in `EXACT` (rotations by any angle, elastic deformation, blur, fields of noise or light …) does not give
    the same on a grid of other pixels: then the degradation has to make the low resolution of the changed target.

    Args:
        name: of the class, such as ColorJitter.
        probability: of changing a sample.
        arguments: of the class's constructor, without ``p``, ``same_on_batch`` and ``keepdim``.

    Raises:
        ValueError: the class or an argument does not exist or cannot be used.
    """

    def __init__(self, name: str, probability: Number = 1.0, arguments: Mapping[str, object] | None = None) -> None:
        check_name(name, geometry=True)
        self.name, self.probability = name, checked_share("probability", probability)
        self._module = built(name, arguments or {})

    @staticmethod
    def named(name: str) -> dict[str, Parameter]:
        """The arguments that a configuration may hold beside ``name``; see `sr.config.named`.

        Raises:
            ValueError: the class does not exist or cannot be used.
        """
        check_name(name, geometry=True)
        return parameters_of(name)

    @property
    def changes_input(self) -> bool:
        """Low resolution that was made in advance, of the unchanged target, does not fit any more."""
        return self.name not in EXACT

    def __call__(self, crops: Crops, draws: Draws, together: bool | None = None) -> Crops:
        """Change the samples that chance picks; arguments as of `sr.augmentations.sequence.Augmentation`.

        Raises:
            UserError: there is low resolution already, and this augmentation cannot follow on it.
        """
        if crops.lr is not None and self.changes_input:
            raise UserError(
                f"{self.name} does not give a pair again on low resolution that is given or made in advance; set "
                f"degradation.in_advance=false, or take one of {', '.join(sorted(EXACT))}"
            )
        where = draws.chance("met", self.probability).nonzero()[0]
        if not len(where):
            return crops
        draws = draws.at(where)
        height, width = crops.hr.shape[-2:]
        parameters = drawn(self._module, [(height, width)] * len(where), draws)
        tell(self.name, parameters, draws)
        index = to_device(where, crops.hr.device)

        def changed(pictures: Tensor) -> Tensor:
            pixels = applied(
                self._module,
                pictures.index_select(0, index).float() / 255,
                _fitted(parameters, pictures),
                at_once(together, pictures.device),
            )
            return pictures.index_copy(0, index, pixels.mul_(255).round_().to(pictures.dtype))

        return crops.changed(changed)


def _fitted(parameters: list[Parameters], pictures: Tensor) -> list[Parameters]:
    """The same draws for pictures of another size."""
    shape = torch.tensor((1, *pictures.shape[1:]))
    return [{**one, "forward_input_shape": shape} for one in parameters]
