"""Configurations that come out of files: nothing in them runs code, whoever wrote the file.

A run's config.yaml, the configuration in its checkpoint and the one in a bundle pass here, before anything in them is
resolved, imported or called. What is typed on the command line or lies in conf/ is its owner's and stays free.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.schema import register_schema
from sr.errors import UserError
from sr.plain_yaml import DEEPEST, LARGEST, plain_faults, read_plain_yaml
from sr.printable import first_line, printable
from sr.targets import NotOfferedError, UnknownError, moved, offered

_OPTIMIZERS = tuple(
    f"torch.optim.{name}"
    for name in ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
)
_SCHEDULES = ("sr.training.schedules", "sr.training.plateau_windows")
ROOMS: dict[str, tuple[str, ...]] = {
    "model": ("sr.models",),
    "loss": ("sr.losses",),
    "discriminator": ("sr.discriminators",),
    "adversary": ("sr.training.adversary", "sr.losses"),
    "data": (
        "sr.data.kinds",
        "sr.data.module",
        "sr.data.kinds.benchmark.benchmark_lr",
        "sr.data.kinds.div2k.div2k_lr",
        "sr.data.kinds.flickr2k.flickr2k_lr",
        "sr.data.kinds.several.several_or_none",
        "sr.data.kinds.two_sides.to_show",
        "sr.data.kinds.two_sides.to_train_on",
        "sr.experiments.world.settings.WorldSettings",
        "sr.experiments.world.source",
        "sr.experiments.world.source.shown",
        "sr.experiments.world.source.validation",
    ),
    "degradation": ("sr.degradations", "sr.models.corruptors.corruptors"),
    "augmentation": ("sr.augmentations", "sr.degradations"),
    "optimizer": _OPTIMIZERS,
    "schedule": _SCHEDULES,
    "callbacks": (
        "sr.training.callbacks.stopping.EarlyStop",
        "sr.training.callbacks.pruning.Pruning",
        "sr.training.callbacks.swapout.Swapout",
    ),
    "logger": (
        "sr.training.keeping.loggers.mlflow.MLflow",
        "sr.training.keeping.loggers.tensorboard.TensorBoard",
        "sr.training.keeping.loggers.trackio.Trackio",
        "sr.training.keeping.loggers.wandb.Wandb",
    ),
}
"""What a file may have called, by the group that asks: all public classes of a room, or one class or function."""
_OF_ADVERSARIES = {"network": ROOMS["discriminator"], "optimizer": _OPTIMIZERS, "schedule": _SCHEDULES}
"""Parts of an adversary that are from another group."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)\}")
_PLAIN = re.compile(rf"{_REFERENCE.pattern}|\$\{{(?:shown_channels|shown_side|world_target):\}}")
"""What may stand in a text, found in one pass: what is left of another may not become a part of it."""
_NESTED = re.compile(r"\$\{[^}]*\$\{")


def opened(stored: Any, source: Path, trust: bool = False, here: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A stored configuration, under the names of today, after making sure that it runs no code.

    Args:
        stored: as the file has it; interpolations not resolved.
        source: the file, for messages.
        trust: the user knows who wrote it: it may name anything.
        here: from `composed_here`: what the user's own command line has, the file may have in the same place.

    Raises:
        UserError: it is no configuration, names what this package does not offer, or asks for more than values.
    """
    fault = next(plain_faults(stored), None) or (None if isinstance(stored, dict) else "is no configuration")
    if fault is None and not trust:
        fault = next(_text_faults(stored, here or {}), None) or _expansion_fault(stored)
    if fault is not None:
        raise UserError(f"{printable(source)}: its configuration {fault}")
    config = with_moved_names(stored)
    if not trust:
        _check_targets(config, source, here or {})
    return {key: value for key, value in config.items() if key != "trust"}


def composed_here(config: Any) -> dict[str, Any]:
    """Texts of a configuration that was composed from a command line, by their dotted names.

    Args:
        config: as Hydra composed it.
    """
    written = with_moved_names(OmegaConf.to_container(config, resolve=False))
    try:  # a discriminator stands in each adversary by reference
        resolved = with_moved_names(OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException:  # what only the run that goes on has
        resolved = {}
    return {name: value for name, value in [*_nodes(resolved), *_nodes(written)] if isinstance(value, str)}


def needs_trust(config: Mapping[str, Any]) -> bool:
    """Whether the configuration, out of a file, is refused without ``trust=true``: it names what is not ours.

    Args:
        config: plain values, interpolations not resolved.
    """
    try:
        opened(dict(config), Path("a configuration"))
    except UserError:
        return True
    return False


def read_config(path: Path) -> dict[str, Any]:
    """The configuration in a run's config.yaml as plain values, resolved; nothing that it names is looked up.

    Raises:
        UserError: the file cannot be read, is no YAML, or holds what no configuration needs: tags, aliases, megabytes.
    """
    return with_moved_names(read_plain_yaml(path, _parsed))


def _parsed(text: str) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except OmegaConfBaseException as error:
        raise ValueError(first_line(error)) from error


def completed(stored: dict[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration with the settings that are younger than its file, as they are now.

    Args:
        stored: from `opened`.
        current: plain values composed from conf/ of today.
    """
    younger = {key: value for key, value in current.items() if key not in stored}
    trainer = stored.get("trainer")
    if isinstance(trainer, dict):  # the groups belong to constructors, which have defaults of their own
        stored = stored | {"trainer": _filled(trainer, current["trainer"])}
    return younger | stored


def _filled(stored: dict[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a branch whose keys the schema fixes, and the branches below it."""
    both = {
        key: _filled(stored[key], value)
        for key, value in current.items()
        if isinstance(value, Mapping) and isinstance(stored.get(key), dict)
    }
    return {**current, **stored, **both}


def with_moved_names(node: Any) -> Any:
    """The same plain values by today's names: of targets (`sr.targets.MOVED`), and of the ``hr_scale`` of frames."""
    if isinstance(node, Mapping):
        moved_node = {
            key: moved(child) if key == "_target_" and isinstance(child, str) else with_moved_names(child)
            for key, child in node.items()
        }
        if moved_node.get("_target_") == "sr.data.module.CropData" and "hr_scale" in moved_node:
            return {key: _without_hr_scale(child, moved_node["hr_scale"]) for key, child in moved_node.items()}
        return moved_node
    return [with_moved_names(child) for child in node] if isinstance(node, list) else node


def _without_hr_scale(node: Any, of_data: Any) -> Any:
    """A source of pictures whose frames do not repeat the data's own ``hr_scale``."""
    if not isinstance(node, Mapping):
        return node
    frames = node.get("_target_") == "sr.data.kinds.anime.Frames"
    drop = "hr_scale" if frames and node.get("hr_scale") in ("${data.hr_scale}", of_data) else None
    return {key: _without_hr_scale(child, of_data) for key, child in node.items() if key != drop}


def _nodes(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with its dotted name."""
    yield name, node
    if isinstance(node, (dict, list)):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _nodes(child, f"{name}.{key}" if name else str(key))


def _text_faults(stored: Any, here: Mapping[str, Any]) -> Iterator[str]:
    """A fault for each text that asks for more than another value: ``${oc.env:SECRET}`` reads the environment."""
    for name, value in _nodes(stored):
        if isinstance(value, str) and name.startswith("logger.") and "://" in value and here.get(name) != value:
            yield (
                f"would send the run to {printable(value)[:80]!r} ({printable(name)[:80]}), which is not taken from a "
                "file; if you know who wrote it, add trust=true"
            )
        if isinstance(value, str) and "${" in value and (here.get(name) != value or _NESTED.search(value)):
            where = printable(name)[:80]
            if name.rpartition(".")[2].startswith("_"):
                yield f"has {where} computed ({printable(value)[:80]}), and only a plain name is taken from a file"
            elif "${" in _PLAIN.sub("", value):
                yield (
                    f"asks for {printable(value)[:80]!r} in {where}, which is not taken from a file; "
                    "if you know who wrote it, add trust=true (--trust of other verbs)"
                )


def _expansion_fault(stored: dict[str, Any]) -> str | None:
    """What is wrong with the interpolations together: a circle, or texts that double each other thirty times."""
    values = dict(_nodes(stored))
    sizes: dict[str, int] = {}

    def size(name: str, way: tuple[str, ...]) -> int:
        if name in way or len(way) > DEEPEST:
            raise RecursionError
        if name not in sizes:
            value, inside = values.get(name), (*way, name)
            if isinstance(value, (dict, list)):
                keys = value if isinstance(value, dict) else range(len(value))
                sizes[name] = 1 + sum(size(f"{name}.{key}" if name else str(key), inside) for key in keys)
            elif isinstance(value, str):
                sizes[name] = 1 + len(value) // 80 + sum(size(one, inside) for one in _REFERENCE.findall(value))
            else:
                sizes[name] = 1
        return sizes[name]

    try:
        return "becomes too large when its interpolations are put in" if size("", ()) > LARGEST else None
    except RecursionError:
        return "has interpolations that lead in a circle"


def _check_targets(config: dict[str, Any], source: Path, here: Mapping[str, Any]) -> None:
    """Refuse the first ``_target_`` that is not of its group's rooms, as written and as resolved."""
    register_schema()
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    except (OmegaConfBaseException, RecursionError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{printable(source)}: its configuration cannot be read: {first_line(error)}") from error
    for name, value in [*_nodes(config), *_nodes(resolved)]:
        known = here.get(f"{name}._target_")
        if isinstance(value, dict) and "_target_" in value and (known is None or value["_target_"] != known):
            _check_target(name, value["_target_"], source)


def _check_target(name: str, target: Any, source: Path) -> None:
    rooms = _rooms(name.split("."))
    where = f"{printable(source)}: {printable(name)[:80]}._target_"
    try:
        if not isinstance(target, str):
            raise NotOfferedError(f"{target!r:.80} is no name")
        offered(target, rooms)
    except NotOfferedError as error:
        offers = (", ".join(rooms[:3]) or "nothing") + (", …" if len(rooms) > 3 else "")
        raise UserError(
            f"{where}={target!r:.120} is not of this toolkit ({offers}), so what it does is unknown and it is not "
            "called; if you know who wrote the file and have its modules, add trust=true (--trust of other verbs)"
        ) from error
    except UnknownError as error:
        raise UserError(f"{where}={error}") from error


def _rooms(path: list[str]) -> tuple[str, ...]:
    """What may be called at a place of the configuration."""
    if path[0] == "adversary" and len(path) > 2:
        return _OF_ADVERSARIES.get(path[2], ROOMS["adversary"])
    if path[0] == "loss" and path[-1] == "network":  # of a fixed discriminator, or of a feature net
        return (*ROOMS["discriminator"], "sr.models.feature_net.trained")
    return ROOMS.get(path[0], ())
