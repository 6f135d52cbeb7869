"""Configurations compared as if everything lay in the same place: another disk or home makes no other run."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

_IN_A_CACHE = re.compile(r".*/(?=worlds/[0-9a-f]{16}/releases/)")
"""What comes before the path of a world's release, whose name holds the digest of all its settings."""


def without_places(node: Any, names: Collection[str]) -> Any:
    """A node without some keys, at any depth (each set of pictures is told the cache, too), and without the cache.

    Args:
        node: plain values.
        names: of the keys.
    """
    if isinstance(node, str):
        return _IN_A_CACHE.sub("", node)
    if isinstance(node, Sequence):
        return [without_places(child, names) for child in node]
    if not isinstance(node, Mapping):
        return node
    return {key: without_places(child, names) for key, child in node.items() if key not in names}
