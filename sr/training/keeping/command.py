"""How a run came to be: what was typed, which choices that made, and the sweep that it is part of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sr.files import write_atomically

FILE = "command.json"
_LARGEST = 1 << 20  # bytes; ours have one thousand


@dataclass(frozen=True)
class Command:
    """What made a run.

    Attributes:
        line: to be pasted, so that the run is repeated.
        overrides: ``key=value`` of this run alone.
        choices: by group, ``model: espcn``; several of one group are joined by commas.
        sweep: name of the sweep's folder, or None.
    """

    line: str = ""
    overrides: Sequence[str] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    sweep: str | None = None


def write_command(folder: Path, command: Command) -> None:
    """Keep it in the run's folder.

    Raises:
        UserError: the disk is full or not writable.
    """
    told: dict[str, Any] = {"line": command.line, "overrides": list(command.overrides)}
    told |= {"choices": dict(command.choices), "sweep": command.sweep}
    write_atomically(folder / FILE, (json.dumps(told, indent=1) + "\n").encode())


def read_command(folder: Path) -> Command:
    """What a run's folder says; an empty one where it says nothing, as of earlier versions, or is damaged."""
    path = folder / FILE
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return Command()
        told = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return Command()
    if not isinstance(told, dict):
        return Command()
    overrides, choices, sweep = told.get("overrides"), told.get("choices"), told.get("sweep")
    return Command(
        line=str(told.get("line") or ""),
        overrides=[str(one) for one in overrides] if isinstance(overrides, list) else [],
        choices={str(key): str(value) for key, value in choices.items()} if isinstance(choices, dict) else {},
        sweep=sweep if isinstance(sweep, str) else None,
    )
