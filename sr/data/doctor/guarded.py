"""Work in processes that may hang, crash or run out of memory: the work goes on, the job becomes a sentence."""

import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

import cv2

from sr.data.processes import leave_stops_to_parent, unheard

if sys.platform != "win32":
    import resource

Job = TypeVar("Job")
Result = TypeVar("Result")

_START_SECONDS = 120.0  # a process imports PyTorch, from a cold disk perhaps
_FEW = 64  # jobs that are done before a process has imported PyTorch
_LONGEST_WAIT = 3600.0  # seconds; the system refuses an infinite one


@dataclass(frozen=True)
class Limits:
    """What one job may use.

    Args:
        seconds: time per job; a job that takes longer ends with its process.
        memory: bytes that a process may take beyond what its imports took. Kept by Linux (RLIMIT_AS); other
            systems have no such limit.

    Raises:
        ValueError: a limit is not positive.
    """

    seconds: float = 60.0
    memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"seconds={self.seconds} must be larger than 0")
        if self.memory <= 0:
            raise ValueError(f"memory={self.memory} must be larger than 0")


@dataclass(frozen=True)
class Failure:
    """A job without a result, and why."""

    reason: str


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: int | None = None
    deadline: float = 0.0

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Guarded(Generic[Job, Result]):
    """A pool of processes that does not trust its jobs.

    Unlike ``ProcessPoolExecutor`` it outlives a process that dies, and ends a job that takes too long: the
    process is killed and another one started. One job is in flight per process, so memory stays bounded.

    Args:
        task: a function of a module (it travels by name) from a job to a result. What it raises becomes a
            `Failure`.
        workers: processes; at least 1.
        limits: per job.
    """

    def __init__(self, task: Callable[[Job], Result], workers: int, limits: Limits) -> None:
        if workers < 1:
            raise ValueError(f"workers={workers} must be at least 1")
        self.task, self.workers, self.limits = task, workers, limits
        self._context: Any = None

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result | Failure]]:
        """Do all jobs.

        Yields:
            (position of the job, its result or why there is none), in the order in which they end.

        Raises:
            RuntimeError: a process did not even start.
        """
        self._context = self._context_for(len(jobs))
        remaining = deque(range(len(jobs)))
        pool = [self._start() for _ in range(min(self.workers, len(jobs)))]
        try:
            while pool:
                for worker in self._due(pool):
                    ended = self._step(worker)
                    if ended is not None:
                        yield ended
                    if remaining and not worker.pipe.closed:
                        self._give(worker, remaining.popleft(), jobs)
                        continue
                    pool.remove(worker)
                    worker.stop()
                    if remaining:
                        pool.append(self._start())
        finally:
            for worker in pool:
                worker.stop()

    def _context_for(self, jobs: int) -> Any:
        """How processes are started: where there are few jobs, without imports, which take longer than the jobs."""
        if sys.platform != "linux":
            return get_context("spawn")
        if jobs < _FEW:
            return get_context("fork")
        # Of a fork server that has done the imports, a killed process is replaced in milliseconds.
        context = get_context("forkserver")
        context.set_forkserver_preload([self.task.__module__])
        with unheard():
            forkserver.ensure_running()
        return context

    def _give(self, worker: _Worker, position: int, jobs: Sequence[Job]) -> None:
        worker.job, worker.deadline = position, time.monotonic() + self.limits.seconds
        with contextlib.suppress(BrokenPipeError):  # it died while idle; the next step reads the end of its pipe
            worker.pipe.send(jobs[position])

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self.task, self.limits), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, deadline=time.monotonic() + _START_SECONDS)

    @staticmethod
    def _due(pool: list[_Worker]) -> list[_Worker]:
        """Those with news, or whose time is up; waits for the first."""
        now = time.monotonic()
        first = min(worker.deadline for worker in pool)
        heard = wait([worker.pipe for worker in pool], min(max(0.0, first - now), _LONGEST_WAIT))
        now = time.monotonic()
        return [worker for worker in pool if worker.pipe in heard or worker.deadline <= now]

    def _step(self, worker: _Worker) -> tuple[int, Result | Failure] | None:
        """Take a worker's news; a worker that died or is late is ended."""
        position = worker.job
        try:
            if worker.pipe.poll():
                result = worker.pipe.recv()
                worker.job = None
                return None if position is None else (position, result)
            reason = f"took longer than {self.limits.seconds:g} seconds"
        except (EOFError, ConnectionResetError):
            worker.process.join()
            reason = f"ended the process that read it ({_cause(worker.process.exitcode)})"
        worker.stop()
        if position is None:
            raise RuntimeError(f"a worker process did not start: {_cause(worker.process.exitcode)}")
        return position, Failure(reason)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _serve(pipe: Connection, task: Callable[[Job], Result], limits: Limits) -> None:
    """A worker process: jobs in, results out, until it is killed or the pipe ends."""
    leave_stops_to_parent()
    cv2.setNumThreads(0)  # a fork has none of the threads that OpenCV may have had, and would wait for them
    _silence()
    _limit_memory(limits.memory)
    pipe.send(None)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(_attempt(task, job))


def _attempt(task: Callable[[Job], Result], job: Job) -> Result | Failure:
    try:
        return task(job)
    except MemoryError:
        return Failure("needs more memory than the limit")
    except Exception as error:  # libraries raise nearly anything on damaged data, and it must not end the check
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        return Failure(f"cannot be examined ({said})")


def _silence() -> None:
    """C libraries write hundreds of lines about damaged files to the standard error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _limit_memory(extra: int) -> None:
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - a file of the kernel
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = taken + extra
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
