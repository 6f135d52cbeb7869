"""Any augmentation of kornia that keeps pixels in their places, as a stage of a degradation.

kornia draws from PyTorch's global generator, for a whole batch at once. Here each sample draws from that generator
after it was seeded with the sample's own number, and the generator is put back afterwards: so the same sample meets the
same parameters and the same noise in any batch, on any device and in any process. Parameters, noise fields included,
are drawn on the CPU.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import Parameter

import numpy as np
import torch
from kornia.augmentation import AugmentationBase2D
from torch import Tensor

from sr.degradations.kornia_classes import REFUSALS, built, check_name, parameters_of
from sr.degradations.pictures import Pictures, to_device, write
from sr.degradations.ranges import Number, checked_share, settle
from sr.draws import Draws
from sr.errors import UserError
from sr.image.autocast import without_autocast
from sr.types import Image

Parameters = dict[str, Tensor]
"""What kornia drew for one picture: each tensor has a first axis of length 1, or belongs to a batch."""

_NOT_TOLD = {"batch_prob", "forward_input_shape", "batch_idx", "center"}
_FEW = 8  # numbers of a parameter that are told one by one


@dataclass(frozen=True)
class Kornia:
    """An augmentation of ``kornia.augmentation`` by name; in a configuration its arguments stand beside the name.

    Attributes:
        name: of the class, such as RandomSaltAndPepperNoise. What moves pixels is refused: see
            `sr.augmentations.kornia.Kornia`.
        probability: of changing a sample.
        arguments: of the class's constructor, without ``p``, ``same_on_batch`` and ``keepdim``.

    Raises:
        ValueError: the class or an argument does not exist or cannot be used.
    """

    name: str
    probability: Number = 1.0
    arguments: Mapping[str, object] = field(default_factory=dict)
    _module: AugmentationBase2D = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name(self.name, geometry=False)
        settle(self, "probability", checked_share("probability", self.probability))
        settle(self, "_module", built(self.name, self.arguments))

    @staticmethod
    def named(name: str) -> dict[str, Parameter]:
        """The arguments that a configuration may hold beside ``name``; see `sr.config.named`.

        Raises:
            ValueError: the class does not exist or cannot be used.
        """
        check_name(name, geometry=False)
        return parameters_of(name)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Change the samples that chance picks.

        Raises:
            UserError: kornia refuses pictures of this size.
        """
        where = draws.chance("met", self.probability)
        if not where.any():
            return pictures
        some, draws = pictures.at(where), draws.at(where)
        sizes = list(zip(some.heights.tolist(), some.widths.tolist(), strict=True))
        found = drawn(self._module, sizes, draws)
        tell(self.name, found, draws)
        pixels = some.pixels.clone()
        for here in _alike(sizes):
            corner = some.at(here).trimmed().pixels
            write(pixels, here, applied(self._module, corner, [found[i] for i in here], bool(some.together)))
        return pictures.put(where, pixels)


def drawn(module: AugmentationBase2D, sizes: list[tuple[int, int]], draws: Draws) -> list[Parameters]:
    """The parameters of each picture.

    Args:
        module: an augmentation with p=1.
        sizes: (height, width) of each picture, on which fields of noise depend.
        draws: of these pictures.

    Raises:
        UserError: kornia cannot draw for such a size.
    """
    found = []
    with _global_generator() as generator:
        for (height, width), seed in zip(sizes, draws.bits("kornia").tolist(), strict=True):
            generator.manual_seed(seed)
            with _refusals(module, height, width):
                found.append(module.forward_parameters(torch.Size((1, 3, height, width))))
    return found


def applied(module: AugmentationBase2D, pixels: Image, parameters: list[Parameters], together: bool) -> Image:
    """Change pictures of one size.

    Args:
        module: an augmentation with p=1.
        pixels: float (batch, 3, height, width); clamped to [0, 1] first.
        parameters: of each picture.
        together: compute pictures at once where their whole-number parameters agree (sizes of kernels, orders of
            steps: kornia has one of these for a batch); else each by itself, which a CPU does as fast, to the bit.

    Returns:
        float32, [0, 1].

    Raises:
        UserError: kornia refuses pictures of this size.
    """
    keys = [_whole_numbers(one) if together and "batch_idx" not in one else (i,) for i, one in enumerate(parameters)]
    result = torch.empty_like(pixels, dtype=torch.float32)
    with _global_generator(), without_autocast(pixels.device), _refusals(module, *pixels.shape[-2:]):
        for here in _alike(keys):
            some = pixels if len(here) == len(pixels) else pixels.index_select(0, to_device(here, pixels.device))
            write(result, here, module(some.float().clamp(0, 1), params=_joined([parameters[i] for i in here])))
    return result.clamp_(0, 1)


def tell(name: str, parameters: list[Parameters], draws: Draws) -> None:
    """Note what was drawn: numbers as they are, of masks the share, of other fields the standard deviation."""
    if draws.record is None:
        return
    told = False
    for key, first in parameters[0].items():
        if key in _NOT_TOLD or (key == "idx" and "ksize_factor" in parameters[0]):  # says whose kernel size counts
            continue
        told, short, values = True, key.removesuffix("_factor"), [one[key].flatten() for one in parameters]
        if first.numel() == 1:
            draws.note(short, np.array([float(value) for value in values]))
        elif first.numel() <= _FEW:
            draws.note(short, [" ".join(f"{x:.4g}" for x in value.tolist()) for value in values])
        elif first.dtype == torch.bool:
            draws.note(f"{short}_share", np.array([float(value.float().mean()) for value in values]))
        else:
            draws.note(f"{short}_std", np.array([float(value.float().std()) for value in values]))
    if not told:
        draws.note("applied", [name] * len(draws))


@contextmanager
def _global_generator() -> Iterator[torch.Generator]:
    """PyTorch's generator of the CPU, to seed at will; afterwards it is as it was."""
    generator = torch.default_generator
    before = generator.get_state()
    try:
        yield generator
    finally:
        generator.set_state(before)


@contextmanager
def _refusals(module: AugmentationBase2D, height: int, width: int) -> Iterator[None]:
    """What kornia says of a picture that is too small for its settings, as a message to the user."""
    try:
        yield
    except REFUSALS as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"kornia's {type(module).__name__} cannot change a picture of {width}x{height} pixels: {said}; "
            "take other settings or larger crops (data.crop=…)"
        ) from error


def _alike(keys: Sequence[object]) -> list[np.ndarray]:
    """Positions of equal keys, group by group."""
    return [np.flatnonzero([other == key for other in keys]) for key in dict.fromkeys(keys)]


def _whole_numbers(parameters: Parameters) -> tuple[object, ...]:
    kept = {k: v for k, v in parameters.items() if not v.is_floating_point() and v.dtype != torch.bool}
    return tuple((key, tuple(value.flatten().tolist())) for key, value in kept.items())


def _joined(parameters: list[Parameters]) -> Parameters:
    """As kornia would have drawn them for a batch; whole numbers of one picture count for all."""
    first = dict(parameters[0])
    if len(parameters) == 1:
        return first
    for key, value in first.items():
        if value.ndim and len(value) == 1 and key != "forward_input_shape":
            first[key] = torch.cat([one[key] for one in parameters])
    first["forward_input_shape"] = torch.cat([torch.tensor([len(parameters)]), first["forward_input_shape"][1:]])
    return first
