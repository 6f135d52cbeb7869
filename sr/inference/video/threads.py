"""Reading ahead and writing behind, in a thread each, with queues that do not grow.

The network stays in the thread that asked for the video: decoding and encoding happen beside it, in FFmpeg, which
lets Python go on meanwhile.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_END = object()
"""Stands for what follows the last item."""


class ReadAhead(Generic[Item]):
    """Items made in a thread of their own, at most ``size`` in advance; its errors arrive in their place.

    As a context it stops the thread at its end, after the present item, and closes ``items``.

    Args:
        items: a generator.
        size: items that may wait.
    """

    def __init__(self, items: Generator[Item], size: int) -> None:
        self._items, self._size = items, size
        self._thread = ThreadPoolExecutor(1, "read ahead")

    def __enter__(self) -> Iterator[Item]:
        return self._arriving()

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._items.close()

    def _arriving(self) -> Iterator[Item]:
        coming: deque[Future[Any]] = deque()
        while True:
            while len(coming) < self._size:
                coming.append(self._thread.submit(next, self._items, _END))
            item = coming.popleft().result()
            if item is _END:
                return
            yield item


class WriteBehind(Generic[Item]):
    """Items are worked on in a thread, in order, at most ``size`` waiting; after one that fails no other is.

    As a context it waits at its end until all is done, or, where an error leaves it, stops after the present item.

    Args:
        work: called with each item.
        size: items that may wait.
    """

    def __init__(self, work: Callable[[Item], None], size: int) -> None:
        self._work, self._size = work, size
        self._thread = ThreadPoolExecutor(1, "write behind")
        self._waiting: deque[Future[None]] = deque()
        self._failed = False

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: what went wrong with an earlier one.
        """
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > self._size):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._run, item))

    def __enter__(self) -> "WriteBehind[Item]":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def _run(self, item: Item) -> None:
        if self._failed:
            return
        try:
            self._work(item)
        except BaseException:
            self._failed = True
            raise
