"""Processes that work for the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process


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


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
