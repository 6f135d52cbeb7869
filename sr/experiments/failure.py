"""Why a run failed: one sentence in its folder, so that whoever reads the folder knows, whoever trained."""

import json
from pathlib import Path

from sr.files import write_atomically

FILE = "failure.json"
_LARGEST = 1 << 20  # bytes


def write_failure(folder: Path, sentence: str) -> None:
    """Keep the sentence in the run's folder, which is made if missing.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_atomically(folder / FILE, (json.dumps({"error": sentence}) + "\n").encode())


def read_failure(folder: Path) -> str:
    """Why the run failed; empty where it did not, or where nobody can say."""
    path = folder / FILE
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        told = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return ""
    return str(told.get("error") or "") if isinstance(told, dict) else ""
