"""Unpack an archive so that a crash leaves no half file, a second start goes on, and no path leads out."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from sr.data.contract import OnProgress
from sr.errors import UserError


class Member(NamedTuple):
    """One file of an archive: its path, its size in bytes, and how to open it."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError)


def unpacked_size(archive: Path) -> int:
    """Bytes of all files of a zip archive; of a compressed tar, which has no table, the archive's own size.

    Raises:
        UserError: the archive is damaged.
    """
    if not zipfile.is_zipfile(archive):
        return archive.stat().st_size
    with _told(archive), zipfile.ZipFile(archive) as opened:
        return sum(info.file_size for info in opened.infolist())


def unpack(archive: Path, folder: Path, on_progress: OnProgress) -> None:
    """Unpack a zip or tar archive into a folder.

    Files are written into NAME.unpacking, whose contents are moved into the folder at the end: a folder that is
    there is complete, unless other archives add to it. A start after a crash keeps the files that are complete.

    Args:
        archive: the file.
        folder: where to.
        on_progress: told (what, bytes done, bytes in all).

    Raises:
        UserError: the archive is damaged, or holds links or paths that lead out of the folder; nothing has been
            moved into the folder then.
    """
    building = folder / f"{archive.name}.unpacking"
    total, done = max(1, unpacked_size(archive)), 0
    with _told(archive):
        for member in _members(archive):
            target = building.joinpath(*member.path.parts)
            if not (target.is_file() and target.stat().st_size == member.size):
                _write(member, target)
            done += member.size
            on_progress(f"unpacking {archive.name}", done, max(total, done))
    if done == 0:
        raise UserError(f"{archive} holds no files; delete it and start again to download it")
    _move_into(building, folder)


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{archive} is damaged ({reason}); delete it and start again to download it") from error


def _members(archive: Path) -> Iterator[Member]:
    """The files of an archive in order. A tar's must be opened before the next is asked for."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise _refused(archive, info.filename, "is a link")
                if not info.is_dir():
                    path = _inside(archive, info.filename)
                    yield Member(path, info.file_size, lambda info=info: opened.open(info))  # type: ignore[misc]
        return
    with tarfile.open(archive, "r:*") as tar:
        for entry in tar:
            if entry.isdir():
                continue
            if not entry.isreg():
                raise _refused(archive, entry.name, "is a link or a device")
            yield Member(_inside(archive, entry.name), entry.size, lambda entry=entry: _extracted(tar, entry))  # type: ignore[misc]


def _extracted(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    opened = tar.extractfile(entry)
    assert opened is not None  # regular files only
    return opened


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts) or not path.parts:
        raise _refused(archive, name, "leads out of the folder")
    return path


def _refused(archive: Path, name: str, why: str) -> UserError:
    return UserError(f"{archive} is not unpacked: '{name}' in it {why}; take the archive from another place")


def _write(member: Member, target: Path) -> None:
    """Write a file under another name and rename it: what has its name is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with member.open() as source, part.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    if part.stat().st_size != member.size:
        raise EOFError(f"{member.path} ends after {part.stat().st_size} of {member.size} bytes")
    part.replace(target)


def _move_into(building: Path, folder: Path) -> None:
    """Move everything into a folder, whole folders at once where they are not there yet."""
    for entry in sorted(building.iterdir()):
        target = folder / entry.name
        if entry.is_dir() and target.is_dir():
            _move_into(entry, target)
        else:
            entry.replace(target)
    building.rmdir()
