"""YAML that a stranger may have written: plain values, no objects, no more than a configuration has."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sr.errors import UserError
from sr.printable import first_line, printable

LARGEST = 100_000
"""Values in a configuration, and characters that its interpolations make of one."""
DEEPEST = 40
"""Levels of a configuration."""
LARGEST_FILE = 1 << 20
"""Bytes of a file; ours have 4 to 20 thousand."""


def read_plain_yaml(path: Path, parse: Callable[[str], Any] = yaml.safe_load) -> dict[str, Any]:
    """The mapping in a file; nothing in it is resolved, looked up or called.

    Args:
        path: of the file.
        parse: makes values of the text, which holds no tags and no aliases then; raises ValueError or a YAMLError.

    Raises:
        UserError: the file cannot be read, is no YAML, or holds what no configuration needs: tags, aliases, megabytes.
    """
    shown = printable(path)
    try:
        if not path.is_file():  # a pipe would be waited for
            raise UserError(f"{shown} is no file")
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{shown} is larger than any configuration; take the one that the run wrote")
        text = path.read_text(encoding="utf-8")
        fault = _yaml_fault(text)
        content = None if fault else parse(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{shown} is no configuration that can be read: {first_line(error)}") from error
    fault = fault or next(plain_faults(content), None)
    if fault is not None or not isinstance(content, dict):
        raise UserError(f"{shown} is no configuration of this program: it {fault or 'is none'}")
    return content


def plain_faults(node: Any) -> Iterator[str]:
    """A fault for what is no plain value, and for what is too much.

    Args:
        node: what was read.
    """
    waiting: list[tuple[Any, int]] = [(node, 0)]  # no recursion: files may be deeper than Python's stack
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > LARGEST:
            yield "holds more values, or deeper ones, than a configuration"
            return
        if type(value) is dict:
            if not all(type(key) is str and "." not in key for key in value):
                yield "has a key that is no name"
            waiting += [(child, depth + 1) for child in value.values()]
        elif type(value) is list:
            waiting += [(child, depth + 1) for child in value]
        elif type(value) is int:
            if not -(2**63) <= value < 2**63:
                yield "has a whole number that does not fit into 64 bits"
        elif type(value) not in (str, float, bool, type(None)):
            yield f"holds a {type(value).__name__}, which is no plain value"


def _yaml_fault(text: str) -> str | None:
    """What no configuration has, found before any object is made: tags call constructors, aliases multiply."""
    depth = 0
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            return f"repeats a part by an alias (*{printable(event.anchor)[:40]})"
        if getattr(event, "tag", None) is not None:
            return f"has the tag {printable(event.tag)[:80]!r}"
        if count > 2 * LARGEST or depth > DEEPEST:
            return "holds more values, or deeper ones, than a configuration"
    return None
