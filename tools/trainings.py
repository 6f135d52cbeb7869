"""A training as a process that never outlives a limit, and what its run folder says while it runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT = 300.0
"""Seconds that no run here takes."""


class Training:
    """`train.py` as a process group of its own, which never outlives a limit.

    Args:
        arguments: of `train.py`.
        place: working folder.
        environment: of the process.
        output: file for what it prints; a pipe would be full one day, or be held open by a process that is left.
    """

    def __init__(self, arguments: list[str], place: Path, environment: dict[str, str], output: Path) -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "train.py"), *arguments],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether its first process has not ended."""
        return self.process.poll() is None

    @property
    def left(self) -> list[psutil.Process]:
        """Its living processes."""
        self.process.poll()
        return list(_group(self.process.pid))

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def ended(self, limit: float = LIMIT) -> int | None:
        """Wait for its end; its exit code, or None where it had to be killed because it took too long."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """End all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def how(code: int | None) -> str:
    """How a run ended, see `Training.ended`."""
    return f"was still running after {LIMIT:.0f} s" if code is None else f"ended with exit code {code}"


def lines_in(path: Path) -> int:
    """Whole lines of a file; 0 where there is none."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _group(number: int) -> Iterator[psutil.Process]:
    """Living processes of a process group."""
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (OSError, psutil.Error):
            continue
