"""The arguments of what a node builds, also where it names a class of a library, whose arguments stand beside the name.

``{_target_: sr.degradations.kornia.Kornia, name: RandomJPEG, jpeg_quality: [30, 90]}``: a target that has a function
``named`` tells which further arguments the class of that name takes, and gets them as ``arguments``.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints


def arguments_of(
    function: Callable[..., Any], node: Mapping[str, Any]
) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """What a node may hold, and the annotations.

    Args:
        function: its target.
        node: plain values.

    Raises:
        ValueError: the node names a class that does not exist or cannot be used.
    """
    parameters, hints = dict(inspect.signature(function).parameters), hints_of(function)
    named = getattr(function, "named", None)
    if named is None or "name" not in node:
        return parameters, hints
    others = named(str(node["name"]))
    del parameters["arguments"]  # one way to say it
    return {**others, **parameters}, {**{key: one.annotation for key, one in others.items()}, **hints}


def shown(function: Callable[..., Any], node: Mapping[str, Any]) -> str:
    """What is called, for messages."""
    return (
        f"{node['name']}, which {node['_target_']} calls"
        if hasattr(function, "named") and "name" in node
        else str(node["_target_"])
    )


def called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a target with what its node holds; see `arguments_of`."""
    if not hasattr(function, "named"):
        return function(**arguments)
    own = {key: value for key, value in arguments.items() if key in inspect.signature(function).parameters}
    others = {key: value for key, value in arguments.items() if key not in own}
    return function(**own, **({"arguments": others} if others else {}))


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of the arguments, empty where they cannot be read."""
    subject = function.__init__ if inspect.isclass(function) else function
    try:
        return get_type_hints(subject)
    except (NameError, TypeError):  # annotations of foreign code that only its type checker can read
        return {}
