"""Several processes on one machine: workers of one that started them, and strangers that want the same file."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path

from filelock import FileLock, Timeout


def serve_parent() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it, even where it is killed.

    A pool's worker waits for work on a pipe that it holds open itself: without this it would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def alone(lock: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process is in here with the same lock; its folder is made.

    Args:
        lock: file that stands for what only one process may work on.
        on_wait: called once where another one is at it.

    Raises:
        OSError: the disk is full or not writable.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0.1)
    except Timeout:
        on_wait()
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
