"""The processes of one run: started by the first of them, and gone soon after any of them is. Imports no torch."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import psutil

import __main__
from sr.errors import UserError

_FIRST, _MEETING = "SR_FIRST_PROCESS", "SR_MEETING"
"""Environment variables: number of the process that started this one to train with it, and the port where it waits."""
_LOOK = 0.25
"""Seconds between two looks at the others."""
_GRACE = 3.0
"""Seconds in which the others may tell what is wrong with them, or the first one end by itself."""
_ENDING = 10.0
"""Seconds that the others may take to end after the training."""
_STOPPED = [128 + getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Exit codes of a process that a signal has ended in good order."""


def follow_first() -> None:
    """In a process that another one started to train with it: end soon after that one, however it ends."""
    first = os.environ.get(_FIRST)
    if first is not None and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_follow, args=(int(first),), daemon=True).start()


def _follow(first: int) -> None:
    # On Windows a virtual environment's python.exe only starts the real one, which then is the child of that.
    posix = os.name == "posix"
    while psutil.pid_exists(first) and (not posix or os.getppid() == first):
        sleep(_LOOK)
    os._exit(1)


class Company:
    """The processes of a run meet before they train: whoever waits inside PyTorch can be neither told nor asked.

    This one is the company of a process that trains alone.
    """

    def arrive(self) -> None:
        """All are ready. Until then a signal, or an error of any of them, ends the first one with nothing begun.

        Raises:
            UserError: one of the others has ended.
            KeyboardInterrupt: a signal has ended one of the others.
        """

    def begin(self) -> None:
        """The first one is about to connect, so that the others find it."""


@contextmanager
def company(count: int, told: Mapping[str, str]) -> Iterator[Company]:
    """Processes that run the same command line and train together with this one, the first, while it is in here.

    Args:
        count: of processes, with this one.
        told: environment variables for the others.

    Yields:
        What makes them meet: each calls ``arrive``, then ``begin``, then trains.

    Raises:
        UserError: one of the others has ended. Where this process is waiting for it inside PyTorch, the process
            says so and ends.
    """
    if count == 1 or os.environ.get("LOCAL_RANK", "0") != "0":
        yield Company() if count == 1 else _Beside()
        return
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0", "WORLD_SIZE": str(count)}
    before = {name: os.environ.get(name) for name in (*shared, "LOCAL_RANK")}
    os.environ.update(shared, LOCAL_RANK="0")
    others = _Others(count, told)
    try:
        yield others
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


class _Beside(Company):
    """The first process, seen from one of the others."""

    def __init__(self) -> None:
        self._first: socket.socket | None = None

    def arrive(self) -> None:
        with suppress(OSError):  # the first one has gone: `follow_first` ends this one
            self._first = socket.create_connection(("127.0.0.1", int(os.environ[_MEETING])))
            self._first.settimeout(None)

    def begin(self) -> None:
        if self._first is not None:
            with self._first, suppress(OSError):
                self._first.recv(1)  # until the first one closes it


class _Others(Company):
    """The processes that this one has started, watched from a thread: PyTorch waits for dead ones for half an hour."""

    def __init__(self, count: int, told: Mapping[str, str]) -> None:
        program = ["-m", __main__.__spec__.name] if __main__.__spec__ else [str(Path(sys.argv[0]).resolve())]
        self._door = socket.create_server(("127.0.0.1", 0), backlog=count)
        self._door.settimeout(_LOOK)
        self._arrived: list[socket.socket] = []
        environment = {**os.environ, **told, _FIRST: str(os.getpid()), _MEETING: str(self._door.getsockname()[1])}
        self._processes = [
            subprocess.Popen([sys.executable, *program, *sys.argv[1:]], env={**environment, "LOCAL_RANK": str(number)})
            for number in range(1, count)
        ]
        self._over = threading.Event()

    def arrive(self) -> None:
        while len(self._arrived) < len(self._processes):
            with suppress(TimeoutError):
                self._arrived.append(self._door.accept()[0])
            if any(process.poll() in _STOPPED for process in self._processes):
                raise KeyboardInterrupt
            if fallen := self.fallen(0.0):
                raise UserError(fallen)
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self) -> None:
        self._leave()

    def _leave(self) -> None:
        for connection in (self._door, *self._arrived):
            connection.close()

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
        self._leave()
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
