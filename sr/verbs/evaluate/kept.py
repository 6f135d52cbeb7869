"""Sets that were evaluated once are not computed again: what was measured is kept in the cache folder."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from sr.data.store.store import cache_root
from sr.errors import UserError
from sr.files import write_atomically
from sr.verbs.code import code_digest

Row = dict[str, Any]
"""A picture's name, sizes, seconds, and what was measured of it."""


def key_of(**parts: str) -> str:
    """Name of an evaluation: everything that its numbers depend on.

    Args:
        parts: content of network and pictures, scale, protocol, device. The code and torch's version are added.
    """
    everything = {**parts, "code": code_digest(), "torch": torch.__version__}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def read_kept(key: str) -> list[Row] | None:
    """The rows of an evaluation, or None where there is none (or only a damaged one)."""
    try:
        rows = json.loads(_path(key).read_bytes())
    except (OSError, ValueError):
        return None
    whole = isinstance(rows, list) and all(
        isinstance(row, dict) and {"psnr_y", "timed_on"} <= row.keys() for row in rows
    )
    return rows if whole and rows else None


def keep(key: str, rows: list[Row]) -> None:
    """Write the rows of an evaluation; a cache that cannot be written is none."""
    try:
        _path(key).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_path(key), json.dumps(rows).encode())
    except (OSError, UserError):
        return


def _path(key: str) -> Path:
    return cache_root(None) / "evaluated" / f"{key}.json"
