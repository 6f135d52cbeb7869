"""Overrides as Hydra parses them: what they name, and the values that a sweep gives them."""

import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Sweep
from hydra.errors import HydraException

from sr.pasted import pasted, setting

_ONE_PATH = ("run_dir", "resume", "grow_from")
"""Settings that are a path and nothing else."""
_DATA_PATHS = tuple(f"data.{name}" for name in ("train", "val", "shown", "root", "cache", "a", "b", "hr", "lr"))
_PATHS = (*_ONE_PATH, "init_from", "init_from.g", "init_from.d", *_DATA_PATHS)
"""Settings that are paths as a rule, one or a list; others are where there is such a path."""
_APART = re.compile(r"(\+*[A-Za-z_][\w./@]*)(?: = | =|= | )([^\s=]+)")
"""Words that are one override together: ``model espcn``, ``model = espcn``."""
_CLOSING = {"[": "]", "{": "}", "(": ")"}
_SHORT_TERM = re.compile(r"^([~+]*)loss\.(?!terms\b|_)(\w+\..*)", re.DOTALL)
"""A setting of a term by its own name, ``loss.cycle.weight=30``."""
_SETS = ("data.val", "data.val_lr")
"""Settings that are one source, or several by name."""


def with_whole_terms(arguments: Sequence[str]) -> list[str]:
    """The arguments, with ``loss.NAME.weight=`` written ``loss.terms.NAME.weight=``.

    Args:
        arguments: overrides of the command line.
    """
    return [_SHORT_TERM.sub(r"\1loss.terms.\2", argument, count=1) for argument in arguments]


def parsed_overrides(arguments: Sequence[str]) -> tuple[list[Override], list[str]]:
    """Those that are overrides, and a line for each that is none.

    Args:
        arguments: ``key=value`` of the command line.
    """
    parsed: list[Override] = []
    faults: list[str] = []
    waiting = list(arguments)
    while waiting:
        count, meant = _typed_apart(waiting)
        if meant is not None:
            faults.append(f"{' '.join(waiting[:count])!r} is not an override; write {pasted(meant)}")
        elif (override := _parsed(waiting[0])) is not None:
            parsed.append(override)
        else:
            faults.append(f"{waiting[0]!r} {_no_override(waiting[0])}")
        waiting = waiting[count:]
    return parsed, faults


@lru_cache(maxsize=1024)  # each check of a command parses it once more
def _parsed(argument: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def _typed_apart(arguments: Sequence[str]) -> tuple[int, str | None]:
    """How many of the first arguments are one override that has no ``=`` or spaces around it, and what they mean."""
    for count in (3, 2, 1):
        found = _APART.fullmatch(" ".join(arguments[:count])) if len(arguments) >= count else None
        if found:
            return count, f"{found[1]}={found[2]}"
    return 1, None


def _no_override(argument: str) -> str:
    """What is wrong with an argument that Hydra cannot parse, and what to write."""
    key, is_pair, value = argument.partition("=")
    once = f"{key}={value.lstrip('=')}"
    if is_pair and value.startswith("=") and value.strip("=") and _parsed(once) is not None:
        return f"is not an override; write {pasted(once)}"
    whole = _closed(value)
    if whole is not None and _parsed(f"{key}={whole}") is not None:
        return f"has a bracket that is not {'closed' if whole.startswith(value) else 'opened'}; write " + pasted(
            f"{key}={whole}"
        )
    ways = [way for way in _quoted_ways(key, value) if _parsed(way) is not None]
    how = f": {' or '.join(pasted(way) for way in ways)}" if ways else ""
    return f"is not an override; write name=value, with quotes around odd characters{how}"


def _quoted_ways(key: str, value: str) -> Iterator[str]:
    """The value as one text; where it has commas, each of its parts as one: of a list, or of a sweep."""
    if not value or value[0] in "'\"{":
        return
    inside = value[1:-1] if value[0] == "[" and value[-1] == "]" else None
    if inside is None:
        yield setting(key, value)
    if ("," in value or inside) and not re.search(r"['\"\[\]{}()]", inside or value):
        parts = [_one(part.strip()) for part in (inside or value).split(",")]
        yield f"{key}={','.join(parts)}" if inside is None else f"{key}=[{','.join(parts)}]"


def _one(part: str) -> str:
    """A number, null or plain word as it is; else in quotes."""
    return part if _parsed(f"x={part}") is not None else setting("", part).removeprefix("=")


def _closed(value: str) -> str | None:
    """The value with the brackets that it lacks; None where it lacks none."""
    opened, before = list[str](), ""
    for letter in re.sub(r"'[^']*'|\"[^\"]*\"", "", value):
        if letter in _CLOSING:
            opened.append(letter)
        elif letter in _CLOSING.values():
            fits = opened and _CLOSING[opened[-1]] == letter
            before = before if fits else {end: start for start, end in _CLOSING.items()}[letter] + before
            opened = opened[:-1] if fits else opened
    whole = before + value + "".join(_CLOSING[letter] for letter in reversed(opened))
    return None if whole == value else whole


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments, with paths that Hydra would not take as they were typed in its quotes.

    So ``resume=SWEEP/0_seed=1`` and ``run_dir=with space`` mean what they say. What has quotes, or several values,
    stays.

    Args:
        arguments: ``key=value`` of the command line; what is none of these stays.
    """
    return [_quoted_path(argument) for argument in arguments]


def _quoted_path(argument: str) -> str:
    key, is_pair, typed = argument.partition("=")
    if not is_pair or not typed or typed[0] in "'\"":
        return argument
    name = key.lstrip("+")
    try:
        value = OverridesParser.create().parse_override(argument).value()
    except HydraException:
        exists, sets = os.path.lexists(typed), name in _SETS and typed[0] == "{"
        plain = exists or (name in _PATHS and "," not in typed and not sets)
        return setting(key, typed) if plain else argument
    is_other = isinstance(value, bool | int | float | list | dict)  # than the text that it is
    return setting(key, typed) if name in _ONE_PATH and is_other else argument


def empty_paths(parsed: Sequence[Override]) -> Iterator[str]:
    """A line for each path of pictures that is empty, as an unset variable leaves it: the current folder would be read.

    Args:
        parsed: what the command line names.
    """
    for override in parsed:
        name = str(override.key_or_group)
        values = [one for value in values_of(override) for one in (value if isinstance(value, list) else [value])]
        if name in (*_DATA_PATHS, *_ONE_PATH) and "" in values and not override.is_delete():
            yield f"{override.input_line} has no value; give {name} a file or folder, or leave it out"


def with_sets_alone(arguments: Sequence[str]) -> list[str]:
    """The arguments, with ``data.val`` emptied before validation sets by name, as in ``data.val={clean:DIR}``.

    Hydra would put them beside the arguments of the source that the chosen data has there. Of two arguments that begin
    alike a sweep would take the second only; so the first is written ``++data.val=null``.

    Args:
        arguments: as for `quoted_paths`.
    """
    return [part for argument in arguments for part in (*_emptied(argument), argument)]


def _emptied(argument: str) -> tuple[str, ...]:
    key = argument.partition("=")[0]
    if key.lstrip("+") not in _SETS:
        return ()
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return ()
    value = None if override.is_sweep_override() else override.value()
    emptied = f"{'' if key.startswith('++') else '++'}{key.lstrip('+')}=null"
    return (emptied,) if isinstance(value, dict) and "_target_" not in map(str, value) else ()


def given(arguments: Sequence[str], key: str) -> str | None:
    """The text that one of the overrides gives a setting, or None.

    Args:
        arguments: overrides without faults.
        key: of the setting.
    """
    found = [o for o in map(OverridesParser.create().parse_override, arguments) if o.key_or_group == key]
    return str(_plain(found[-1].value())) if found else None


def swept_keys(arguments: Sequence[str]) -> set[str]:
    """Names of the settings that have several values on this command line.

    Args:
        arguments: overrides without faults.
    """
    parsed = OverridesParser.create().parse_overrides(list(arguments))
    return {str(o.key_or_group) for o in parsed if o.is_sweep_override()}


def key_of(argument: str) -> str:
    """The setting or group that an override names, whatever signs stand before it; empty for what is none."""
    override = _parsed(argument)
    return "" if override is None else str(override.key_or_group)


def group_of(override: Override) -> str:
    """The group that a choice is made in; of a single value, its whole name."""
    return str(override.key_or_group).split("@")[0].split("/")[0]


def is_hydra(override: Override) -> bool:
    """Whether it is a setting of Hydra's own."""
    return str(override.key_or_group).split("/")[0].split(".")[0] == "hydra"


def values_of(override: Override) -> list[Any]:
    """One value, or each value of a sweep; several choices that add up are a list."""
    if override.is_sweep_override() and isinstance(override.value(), Sweep):
        try:
            return [_plain(v) for v in override.sweep_iterator()]
        except (HydraException, ValueError):  # a range without steps, or with steps of 0
            return []
    return [_plain(override.value())]


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):  # as a sweep gives a list
        return [part.strip() for part in value[1:-1].split(",")]
    return [_plain(one) for one in value] if isinstance(value, list) else getattr(value, "text", value)


def choices_of(override: Override) -> list[Any]:
    """Every single choice that it names."""
    return [name for value in values_of(override) for name in (value if isinstance(value, list) else [value])]


def first_of(override: Override) -> str:
    """The override itself, or with the first value of a sweep."""
    if not override.is_sweep_override():
        return override.input_line or ""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return f"{(override.input_line or '').partition('=')[0]}={value.start}"
    try:
        first = next(override.sweep_string_iterator(), "null")  # with its quotes: 'a=b' is no value without
    except (HydraException, ValueError):
        first = "null"
    return f"{(override.input_line or '').partition('=')[0]}={first}"
