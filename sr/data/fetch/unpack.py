"""Unpack an archive so that a crash leaves no half file, a second start goes on, and no path leads out.

Whoever made the archive: nothing is written outside the folder, over the archive or through a link of its own, and no
more than the disk has room for or `LARGEST_FACTOR` times the archive's size. Links that somebody has in the folder
itself, to a larger disk say, are followed.
"""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from sr.data.contract import OnProgress
from sr.errors import UserError
from sr.printable import printable

LARGEST_FACTOR = 100
"""So many times larger than itself an archive may become; photographs shrink by less than 2, drawings by some 20."""
ALWAYS_ALLOWED = 1 << 28
"""So many bytes may come out of any archive."""
_MOST_FILES = 2_000_000
_LONGEST_NAME = 250  # bytes; file systems take 255, and a file is written as NAME.part
_LONGEST_PATH = 3000  # bytes; Linux takes 4095 with the folder in front
_DEEPEST = 64  # folders
_LONGEST_READ = 1 << 24  # bytes that a table in a tar may have; tarfile takes each into memory at once
_STREAMS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\xfd7zXZ\x00", lzma.open),
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
)


class Member(NamedTuple):
    """One file of an archive: its path, its size in bytes, and how to open it."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, RuntimeError)


def unpacked_size(archive: Path) -> int:
    """Bytes of all files of a zip archive; of a compressed tar, which has no table, the archive's own size.

    Raises:
        UserError: the archive is damaged.
    """
    if not zipfile.is_zipfile(archive):
        return archive.stat().st_size
    with _told(archive), zipfile.ZipFile(archive) as opened:
        return sum(info.file_size for info in opened.infolist())


def room_needed(archive: Path, folder: Path) -> int:
    """Bytes that unpacking still takes, as far as is known beforehand: without what an earlier start has written.

    Raises:
        UserError: the archive is damaged.
    """
    return max(0, unpacked_size(archive) - _there(_building(archive, folder)))


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
    building = _building(archive, folder)
    total, done = max(1, unpacked_size(archive)), 0
    most, seen = _allowed(archive, folder, building), set[str]()
    _check_no_links(archive, building)
    with _told(archive):
        for member in _members(archive):
            _check_member(archive, member, seen)
            target = building.joinpath(*member.path.parts)
            done += member.size
            if done > most:
                raise _too_large(archive, most)
            if not (target.is_file() and target.stat().st_size == member.size):
                _write(member, target)
            on_progress(f"unpacking {archive.name}", done, max(total, done))
    if done == 0:
        raise UserError(f"{archive} holds no files; delete it and start again to download it")
    _check_kinds(archive, building, folder)
    _move_into(building, folder)


def _building(archive: Path, folder: Path) -> Path:
    return folder / f"{archive.name}.unpacking"


def _there(building: Path) -> int:
    """Bytes of an earlier start: its whole files are kept, and its half one is written again in its place."""
    return sum((Path(at) / name).lstat().st_size for at, _, files in os.walk(building) for name in files)


def _allowed(archive: Path, folder: Path, building: Path) -> int:
    """Bytes that may come out of the archive: as the disk has room, and no more than the stated factor."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    room = shutil.disk_usage(place).free + _there(building)
    return min(room, max(ALWAYS_ALLOWED, LARGEST_FACTOR * archive.stat().st_size))


def _too_large(archive: Path, most: int) -> UserError:
    return UserError(
        f"{printable(archive)} is not unpacked: it becomes larger than {most >> 20} MiB, which is the room on the disk "
        f"or {LARGEST_FACTOR} times its own size; unpack it yourself if you know who made it"
    )


def _check_no_links(archive: Path, building: Path) -> None:
    """What an earlier start left holds no links, unless somebody put them there: files would be written elsewhere."""
    inside = ((Path(at) / name) for at, folders, files in os.walk(building) for name in (*folders, *files))
    link = next((path for path in (building, *inside) if path.is_symlink()), None)
    if link is not None:
        raise UserError(f"{printable(archive)} is not unpacked: {printable(link)} is a link; delete {building.name}")
    if building.exists() and not building.is_dir():
        raise UserError(f"{printable(archive)} is not unpacked: {printable(building)} is no folder; delete it")


def _check_member(archive: Path, member: Member, seen: set[str]) -> None:
    """Each file once, none in the place of a folder, and none where the archive lies."""
    name = str(member.path)
    if member.path.parts[0] in (archive.name, f"{archive.name}.unpacking"):
        raise _refused(archive, name, "would replace the archive")
    if name in seen or name.removesuffix(".part") in seen:
        raise _refused(archive, name, "is there twice")
    folders = [str(folder) for folder in member.path.parents]
    if f"{name}/" in seen or any(folder in seen for folder in folders):
        raise _refused(archive, name, "is a file and a folder")
    seen.update((name, *(f"{folder}/" for folder in folders)))
    if len(seen) > _MOST_FILES:
        raise _refused(archive, name, f"comes after {_MOST_FILES} names")


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
    with _stream(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for number in count():
            entry = tar.next()
            if entry is None:
                return
            # It keeps them all, and a few bytes of an archive may hold thousands.
            tar.members.clear()  # type: ignore[attr-defined]
            if number >= _MOST_FILES:
                raise _refused(archive, entry.name, f"comes after {_MOST_FILES} names")
            if entry.isdir():
                continue
            if not entry.isreg():
                raise _refused(archive, entry.name, "is a link or a device")
            yield Member(_inside(archive, entry.name), entry.size, lambda entry=entry: _extracted(tar, entry))  # type: ignore[misc]


class _Careful(io.BufferedIOBase):
    """A decompressed tar that is not read in one piece: a table in it may claim any size."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int | None = -1) -> bytes:
        """As any file, up to a limit."""
        if size is None or not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f"a table of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As any file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As any file."""
        return self._stream.tell()

    def close(self) -> None:
        """The file below, too."""
        self._stream.close()
        super().close()


def _stream(archive: Path) -> _Careful:
    with archive.open("rb") as file:
        start = file.read(6)
    opened = next((method for magic, method in _STREAMS if start.startswith(magic)), open)
    return _Careful(opened(archive, "rb"))


def _extracted(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    opened = tar.extractfile(entry)
    assert opened is not None  # regular files only
    return opened


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts) or not path.parts:
        raise _refused(archive, name, "leads out of the folder")
    if "\0" in name:
        raise _refused(archive, name, "has a name that no disk takes")
    lengths = [len(part.encode(errors="surrogatepass")) for part in path.parts]
    if len(lengths) > _DEEPEST or max(lengths) > _LONGEST_NAME or sum(lengths) > _LONGEST_PATH:
        raise _refused(archive, name, "has a name too long for a disk")
    return path


def _refused(archive: Path, name: str, why: str) -> UserError:
    short = printable(name if len(name) <= 80 else f"{name[:60]}…")
    return UserError(
        f"{printable(archive)} is not unpacked: '{short}' in it {why}; take the archive from another place"
    )


def _write(member: Member, target: Path) -> None:
    """Write a file under another name and rename it: what has its name is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with member.open() as source, part.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    if part.stat().st_size != member.size:
        raise EOFError(f"{member.path} ends after {part.stat().st_size} of {member.size} bytes")
    part.replace(target)


def _check_kinds(archive: Path, building: Path, folder: Path) -> None:
    """No file where a folder comes, and none the other way round."""
    for entry in building.iterdir():
        target = folder / entry.name
        if target.exists() and entry.is_dir() != target.is_dir():
            kinds = ("a folder", "a file") if entry.is_dir() else ("a file", "a folder")
            raise UserError(
                f"{printable(archive)} is not unpacked: {printable(target)} is {kinds[1]} where it has {kinds[0]}; "
                "move that away"
            )
        if entry.is_dir() and target.is_dir():
            _check_kinds(archive, entry, target)


def _move_into(building: Path, folder: Path) -> None:
    """Move everything into a folder, whole folders at once where they are not there yet."""
    for entry in sorted(building.iterdir()):
        target = folder / entry.name
        if entry.is_dir() and target.is_dir():
            _move_into(entry, target)
        else:
            entry.replace(target)
    building.rmdir()
