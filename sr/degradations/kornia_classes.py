"""Which augmentations of kornia can be used by name, why others cannot, and how their arguments are given."""

import difflib
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Optional, get_type_hints

import kornia.augmentation as library
import torch
from kornia.augmentation import AugmentationBase2D
from kornia.core.exceptions import BaseError

REFUSALS = (ValueError, BaseError)
"""What kornia's classes raise for a picture that their settings do not suit; anything else is a fault."""

_TRIED = 64  # pixels a side on which settings are tried
_SET_HERE = {"p": "probability", "p_batch": "probability", "same_on_batch": None, "keepdim": None}
"""Arguments that say how a batch is treated: samples are independent here, and a batch stays a batch."""

_SIZES = {"CenterCrop", "LongestMaxSize", "PadTo", "RandomCrop", "RandomResizedCrop", "Resize", "SmallestMaxSize"}
"""Change the size of the picture."""
_RANGES = {"Normalize", "Denormalize"}
_TENSORS: dict[Any, Any] = {torch.Tensor: Sequence[float], Optional[torch.Tensor]: Sequence[float] | None}  # noqa: UP045
"""What users write where kornia wants a tensor."""
_BENDS = (library.RandomElasticTransform, library.RandomFisheye, library.RandomThinPlateSpline)
"""Geometry that kornia does not count as such."""


def usable(geometry: bool) -> list[str]:
    """Names of the classes that can be used, sorted.

    Args:
        geometry: those that move pixels too.
    """
    refused = _SIZES | _RANGES | {"RandomDissolving"}
    return [name for name in _concrete() if name not in refused and (geometry or not moves_pixels(name))]


def moves_pixels(name: str) -> bool:
    """Whether a class is geometry: whatever it does to one picture of a pair, it must do to the other."""
    there = getattr(library, name, object)
    return inspect.isclass(there) and issubclass(there, (library.GeometricAugmentationBase2D, *_BENDS))


def check_name(name: str, geometry: bool) -> None:
    """Refuse what is no augmentation of kornia, or none that keeps our promises.

    Args:
        name: of a class in ``kornia.augmentation``.
        geometry: whether what moves pixels is welcome.

    Raises:
        ValueError: it cannot be used; the message says why, and what to take instead.
    """
    choices = usable(geometry)
    if name in choices:
        return
    why = _why_not(name)
    if why is None:
        near = _nearest(name, choices)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(choices)}"
        raise ValueError(f"name={name} is no augmentation of kornia; {hint}")
    raise ValueError(f"name={name} {why}")


def _nearest(name: str, choices: list[str]) -> str | None:
    """The choice that holds the name, or the one most like it, with or without "Random" in front."""
    wanted, by_lower_case = name.lower().removeprefix("random"), {choice.lower(): choice for choice in choices}
    holding = [one for one in by_lower_case if wanted and wanted in one]
    short = {choice.removeprefix("random"): choice for choice in by_lower_case}
    found = [*sorted(holding, key=len), *(short[near] for near in difflib.get_close_matches(wanted, short, 1))]
    return by_lower_case[found[0]] if found else None


def _why_not(name: str) -> str | None:
    there = getattr(library, name, None)
    if name in _SIZES:
        return "changes the size of the picture; data.crop sets that of crops, sr.degradations.resize.DownUp resamples"
    if inspect.isclass(there) and issubclass(there, library.MixAugmentationBaseV2):
        return (
            "mixes places or pictures of a batch, and a sample never depends on its neighbours; "
            "RandomErasing hides a region of one picture"
        )
    if name in _RANGES:
        return "leaves the range from 0 to 1 that pictures have between stages; networks convert inside themselves"
    if name == "RandomDissolving":
        return "downloads Stable Diffusion and draws while it runs; take RandomElasticTransform or RandomGaussianNoise"
    return _why_not_one_picture(name) if inspect.isclass(there) else None


def _why_not_one_picture(name: str) -> str:
    if name.endswith("3D"):
        flat = name.removesuffix("3D")
        return (
            f"is for volumes; {f'take {flat}' if flat in usable(geometry=True) else 'pictures have no depth to turn'}"
        )
    if "Base" in name:
        return "is no augmentation itself, only what others are made of; take one such as RandomPlanckianJitter"
    if moves_pixels(name):
        return (
            "moves pixels, and the low resolution would no longer show what the target shows; use it on pairs, as "
            f"an augmentation: augmentation.steps.NAME={{_target_: sr.augmentations.kornia.Kornia, name: {name}, …}}"
        )
    return (
        "holds other augmentations; write them as steps or stages of their own, one below the other "
        "(sr.degradations.combine has OneOf, Maybe and Shuffled)"
    )


def _concrete() -> list[str]:
    """Augmentations of pictures, those included that we refuse."""
    found = {name: getattr(library, name) for name in library.__all__ if "Base" not in name}
    return sorted(n for n, there in found.items() if inspect.isclass(there) and issubclass(there, AugmentationBase2D))


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """The arguments of a class that users set."""
    there = getattr(library, name)
    found, hints = inspect.signature(there).parameters, get_type_hints(there.__init__)
    own = {key: one.replace(annotation=hints.get(key, Any)) for key, one in found.items() if key not in _SET_HERE}
    return {key: one.replace(annotation=_TENSORS.get(one.annotation, one.annotation)) for key, one in own.items()}


def built(name: str, arguments: Mapping[str, Any]) -> AugmentationBase2D:
    """An augmentation that changes every picture it is given.

    Args:
        name: of a usable class.
        arguments: of its constructor; lists become tuples, and numbers and tensors what the signature asks for.

    Raises:
        ValueError: an argument does not exist, is missing, or is refused by kornia.
    """
    parameters = parameters_of(name)
    for key in arguments:
        if key not in parameters:
            raise ValueError(f"{key} is not an argument of kornia's {name}{_instead(key, parameters)}")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in arguments:
            raise ValueError(f"{key} is not set, and kornia's {name} needs it")
    fitting = {key: _fitting(value, str(parameters[key].annotation)) for key, value in arguments.items()}
    try:
        module: AugmentationBase2D = getattr(library, name)(**fitting, p=1.0)
        with torch.random.fork_rng(devices=[]):  # some settings are only refused here
            drawn = module.forward_parameters(torch.Size((1, 3, _TRIED, _TRIED)))
            with suppress(*REFUSALS):  # of this size, perhaps: that is for the real pictures to find out
                module(torch.zeros(1, 3, _TRIED, _TRIED), params=drawn)
    except Exception as error:  # kornia raises whatever it likes; all of it is about the arguments
        said = " ".join(str(error).split()) or type(error).__name__
        shown = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "no arguments"
        raise ValueError(f"kornia's {name} refuses {shown}: {said}") from error
    return module


def _instead(key: str, parameters: Mapping[str, inspect.Parameter]) -> str:
    if key in _SET_HERE:
        ours = _SET_HERE[key]
        return f"; write {ours}=…" if ours else " here: every sample has draws of its own; leave it out"
    near = difflib.get_close_matches(key, parameters, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; it has {', '.join(parameters)}" if parameters else "; it has none"


def _fitting(value: Any, annotation: str) -> Any:
    """YAML has lists and whole numbers where kornia looks for tuples, floats and tensors."""
    if "Sequence" in annotation and "Tensor" not in annotation:
        return value if value is None else torch.tensor(value, dtype=torch.float32)
    if isinstance(value, list | tuple):
        return tuple(_fitting(one, annotation) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and "float" in annotation and "int" not in annotation else value
