"""Colour changes, drawn per sample. The maths is in `sr.image.adjust`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sr.degradations.pictures import Pictures, per_picture
from sr.degradations.ranges import Number, checked_range, checked_share, settle
from sr.draws import Draws
from sr.image import adjust


@dataclass(frozen=True)
class Contrast:
    """clip(x (1 + contrast) + brightness), with a branch drawn per sample; the result is clipped to [0, 1].

    The two defaults are the mild ones of SR_base's experiment 28: contrast up with brightness down, or the reverse.

    Attributes:
        branches: each with ranges for ``brightness`` (in units of the whole range) and ``contrast``; all are equally
            likely.
        probability: of changing a sample.

    Raises:
        ValueError: a setting is out of its range, or a branch has other keys.
    """

    branches: Sequence[Mapping[str, Sequence[Number]]] = (
        {"brightness": (-0.15, -0.15), "contrast": (0.2, 0.2)},
        {"brightness": (0.12, 0.12), "contrast": (-0.17, -0.17)},
    )
    probability: Number = 1.0

    def __post_init__(self) -> None:
        if not self.branches:
            raise ValueError("branches is empty; give one such as {brightness: [-0.1, 0.1], contrast: [-0.2, 0.2]}")
        settle(self, "branches", tuple(_branch(i, branch) for i, branch in enumerate(self.branches)))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the samples that chance picks."""
        where = draws.chance("contrast_met", self.probability)
        if not where.any():
            return pictures
        some, draws = pictures.at(where), draws.at(where)
        ends = np.array([[branch["brightness"], branch["contrast"]] for branch in self.branches])
        low, high = np.moveaxis(ends[draws.integers("branch", len(self.branches))], 2, 0)
        share = np.stack([draws.uniform("brightness")[:, 0], draws.uniform("contrast")[:, 0]], axis=1)
        brightness, contrast = (low + (high - low) * share).T
        draws.note("brightness", brightness)
        draws.note("contrast", contrast)
        device = some.pixels.device
        made = adjust.contrast(some.pixels, per_picture(brightness, device), per_picture(contrast, device))
        return pictures.put(where, made)


@dataclass(frozen=True)
class Saturation:
    """Fainter or stronger colours, see `sr.image.adjust.saturation`; the result is clipped to [0, 1].

    Attributes:
        factor: 0 is gray, 1 no change.
        probability: of changing a sample.

    Raises:
        ValueError: a setting is out of its range.
    """

    factor: Sequence[Number] = (0.7, 1.3)
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "factor", checked_range("factor", self.factor, 0, 100))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the samples that chance picks."""
        return _adjusted(pictures, draws, self.probability, adjust.saturation, "factor", self.factor)


@dataclass(frozen=True)
class Gamma:
    """x^exponent; the picture is clipped to [0, 1] first.

    Attributes:
        exponent: below 1 brightens, above 1 darkens. Drawn evenly on a logarithmic scale, so that [0.5, 2] brightens
            half of the samples.
        probability: of changing a sample.

    Raises:
        ValueError: a setting is out of its range.
    """

    exponent: Sequence[Number] = (0.8, 1.25)
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "exponent", checked_range("exponent", self.exponent, 0.01, 100))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the samples that chance picks."""
        return _adjusted(pictures, draws, self.probability, adjust.gamma, "exponent", self.exponent, logarithmic=True)


@dataclass(frozen=True)
class Hue:
    """Turned hues, see `sr.image.adjust.hue`; the picture is clipped to [0, 1] first.

    Attributes:
        degrees: of the turn.
        probability: of changing a sample.

    Raises:
        ValueError: a setting is out of its range.
    """

    degrees: Sequence[Number] = (-10.0, 10.0)
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "degrees", checked_range("degrees", self.degrees, -360, 360))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the samples that chance picks."""
        return _adjusted(pictures, draws, self.probability, adjust.hue, "degrees", self.degrees)


def _adjusted(
    pictures: Pictures,
    draws: Draws,
    probability: Number,
    change: Callable[[Tensor, Tensor], Tensor],
    name: str,
    drawn: Sequence[Number],
    logarithmic: bool = False,
) -> Pictures:
    where = draws.chance("met", probability)
    if not where.any():
        return pictures
    some, draws = pictures.at(where), draws.at(where)
    strength = np.exp(draws.between(name, *np.log(drawn))) if logarithmic else draws.between(name, *drawn)
    draws.note(name, strength)
    return pictures.put(where, change(some.pixels, per_picture(strength, some.pixels.device)))


def _branch(index: int, branch: Mapping[str, Sequence[Number]]) -> dict[str, tuple[float, float]]:
    if set(branch) != {"brightness", "contrast"}:
        keys = ", ".join(branch) or "nothing"
        raise ValueError(f"branches[{index}] has {keys}; it needs brightness and contrast, each [low, high]")
    return {
        "brightness": checked_range(f"branches[{index}].brightness", branch["brightness"], -1, 1),
        "contrast": checked_range(f"branches[{index}].contrast", branch["contrast"], -1, 10),
    }
