"""Threads that compute a window each.

How a processor's convolutions group their sums depends on the number of threads, and then on the size of the
picture: the last bits of a pixel differ between a tile and the whole. With one thread each they do not, and threads
that need not wait for each other within every layer are no slower.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Barrier, Lock
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """Threads for a CPU; on other devices the caller's own does the work.

    Args:
        device: where networks run.
        count: how many windows are computed at once, by several threads each where they are fewer than those; None:
            as many as there are threads.

    Attributes:
        count: how many windows are computed at once.
        split: each picture of a batch is computed alone; other devices are quicker with all at once.
    """

    def __init__(self, device: torch.device, count: int | None = None) -> None:
        self.split = device.type == "cpu"
        threads = torch.get_num_threads() if self.split else 1
        self.count = threads if count is None else count
        self._threads = max(1, threads // self.count)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """The function's result for each job, in their order.

        Raises:
            Exception: what the function raised first, after the jobs that had begun; the others are left out.
        """
        if self.count == 1:
            return [function(job) for job in jobs]
        pool = self._started()
        futures: list[Future[Result]] = [pool.submit(function, job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # also where somebody interrupts
            wait([future for future in futures if not future.cancel()])
        return [future.result() for future in futures]

    def _started(self) -> ThreadPoolExecutor:
        """The threads, each of which computes by itself; how many the caller's own uses is as it was."""
        with self._lock:
            if self._pool is None:
                threads, barrier = torch.get_num_threads(), Barrier(self.count)
                pool = ThreadPoolExecutor(self.count, "tiles")
                for future in [pool.submit(_alone, barrier, self._threads) for _ in range(self.count)]:
                    future.result()
                torch.set_num_threads(threads)
                self._pool = pool
            return self._pool


def _alone(barrier: Barrier, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.get_num_threads()  # a thread that never asked takes the number that was set last, by whomever
    barrier.wait()  # or one thread could take two of these calls
