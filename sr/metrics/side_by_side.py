"""Measure pictures side by side: each on one thread of its own.

A metric is hundreds of short operations. Spread over threads each of them ends with a wait for the slowest, which costs
more than it brings, and many times as much where another process wants the processor too. A picture per thread waits
once. As a sum's rounding follows the number of threads, digits are also the same on every machine this way.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Results in the order of the items, computed on as many threads as torch had.

    Args:
        work: what is done with each; its torch operations run on one thread. It sets its own context
            (``torch.no_grad``, autocast): those of the caller are the caller's thread's.
        items: what it is done with.

    Raises:
        Exception: what the work raised, of the first item that failed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that begin from here on have it as well
    try:
        if min(threads, len(items)) <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)
