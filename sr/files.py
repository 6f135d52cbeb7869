"""Writing a file so that a crash, a full disk or a power cut never leaves half of it."""

import os
import secrets
from pathlib import Path

from sr.errors import UserError


def write_atomically(path: Path | str, data: bytes) -> None:
    """Replace ``path`` by ``data``: afterwards the file holds all of it, or what it held before.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step.
    Missing folders are made. Where ``path`` is a symbolic link, the file that it points to is replaced.

    Raises:
        UserError: the folder cannot be written or the disk is full; the temporary file is gone, the old file
            stays.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, data)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        kept = "; the previous file is kept" if target.is_file() else ""
        raise UserError(f"could not write {path}: {error.strerror or error}{kept}") from error


def _write_through(path: Path, data: bytes) -> None:
    """Create ``path`` with the usual permissions, write ``data``, and wait until the disk has it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut; folders cannot be opened for this on Windows."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
