"""YAML has lists and numbers where Python distinguishes tuples from lists and floats from integers."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin


def hinted(value: Any, hint: Any) -> Any:
    """A plain value as its annotation wants it: lists as tuples, whole numbers as floats, at any depth.

    Args:
        value: of a configuration.
        hint: the annotation; one that says nothing about plain values leaves the value as it is.
    """
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _of_union(value, parts)
    if isinstance(value, (list, tuple)):
        return _of_list(list(value), origin, parts)
    if isinstance(value, Mapping) and isinstance(origin, type) and issubclass(origin, Mapping) and len(parts) == 2:
        return {key: hinted(child, parts[1]) for key, child in value.items()}
    return value


def _of_union(value: Any, parts: Sequence[Any]) -> Any:
    """By the first part that would change the value, unless another part takes it as it is."""
    if type(value) in parts:
        return value
    for part in parts:
        made = hinted(value, part)
        if made is not value and (type(made) is not list or get_origin(part) is list):
            return made
    return value


def _of_list(values: list[Any], origin: Any, parts: Sequence[Any]) -> Any:
    if origin is tuple:
        each = [parts[0]] * len(values) if len(parts) == 2 and parts[1] is Ellipsis else list(parts)
        if len(each) == len(values):
            return tuple(hinted(v, h) for v, h in zip(values, each, strict=True))
        return tuple(values)
    if isinstance(origin, type) and issubclass(origin, Sequence) and len(parts) == 1:
        return [hinted(value, parts[0]) for value in values]
    return values
