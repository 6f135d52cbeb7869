"""What a signal does before, while and after a run listens."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sr.training import signals as module
from sr.training.signals import Signals
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.usefixtures("interruptible")


class EndedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def ended(monkeypatch):
    codes = []

    def end(code):
        codes.append(code)
        raise EndedError

    monkeypatch.setattr(module.os, "_exit", end)
    return codes


def test_nobody_listens():
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signals.exit_code == 143
        with pytest.raises(KeyboardInterrupt):
            signals.check()
        assert signals.raised
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_listens(number, code, ended, capfd, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with Signals() as signals:
        signals._terminals = []
        with signals.heard():
            os.kill(os.getpid(), number)
            assert (signals.received, signals.exit_code) == (number, code)
            assert not signals.raised, "whatever is raised from here on is something else"
            assert "ending after this update, and saving; once more ends at once" in capfd.readouterr().err
            os.kill(os.getpid(), signal.SIGTERM)  # as when a process group and `uv` both pass it on
            assert not ended
            now[0] = 1.0
            with pytest.raises(EndedError):
                os.kill(os.getpid(), number)
    assert ended == [code]
    assert "ended at once, without saving" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT], ids=["nohup", "in the background of a script"])
def test_what_is_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), number)
            assert signals.received is None
    finally:
        signal.signal(number, before)


def test_a_handler_that_is_not_pythons_becomes_the_default(monkeypatch):
    before, set_handlers = signal.getsignal(signal.SIGTERM), []
    with Signals() as signals:
        signals._previous = {signal.SIGTERM: None}  # as `signal.signal` tells of one that C has set
        monkeypatch.setattr(module.signal, "signal", lambda *given: set_handlers.append(given))
    monkeypatch.undo()
    assert set_handlers == [(signal.SIGTERM, signal.SIG_DFL)]
    signal.signal(signal.SIGTERM, before)


def test_a_forked_process_says_nothing(capfd):
    with Signals() as signals, signals.heard():
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0 if signals.received is None else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert capfd.readouterr().err == ""


def test_other_threads_take_no_signals():
    failures = []

    def enter():
        try:
            with Signals():
                pass
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not failures


class Freed:
    """Is freed while a signal comes."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100):  # Python looks for signals between its steps
            pass


def test_a_signal_that_meets_a_finalizer_is_not_lost(capfd):
    def works():
        freed = Freed()
        del freed
        time.sleep(5)

    before = sys.unraisablehook
    with Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            works()
        assert (signals.received, signals.exit_code, signals.raised) == (signal.SIGTERM, 143, True)
    assert sys.unraisablehook == before
    assert "Traceback" not in capfd.readouterr().err


def test_other_faults_of_finalizers_are_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with Signals():
        sys.unraisablehook("a fault")  # no signal has come
    assert told == ["a fault"]


IMPORTING = """
import os, signal, sys, time
from sr.training.signals import Signals
with Signals():
    try:
        import slow_to_import
        done = True
        time.sleep(5)
    except KeyboardInterrupt:
        print("whole" if slow_to_import.end else "half", "slow_to_import" in sys.modules)
"""
SLOW = "import os, signal, time\nend = False\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.2)\nend = True\n"


def test_a_module_that_is_being_imported_is_not_interrupted(tmp_path):
    """What C++ begins there would abort the whole process."""
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "whole True\n"), done.stderr
