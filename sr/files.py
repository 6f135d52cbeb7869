"""Writing a file so that a crash, a full disk or a power cut never leaves half of it."""

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from sr.errors import UserError
from sr.printable import printable

if os.name == "posix":
    import fcntl

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def write_atomically(path: Path | str, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Replace ``path`` by ``data``: afterwards the file holds all of it, or what it held before.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step.
    Missing folders are made. Where ``path`` is a symbolic link, the file that it points to is replaced. What is too
    large to lie in memory twice comes as a function that writes it. A pipe or a terminal (``/dev/stdout``,
    ``/dev/null``) is written to, as it is no file that something could take the place of.

    Raises:
        UserError: the folder cannot be written or the disk is full, and the temporary file is gone, the old file
            stays; or ``path`` is a disk or a socket.
    """
    target = Path(os.path.realpath(path))
    try:
        if _is_stream(Path(path)):  # by the name given: that of a pipe behind /dev/stdout cannot be opened
            _write_into(Path(path), data)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, file = _temporary(target)
        try:
            with file:
                data(file) if callable(data) else file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if os.name == "posix":  # while it is held; elsewhere an open file keeps its name
                    temporary.replace(target)
            if os.name != "posix":
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        kept = "; the previous file is kept" if os.path.isfile(target) else ""  # noqa: PTH113
        raise UserError(f"could not write {printable(path)}: {error.strerror or error}{kept}") from error


def _is_stream(target: Path) -> bool:
    """Whether something is there that is written to and not replaced: a pipe, a terminal, ``/dev/null``.

    Raises:
        OSError: a disk or a socket is there.
    """
    try:
        mode = target.stat().st_mode
    except OSError:  # nothing is there, or what is said when it is written
        return False
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, "it is a disk or a socket, not a file")
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _write_into(target: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    with tempfile.TemporaryFile() as file:  # what writes a picture goes back in its file
        data(file) if callable(data) else file.write(data)
        file.seek(0)
        with target.open("wb") as stream:
            shutil.copyfileobj(file, stream)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Replace several files that belong together: all of them, or none.

    Where a later one cannot be written, the earlier ones are put back. Only a power cut at that moment can part them.

    Args:
        files: their content; they fit into the memory, and so do the old ones.

    Raises:
        UserError: one of them cannot be written; all are as they were.
    """
    before: dict[Path, bytes | None] = {}
    try:
        for path, content in files.items():
            old = path.read_bytes() if path.is_file() else None
            write_atomically(path, content)
            before[path] = old
    except (OSError, UserError) as error:
        for path, kept in before.items():
            with suppress(OSError, UserError):
                path.unlink() if kept is None else write_atomically(path, kept)
        if isinstance(error, UserError):
            raise
        raise UserError(f"could not write {printable(path)}: {error.strerror or error}") from error


def check_writable(folder: Path) -> None:
    """Before long work: make a folder, and make sure that its result can be written into it.

    Raises:
        UserError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary, file = _temporary(folder / "written")
        file.close()
        temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"could not write into {printable(folder)}: {error.strerror or error}") from error


def real_path(path: Path | str) -> Path:
    """Where a path leads, as far as it does: unlike `Path.resolve`, a link to itself stays what it is."""
    return Path(os.path.realpath(path))


def oddity(path: Path) -> str | None:
    """Why a path can be neither read as a file nor searched as a folder: "is a link that leads nowhere".

    Returns:
        What follows the name; None of a file, a folder, and where there is nothing of that name.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return "is too long for a name"
        if error.errno == errno.ELOOP:
            return "is a link that leads to itself"
        return "is a link that leads nowhere" if os.path.lexists(path) else None
    except ValueError:  # a NUL in it
        return "is no name that a file can have"
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "is a pipe or a device, not a file"


def check_place(path: Path) -> None:
    """Before long work: make sure that a file can be written there. Nothing is made, not even a folder.

    Raises:
        UserError: it is a folder, a disk or a socket, its name is too long, a link leads to itself, or its folder
            cannot be written into.
    """
    real = real_path(path)
    try:
        if _is_stream(path):
            return
        found = real.stat()
    except FileNotFoundError:
        pass
    except NotADirectoryError as error:
        raise UserError(f"could not write into {printable(path.parent)[:300]}: {error.strerror}") from error
    except OSError as error:
        raise UserError(f"could not write {printable(path)[:300]}: {error.strerror}; choose another name") from error
    else:
        if stat.S_ISDIR(found.st_mode):
            raise UserError(f"{printable(path)} is a folder; name a file in it")
    check_writable(next(folder for folder in real.parents if folder.exists()))


def sweep_up(folder: Path, below: bool = False) -> None:
    """Delete the temporary files that killed processes left in a folder; those that somebody is writing stay.

    Args:
        folder: may be missing.
        below: in its folders too.
    """
    for path in [] if oddity(folder) else folder.rglob(".*.tmp") if below else folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            with suppress(OSError):  # being written, or gone
                _delete_abandoned(path)


def _temporary(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside the target with the usual permissions, held as long as it is open."""
    while True:
        path = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.tmp")  # names have 255 bytes at most
        file = path.open("xb")
        if os.name != "posix":
            return path, file
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # swept up before it was held


def _delete_abandoned(path: Path) -> None:
    """Delete a temporary file.

    Raises:
        OSError: its writer holds it.
    """
    if os.name != "posix":
        path.unlink()
        return
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut; folders cannot be opened for this on Windows."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
