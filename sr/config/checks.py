"""Check the composed configuration before anything is built: every fault at once, with the nearest valid name."""

import importlib
import importlib.util
import inspect
import logging
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.feature_nets import feature_faults
from sr.config.folder import conf_folders
from sr.config.named import arguments_of, shown
from sr.config.nearest import did_you_mean
from sr.config.schema import TrainConfig, setting_names
from sr.config.second_opponents import first_faults, fixed_discriminators, fixed_faults, with_shared_parts
from sr.config.stored import with_moved_names
from sr.config.values import holds_objects, type_fault
from sr.errors import UserError

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it prints what get_object raises, and we tell that

_PARTS = ("objective", "shows", "policy", "optimizer", "schedule")
"""What every adversary has."""
_OF_REGIONS = ("sr.discriminators.pixdisc.PixDisc", "sr.discriminators.unet_gan.UNetGan")
"""Discriminators that were made to judge exchanged regions."""
_REQUIRED = ("model", "loss", "data", "degradation", "augmentation", "optimizer", "schedule")
_NAMED_PARTS = ("loss.terms", "degradation.stages", "augmentation.steps", "callbacks", "logger")
"""Mappings whose entries the user names, each of which is built."""
_HYDRA_KEYS = {"_target_", "_partial_"}
_AT_RUN_TIME = {"logger": {"run_dir", "config"}}
"""Arguments that the program adds itself, by the first part of the node's name."""
_INTERPOLATION = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")


def checked(config: DictConfig, with_targets: bool = True, own: Path | None = None) -> TrainConfig:
    """Merge into the schema once more (a ``+key`` slips past Hydra), and check every ``_target_``.

    Args:
        config: as Hydra composed it.
        with_targets: False where the rest belongs to a run that goes on: single values of its adversary, say, which
            mean something only when they are joined with its own configuration.
        own: a folder of choices of the user's, beside conf/.

    Returns:
        The configuration as a structured object whose unknown keys are errors.

    Raises:
        UserError: one line per fault.
    """
    plain = with_shared_parts(with_moved_names(OmegaConf.to_container(config, resolve=False)))
    try:
        typed: Any = OmegaConf.merge(OmegaConf.structured(TrainConfig), plain)
        faults = _not_set(list(missing(plain))) or ([*first_faults(plain["adversary"])] if with_targets else [])
        if with_targets and not faults:
            faults = list(_faults(plain, typed, OmegaConf.to_container(typed, resolve=True), own))
    except OmegaConfBaseException as error:
        raise UserError(_unknown_key(error)) from error
    if faults:
        raise UserError(*faults)
    checked_config: TrainConfig = typed
    return checked_config


def _faults(plain: Any, typed: Any, resolved: Any, own: Path | None) -> Iterator[str]:
    """Faults of the first kind that there are: what is wrong with one kind often follows from another."""
    empty = (f"{name} is empty; choose one with {name}=…" for name in _REQUIRED if not _has_target(resolved[name]))
    found = [*empty] or [*_built_from_nothing(plain, typed)]
    fixed = fixed_discriminators(resolved["loss"])
    found = (
        found or [*fixed_faults(fixed)] or [*opponent_faults(resolved["adversary"], resolved["discriminator"], fixed)]
    )
    found = found or [*feature_faults(resolved["model"], resolved["loss"])] or [*_without_class(resolved)]
    yield from found or target_faults(_each_once(resolved), inputs=_inputs(plain, own))


def _without_class(resolved: Mapping[str, Any]) -> Iterator[str]:
    """A line for each named part that is settings alone, as those that an experiment has for a choice of its own."""
    for place in _NAMED_PARTS:
        group, _, inner = place.partition(".")
        parts = resolved.get(group) or {}
        parts = parts.get(inner) if inner and isinstance(parts, Mapping) else parts
        for name, node in parts.items() if isinstance(parts, Mapping) else ():
            if isinstance(node, Mapping) and node and not _has_target(node):
                yield (
                    f"{place}.{name} has settings ({', '.join(map(str, node))}) and no _target_: nothing that is "
                    f"chosen has that name; choose it too ({group}=…), or leave it out by '~{place}.{name}'"
                )


def _has_target(node: Any) -> bool:
    return isinstance(node, Mapping) and "_target_" in node


def opponent_faults(
    adversaries: Mapping[str, Any], discriminator: Mapping[str, Any], fixed: Mapping[str, Any]
) -> Iterator[str]:
    """A line for each adversary without a discriminator, or the other way round.

    Args:
        adversaries: by name, resolved.
        discriminator: resolved, empty for none.
        fixed: from `sr.config.second_opponents.fixed_discriminators`.
    """
    used = any(_but_shown(network or {}) == _but_shown(discriminator) for network in fixed.values())
    if discriminator and not adversaries and not used:
        example = "pix_gan" if discriminator.get("_target_") in _OF_REGIONS else "lsgan"
        yield (
            f"discriminator is set, and no adversary uses it; add adversary=… (such as {example}), or "
            "discriminator=none"
        )
    for name, node in adversaries.items():
        if not isinstance(node, Mapping):
            yield f"adversary.{name}={_as_typed(node)} is no adversary; choose one with adversary=…"
        elif "_target_" not in node:
            yield (
                f"adversary.{name} has no objective: this choice is an addition; put an objective in front, as in "
                "adversary=[lsgan,stepper]"
            )
        elif empty := [key for key in _PARTS if key in node and "_target_" not in (node[key] or {})]:
            yield f"adversary.{name}.{empty[0]}={_as_typed(node[empty[0]])} is empty; leave it out of the command line"
        elif not node.get("network"):
            swaps = isinstance(node.get("shows"), Mapping) and node["shows"].get("swap") is not None
            examples = "pixdisc, unet_gan, unet" if swaps else "rev_norm, patch_deep, unet"
            yield (
                f"adversary.{name} needs a discriminator; add discriminator=… (such as {examples}), or adversary=none "
                "to train without"
            )


def _as_typed(value: Any) -> Any:
    return "null" if value is None else value


def _each_once(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Without the copies of the discriminator inside the adversaries: its faults are told under its own name."""
    own = _but_shown(resolved["discriminator"])
    adversaries = {
        name: {**node, "network": {"_target_": "torch.nn.Identity"}}
        if _but_shown(node.get("network") or {}) == own
        else node
        for name, node in resolved["adversary"].items()
    }
    return {**resolved, "adversary": adversaries}


def _but_shown(network: Mapping[str, Any]) -> dict[str, Any]:
    """A discriminator without what depends on the pictures that an adversary shows it."""
    return {key: value for key, value in network.items() if key not in ("in_channels", "side")}


def missing(plain: Any, name: str = "") -> Iterator[str]:
    """Names of the mandatory values (``???``) that nobody gave.

    Args:
        plain: the configuration as plain values, interpolations not resolved.
        name: of the node.
    """
    if isinstance(plain, (Mapping, list)):
        children = plain.items() if isinstance(plain, Mapping) else enumerate(plain)
        for key, child in children:
            yield from missing(child, f"{name}.{key}" if name else str(key))
    elif plain == "???":
        yield name


def _not_set(names: Sequence[str]) -> list[str]:
    """One line for all of them, as they follow from one choice; none where nothing is missing."""
    are = "is" if len(names) == 1 else "are"
    told = f"{_listed(names)} {are} not set; add {' '.join(f'{name}=…' for name in names)} to the command line"
    return [told] if names else []


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def _inputs(plain: Any, own: Path | None) -> set[str]:
    """Names that an interpolation reads, in this configuration or in a file of conf/ or of the user's.

    ``data.root`` is no argument of the data module, but its sources read ``${data.root}``: so it is a setting.
    """
    texts = [path.read_text(errors="replace") for folder in conf_folders(own) for path in folder.rglob("*.yaml")]
    return {name for text in [*texts, str(plain)] for name in _INTERPOLATION.findall(text)}


def _built_from_nothing(plain: Any, typed: Any, name: str = "") -> Iterator[str]:
    """A line for each text that is put together from a setting that is null, such as ``${data.target}/noise``."""
    if isinstance(plain, (Mapping, list)):
        children = plain.items() if isinstance(plain, Mapping) else enumerate(plain)
        for key, child in children:
            yield from _built_from_nothing(child, typed, f"{name}.{key}" if name else str(key))
    elif isinstance(plain, str):
        for source in _INTERPOLATION.findall(plain):
            if plain != f"${{{source}}}" and OmegaConf.select(typed, source) is None:
                yield f"{name} is {plain}, and {_root(typed, source)} is null; add {_root(typed, source)}=…"


def _root(typed: Any, name: str) -> str:
    """The setting at the end of a chain of interpolations: what the user has to give."""
    parent, _, key = name.rpartition(".")
    node = OmegaConf.to_container(OmegaConf.select(typed, parent) if parent else typed, resolve=False)
    value = node.get(key) if isinstance(node, Mapping) else None
    inner = _INTERPOLATION.fullmatch(value) if isinstance(value, str) else None
    return _root(typed, inner[1]) if inner else name


def target_faults(node: Any, name: str = "", inputs: Collection[str] = ()) -> Iterator[str]:
    """A line for each fault below a node of plain values.

    Args:
        node: dictionaries, lists and plain values.
        name: the node's dotted name, for messages.
        inputs: names that only feed other values.
    """
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield from _call_faults(node, name, inputs)
        for key, child in node.items():
            yield from target_faults(child, f"{name}.{key}" if name else str(key), inputs)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from target_faults(child, f"{name}[{index}]", inputs)


def _call_faults(node: Mapping[str, Any], name: str, inputs: Collection[str]) -> Iterator[str]:
    target = str(node["_target_"])
    try:
        function: Callable[..., Any] = get_object(target)
    except (HydraException, ImportError, ValueError) as error:
        near = _nearest_object(target)
        why = "" if near else f": {' '.join(str(error).split())}{_looked_in(target)}"
        yield f"{name}._target_={target} cannot be imported{near or why}"
        return
    try:
        parameters, hints = arguments_of(function, node)
    except ValueError as error:
        yield f"{name}.{error}"
        return
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = [key for key in node if key not in _HYDRA_KEYS]
    for key in given:
        if key not in parameters and not open_ended and f"{name}.{key}" not in inputs:
            yield f"{name}.{key} is not an argument of {shown(function, node)}{did_you_mean(key, parameters)}"
    yield from _missing_arguments(node, name, parameters)
    for key in given:
        if key in hints and not holds_objects(node[key]):
            yield from type_fault(f"{name}.{key}", node[key], hints[key])


def _looked_in(target: str) -> str:
    """Where a module that nobody has installed would have to be."""
    top = target.partition(".")[0]
    there = top in sys.modules or importlib.util.find_spec(top) is not None if top.isidentifier() else True
    return "" if there else f"; looked for {top}.py in {Path.cwd()}, on PYTHONPATH and among what is installed"


def _nearest_object(target: str) -> str:
    """``; did you mean …?`` where the module exists and something in it has a similar name."""
    module, _, wanted = target.rpartition(".")
    try:
        there = vars(importlib.import_module(module))
    except (ImportError, ValueError):
        return ""
    names = [name for name in there if not name.startswith("_")]
    hint = did_you_mean(wanted, names)
    return hint if "did you mean" in hint else ""


def _missing_arguments(
    node: Mapping[str, Any], name: str, parameters: Mapping[str, inspect.Parameter]
) -> Iterator[str]:
    later = _AT_RUN_TIME.get(name.split(".")[0], set())
    positional = 1 if node.get("_partial_") else 0  # the caller of a partial gives the first argument
    lacking = []
    for index, (key, parameter) in enumerate(parameters.items()):
        required = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if required and key not in node and key not in later and index >= positional:
            lacking.append(f"{name}.{key}")
    if lacking:
        are, them = ("is", "it") if len(lacking) == 1 else ("are", "them")
        yield f"{_listed(lacking)} {are} not set, and {node['_target_']} needs {them}"


def _unknown_key(error: OmegaConfBaseException) -> str:
    key = str(error.full_key or error.key or "")
    first = str(error).splitlines()[0]
    if "Config'" in first or "not in struct" in first:
        return f"{key} is not a setting{did_you_mean(key, setting_names())}"
    return f"{key}: {first}"
