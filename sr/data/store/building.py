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
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from sr.data.contract import Found, OnMessage, PictureSource, Sieve
from sr.data.processes import serve_parent
from sr.data.store.store import Entry, Store, read_index
from sr.files import sweep_up
from sr.image.depth import to_uint8
from sr.locks import alone
from sr.types import UserError

FORMAT = "sr-store/2"


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
        waiting = f"another process is building {folder}; waiting for it"
        with alone(root / f"{key}.lock", lambda: on_message(waiting)):
            sweep_up(root)
            return _open_locked(source, folder, settings, on_progress, on_message, workers)
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
    found, done = read_index(index_path)
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
