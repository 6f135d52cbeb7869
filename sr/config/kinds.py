"""The kinds of values that settings take: numbers, texts, settings by name."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from math import isfinite
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.named import arguments_of
from sr.config.nearest import did_you_mean, nearest
from sr.config.parsed import values_of
from sr.config.schema import GuardConfig, PartsConfig, TrainConfig, TrainerConfig
from sr.printable import first_line

_SCHEMA = {"": TrainConfig, "trainer": TrainerConfig, "trainer.guard": GuardConfig, "parts": PartsConfig}
_WANTED = {int: "a whole number", float: "a number", bool: "true or false", str: "one text"}
_EXAMPLES = {int: "1000", float: "1.0", bool: "true", str: "TEXT"}
_NUMBER = re.compile(r"[xX×]?(\d+)([xX×kM]?)")
"""A number with a letter, as people write scales and thousands."""
_LISTS = {
    "parts.rates": "[{weights:[PART.*],factor:0.1}]",
    "parts.freeze": "[{all_but:[PART.*],until:1000}]",
    "parts.restart": "[0.5]",
}
"""Settings that take a list alone, with an example."""
_INIT_FROM = (
    "init_from takes a run's folder, a file or an experiment (init_from=RUN), or both networks by name "
    "('init_from={g:RUN,d:RUN}')"
)


def kind_faults(override: Override, config: DictConfig) -> Iterator[str]:
    """A line for each value that is not of the kind that the schema asks for; what fits is for OmegaConf to say.

    Args:
        override: of a setting that exists.
        config: of the choices, for examples.
    """
    key = str(override.key_or_group)
    hint = _schema_hint(key)
    kinds = _plain_kinds(hint)
    kind = next((kind for kind in _WANTED if kind in kinds and kinds <= {kind, type(None)}), None)
    if override.is_delete():
        return
    if key in _LISTS:
        yield from (f"{key}={value} is no list; write '{key}={_LISTS[key]}'" for value in _no_lists(override))
    if kind is None and not is_dataclass(hint):
        return
    for value in values_of(override):
        if _fits(key, value):
            continue
        typed = str(override.input_line).partition("=")[2]
        line = f"{key}={value if override.is_sweep_override() else typed} does not fit: {key} takes"
        if kind is None:
            yield f"{line} settings by name, such as {key}.{next(iter(OmegaConf.select(config, key)))}=…"
            continue
        or_null = " or null" if type(None) in kinds else ""
        near, now = nearest_whole(value) if kind is int else None, OmegaConf.select(config, key)
        example = near or (str(now).lower() if type(now) is kind else _EXAMPLES[kind])
        yield f"{line} {_WANTED[kind]}{or_null}{'; write' if near else ', such as'} {key}={example}"


def _no_lists(override: Override) -> Iterator[str]:
    """The values in the place of a list, as typed."""
    typed = str(override.input_line).partition("=")[2]
    for value in values_of(override):
        if not isinstance(value, list) and not str(value).startswith("${"):
            yield str(value) if override.is_sweep_override() else typed


def mapping_faults(override: Override, config: DictConfig, opened: tuple[str, ...]) -> Iterator[str]:
    """A line where a setting that has others below it is given a list, or names that it does not have.

    Args:
        override: of a setting that exists.
        config: of the choices.
        opened: beginnings of names below which there may be new ones.
    """
    key, value = str(override.key_or_group), None if override.is_sweep_override() else override.value()
    node: Any = OmegaConf.select(config, key)
    if not isinstance(node, DictConfig) or override.is_add() or override.is_force_add():
        return
    known: list[Any] = [*node]
    if isinstance(value, list):
        below = f"{key} takes settings by name" + (f", such as {key}.{known[0]}=…" if known else "")
        yield f"{override.input_line} is a list, and {_INIT_FROM if key == 'init_from' else below}"
    names: Any = value if isinstance(value, Mapping) else ()
    for name in names:
        if str(name) not in node:
            near = did_you_mean(str(name), map(str, node))
            how = f"; +{key}.{name}=… adds it" if f"{key}.".startswith(opened) else near
            how = f"; {_INIT_FROM}" if key == "init_from" else how
            yield f"{override.input_line}: {name} is not a setting of {key}{how}"


def lost_references(override: Override, config: DictConfig) -> Iterator[str]:
    """A line where a value refers to what there is not, as ``${HOME}`` in quotes of the shell.

    Args:
        override: of a setting that exists.
        config: with all that was typed.
    """
    line = str(override.input_line)
    if "${" not in line or re.search(r"\$\{(hydra|now)\b", line):  # Hydra knows these once a run begins
        return
    try:
        value = OmegaConf.select(config, str(override.key_or_group))
        if OmegaConf.is_config(value):
            OmegaConf.to_container(value, resolve=True)
    except OmegaConfBaseException as error:
        yield (
            f"{line} refers to what there is not ({first_line(error)}); a variable of the environment is "
            "${oc.env:NAME}, and another setting ${its.whole.name}"
        )


def size_faults(override: Override, config: DictConfig, sizes: list[str]) -> Iterator[str]:
    """A line where a size is renamed, or one value is to replace several by name, which experiments read.

    Args:
        override: of a setting that exists.
        config: of the choices.
        sizes: that there are.
    """
    key, typed = str(override.key_or_group), str(override.input_line)
    value = None if override.is_sweep_override() else override.value()
    if key == "size.name":
        near = nearest(str(value), sizes) or sizes
        yield f"{typed} would only call a size so, without its numbers; choose one: size={near[0]}"
    node: Any = OmegaConf.select(config, key) if key.startswith("size.") else None
    if isinstance(node, DictConfig) and not isinstance(value, Mapping):
        yield f"{typed}: {key} holds several values by name ({', '.join(map(str, node))}); write {key}.NAME=…"


def is_one_text(config: DictConfig | str, key: str) -> bool:
    """Whether a setting takes a text and no list.

    Args:
        config: as composed, or what is wrong with it.
        key: dotted name.
    """
    kinds = _plain_kinds(_hint(config, key))
    return str in kinds and kinds <= {str, type(None)}


def takes_one(config: DictConfig | str, key: str) -> bool:
    """Whether a setting takes one number or word, and no list; see `is_one_text`."""
    return bool(kinds := _plain_kinds(_hint(config, key))) and kinds <= {*_WANTED, type(None)}


def _plain_kinds(hint: Any) -> set[Any]:
    """The kinds that an annotation allows side by side; a list of one is none of them."""
    return set(get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)) - {None}


def _schema_hint(key: str) -> Any:
    parent, _, name = key.rpartition(".")
    return get_type_hints(_SCHEMA[parent]).get(name) if parent in _SCHEMA else None


def _hint(config: DictConfig | str, key: str) -> Any:
    """The annotation of a setting, in the schema or of the argument that it is; None where there is none."""
    parent, _, name = key.rpartition(".")
    if parent in _SCHEMA or isinstance(config, str):
        return _schema_hint(key)
    try:
        node: Any = OmegaConf.to_container(OmegaConf.select(config, parent), resolve=True)
        function: Callable[..., Any] = get_object(node["_target_"])
        return arguments_of(function, node)[1].get(name)
    except (OmegaConfBaseException, HydraException, ImportError, ValueError, KeyError, TypeError):
        return None  # told when it is checked


def _fits(key: str, value: Any) -> bool:
    try:
        OmegaConf.update(OmegaConf.structured(TrainConfig), key, value)
    except OmegaConfBaseException:
        return False
    return True


def nearest_whole(value: Any) -> str | None:
    """The whole number that was meant by 1e3, 2.0, x4, 10k or the first of a list; None for other values."""
    value = value[0] if isinstance(value, list) and value else value
    if type(value) in (int, float):  # true is an int, too
        return str(round(value)) if isfinite(value) else None
    found = _NUMBER.fullmatch(str(value))
    return str(int(found[1]) * {"k": 1000, "M": 1000000}.get(found[2], 1)) if found else None
