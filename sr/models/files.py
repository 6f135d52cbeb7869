"""The deliverable: one safetensors file with the weights and everything needed to rebuild the network."""

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sr.files import write_atomically
from sr.models.bounded import LargerError, check_breadth, no_larger_than, too_large
from sr.models.fitting import differences
from sr.pickles import PICKLED
from sr.printable import printable
from sr.targets import NotOfferedError, UnknownError, moved, offered
from sr.types import UserError

FORMAT = "sr-toolkit/1"
ROOM = "sr.models"  # only classes of this package are imported for a file, unless its user trusts it
_READ = f".safetensors files and, where other programs wrote them, from {', '.join(PICKLED)}"
_DEEPEST = 64  # lists and objects within one another in metadata; ours have three, and whoever walks them may recurse
_LARGEST_TEXT = 1 << 20  # characters of metadata; ours have a few thousand


@dataclass(frozen=True)
class NetworkInfo:
    """What a network file says about itself.

    Attributes:
        path: where it was read.
        config: ``_target_`` and the constructor's arguments, plain values.
        scale: the factor by which the network enlarges.
        extra: whatever was saved with it (updates, metrics, name of the run), plain values.
    """

    path: Path
    config: dict[str, Any]
    scale: int
    extra: dict[str, Any]


def save_network(path: Path | str, network: nn.Module, config: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Write ``network`` as a safetensors file that ``load_network`` rebuilds without any other file.

    Args:
        path: file to write or replace (atomically).
        network: any network with a ``scale``; one from outside ``sr.models`` is loaded again with ``trust`` only.
        config: ``{"_target_": "sr.models.espcn.Espcn", "scale": 2, ...}``: class and constructor arguments.
        extra: plain values to keep beside it.

    Raises:
        UserError: the file cannot be written.
        ValueError: ``config`` names another class or scale than ``network`` has.
        TypeError: a value in ``config`` or ``extra`` is not plain (JSON).
    """
    own = f"{type(network).__module__}.{type(network).__qualname__}"
    module, _, name = str(config.get("_target_")).rpartition(".")
    named = getattr(sys.modules.get(module), name, None)  # a package may offer a class that one of its files defines
    if named is not type(network) or config.get("scale") != network.scale:
        raise ValueError(
            f"the config describes {config.get('_target_')} at scale {config.get('scale')}, "
            f"the network is {own} at scale {network.scale}."
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "model": json.dumps(dict(config)),
        "scale": str(network.scale),
        "extra": json.dumps(dict(extra)),
    }
    write_atomically(path, safetensors.torch.save(tensors, metadata))


def load_network(path: Path | str, trust: bool = False) -> tuple[nn.Module, NetworkInfo]:
    """Rebuild the network that ``save_network`` wrote: float32, on the CPU, in eval mode.

    Args:
        path: the file.
        trust: the user knows who wrote it: a network from outside this toolkit is imported and built, too.

    Returns:
        The network and what the file says about it.

    Raises:
        UserError: the file is absent, damaged, of another program or version, names a network of somebody else
            (without ``trust``), or its weights do not fit its network.
    """
    info, tensors = read_network(path)
    return rebuilt(info, tensors, trust), info


def rebuilt(info: NetworkInfo, tensors: Mapping[str, Tensor], trust: bool = False) -> nn.Module:
    """The network that a file describes, with its weights: float32, on the CPU, in eval mode.

    Args:
        info: what the file says about itself.
        tensors: the weights, by the network's names.
        trust: see `load_network`.

    Raises:
        UserError: it names a network of somebody else (without ``trust``), or the weights do not fit it.
    """
    network_class = _network_class(info.path, info.config["_target_"], trust)
    arguments = {key: value for key, value in info.config.items() if not key.startswith("_")}
    own = info.config["_target_"].startswith(f"{ROOM}.")  # others are their owner's, and may need more to be built
    with bounded(info.path, arguments, tensors) if own else nullcontext():
        network = _built(info.path, network_class, arguments)
        check_breadth(network)
    _check_shapes(info.path, network, tensors)
    network.load_state_dict(tensors)
    return network.eval()


def check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Of a network that is about to be used: what exploded gives black pictures and explodes again.

    Raises:
        UserError: a weight is infinite or not a number.
    """
    broken = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise UserError(
            f"{printable(path)} has weights that are not finite ({printable(broken[0])[:80]}, {len(broken)} of "
            f"{len(tensors)} tensors): its training exploded; take another network, as best.safetensors of its run"
        )


def read_network(path: Path | str) -> tuple[NetworkInfo, dict[str, Tensor]]:
    """What a network file says about itself, and its weights by name; nothing is built or imported.

    Raises:
        UserError: the file is absent, damaged, or of another program or version.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise UserError(
            f"{printable(path)} is not a network of this toolkit: its format is {found!r:.80}, expected {FORMAT!r}; "
            "take the .safetensors file from the run's output folder."
        )
    config, extra = _parse(path, metadata, "model"), _parse(path, metadata, "extra")
    target, scale = config.get("_target_"), config.get("scale")
    if not isinstance(target, str) or type(scale) is not int:
        raise UserError(f"{printable(path)} has damaged metadata under 'model' (no network or scale); save it again.")
    return NetworkInfo(path, config | {"_target_": moved(target)}, scale, extra), tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The weights alone, of whatever network they are: nothing that the file names is built or imported.

    Raises:
        UserError: the file is absent, damaged, or no safetensors file.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file."""
    shown = printable(path)
    if not path.is_file():
        raise UserError(f"{shown} does not exist or is not a file; give a .safetensors file.")
    try:
        with opened_tensors(path) as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if "incomplete" in str(error).lower():
            raise UserError(f"{shown} is truncated; copy or download it again.") from error
        hint = "" if path.suffix.lower() == ".safetensors" else f"; networks are read from {_READ}"
        raise UserError(f"{shown} is not a safetensors file ({printable(error)[:200]}){hint}.") from error
    except OSError as error:
        raise UserError(f"could not read {shown}: {error.strerror or error}") from error


@contextmanager
def opened_tensors(path: Path) -> Iterator[Any]:
    """A safetensors file; the library takes only names that are text, so that others get such a name meanwhile.

    Raises:
        SafetensorError: it is none.
        OSError: it cannot be read.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with TemporaryDirectory(prefix="sr_") as folder:
            link = Path(folder) / "network.safetensors"
            link.symlink_to(path.absolute())
            with safe_open(link, framework="pt") as file:
                yield file
        return
    with safe_open(path, framework="pt") as file:
        yield file


def _parse(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """The JSON object stored under ``key``."""
    try:
        if len(metadata[key]) > _LARGEST_TEXT:
            raise ValueError(f"{len(metadata[key])} characters")
        value = json.loads(metadata[key])
        if _is_deeper(value, _DEEPEST):
            raise RecursionError
    except (KeyError, ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else printable(error)[:200]
        raise UserError(f"{printable(path)} has damaged metadata under {key!r} ({reason}); save it again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{printable(path)} has damaged metadata under {key!r} (not an object); save it again.")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether a plain value nests deeper than that."""
    level = [value]
    for _ in range(depth + 1):
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [child for children in inner for child in children]
    return bool(level)


def _network_class(path: Path, target: str, trust: bool) -> type[nn.Module]:
    """The class that the file names; without trust nothing outside ``sr.models`` is imported."""
    shown, module, name = printable(path), *target.rpartition(".")[::2]
    try:
        found = getattr(importlib.import_module(module), name) if trust else offered(target, (ROOM,))
    except NotOfferedError as error:
        if target.startswith(f"{ROOM}."):
            raise UserError(f"{shown} names {target!r:.120}, which is not a network.") from error
        raise UserError(
            f"{shown} names the network {target!r:.120}, which is not under {ROOM}.* and is not loaded: its code could "
            "do anything; if you know who wrote the file and have that module, add --trust (trust=True in Python)."
        ) from error
    except (UnknownError, ImportError, AttributeError, ValueError) as error:
        advice = "update the toolkit" if target.startswith(f"{ROOM}.") else "run from the folder of that module"
        raise UserError(
            f"{shown} names the network {target!r:.120}, which this version does not have; {advice}."
        ) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"{shown} names {target!r:.120}, which is not a network.")
    return found


def _built(path: Path, network_class: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    try:
        return network_class(**arguments)
    except (TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, LookupError) as error:
        reason = printable(str(error).split("\n")[0])[:300]
        raise UserError(f"{printable(path)} describes a network that cannot be built: {reason}") from error


@contextmanager
def bounded(path: Path, arguments: Any, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, a network may be built from a file's description; where it gets too large, the file is refused.

    Args:
        path: the file, for messages.
        arguments: what it describes, plain values.
        tensors: what it holds.

    Raises:
        UserError: it describes more than it holds.
    """
    try:
        fault = too_large(arguments, tensors)
        if fault is not None:
            raise LargerError(fault)
        with no_larger_than(tensors):
            yield
    except LargerError as error:
        raise UserError(
            f"{printable(path)} describes {error}: it is damaged or made to fill the memory, and is not loaded."
        ) from error


def _check_shapes(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Make sure that each weight has its place."""
    faults = differences(network.state_dict(), tensors)
    if faults:
        kind = type(network).__name__
        raise UserError(f"{printable(path)} holds the weights of another network than {kind}: {'; '.join(faults)}.")
