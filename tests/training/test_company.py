"""No process of a run outlives the others for long, whoever ends and when."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sr.training import company as company_module
from tests.conftest import REPOSITORY

PROGRAM = """
import os, sys, time
from pathlib import Path
from sr.errors import UserError
from sr.training.company import company, follow_first
follow_first()
number = os.environ.get("LOCAL_RANK", "0")
Path(f"{number}.part").write_text(f"{os.getpid()} {os.environ.get('TOLD')}")
Path(f"{number}.part").rename(f"{number}.pid")
what = sys.argv[1]
if number == "1" and what in ("early", "stopped", "late"):
    time.sleep(60 if what == "late" else 0.2)
    sys.exit(3 if what == "early" else 143)
with company(2, {"TOLD": "so"}) as others:
    others.arrive()
    Path(f"{number}.there").touch()
    others.begin()
    if number == "1":
        time.sleep(0.2 if what != "wait" else 60)
        sys.exit(3 if what == "fail" else 0)
    time.sleep(60 if what in ("wait", "fail") else 0)
    if what == "raise":
        raise UserError("my own")
print("over", os.environ.get("LOCAL_RANK"), os.environ.get("WORLD_SIZE"))
"""


@pytest.fixture
def run(tmp_path, interruptible):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WORLD_SIZE")}
    started = []

    def start(what):
        command = [sys.executable, "program.py", what]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **streams))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(path: Path, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path.read_text()


def alive(number: int) -> bool:
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def beside_of(first: psutil.Process) -> list[psutil.Process]:
    """Those that train with it; libraries start children of their own, which may be gone when they are looked at."""
    found = []
    for child in first.children():
        with suppress(psutil.Error):
            found += [child] if "LOCAL_RANK" in child.environ() else []
    return found


def assert_gone(numbers, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while left := [number for number in numbers if alive(number)]:
        assert time.monotonic() < deadline, f"{left} still there"
        time.sleep(0.05)


def test_the_others_end_with_the_first(run, tmp_path):
    first = run("wait")
    second = int(wait_for(tmp_path / "1.pid").split()[0])
    assert wait_for(tmp_path / "1.pid").split()[1] == "so"
    first.kill()
    assert_gone([second], 5)


@pytest.mark.parametrize(("what", "how"), [("wait", "was killed by signal 9"), ("fail", "ended with exit code 3")])
def test_the_first_ends_with_the_others(run, tmp_path, what, how):
    first = run(what)
    second = int(wait_for(tmp_path / "1.pid").split()[0])
    if what == "wait":
        wait_for(tmp_path / "0.there")
        os.kill(second, signal.SIGKILL)
    out, err = first.communicate(timeout=10)
    assert first.returncode == 1
    assert (
        err
        == f"error: process 1 of this run (0 to 1) {how}, so the run ends; resume=… goes on from its last checkpoint\n"
    )
    assert "over" not in out


@pytest.mark.parametrize(("what", "error"), [("early", "UserError: process 1 of this run"), ("stopped", "Interrupt")])
def test_whoever_ends_before_all_are_there_ends_them_without_waiting_inside_pytorch(run, tmp_path, what, error):
    first = run(what)
    _, err = first.communicate(timeout=30)
    assert error in err.splitlines()[-1]
    assert not (tmp_path / "0.there").exists()


def test_a_signal_while_the_others_are_not_there_yet_interrupts(run, tmp_path):
    first = run("late")
    second = int(wait_for(tmp_path / "1.pid").split()[0])
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=10)
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert_gone([second], 5)


def test_on_windows_the_first_is_no_parent(monkeypatch):
    """There a virtual environment's python.exe starts the real one, and the first knows itself by its own number."""
    looks = []
    monkeypatch.setattr(company_module.os, "name", "nt")
    monkeypatch.setattr(company_module.os, "_exit", looks.append)
    monkeypatch.setattr(company_module, "sleep", looks.append)
    monkeypatch.setattr(company_module.psutil, "pid_exists", lambda _: not looks)
    company_module._follow(os.getppid() + 1)
    assert looks == [company_module._LOOK, 1], "it looked again, and ended when the first had gone"


def test_an_orderly_end(run):
    first = run("end")
    out, err = first.communicate(timeout=30)
    assert (first.returncode, out, err) == (0, "over None None\n", "")


def test_the_first_one_s_own_error_comes_first(run):
    first = run("raise")
    _, err = first.communicate(timeout=30)
    assert "UserError: my own" in err
    assert "of this run" not in err


SMALL = ["data=folder", "data.val_pictures=1", "data.crop=12", "data.batch_size=2", "model.features=8", "trainer=ddp"]
SMALL += ["trainer.accelerator=cpu", "trainer.max_updates=10000000", "trainer.val_every=100000", "trainer.log_every=1"]


@pytest.fixture
def real(tmp_path, pictures, interruptible):
    """A training of two processes, as soon as the second is there: the program, and both as processes."""
    places = [f"data.train={pictures}", f"data.val={pictures}", "run_dir=run"]
    environment = {k: v for k, v in os.environ.items() if k != "LOCAL_RANK"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(REPOSITORY / "train.py"), *SMALL, *places]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **streams)
    try:
        first, deadline = psutil.Process(process.pid), time.monotonic() + 120
        while not (beside := beside_of(first)):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        yield process, first, beside[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["first", "second"])
@pytest.mark.parametrize("moment", ["importing", "connecting", "training"])
def test_real_trainings_end_together(tmp_path, real, victim, moment):
    process, first, second = real
    if moment == "training":
        wait_for(tmp_path / "run" / "metrics.csv", 120)
    time.sleep({"importing": 0.3, "connecting": 4.0, "training": 0.5}[moment])
    begun = time.monotonic()
    (first if victim == "first" else second).kill()
    if victim == "first":
        process.wait(10)  # or it would be a zombie that counts
    _, err = process.communicate(timeout=10)
    assert_gone([first.pid, second.pid], 10 - (time.monotonic() - begun))
    if victim == "second":
        assert "process 1 of this run (0 to 1) was killed by signal 9, so the run ends" in err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("delay", [0.3, 2.0, 4.0])
def test_a_signal_while_the_others_import_leaves_nothing(tmp_path, real, number, code, delay):
    process, first, second = real
    time.sleep(delay)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "error" not in err
    begun = (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert begun or not (tmp_path / "run").exists(), err
    assert begun or err == "interrupted before the training began; nothing is lost\n"
    assert not (tmp_path / "run" / ".lock").exists()
    assert_gone([first.pid, second.pid])
