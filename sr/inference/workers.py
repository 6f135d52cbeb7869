"""Threads that compute a window each.

How a processor's convolutions group their sums depends on the number of threads, and then on the size of the
picture: the last bits of a pixel differ between a tile and the whole. With one thread each they do not, and threads
that need not wait for each other within every layer are no slower.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """Threads for a CPU; on other devices the caller's own does the work.

    Args:
        device: where networks run.

    Attributes:
        count: how many windows are computed at once.
    """

    def __init__(self, device: torch.device) -> None:
        self.count = torch.get_num_threads() if device.type == "cpu" else 1
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """The function's result for each job, in their order.

        Raises:
            Exception: what the function raised first, after all jobs have ended.
        """
        if self.count == 1:
            return [function(job) for job in jobs]
        pool = self._started()
        futures: list[Future[Result]] = [pool.submit(function, job) for job in jobs]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def _started(self) -> ThreadPoolExecutor:
        """The threads, each of which computes alone; how many the caller's own uses is as it was."""
        with self._lock:
            if self._pool is None:
                threads, barrier = torch.get_num_threads(), Barrier(self.count)
                pool = ThreadPoolExecutor(self.count, "tiles")
                for future in [pool.submit(_alone, barrier) for _ in range(self.count)]:
                    future.result()
                torch.set_num_threads(threads)
                self._pool = pool
            return self._pool


def _alone(barrier: Barrier) -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread that never asked takes the number that was set last, by whomever
    barrier.wait()  # or one thread could take two of these calls
