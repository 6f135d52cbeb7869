"""By what name a service knows a run: a short file in the run's folder, so that a run that goes on is the same run."""

import re
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
"""What services make files of: nothing that leads out of their folder, whoever wrote the file."""


def read_marker(path: Path) -> str | None:
    """The name in the file; None where there is none, or none that is safe."""
    with suppress(OSError, UnicodeDecodeError):
        if path.is_file() and path.stat().st_size < 1000:
            text = path.read_text().strip()
            return text if _NAME.fullmatch(text) else None
    return None


def as_name(text: str) -> str:
    """A text as such a name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")[:100] or "run"
