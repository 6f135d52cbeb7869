"""Networks as Python calls them: ``sr.load("x2")`` and ``network(picture)``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, get_args

import torch

from sr.devices import Accelerator, choose_device
from sr.errors import UserError
from sr.image.alpha import LargerAlpha
from sr.inference.engines.engine import Kind, Precision
from sr.inference.kinds import apart, coloured
from sr.inference.networks import find_network
from sr.inference.opening import open_network
from sr.inference.upscaler import Colour, Upscaler
from sr.models.translators import Side

Picture = TypeVar("Picture")
Name = str | Path


class Network:
    """One or several networks that enlarge pictures: call it.

    Args:
        upscaler: what enlarges.
        files: of the networks.

    Attributes:
        files: of the networks.
    """

    def __init__(self, upscaler: Upscaler, files: Sequence[Path]) -> None:
        self._upscaler, self.files = upscaler, tuple(files)

    @property
    def scale(self) -> float:
        """By which pictures are enlarged."""
        return self._upscaler.scale

    @property
    def said(self) -> tuple[str, ...]:
        """What was chosen so far, such as the engine: a line each."""
        return tuple(self._upscaler.said)

    def __call__(self, picture: Picture) -> Picture:
        """Enlarge a picture, and give back the same kind.

        Args:
            picture: a PIL image, turned upright as its EXIF says; a numpy array (height, width, channels) or
                (height, width), uint8, uint16 or floating point in [0, 1]; a torch tensor (3, height, width), or a
                batch of such, uint8 or floating point in [0, 1]. Gray stays gray, alpha is kept.

        Returns:
            The same type, dtype, device and channels, enlarged by `scale`; a network that translates gives gray
            pictures colours.

        Raises:
            UserError: it is no picture; or the network's output is none.
        """
        colour, alpha, together = apart(coloured(picture) if self._upscaler.recolours else picture)
        made = self._upscaler.image(colour)
        height, width = made.shape[-2:]
        return together(made, None if alpha is None else LargerAlpha(alpha, height, width).rows(0, height))

    def __repr__(self) -> str:
        return f"<x{self.scale:g} network: {', '.join(map(str, self.files))}>"


def load(
    name: Name | Sequence[Name] = "x2",
    *,
    device: str | torch.device = "auto",
    engine: Kind = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    ensemble: bool = False,
    scale: float | None = None,
    colour: Colour = "none",
    compile: bool = False,
    to: Side | None = None,
    trust: bool = False,
) -> Network:
    """See `sr.load`."""
    files = [find_network(one) for one in _names(name)]
    upscaler = Upscaler(
        [open_network(file, trust, to)[0] for file in files],
        _device(device),
        engine=engine,
        precision=precision,
        tile=tile,
        ensemble=ensemble,
        scale=scale,
        colour=colour,
        compile=compile,
    )
    return Network(upscaler, files)


def _names(name: Name | Sequence[Name]) -> list[Name]:
    """One name or several.

    Raises:
        UserError: they are something else.
    """
    names = [name] if isinstance(name, str | Path) else list(name) if isinstance(name, Sequence) else [name]
    wrong = [one for one in names if not isinstance(one, str | Path)]
    if wrong or isinstance(name, bytes):
        shown = name if isinstance(name, bytes) else wrong[0]
        raise UserError(f'a network\'s name is text or a Path, as sr.load("x2"), not {shown!r}')
    return list(names)


def _device(asked: str | torch.device) -> torch.device:
    """The device by our words or PyTorch's.

    Raises:
        UserError: there is none of that name.
    """
    try:
        if asked in get_args(Accelerator):
            return choose_device(asked, "device=")  # type: ignore[arg-type]
        device = torch.device(asked)
        torch.zeros(1, device=device).item()  # PyTorch knows names of devices that this machine, or it, has not
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        words = ", ".join(get_args(Accelerator))
        raise UserError(f"device={asked!r} is not there; give {words}, or PyTorch's name, as cuda:1") from error
    return device
