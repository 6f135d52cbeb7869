"""What somebody asks `sr upscale` for."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sr.errors import UserError
from sr.inference.networks import find_network, network_for
from sr.inference.opening import open_network
from sr.inference.settings import check_settings
from sr.inference.upscaler import Upscaler
from sr.models.translators import Side
from sr.verbs.computing import inference

_ARGUMENT = re.compile(r"\b(tile|scale|engine|precision|colour)=(?=\S)")


@dataclass(frozen=True)
class How:
    """How pictures are enlarged; the fields are the options of the verb, and of `sr.inference.upscaler.Upscaler`.

    Raises:
        UserError: a value that does not exist.
    """

    models: Sequence[str] = ()
    tile: int | None = None
    ensemble: bool = False
    scale: float | None = None
    engine: str = "auto"
    precision: str = "auto"
    colour: str = "none"
    compile: bool = False
    accelerator: str = "auto"
    trust: bool = False
    to: Side | None = None

    def __post_init__(self) -> None:
        with _told_as_flags():
            check_settings(self.engine, self.precision, self.colour, self.tile, self.scale, self.compile)


def network_files(how: How) -> list[Path]:
    """The files of the networks that are asked for, or of the one that comes with the package.

    Raises:
        UserError: there is no such network.
    """
    return [find_network(name) for name in how.models] or [network_for(how.scale)]


def ready_upscaler(how: How, files: Sequence[Path]) -> Upscaler:
    """Networks at work.

    Raises:
        UserError: a file is no network, there is no such device or engine.
    """
    compute = inference(how.accelerator)
    networks = [open_network(path, how.trust, how.to)[0] for path in files]
    with _told_as_flags():
        return Upscaler(
            networks,
            compute.device,
            engine=how.engine,  # type: ignore[arg-type]
            precision=how.precision,  # type: ignore[arg-type]
            tile=how.tile,
            ensemble=how.ensemble,
            scale=how.scale,
            colour=how.colour,  # type: ignore[arg-type]
            compile=how.compile,
        )


@contextmanager
def _told_as_flags() -> Iterator[None]:
    """What `sr.inference` says of its arguments, ``tile=3``, as the command line has it: ``--tile 3``."""
    try:
        yield
    except UserError as error:
        raise UserError(*(_ARGUMENT.sub(r"--\1 ", line) for line in error.args)) from error
