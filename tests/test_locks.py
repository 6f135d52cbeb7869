"""A lock ends with its process, however that ends."""

import signal
import subprocess
import sys
import threading

import pytest

from sr.locks import PATIENCE, InUseError, alone, in_use

HOLD = """
import sys, time
from pathlib import Path
from sr.locks import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_in_use(tmp_path, holder):
    assert in_use(tmp_path / "below" / ".lock")
    holder.kill()
    holder.wait()
    (tmp_path / "below" / ".lock").touch()
    assert not in_use(tmp_path / "below" / ".lock"), "what a killed process left"
    assert not in_use(tmp_path / "none" / ".lock")
    assert not (tmp_path / "none").exists()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds ``tmp_path/below/.lock``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "below" / ".lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_told_who_holds_it(tmp_path, holder):
    with pytest.raises(InUseError, match=f"^process {holder.pid}$"), alone(tmp_path / "below" / ".lock"):
        pass
    holder.send_signal(signal.SIGKILL)
    with alone(tmp_path / "below" / ".lock"):
        pass


def test_the_second_may_wait(tmp_path, holder):
    told = []
    threading.Timer(2 * PATIENCE, holder.kill).start()
    with alone(tmp_path / "below" / ".lock", lambda: told.append("waiting")):
        pass
    assert told == ["waiting"]
