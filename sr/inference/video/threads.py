"""Reading ahead and writing behind, in a thread each, with queues that do not grow.

The network stays in the thread that asked for the video: decoding and encoding happen beside it, in FFmpeg, which
lets Python go on meanwhile.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_LOOK = 0.1
"""Seconds after which a waiting thread looks whether the other side has given up."""


class ReadAhead(Generic[Item]):
    """Items made in a thread of their own, at most ``size`` in advance; its errors arrive in their place.

    As a context it stops the thread at its end, and closes ``items`` there.

    Args:
        items: a generator.
        size: items that may wait.
    """

    def __init__(self, items: Generator[Item], size: int) -> None:
        self._items, self._queue = items, Queue[tuple[str, Any]](size)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="read ahead", daemon=True)

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._arriving()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _arriving(self) -> Iterator[Item]:
        while True:
            kind, what = self._queue.get()
            if kind == "end":
                return
            if kind == "error":
                raise what
            yield what

    def _run(self) -> None:
        with closing(self._items):
            try:
                for item in self._items:
                    if not self._put("item", item):
                        return
                self._put("end", None)
            except BaseException as error:
                self._put("error", error)

    def _put(self, kind: str, what: Any) -> bool:
        """Hand over as soon as there is room; False where nobody wants it any more."""
        while not self._stop.is_set():
            try:
                self._queue.put((kind, what), timeout=_LOOK)
            except Full:
                continue
            return True
        return False


class WriteBehind(Generic[Item]):
    """Items are worked on in a thread, in order, at most ``size`` waiting.

    As a context it waits at its end until all is done, or, where an error leaves it, stops after the present item.

    Args:
        work: called with each item.
        size: items that may wait.
    """

    def __init__(self, work: Callable[[Item], None], size: int) -> None:
        self._work, self._queue = work, Queue[tuple[str, Any]](size)
        self._error: BaseException | None = None
        self._stop = Event()
        self._thread = Thread(target=self._run, name="write behind", daemon=True)

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: what went wrong with an earlier one.
        """
        self._hand(("item", item))

    def __enter__(self) -> "WriteBehind[Item]":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self._stop.set()
            self._thread.join()
            return
        self._hand(("end", None))
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _hand(self, what: tuple[str, Any]) -> None:
        while self._error is None:
            try:
                self._queue.put(what, timeout=_LOOK)
            except Full:
                continue
            return
        self._thread.join()
        raise self._error

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                kind, item = self._queue.get(timeout=_LOOK)
            except Empty:
                continue
            if kind == "end":
                return
            try:
                self._work(item)
            except BaseException as error:
                self._error = error
                return
