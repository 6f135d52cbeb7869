"""What only one process may work on at a time: a store, a download, an output folder, a run.

A lock is a file that the operating system holds for the process: it ends with it, however that ends.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PATIENCE = 0.5
"""Seconds that a refused lock is tried again: what a killed process held may be let go a moment later."""


class InUseError(Exception):
    """Another process holds the lock."""


@contextmanager
def alone(lock: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Nobody else is in here with the same lock; its folder is made.

    Args:
        lock: file that stands for what only one process may work on.
        on_wait: called once where another one is at it, which is then waited for; None does not wait.

    Raises:
        InUseError: another process is at it, and ``on_wait`` is None. It says which one, where that is known.
        OSError: the disk is full or not writable.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=PATIENCE)
    except Timeout:
        if on_wait is None:
            raise InUseError(_holder(lock)) from None
        on_wait()
        held.acquire()
    try:
        with suppress(OSError):  # a full disk: the number is for messages only
            lock.write_text(f"{os.getpid()}\n")
        yield
    finally:
        held.release()


def in_use(lock: Path) -> bool:
    """Whether a living process holds a lock; what a killed one left is not in use."""
    if not lock.exists():
        return False
    tried = FileLock(lock)
    try:
        tried.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder of somebody else's
        return False
    tried.release()
    return False


def _holder(lock: Path) -> str:
    try:
        number = lock.read_text().strip()
    except OSError:  # locked for reading too, on Windows
        number = ""
    return f"process {number}" if number.isdigit() else "another process"
