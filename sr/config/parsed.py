"""Overrides as Hydra parses them: what they name, and the values that a sweep gives them."""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.errors import HydraException


def parsed_overrides(arguments: Sequence[str]) -> tuple[list[Override], list[str]]:
    """Those that are overrides, and a line for each that is none.

    Args:
        arguments: ``key=value`` of the command line.
    """
    parsed: list[Override] = []
    faults: list[str] = []
    for argument in arguments:
        try:
            parsed.append(OverridesParser.create().parse_override(argument))
        except HydraException:
            key, is_pair, value = argument.partition("=")
            how = f": \"{key}='{value}'\"" if is_pair and "'" not in value and '"' not in value else ""
            faults.append(f"{argument!r} is not an override; write name=value, with quotes around odd characters{how}")
    return parsed, faults


def swept_keys(arguments: Sequence[str]) -> set[str]:
    """Names of the settings that have several values on this command line.

    Args:
        arguments: overrides without faults.
    """
    parsed = OverridesParser.create().parse_overrides(list(arguments))
    return {str(o.key_or_group) for o in parsed if o.is_sweep_override()}


def sweep_faults(arguments: Sequence[str]) -> Iterator[str]:
    """A line for each setting with several values on a command line that asks for one run.

    Args:
        arguments: overrides without faults.
    """
    for argument in arguments:
        (override,) = OverridesParser.create().parse_overrides([argument])
        if override.is_sweep_override():
            key, _, values = argument.partition("=")
            yield f"{argument} names several values; for a list write '{key}=[{values}]', for a run with each add -m"


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
        except HydraException:
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
    values = values_of(override)
    return f"{'+' if override.is_add() else ''}{override.key_or_group}={values[0] if values else 'null'}"
