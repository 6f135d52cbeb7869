"""What a signal does before, while and after a run listens."""

import os
import signal
import threading

import pytest

from sr.training import signals as module
from sr.training.signals import Signals


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
            assert "ending after this update, and saving; once more ends at once" in capfd.readouterr().err
            os.kill(os.getpid(), signal.SIGTERM)  # as when a process group and `uv` both pass it on
            assert not ended
            now[0] = 1.0
            with pytest.raises(EndedError):
                os.kill(os.getpid(), number)
    assert ended == [code]
    assert "ended at once, without saving" in capfd.readouterr().err


def test_what_is_ignored_stays_ignored(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


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
