"""What Ctrl-C, SIGTERM and a closed terminal ask for. Imports nothing heavy: it must be there before torch is."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_TOGETHER = 0.3
"""Seconds in which signals are one: a service manager, or `uv`, may pass on what the process group got already."""
_A_MOMENT = 0.05
_SAVING = "ending after this update, and saving; once more ends at once"
_AT_ONCE = "ended at once, without saving; resume=… goes on from the last checkpoint\n"


class Signals:
    """Remembers the first signal; another one ends the process at once.

    While a run listens it ends after its update and saves; before and after, the signal is a KeyboardInterrupt.

    Attributes:
        received: number of the first signal, or None.
        raised: it was made a KeyboardInterrupt, so that what else is raised now may be what somebody made of that.
        begun: a training has begun, so that there may be something to go on from.

    Args:
        at_once: the word with which another signal ends the process.
    """

    def __init__(self, at_once: str = _AT_ONCE) -> None:
        self._at_once = at_once
        self.received: int | None = None
        self.raised = self.begun = False
        self._process = os.getpid()
        self._entered = self._listening = False
        self._told = _SAVING
        self._also: Callable[[int], None] | None = None
        self._at = 0.0
        self._previous: dict[int, Any] = {}
        self._hook = sys.unraisablehook
        self._terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

    def __enter__(self) -> "Signals":
        self._entered = True
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self._entered = False
        sys.unraisablehook = self._hook
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: one that is not Python's
        self._previous = {}

    def install(self) -> None:
        """Take the signals, also from whoever took them meanwhile; only in the main thread, and while it is entered."""
        if not self._entered or threading.current_thread() is not threading.main_thread():
            return
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(number) == signal.SIG_IGN:
                continue  # as nohup wants it, and a shell for what a script starts with `&`
            before = signal.signal(number, self._on_signal)
            self._previous.setdefault(number, before)

    @contextmanager
    def heard(self, told: str = _SAVING, also: Callable[[int], None] | None = None) -> Iterator[None]:
        """The signals ask a run to end and save; afterwards they interrupt again.

        Args:
            told: what is said when one comes.
            also: called with its number, inside the signal's handler.
        """
        self.install()
        self._listening, self._told, self._also = True, told, also
        try:
            yield
        finally:
            self._listening, self._also = False, None

    def check(self) -> None:
        """End here where a signal came and something between has swallowed its exception.

        Raises:
            KeyboardInterrupt: a signal came.
        """
        if self.received is not None:
            raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """Of a process that a signal has ended, as shells count."""
        return 128 + (signal.SIGINT if self.received is None else self.received)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a forked worker got it with the group, before it could say that it does not care
        if self.received is None:
            if not self._listening and _is_importing(frame):
                _again(number)
                return
            self.received, self._at = number, monotonic()
            if number == getattr(signal, "SIGHUP", None):
                self._leave_terminal()
            if not self._listening:
                self.raised = True
                raise KeyboardInterrupt
            _tell(f"{signal.Signals(number).name}: {self._told}\n")
            if self._also is not None:
                self._also(number)
        elif monotonic() - self._at > _TOGETHER:
            _tell(self._at_once)
            if self._also is not None:
                self._also(number)
            with suppress(Exception):  # the stream may be in the middle of a line
                sys.stdout.flush()
            os._exit(128 + number)

    def _unraisable(self, lost: "sys.UnraisableHookArgs") -> None:
        """Python drops what is raised while it frees an object: the signal comes once more, when that is done."""
        if self.received is None or not isinstance(lost.exc_value, KeyboardInterrupt):
            self._hook(lost)
            return
        number, self.received = self.received, None
        _again(number)

    def _leave_terminal(self) -> None:
        """A closed terminal refuses every line: they go nowhere instead of ending the run before it is saved."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: what C++ begins there, as torch's does, aborts where Python raises in it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _again(number: int) -> None:
    """The same signal once more, in a moment."""
    again = threading.Timer(_A_MOMENT, _send, [number])
    again.daemon = True
    again.start()


def _send(number: int) -> None:
    """To the main thread, which may be asleep."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)


def _tell(text: str) -> None:
    """Write from inside a signal's handler, where `print` may be interrupted by itself."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        with suppress(OSError):
            os.write(2, text.encode())
