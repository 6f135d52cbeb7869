"""A stop that stops: signals to `train.py` as a process, at every stage."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sr.errors import UserError
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.signals import Signals
from tests.conftest import REPOSITORY

LONG = [
    "data=folder",
    "data.val_pictures=1",
    "data.crop=12",
    "data.batch_size=2",
    "model.features=8",
    "trainer.accelerator=cpu",
    "trainer.max_updates=10000000",
    "trainer.log_every=1",
    "trainer.val_every=10000000",
]
PROGRAM = [sys.executable, str(REPOSITORY / "train.py")]


@pytest.fixture
def started(tmp_path, pictures, interruptible):
    """``started("run_dir=x")`` starts a long training in its own process group."""
    processes = []

    def start(*overrides: str, **options) -> subprocess.Popen:
        command = [*PROGRAM, *LONG, f"data.train={pictures}", f"data.val={pictures}", *overrides]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        environment = {k: v for k, v in os.environ.items() if k != "LOCAL_RANK"} | {"OMP_NUM_THREADS": "1"}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **streams))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def updates(folder: Path) -> int:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["trained"]["clock"]["updates"]


def full_after_a_signal(config, command, swept, signals, own):
    with signals.heard():
        os.kill(os.getpid(), signal.SIGTERM)
        raise UserError("could not write last.ckpt: No space left on device")


def test_an_error_after_a_signal_is_told(train, monkeypatch):
    monkeypatch.setattr("sr.verbs.train.process.train", full_after_a_signal)
    code, _, err = train()
    assert code == 2
    assert err.splitlines()[-1] == "error: could not write last.ckpt: No space left on device"
    assert "interrupted" not in err


def test_a_sweep_ends_after_an_error_after_a_signal(train, monkeypatch):
    monkeypatch.setattr("sr.verbs.train.process.train", full_after_a_signal)
    code, out, err = train("-m", "seed=1,2")
    assert code == 143
    assert out.count("=== run ") == 1
    assert "error: could not write last.ckpt: No space left on device" in err
    assert "before the training" not in err


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_said_of_an_interrupt(train, monkeypatch, begun):
    def interrupted(config, command, swept, signals, own):
        signals.begun = begun
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("sr.verbs.train.process.train", interrupted)
    code, _, err = train()
    assert code == 143
    before = "interrupted before the training began; nothing is lost\n"
    assert err == ("interrupted; resume=… goes on from the last checkpoint\n" if begun else before)


def test_a_training_that_has_begun_is_known(train, monkeypatch):
    known = []

    class Seen(Signals):
        def __exit__(self, *error):
            known.append(self.begun)
            super().__exit__(*error)

    monkeypatch.setattr("sr.verbs.train.start.Signals", Seen)
    assert train("trainer.max_updates=1")[0] == 0
    assert train("trainer.devices=0")[0] == 2
    assert known == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_workers_hear_nothing_of_what_the_group_gets(started, tmp_path, number):
    process = started("run_dir=run", "data.crops=workers")
    wait_for(tmp_path / "run" / "metrics.csv", process)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert err == f"{number.name}: ending after this update, and saving; once more ends at once\n"
    assert updates(tmp_path / "run") >= 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_ends_saved(started, tmp_path, number):
    process = started("-m", "seed=1,2,3", "run_dir=INT")
    wait_for(tmp_path / "INT" / "0_seed-1" / "metrics.csv", process)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out.count("=== run ") == 1, "the next run never begins"
    assert "Traceback" not in err
    assert updates(tmp_path / "INT" / "0_seed-1") >= 1
    assert "go on: python -m sr.verbs.train resume=INT/0_seed-1" in out
    assert out.splitlines()[-1] == "go on with the sweep: python -m sr.verbs.train resume=INT"
    assert not list(tmp_path.rglob(".lock"))


@pytest.mark.slow
def test_a_second_signal_ends_at_once_with_a_word(started, tmp_path):
    process = started("run_dir=run", "trainer.accumulate=1000000")  # no update in years
    wait_for(tmp_path / "run" / "config.yaml", process)
    time.sleep(4)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None, "it would save after the update"
    before = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - before < 5
    assert process.returncode == 130
    assert err == (
        "SIGINT: ending after this update, and saving; once more ends at once\n"
        "ended at once, without saving; resume=… goes on from the last checkpoint\n"
    )


@pytest.mark.slow
def test_a_closed_terminal_saves(started, tmp_path):
    terminal, inside = pty.openpty()
    process = started("run_dir=run", stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    wait_for(tmp_path / "run" / "metrics.csv", process)
    os.kill(process.pid, signal.SIGHUP)
    os.close(terminal)
    assert process.wait(60) == 129
    assert updates(tmp_path / "run") >= 1
    assert (tmp_path / "run" / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_first_seconds_it_is_one_sentence(started, tmp_path, number):
    for delay in (0.2, 0.4, 0.8, 1.2, 1.6, 2.4, 3.2):
        process = started(f"run_dir=run{delay}")
        time.sleep(delay)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        told = f"after {delay} s: {out}{err}"
        if process.returncode == -number:
            continue  # Python itself was not there yet
        assert process.returncode == 128 + number, told
        assert "Traceback" not in err, told
        begun = (tmp_path / f"run{delay}" / "config.yaml").exists()
        assert err == "interrupted before the training began; nothing is lost\n" or begun, told
        assert begun or not (tmp_path / f"run{delay}").exists(), told


@pytest.mark.slow
def test_two_in_the_same_second_get_two_folders(started, tmp_path):
    few = ["trainer.max_updates=3", "trainer.val_every=3"]
    both = [started(*few, f"seed={seed}") for seed in (1, 2)]
    shown = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], shown
    assert len(list((tmp_path / "outputs").glob("*/summary.json"))) == 2
