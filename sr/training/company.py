"""The processes of one run: started by the first of them, and gone soon after any of them is. Imports no torch."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psutil

import __main__
from sr.errors import UserError

_FIRST = "SR_FIRST_PROCESS"
"""Environment variable: number of the process that started this one to train with it."""
_LOOK = 0.25
"""Seconds between two looks at the others."""
_GRACE = 3.0
"""Seconds in which the others may tell what is wrong with them, or the first one end by itself."""
_ENDING = 10.0
"""Seconds that the others may take to end after the training."""


def follow_first() -> None:
    """In a process that another one started to train with it: end soon after that one, however it ends."""
    first = os.environ.get(_FIRST)
    if first is not None and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_follow, args=(int(first),), daemon=True).start()


def _follow(first: int) -> None:
    while os.getppid() == first and psutil.pid_exists(first):
        sleep(_LOOK)
    os._exit(1)


@contextmanager
def company(count: int, told: Mapping[str, str]) -> Iterator[None]:
    """Processes that run the same command line and train together with this one, the first, while it is in here.

    Args:
        count: of processes, with this one.
        told: environment variables for the others.

    Raises:
        UserError: one of the others has ended. Where this process is waiting for it inside PyTorch, the process
            says so and ends.
    """
    if count == 1 or os.environ.get("LOCAL_RANK", "0") != "0":
        yield
        return
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0", "WORLD_SIZE": str(count)}
    before = {name: os.environ.get(name) for name in (*shared, "LOCAL_RANK")}
    os.environ.update(shared, LOCAL_RANK="0")
    others = _Others(count, told)
    try:
        yield
    except Exception as error:
        fallen = others.fallen(_GRACE)
        if fallen and not isinstance(error, UserError):
            raise UserError(fallen) from error
        raise
    else:
        others.end(_ENDING)
    finally:
        others.end(0.0)
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


class _Others:
    """The processes that this one has started, watched from a thread: PyTorch waits for dead ones for half an hour."""

    def __init__(self, count: int, told: Mapping[str, str]) -> None:
        program = ["-m", __main__.__spec__.name] if __main__.__spec__ else [str(Path(sys.argv[0]).resolve())]
        environment = {**os.environ, **told, _FIRST: str(os.getpid())}
        self._processes = [
            subprocess.Popen([sys.executable, *program, *sys.argv[1:]], env={**environment, "LOCAL_RANK": str(number)})
            for number in range(1, count)
        ]
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def fallen(self, seconds: float) -> str:
        """Which of the others has failed, told after so many seconds at most; empty where none has."""
        until = monotonic() + seconds
        while True:
            for number, process in enumerate(self._processes, 1):
                code = process.poll()
                if code:
                    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                    return (
                        f"process {number} of this run (0 to {len(self._processes)}) {how}, so the run ends; "
                        "resume=… goes on from its last checkpoint"
                    )
            if monotonic() >= until:
                return ""
            sleep(_LOOK)

    def end(self, seconds: float) -> None:
        """Wait so long for the others, then kill them."""
        self._over.set()
        until = monotonic() + seconds
        for process in self._processes:
            try:
                process.wait(max(0.0, until - monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            fallen = self.fallen(0.0)
            if not fallen:
                continue
            if not self._over.wait(_GRACE):
                print(f"error: {fallen}", file=sys.stderr, flush=True)
                for process in self._processes:
                    process.kill()
                os._exit(1)
            return


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
