"""Decode-once store: pictures as raw uint8 in one memory-mapped file, so that a crop is a slice.

A store is a folder ``<cache>/<key>/`` with

- ``pixels.bin``: the pictures one after another, each (height, width, 3) uint8 RGB, row by row;
- ``index.jsonl``: a first line with the format and the settings, then one line per picture, in order. A picture
  that could not be read has a line with the reason instead of a size, and no pixels.

The key is a hash of the settings and of the stamp of the sources, so a changed source gives another store. The
folder is built under another name and renamed at the end: a store that exists is complete. A build that was
interrupted goes on where it stopped.
"""

import hashlib
import json
import os
import shutil
import sys
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import numpy as np
import platformdirs
from filelock import FileLock, Timeout

from sr.data.processes import serve_parent
from sr.types import Picture, UserError

FORMAT = "sr-store/2"
_CHECKED_ON_OPEN = 8  # pictures whose checksum is compared every time a store is opened


OnProgress = Callable[[str, int, int], None]
"""Called with (what is being made, how much is done, how much there is in all)."""

OnMessage = Callable[[str], None]
"""Called with one line that the user should know."""


class Sieve(Protocol):
    """Decides, picture after picture in the order of a store, which are kept."""

    def admit(self, pixels: np.ndarray) -> bool:
        """Whether a picture, (height, width, 3) uint8, is kept."""


Found = Picture | list[Picture] | str
"""What a file gives: a picture, several, or the reason why it cannot be used."""


class PictureSource(ABC):
    """Where the pictures of a store come from. Instances travel to worker processes, so they must pickle."""

    heavy = False
    """Making a picture is so slow that worker processes pay, even for a few dozen."""

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:  # noqa: B027 (most sources have nothing to fetch)
        """Download what is missing; called once before anything else. Sources of local files have nothing to do.

        Raises:
            UserError: something is missing and cannot be downloaded.
        """

    @abstractmethod
    def stamp(self) -> str:
        """A text that changes whenever any picture would."""

    @abstractmethod
    def __len__(self) -> int:
        """How many files there are."""

    @abstractmethod
    def name(self, index: int) -> str:
        """A name for messages and files."""

    @abstractmethod
    def read(self, index: int) -> Picture | list[Picture]:
        """Decode one picture, or a list of pictures (perhaps empty) where one file gives several.

        Raises:
            UserError: why it cannot be used.
        """

    def sieve(self) -> Sieve | None:
        """What drops pictures that others already show, or None where every picture is kept."""
        return None


@dataclass(frozen=True)
class Entry:
    """One line of the index: a picture (``reason`` empty) or a refused file (``height`` 0).

    Attributes:
        source: number of the file in its source, which may give several pictures.
        name: for messages and files.
        height: rows.
        width: columns.
        gray: the file has one channel.
        crc: checksum of the pixels.
        reason: why the file cannot be used, or empty.
    """

    source: int
    name: str
    height: int
    width: int
    gray: bool
    crc: int
    reason: str

    @property
    def size(self) -> int:
        """Bytes in ``pixels.bin``."""
        return self.height * self.width * 3


class Store:
    """An open store. Pickles by path, so that loader processes map the same file.

    Args:
        folder: a complete store.

    Raises:
        UserError: the folder is no store, or its pixels do not fit its index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings, lines = _read_index(folder / "index.jsonl")
        if settings is None:
            raise UserError(f"{folder} is not a complete store; delete it and it will be built again")
        self.settings = settings
        self.refused = [entry for entry in lines if entry.reason]
        self.entries = [entry for entry in lines if not entry.reason]
        sizes = np.array([entry.size for entry in self.entries], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.heights = np.array([entry.height for entry in self.entries], dtype=np.int64)
        self.widths = np.array([entry.width for entry in self.entries], dtype=np.int64)
        self.pixels = self._map()
        self._pictures = [
            self.pixels[start : start + e.size].reshape(e.height, e.width, 3)
            for start, e in zip(self.offsets[:-1].tolist(), self.entries, strict=True)
        ]
        self._verify()

    def _map(self) -> np.ndarray:
        path = self.folder / "pixels.bin"
        expected, found = int(self.offsets[-1]), path.stat().st_size if path.exists() else -1
        if found != expected:
            raise UserError(f"{path} has {found} bytes where its index says {expected}; delete {self.folder}")
        if expected == 0:
            return np.empty(0, dtype=np.uint8)
        # A plain ndarray view: slicing np.memmap itself costs several times more per crop.
        return np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))

    def _verify(self) -> None:
        step = max(1, len(self.entries) // _CHECKED_ON_OPEN)
        for index in range(0, len(self.entries), step):
            if zlib.crc32(self._pictures[index].data) != self.entries[index].crc:
                raise UserError(f"{self.folder} is damaged at {self.entries[index].name}; delete the folder")

    def __len__(self) -> int:
        return len(self.entries)

    def __reduce__(self) -> tuple[type["Store"], tuple[Path]]:
        return Store, (self.folder,)

    @property
    def nbytes(self) -> int:
        """Size of all pixels."""
        return int(self.offsets[-1])

    @property
    def key(self) -> str:
        """The store's name in the cache."""
        return self.folder.name

    def picture(self, index: int) -> np.ndarray:
        """Read-only (height, width, 3) uint8 view of one picture."""
        return self._pictures[index]


def cache_root(cache: str | None) -> Path:
    """The folder that holds stores: the argument, else ``SR_CACHE``, else the user's cache folder."""
    if cache is not None:
        return Path(cache)
    if "SR_CACHE" in os.environ:
        return Path(os.environ["SR_CACHE"])
    return Path(platformdirs.user_cache_dir("sr-toolkit", appauthor=False))


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is; uint16 0..65535 rounded to 0..255."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def open_store(
    source: PictureSource,
    root: Path,
    on_progress: Callable[[int, int], None],
    on_message: OnMessage = lambda _: None,
    workers: int | None = None,
) -> Store:
    """Open the store of ``source``, building or mending it when needed.

    Args:
        source: the pictures.
        root: folder of all stores.
        on_progress: called with (pictures done, pictures in all) while building.
        on_message: called with one line when something happens that the user should know.
        workers: processes that decode; None takes the number of cores.

    Raises:
        UserError: the disk is full or not writable.
    """
    settings = {"format": FORMAT, "source": type(source).__name__, "stamp": source.stamp()}
    key = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=12).hexdigest()
    folder = root / key
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f"{key}.lock")
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            on_message(f"another process is building {folder}; waiting for it")
            lock.acquire()
        try:
            return _open_locked(source, folder, settings, on_progress, on_message, workers)
        finally:
            lock.release()
    except OSError as error:
        raise UserError(
            f"could not write the picture store {folder}: {error.strerror or error}; "
            "free some space, or choose another place with data.cache=DIR or SR_CACHE"
        ) from error


def _open_locked(
    source: PictureSource,
    folder: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int, int], None],
    on_message: OnMessage,
    workers: int | None,
) -> Store:
    if folder.exists():
        try:
            return Store(folder)
        except UserError as error:
            on_message(f"{error}; building it again")
            shutil.rmtree(folder)
    building = folder.with_name(f"{folder.name}.building")
    _build(source, building, settings, on_progress, workers)
    building.rename(folder)
    return Store(folder)


def _build(
    source: PictureSource,
    building: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int, int], None],
    workers: int | None,
) -> None:
    building.mkdir(parents=True, exist_ok=True)
    index_path, pixels_path = building / "index.jsonl", building / "pixels.bin"
    found, done = _read_index(index_path)
    # The last file may have given only a part of its pictures when the build stopped: it is read again.
    done = [entry for entry in done if entry.source != done[-1].source] if found == settings else []
    with index_path.open("w") as index, pixels_path.open("a+b") as pixels:
        index.write(json.dumps(settings) + "\n")
        complete = sum(entry.size for entry in done)
        if pixels.tell() < complete:
            done, complete = [], 0
        pixels.truncate(complete)
        sieve = source.sieve()
        _replay(sieve, pixels, done)
        for entry in done:
            _write_line(index, entry)
        for position, picture in _in_order(source, done[-1].source + 1 if done else 0, workers):
            _append(index, pixels, source.name(position), position, picture, sieve)
            on_progress(position + 1, len(source))
        for file in (index, pixels):
            file.flush()
            os.fsync(file.fileno())


def _replay(sieve: Sieve | None, pixels: BinaryIO, done: list[Entry]) -> None:
    """Show an interrupted build's pictures to the sieve, which has to know them."""
    if sieve is None:
        return
    pixels.seek(0)
    for entry in done:
        if not entry.reason:
            data = np.frombuffer(pixels.read(entry.size), dtype=np.uint8)
            sieve.admit(data.reshape(entry.height, entry.width, 3))


def _append(
    index: TextIO,
    pixels: BinaryIO,
    name: str,
    position: int,
    found: Found,
    sieve: Sieve | None,
) -> None:
    if isinstance(found, str):
        _write_line(index, Entry(position, name, 0, 0, False, 0, found))
        return
    for number, picture in enumerate(found if isinstance(found, list) else [found]):
        data = np.ascontiguousarray(to_uint8(picture.pixels))
        if sieve is not None and not sieve.admit(data):
            continue
        pixels.write(data.data)
        pixels.flush()  # before its line: a line promises that the pixels are there
        own = f"{name}#{number}" if isinstance(found, list) else name
        height, width = data.shape[:2]
        _write_line(index, Entry(position, own, height, width, picture.gray, zlib.crc32(data.data), ""))
    index.flush()


def _write_line(index: TextIO, entry: Entry) -> None:
    index.write(json.dumps(vars(entry)) + "\n")


def _read_index(path: Path) -> tuple[dict[str, Any] | None, list[Entry]]:
    """The settings and the complete lines of an index; (None, []) where there is no valid first line."""
    if not path.exists():
        return None, []
    lines = path.read_text().splitlines(keepends=True)
    complete = [line for line in lines if line.endswith("\n")]
    try:
        settings = json.loads(complete[0])
        return settings, [Entry(**json.loads(line)) for line in complete[1:]]
    except (IndexError, ValueError, TypeError):
        return None, []


def _read(source: PictureSource, index: int) -> Found:
    try:
        return source.read(index)
    except UserError as error:
        return str(error)


def _in_order(source: PictureSource, start: int, workers: int | None) -> Iterator[tuple[int, Found]]:
    """(index, picture or the reason why there is none), in order, a few decoded ahead by worker processes.

    Only ``workers + 1`` pictures are in flight, so memory does not grow with the data set.
    """
    count = min(workers if workers is not None else (os.cpu_count() or 1), len(source) - start)
    few = len(source) - start < (16 if source.heavy else 500)
    if count <= 1 or few:
        # Starting processes costs seconds (each imports torch); a small folder is done before they run.
        for index in range(start, len(source)):
            yield index, _read(source, index)
        return
    reader = _Reader(source)
    with ProcessPoolExecutor(count, get_context("spawn"), _Reader.install, (reader,)) as pool:
        pending: deque[Future[Found]] = deque()
        submitted = start
        for index in range(start, len(source)):
            while submitted < len(source) and len(pending) < count + 1:
                pending.append(pool.submit(_Reader.read, submitted))
                submitted += 1
            yield index, pending.popleft().result()


class _Reader:
    """Holds the source in a worker process, so that it travels there once and not with every picture."""

    installed: "_Reader"

    def __init__(self, source: PictureSource) -> None:
        self.source = source

    @staticmethod
    def install(reader: "_Reader") -> None:
        serve_parent()
        torch = sys.modules.get("torch")  # loaded by sources that compute; importing it takes seconds
        if torch is not None:
            torch.set_num_threads(1)  # the processes are the parallelism
        _Reader.installed = reader

    @staticmethod
    def read(index: int) -> Found:
        return _read(_Reader.installed.source, index)
