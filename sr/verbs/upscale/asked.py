"""What somebody asks `sr upscale` for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.inference.engines.engine import Kind, Precision
from sr.inference.networks import find_network, network_for
from sr.inference.opening import open_network
from sr.inference.upscaler import Colour, Upscaler
from sr.models.files import check_finite
from sr.verbs.computing import inference


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

    def __post_init__(self) -> None:
        given = (
            ("--engine", self.engine, Kind),
            ("--precision", self.precision, Precision),
            ("--colour", self.colour, Colour),
        )
        wrong = []
        for name, value, hint in given:
            try:
                check_choice(name, value, hint)
            except ValueError as error:
                wrong.append(str(error).replace(f"{name}=", f"{name} "))
        if self.scale is not None and not 1 <= self.scale <= 64:
            wrong.append(f"--scale {self.scale:g} is not within 1 and 64; nearest is {1 if not self.scale > 1 else 64}")
        if wrong:
            raise UserError(*wrong)


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
    networks = [compute.place(_network(path, how.trust)).eval() for path in files]
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


def _network(path: Path, trust: bool) -> nn.Module:
    network, _ = open_network(path, trust)
    check_finite(path, network.state_dict())
    return network
