"""Processes that work for the one that started them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, parent_process, resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import psutil


def leave_stops_to_parent(terminated: bool = True) -> None:
    """Ignore what reaches the whole process group and is meant for the process that started this one.

    Args:
        terminated: SIGTERM ends this one. False where the parent still wants its work after that signal; this process
            must then see by itself when the parent is gone.
    """
    for name in ("SIGINT", "SIGHUP", *(() if terminated else ("SIGTERM",))):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def serve_parent() -> None:
    """Leave stops to the process that started this one, and end with it, even where it is killed.

    A pool's worker waits for work on a pipe that it holds open itself: without this it would wait for ever.
    """
    leave_stops_to_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def unheard() -> Iterator[None]:
    """What is started here never hears Ctrl-C, from its first moment on: it imports for seconds before it could say so.

    This process hears it afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it, as every pool does, would unblock the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Unheard(SpawnProcess):
    def start(self) -> None:
        with unheard():
            super().start()


class _UnheardContext(SpawnContext):
    Process = _Unheard


@contextmanager
def worker_pool(count: int, initializer: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that leaves Ctrl-C to this one, and is gone at once where anything else ends the block.

    Args:
        count: of processes.
        initializer: called in each; it calls `serve_parent`.
        arguments: of the initializer.
    """
    before = set(active_children())
    with ProcessPoolExecutor(count, _UnheardContext(), initializer, arguments) as pool:
        try:
            yield pool
        except BaseException:  # nobody waits for what they do; a pool would end them after their work only
            for child in set(active_children()) - before:
                child.kill()
            raise


def kill_descendants() -> None:
    """End everything that this process has started, but for what tidies up behind it."""
    for child in psutil.Process().children(recursive=True):
        try:
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()
        except psutil.Error:  # it is gone
            continue


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
