"""Reading ahead and writing behind, in a thread each, with queues that do not grow.

The network stays in the thread that asked for the video: decoding and encoding happen beside it, in FFmpeg, which
lets Python go on meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_LOOK = 0.1
"""Seconds after which a waiting thread looks whether the other side has given up."""


@contextmanager
def read_ahead(items: Iterator[Item], size: int) -> Iterator[Iterator[Item]]:
    """The items, made in a thread of their own, at most ``size`` in advance; its errors arrive in order."""
    queue: Queue[tuple[str, Any]] = Queue(size)
    stop = Event()

    def put(kind: str, what: Any) -> bool:
        while not stop.is_set():
            try:
                queue.put((kind, what), timeout=_LOOK)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def arriving() -> Iterator[Item]:
        while True:
            kind, what = queue.get()
            if kind == "end":
                return
            if kind == "error":
                raise what
            yield what

    thread = Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        yield arriving()
    finally:
        stop.set()
        thread.join()


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
