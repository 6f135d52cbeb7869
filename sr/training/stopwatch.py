"""Seconds spent in training steps, validation and saving left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Runs from `start` on, except inside `paused`."""

    def __init__(self) -> None:
        self._started = 0.0
        self._paused = 0.0
        self._running = False

    def start(self) -> None:
        """Begin at zero."""
        self._started, self._paused, self._running = perf_counter(), 0.0, True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        before = perf_counter()
        try:
            yield
        finally:
            self._paused += perf_counter() - before

    @property
    def seconds(self) -> float:
        """Seconds so far; 0 before the start."""
        return perf_counter() - self._started - self._paused if self._running else 0.0
