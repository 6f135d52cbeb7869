"""``init_from=``: the weights that a new run starts from, of another run or a file (by name: `sr.config.parents`)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor, nn

from sr.config.nearest import did_you_mean, near_files, nearest, neighbours
from sr.errors import UserError
from sr.inference.networks import shipped
from sr.inference.opening import namings
from sr.losses.fixed_discriminator import OPPONENT
from sr.models.files import check_finite
from sr.models.fitting import differences, fits
from sr.pickles import PICKLED
from sr.training.keeping.checkpoint import read_checkpoint, understood
from sr.training.keeping.run_folder import RunFolder
from sr.training.module import SuperResolution

GENERATOR, PARTIAL = "g", "partial"
GROWN = "grown"
"""Name of the place of ``grow_from`` among those of networks."""


@dataclass(frozen=True)
class Start:
    """What ``init_from`` asks for.

    Attributes:
        places: a run's folder or a file by network: ``g``, or the name of an adversary; or `GROWN` alone.
        partial: keep the tensors that fit where others do not.
    """

    places: Mapping[str, str]
    partial: bool


def start_of(value: Any, grown: str | None = None) -> Start:
    """Read the setting: null, a place for the generator, or a mapping by network.

    Args:
        value: as configured.
        grown: ``grow_from`` as configured.

    Raises:
        UserError: it is something else, or both are given.
    """
    value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    named = dict(value) if isinstance(value, Mapping) else {GENERATOR: value}
    partial = named.pop(PARTIAL, False)
    if not isinstance(partial, bool):
        raise UserError(f"init_from.{PARTIAL}={partial} must be true or false")
    for name, place in named.items():
        if place is not None and (not isinstance(place, str | int | float) or str(place).strip() == ""):
            raise UserError(
                f"{setting_of(name)}={place} names no place; give a run's folder, a .safetensors, .ckpt or .pth"
            )
    places = {name: str(place) for name, place in named.items() if place is not None}
    if grown is None:
        return Start(places, partial)
    _check_one(places, grown, {GENERATOR})
    return Start({**places, GROWN: grown}, partial)


def _check_one(places: Mapping[str, str], grown: str, names: Collection[str]) -> None:
    """What grows does not start from something else too; a discriminator that a loss holds does not grow.

    Raises:
        UserError: one of ``names`` has a place of its own.
    """
    for name in names:
        if name in places:
            raise UserError(
                f"grow_from={grown} and {setting_of(name)}={places[name]}: a run starts from one of the two; leave one "
                f"out ({setting_of(name)}=null where an experiment has it)"
            )


def start_from(module: SuperResolution, start: Start, say: Callable[[str], None]) -> None:
    """Copy weights into a new run's networks; everything else stays as it is at update 0.

    The generator's average starts from them too.

    Args:
        module: just built.
        start: from where.
        say: told what was taken, and what starts anew.

    Raises:
        UserError: there is no such place or network, or tensors do not fit and ``partial`` is not set.
    """
    for name in module.objective.fixed:
        if name not in start.places:
            raise UserError(
                f"loss.terms.{name} compares by the discriminator of an earlier run, and nothing says which; add "
                f"+init_from.{name}=RUN, a run's folder, a .ckpt or an experiment"
            )
    if GROWN in start.places:
        _check_one(start.places, start.places[GROWN], module.adversaries)
    for name, place in start.places.items():
        if name == GROWN:
            continue  # see `sr.config.growing`
        network = module.network if name == GENERATOR else _opponent(module, name, place)
        with_package = shipped().get(place) if name == GENERATOR else None
        path = network_file(name, with_package or Path(place).expanduser())
        with named_by(name, path):
            tensors = _weights(name, path, set(network.state_dict()))
            check_finite(path, tensors)
        anew = _fill(network, tensors, name, path, start.partial)
        say(f"{setting_of(name)}: {type(network).__name__} starts from {path}{anew}")
    if module.ema is not None and GENERATOR in start.places:
        module.ema.start(module.network)


@contextmanager
def named_by(name: str, path: Path) -> Iterator[None]:
    """What reading a network's file refuses is told with the setting that names it, and what to give instead.

    Args:
        name: of the network.
        path: of the file.

    Raises:
        UserError: the body raised it.
    """
    setting = setting_of(name)
    try:
        yield
    except UserError as error:
        if str(error).startswith(f"{setting}="):
            raise
        told = str(error).removesuffix(".")
        raise UserError(f"{setting}={path}: {told}; give a run's folder, or the .safetensors of a network") from error


def setting_of(name: str) -> str:
    """The setting that names a network's place: ``init_from`` for the generator's, ``grow_from`` for `GROWN`."""
    if "." in name:  # of a network that a loss or a degradation holds
        return name
    return {GENERATOR: "init_from", GROWN: "grow_from"}.get(name, f"init_from.{name}")


def _opponent(module: SuperResolution, name: str, place: str) -> nn.Module:
    if name in module.objective.fixed:
        return module.objective.fixed[name]
    if name not in module.adversaries:
        known = [GENERATOR, *module.adversaries, *module.objective.fixed]
        raise UserError(f"init_from.{name}={place}, but this run has no adversary {name}{did_you_mean(name, known)}")
    return module.adversaries[name].network


def _weights(name: str, path: Path, expected: Set[str]) -> Mapping[str, Tensor]:
    """The network's weights by the names that are expected, where the file has such."""
    if path.suffix == ".ckpt":
        return weights_in(name, path, read_checkpoint(path))
    found = namings(path)
    first = next(found)
    return next((tensors for tensors in chain([first], found) if expected & tensors.keys()), first)


def network_file(name: str, path: Path) -> Path:
    """The file that holds a network's weights.

    Args:
        name: of the network.
        path: a run's folder or a file.

    Raises:
        UserError: there is none, or it is of another kind.
    """
    if path.is_dir():
        path = _in_run(name, path)
    if path.exists() and not path.is_file():
        raise UserError(f"{setting_of(name)}={path} is no file of a network; give a run's folder or a .safetensors")
    if not path.is_file():
        hint = (
            neighbours(_near(path))
            or "; give a run's folder, a file, a network that comes along (x2), or an experiment (log/20)"
        )
        raise UserError(f"{setting_of(name)}={path}: there is no such file or folder{hint}")
    if path.suffix.lower() not in (".ckpt", ".safetensors", *PICKLED):
        raise UserError(
            f"{setting_of(name)}={path} is neither a run's folder nor a .safetensors, a .ckpt or another program's .pth"
        )
    return path


def _in_run(name: str, path: Path) -> Path:
    """The best network of a run, else its last; a discriminator is in the checkpoint only.

    Growth takes the last, which the discriminator belongs to.
    """
    folder = RunFolder(path)
    orders = {
        GENERATOR: [folder.best, folder.last, folder.checkpoint],
        GROWN: [folder.last, folder.checkpoint, folder.best],
    }
    kept = orders.get(name, [folder.checkpoint])
    found = next((file for file in kept if file.exists()), None)
    if found is None:
        runs = sorted({str(file.parent.parent) for file in path.glob("*/checkpoints/last.ckpt")})
        hint = f"; did you mean {' or '.join(runs[:3])}?" if runs else ""
        lacking = " or ".join(str(file.relative_to(path)) for file in kept)
        raise UserError(f"{setting_of(name)}={path} is no run's folder, as it has no {lacking}{hint}")
    return found


def weights_in(name: str, path: Path, state: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """The weights of a network in a checkpoint.

    Args:
        name: of the network; `GROWN` is the generator.
        path: of the checkpoint, for messages.
        state: its content.

    Raises:
        UserError: it has no such network.
    """
    with understood(path):
        found = _trained(name, path, state["trained"])
        if not all(isinstance(value, Tensor) for value in found.values()):
            raise TypeError("a weight is no tensor")
    return found


def _trained(name: str, path: Path, trained: Any) -> Mapping[str, Tensor]:
    if name in (GENERATOR, GROWN):  # the average, where there is one: what the run validates and exports
        average = trained.get("ema")
        found: Mapping[str, Tensor] = trained["network"] if average is None else average["module"]
        return found
    opponents = trained.get("adversaries", {})
    of_adversary = name in opponents or name == OPPONENT or name.startswith(f"{OPPONENT}_")
    setting, name = name, name if of_adversary else OPPONENT
    if name not in opponents:
        known = f"its adversaries are {', '.join(opponents)}" if opponents else "it was trained without one"
        raise UserError(f"init_from.{setting}={path} has no adversary {name}: {known}")
    discriminator: Mapping[str, Tensor] = opponents[name]["network"]
    return discriminator


def opponents_in(path: Path) -> dict[str, Mapping[str, Tensor]]:
    """The weights of each discriminator in a checkpoint, by the names of the adversaries."""
    state = read_checkpoint(path)
    with understood(path):
        names = list(state["trained"].get("adversaries", {}))
    return {name: weights_in(name, path, state) for name in names}


def _fill(network: nn.Module, tensors: Mapping[str, Tensor], name: str, path: Path, partial: bool) -> str:
    """Copy what fits; what to say of the rest."""
    expected = network.state_dict()
    fitting = {key: value for key, value in tensors.items() if key in expected and fits(value, expected[key])}
    told = "; ".join(differences(expected, tensors))
    if told and not (partial and fitting):
        if not fitting:
            way = f"no tensor fits, so that init_from.{PARTIAL}=true would not help; take another network"
        else:
            way = f"init_from.{PARTIAL}=true keeps the {len(fitting)} of {len(expected)} tensors that fit"
        raise UserError(f"{setting_of(name)}={path} does not fit {type(network).__name__}: {told}; {way}")
    network.load_state_dict(fitting, strict=False)
    return f", {len(fitting)} of {len(expected)} tensors; not taken: {told}" if told else ""


def _near(path: Path) -> list[str]:
    """What lies beside a missing file, or runs where there is nothing near."""
    runs = [str(file.parent.parent) for file in Path("outputs").glob("**/checkpoints/last.ckpt")]
    return near_files(path) or nearest(str(path), [*shipped(), *runs])
