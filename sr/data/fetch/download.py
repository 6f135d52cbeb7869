"""Download an archive and unpack it: goes on where it stopped, checks what it got, and never leaves half a folder."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from time import sleep
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from sr.data.contract import OnMessage, OnProgress
from sr.data.fetch.unpack import room_needed, unpack
from sr.errors import UserError
from sr.locks import alone

CHUNK = 1 << 20
TRIES = 5
"""So often in a row a broken connection is taken up again; a server that never answered is asked twice."""

TIMEOUT = 30.0  # seconds without a byte
_GONE = range(400, 500)
_LATER = (408, 425, 429)


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: its address, http or https.
        size: bytes, or None where it is not known in advance.
        checksums: accepted MD5 (32 hexadecimal digits) or SHA-256 (64) sums; empty where none is known, and then
            the archive's own checksums must do.
    """

    url: str
    size: int | None = None
    checksums: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the address."""
        return unquote(urlsplit(self.url).path.rsplit("/", 1)[-1])


class _BrokenError(Exception):
    """The connection ended early; worth another try."""


class _ChecksumError(Exception):
    """The file is not the expected one."""


def fetch_archive(
    remote: Remote, folder: Path, there: Callable[[], bool], on_progress: OnProgress, on_message: OnMessage
) -> None:
    """Bring an archive into a folder and unpack it there; an archive that already lies in the folder is used.

    Args:
        remote: the archive: zip, or tar in any compression.
        folder: where to; made if missing.
        there: whether its contents are there; asked once this process alone works on the archive, so that of two
            processes the second finds what the first one fetched.
        on_progress: told (what, bytes done, bytes in all).
        on_message: given one line for each thing that the user should know.

    Raises:
        UserError: no connection, no such file, another checksum, a damaged or dangerous archive, or no room.
    """
    with _reserved(remote, folder, on_message):
        if there():
            return
        archive = folder / remote.name
        if remote.size is not None and not archive.exists():
            _check_room(folder, remote.name, 2 * remote.size - _size(_part(archive)), "download and unpack")
        _fetch(remote, archive, on_progress, on_message)
        _check_room(folder, remote.name, room_needed(archive, folder), "unpack")
        unpack(archive, folder, on_progress)
        on_message(f"{archive} is unpacked; it may be deleted")


def fetch_file(remote: Remote, folder: Path, on_progress: OnProgress, on_message: OnMessage) -> Path:
    """Bring a file into a folder; one that is already there is checked and used.

    Bytes go to NAME.part, from where the next attempt goes on, and NAME appears when it is complete and checked.

    Returns:
        Where it is.

    Raises:
        UserError: no connection, no such file, another checksum, or no room.
    """
    with _reserved(remote, folder, on_message):
        return _fetch(remote, folder / remote.name, on_progress, on_message)


@contextmanager
def _reserved(remote: Remote, folder: Path, on_message: OnMessage) -> Iterator[None]:
    """No other process works on this file; errors of the disk become messages."""
    if urlsplit(remote.url).scheme not in ("http", "https") or not remote.name:
        raise UserError(f"cannot download from '{remote.url}': the address must be http(s)://HOST/PATH/FILE")
    try:
        waiting = f"another process is fetching {remote.name}; waiting for it"
        with alone(folder / f".{remote.name}.lock", lambda: on_message(waiting)):
            yield
    except OSError as error:  # of the disk: those of the network have become UserError further down
        raise UserError(f"could not write {remote.name} into {folder}: {error.strerror or error}") from error


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(remote: Remote, target: Path, on_progress: OnProgress, on_message: OnMessage) -> Path:
    part = _part(target)
    if target.exists():
        wrong = _wrong(target, remote, on_progress)
        if wrong:
            raise UserError(f"{target} is not the expected file ({wrong}); delete it, or download it again")
        return target
    on_message(f"downloading {remote.url} into {target.parent}")
    _download(remote, part, on_progress, on_message)
    wrong = _wrong(part, remote, on_progress)
    if wrong:
        part.unlink()
        on_message(f"{remote.name} is not the expected file ({wrong}); downloading it once more")
        _download(remote, part, on_progress, on_message)
        wrong = _wrong(part, remote, on_progress)
    if wrong:
        part.unlink()
        raise UserError(
            f"{remote.url} does not give the expected file ({wrong}); download {remote.name} from another place "
            f"and put it into {target.parent}"
        )
    part.replace(target)
    return target


def _wrong(path: Path, remote: Remote, on_progress: OnProgress) -> str:
    """Why a file is not the expected one, or nothing."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"{size} bytes instead of {remote.size}"
    if not remote.checksums:
        return ""
    sums = {32: hashlib.md5(usedforsecurity=False), 64: hashlib.sha256()}
    wanted = [sums[length] for length in sorted({len(checksum) for checksum in remote.checksums})]
    with path.open("rb") as file:
        done = 0
        while piece := file.read(CHUNK):
            for digest in wanted:
                digest.update(piece)
            done += len(piece)
            on_progress(f"checking {remote.name}", done, size)
    found = [digest.hexdigest() for digest in wanted]
    if set(found) & set(remote.checksums):
        return ""
    return f"checksum {' / '.join(found)} instead of {' or '.join(remote.checksums)}"


def _download(remote: Remote, part: Path, on_progress: OnProgress, on_message: OnMessage) -> None:
    """Fill ``part``, taking up broken connections."""
    failures, answered = 0, False
    while True:
        before = _size(part)
        try:
            return _attempt(remote, part, on_progress, on_message)
        except _BrokenError as error:
            have = _size(part)
            answered = answered or have > before
            failures = 1 if have > before else failures + 1
            if failures >= (TRIES if answered else 2):
                raise UserError(_by_hand(remote, part, str(error), have)) from error
            wait = 2.0 ** (failures - 1)
            on_message(f"{remote.name}: {error}; trying again in {wait:.0f} s")
            sleep(wait)


def _by_hand(remote: Remote, part: Path, reason: str, have: int) -> str:
    size = f" ({remote.size / 1e9:.2f} GB)" if remote.size else ""
    kept = f"; {have} bytes are kept, and the next start goes on from there" if have else ""
    return (
        f"could not download {remote.url} ({reason}); start again with a connection, or download {remote.name}{size} "
        f"on another machine and put it into {part.parent}{kept}"
    )


def _attempt(remote: Remote, part: Path, on_progress: OnProgress, on_message: OnMessage) -> None:
    """One connection: append to ``part`` what is missing.

    Raises:
        _BrokenError: it ended early, or the server is busy.
    """
    have = _size(part)
    if remote.size is not None and have > remote.size:
        part.unlink()  # of another version
        have = 0
    if have and have == remote.size:
        return
    headers = {"User-Agent": "sr-toolkit"} | ({"Range": f"bytes={have}-"} if have else {})
    response = _open(remote, Request(remote.url, headers=headers), part, have)
    if response is None:  # nothing beyond what is there
        return
    with response:
        if have and not (response.status == 206 and _range_start(response) == have):
            on_message(f"the server cannot go on with {remote.name} in the middle; starting again")
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else remote.size
        if total is not None:
            _check_room(part.parent, remote.name, total - have, "download")
        with part.open("ab" if have else "wb") as file:
            _copy(response, file, have, total, remote.name, on_progress)


def _open(remote: Remote, request: Request, part: Path, have: int) -> HTTPResponse | None:
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have and remote.size is None and _complete_length(error) == have:
            return None
        if error.code == 416 and have:
            part.unlink()
            raise _BrokenError("the server's file is another one than the part that is here") from error
        if error.code in _GONE and error.code not in _LATER:
            raise UserError(_by_hand(remote, part, f"the server says {error.code} {error.reason}", have)) from error
        raise _BrokenError(f"the server says {error.code} {error.reason}") from error
    except URLError as error:
        raise _BrokenError(f"no connection: {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _BrokenError(f"no connection: {str(error) or type(error).__name__}") from error
    return response


def _range_start(response: HTTPResponse) -> int | None:
    """First byte of a partial answer, of ``Content-Range: bytes 100-199/200``."""
    start = (response.headers.get("Content-Range") or "").removeprefix("bytes ").split("-")[0]
    return int(start) if start.isdigit() else None


def _complete_length(error: HTTPError) -> int | None:
    """The file's size, of ``Content-Range: bytes */200``."""
    total = (error.headers.get("Content-Range") or "").rsplit("/", 1)[-1]
    return int(total) if total.isdigit() else None


def _copy(
    response: HTTPResponse, file: BinaryIO, have: int, total: int | None, name: str, on_progress: OnProgress
) -> None:
    done = have
    while True:
        try:
            piece = response.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise _BrokenError(f"the connection broke: {str(error) or type(error).__name__}") from error
        if not piece:
            break
        file.write(piece)
        done += len(piece)
        on_progress(f"downloading {name}", done, total or done)
    if total is not None and done < total:
        raise _BrokenError(f"the connection ended after {done} of {total} bytes")


def _check_room(folder: Path, name: str, needed: int, purpose: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder} has {free / 1e9:.2f} GB free, and to {purpose} {name} takes {needed / 1e9:.2f} GB; "
            "free some space, or choose another place with data.root=DIR"
        )
