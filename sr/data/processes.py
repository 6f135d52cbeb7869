"""Processes that work for the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process


def serve_parent() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it, even where it is killed.

    A pool's worker waits for work on a pipe that it holds open itself: without this it would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
