"""The deliverable: one safetensors file with the weights and everything needed to rebuild the network."""

import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sr.files import write_atomically
from sr.types import UserError

FORMAT = "sr-toolkit/1"
ROOM = "sr.models."  # only classes of this package are ever imported for a file
NAMED_KEYS = 3  # how many offending weights an error message names


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
        network: any network of ``sr.models``.
        config: ``{"_target_": "sr.models.espcn.Espcn", "scale": 2, ...}``: class and constructor arguments.
        extra: plain values to keep beside it.

    Raises:
        UserError: the file cannot be written.
        ValueError: ``config`` names another class or scale than ``network`` has.
        TypeError: a value in ``config`` or ``extra`` is not plain (JSON).
    """
    own = f"{type(network).__module__}.{type(network).__qualname__}"
    if config.get("_target_") != own or config.get("scale") != network.scale:
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


def load_network(path: Path | str) -> tuple[nn.Module, NetworkInfo]:
    """Rebuild the network that ``save_network`` wrote: float32, on the CPU, in eval mode.

    Returns:
        The network and what the file says about it.

    Raises:
        UserError: the file is absent, damaged, of another program or version, or its weights do not fit its
            network.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise UserError(
            f"{path} is not a network of this toolkit: its format is {found!r}, expected {FORMAT!r}; "
            "take the .safetensors file from the run's output folder."
        )
    config, extra = _parse(path, metadata, "model"), _parse(path, metadata, "extra")
    network = _build(path, config)
    _fill(path, network, tensors)
    return network.eval(), NetworkInfo(path=path, config=config, scale=int(config["scale"]), extra=extra)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The weights alone, of whatever network they are: nothing that the file names is built or imported.

    Raises:
        UserError: the file is absent, damaged, or no safetensors file.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file."""
    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file; give a .safetensors file.")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if "incomplete" in str(error).lower():
            raise UserError(f"{path} is truncated; copy or download it again.") from error
        raise UserError(f"{path} is not a safetensors file ({error}).") from error
    except OSError as error:
        raise UserError(f"could not read {path}: {error.strerror or error}") from error


def _parse(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """The JSON object stored under ``key``."""
    try:
        value = json.loads(metadata[key])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} has damaged metadata under {key!r} ({error}); save it again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} has damaged metadata under {key!r} (not an object); save it again.")
    return value


def _build(path: Path, config: Mapping[str, Any]) -> nn.Module:
    """Call the class that the file names; nothing outside ``sr.models`` is imported."""
    target = str(config.get("_target_", ""))
    module_name, _, class_name = target.rpartition(".")
    if not target.startswith(ROOM):
        raise UserError(f"{path} names the network {target!r}, which is not under {ROOM}* and is not loaded.")
    try:
        network_class = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{path} names the network {target!r}, which this version does not have; update the toolkit."
        ) from error
    if not (isinstance(network_class, type) and issubclass(network_class, nn.Module)):
        raise UserError(f"{path} names {target!r}, which is not a network.")
    arguments = {key: value for key, value in config.items() if not key.startswith("_")}
    try:
        return network_class(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} describes a network that cannot be built: {error}") from error


def _fill(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy the weights after checking that each one has its place."""
    faults = differences(network.state_dict(), tensors)
    if faults:
        raise UserError(
            f"{path} holds the weights of another network than {type(network).__name__}: {'; '.join(faults)}."
        )
    network.load_state_dict(tensors)


def differences(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``tensors`` from being a network's state: a text per kind with the first few names; empty where none.

    Args:
        expected: the network's own state.
        tensors: given ones.
    """
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    misshaped = [
        f"{name} {list(tensors[name].shape)} instead of {list(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped))
    return [f"{len(names)} {kind} ({_few(names)})" for kind, names in kinds if names]


def _few(names: Iterable[str]) -> str:
    """The first few names, and a sign that there are more."""
    names = list(names)
    return ", ".join(names[:NAMED_KEYS]) + (", ..." if len(names) > NAMED_KEYS else "")
