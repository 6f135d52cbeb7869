"""Augmentations one after another."""

from collections.abc import Mapping
from typing import Protocol

from sr.draws import Draws
from sr.errors import UserError
from sr.types import Crops


class Augmentation(Protocol):
    """Changes a batch of crops on its device, drawn per sample; what was uint8 is rounded to 8 bits again."""

    changes_input: bool
    """What the degradation sees is no longer the target, so low-resolution pictures cannot be made in advance."""

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Give back the changed crops.

        One that computes in two ways has a third argument ``together``, see `sr.degradations.pictures.Pictures`; None:
        as the device likes it.

        Args:
            crops: the pictures.
            draws: of these samples.
        """


class Sequence:
    """Steps in order, each with draws of its own.

    Args:
        steps: by name; a step that is None is left out.

    Raises:
        ValueError: a step is no augmentation.
    """

    def __init__(self, steps: Mapping[str, Augmentation | None]) -> None:
        self.steps = {name: step for name, step in steps.items() if step is not None}
        for name, step in self.steps.items():
            if not callable(step):
                raise ValueError(f"steps.{name}={step} is no augmentation; give it a _target_")

    @property
    def changes_input(self) -> bool:
        """Whether any step does."""
        return any(step.changes_input for step in self.steps.values())

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Apply all steps."""
        for name, step in self.steps.items():
            crops = step(crops, draws.within(name))
        return crops


def refuse_low_resolution(crops: Crops, name: str) -> None:
    """What changes the target alone has to come before the degradation.

    Args:
        crops: the pictures.
        name: of what would change them.

    Raises:
        UserError: there is low resolution already.
    """
    if crops.lr is not None:
        raise UserError(
            f"{name} changes the target, and low resolution that is given or made in advance would not; set "
            "degradation.in_advance=false"
        )
