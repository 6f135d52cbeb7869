"""Whether single values of a configuration fit the annotations of what takes them."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from sr.config.hinted import hinted
from sr.config.kinds import nearest_whole
from sr.pasted import pasted, setting

_STRICT = ConfigDict(arbitrary_types_allowed=True, strict=True)


def holds_objects(value: Any) -> bool:
    """Whether something of it is made of a ``_target_``."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(holds_objects(child) for child in value.values())
    return isinstance(value, list) and any(holds_objects(child) for child in value)


def type_fault(name: str, value: Any, hint: Any) -> Iterator[str]:
    """A line where a value does not fit its annotation.

    Args:
        name: of the setting.
        value: plain.
        hint: the annotation.
    """
    value, given = hinted(value, hint), value
    try:
        adapter = TypeAdapter(hint, config=_STRICT) if _takes_config(hint) else TypeAdapter(hint)
    except (PydanticUserError, SchemaError, TypeError):
        return  # an annotation that only describes objects, such as a protocol
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        found = error.errors()
        told = [problem for problem in found if problem["type"] != "is_instance_of"] or found
        problems = {str(problem["msg"]).lower() for problem in told}
        text = "null" if given is None else given
        yield f"{name}={text} does not fit: {'; '.join(sorted(problems))}{_written(name, given, hint)}"


def _written(name: str, value: Any, hint: Any) -> str:
    """``; write …`` where it is plain what was meant."""
    if hint is int and (whole := nearest_whole(value)) is not None:
        return f"; write {name}={whole}"
    if isinstance(value, int | float) and str in get_args(hint):
        none = f", or {name}=null for none" if type(None) in get_args(hint) else ""
        return f"; write {pasted(setting(name, str(value).lower()))} for what is called so{none}"
    if hint is str and isinstance(value, list):
        return f"; it is one text: write {pasted(setting(name, ','.join(map(str, value))))}"
    return ""


def _takes_config(hint: Any) -> bool:
    """Dataclasses and models bring their own settings."""
    return not (is_dataclass(hint) or hasattr(hint, "model_config"))
