"""Building a store: sources decoded by worker processes, written in order, and gone on with after an interruption.

The folder is built under another name and renamed at the end, so that a store that exists is complete.
"""

import hashlib
import json
import os
import shutil
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sr.data.contract import Found, OnMessage, PictureSource, Sieve
from sr.data.processes import serve_parent, worker_pool
from sr.data.store.index import Entry, IndexWriter, read_index
from sr.data.store.store import Store
from sr.files import sweep_up, sync_folder
from sr.image.depth import to_uint8
from sr.locks import alone
from sr.types import UserError

FORMAT = "sr-store/3"
"""Raise when pictures are decoded differently, or the files look different: older stores are then left alone."""


def open_store(
    source: PictureSource,
    root: Path,
    on_progress: Callable[[int, int], None],
    on_message: OnMessage = lambda _: None,
    workers: int | None = None,
) -> Store:
    """Open the store of ``source``, building or mending it when needed.

    A complete store is opened without a lock, so that a cache that cannot be written is of use.

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
    folder = root / _key(settings)
    try:
        store = _opened(folder, settings, source, on_message)
        if store is not None:
            return store
        waiting = f"another process is building {folder}; waiting for it"
        with alone(root / f"{folder.name}.lock", lambda: on_message(waiting)):
            sweep_up(root)
            return _open_locked(source, folder, settings, on_progress, on_message, workers)
    except OSError as error:
        raise UserError(
            f"could not read or write the picture store {folder}: {error.strerror or error}; "
            "free some space, or choose another place with data.cache=DIR or SR_CACHE"
        ) from error


def _key(settings: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=12).hexdigest()


def _opened(folder: Path, settings: dict[str, Any], source: PictureSource, on_message: OnMessage) -> Store | None:
    """The store in a folder; None where there is none, or none that can be used."""
    if not folder.is_dir():
        return None
    try:
        store = Store(folder, source, on_message)
    except UserError:
        return None
    return store if store.settings == settings else None


def _open_locked(
    source: PictureSource,
    folder: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int, int], None],
    on_message: OnMessage,
    workers: int | None,
) -> Store:
    store = _opened(folder, settings, source, on_message)  # another process may have built it meanwhile
    if store is not None:
        return store
    if os.path.lexists(folder):
        on_message(f"{folder} is damaged or no picture store; building it again")
        _remove(folder)
    else:
        _about_older(folder.parent, settings, on_message)
    building = folder.with_name(f"{folder.name}.building")
    _build(source, building, settings, on_progress, on_message, workers)
    building.rename(folder)
    sync_folder(folder.parent)
    return Store(folder, source, on_message)


def _about_older(root: Path, settings: dict[str, Any], on_message: OnMessage) -> None:
    older = root / _key(settings | {"format": "sr-store/2"})
    if older.is_dir():
        on_message(
            f"the picture store {older} is of an older version, without checks of its index and with the colours "
            "that hide under transparency: the pictures are decoded again, and it can be deleted"
        )


def _remove(path: Path) -> None:
    """Delete whatever has this name: a folder, a file, or a link (not what it leads to)."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _build(
    source: PictureSource,
    building: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int, int], None],
    on_message: OnMessage,
    workers: int | None,
) -> None:
    index_path, pixels_path = building / "index.jsonl", building / "pixels.bin"
    _clear_the_way(building, on_message)
    begun = read_index(index_path)
    done = begun.entries if begun.settings == settings else []
    with pixels_path.open("a+b") as pixels:
        done, sieve = _resumed(source, building, pixels, done, on_message)
        pixels.truncate(sum(entry.size for entry in done))
        with index_path.open("w", encoding="ascii", newline="\n") as lines:
            index = IndexWriter(lines, settings, done)
            for position, picture in _in_order(source, done[-1].source + 1 if done else 0, workers):
                _append(index, pixels, source.name(position), position, picture, sieve)
                on_progress(position + 1, len(source))
            index.end()
            for file in (lines, pixels):
                file.flush()
                os.fsync(file.fileno())


def _clear_the_way(building: Path, on_message: OnMessage) -> None:
    """Leave a folder that holds nothing but ordinary files where a build is to be."""
    files = [building / "index.jsonl", building / "pixels.bin"]
    strange = any(os.path.lexists(path) and not path.is_file() for path in files)
    if strange or (os.path.lexists(building) and not building.is_dir()):
        on_message(f"{building} is no half-built picture store; building it again")
        _remove(building)
    building.mkdir(parents=True, exist_ok=True)


def _resumed(
    source: PictureSource, building: Path, pixels: BinaryIO, done: list[Entry], on_message: OnMessage
) -> tuple[list[Entry], Sieve | None]:
    """What an interrupted build leaves to go on from, and a sieve that has seen it."""
    sieve = source.sieve()
    # The last file may have given only a part of its pictures when the build stopped: it is read again.
    done = [entry for entry in done if entry.source != done[-1].source]
    whole = _whole(pixels, done, sieve)
    if len(whole) == len(done):
        return done, sieve
    bad = done[len(whole)]
    on_message(f"the interrupted build {building} is damaged from {bad.name} on; it is decoded again from there")
    sieve = source.sieve()
    return _whole(pixels, [entry for entry in whole if entry.source != bad.source], sieve), sieve


def _whole(pixels: BinaryIO, done: list[Entry], sieve: Sieve | None) -> list[Entry]:
    """The first pictures of an interrupted build whose pixels are as they were written.

    A power cut leaves pages of zeros where the disk had not caught up. Every picture is shown to the sieve, which
    has to know them.
    """
    pixels.seek(0)
    for number, entry in enumerate(done):
        data = pixels.read(entry.size)
        if zlib.crc32(data) != entry.crc:
            return done[:number]
        if sieve is not None and not entry.reason:
            sieve.admit(np.frombuffer(data, dtype=np.uint8).reshape(entry.height, entry.width, 3))
    return done


def _append(
    index: IndexWriter,
    pixels: BinaryIO,
    name: str,
    position: int,
    found: Found,
    sieve: Sieve | None,
) -> None:
    if isinstance(found, str):
        index.add(Entry(position, name, 0, 0, False, False, 0, found))
        return
    for number, picture in enumerate(found if isinstance(found, list) else [found]):
        data = np.ascontiguousarray(to_uint8(picture.pixels))
        if sieve is not None and not sieve.admit(data):
            continue
        pixels.write(data.data)
        pixels.flush()  # before its line: a line promises that the pixels are there
        own = f"{name}#{number}" if isinstance(found, list) else name
        height, width = data.shape[:2]
        index.add(Entry(position, own, height, width, picture.gray, picture.moving, zlib.crc32(data.data), ""))
    index.file.flush()


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
    with worker_pool(count, _Reader.install, reader) as pool:
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
