"""Worker processes end with the process that started them."""

import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import REPOSITORY

SCRIPT = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from sr.data.processes import serve_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn"), serve_parent) as pool:
        list(pool.map(abs, range(4)))
        print("ready", flush=True)
        time.sleep(60)
"""


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        process.kill()
        process.wait()
    end = time.monotonic() + 10
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < end, "a worker is still there"
        time.sleep(0.05)


GROUP = """
import os, signal, sys, time
from sr.data.processes import leave_stops_to_parent
leave_stops_to_parent(terminated=sys.argv[1] == "terminated")
for name in ("SIGINT", "SIGHUP"):
    os.kill(os.getpid(), getattr(signal, name))
print("alive", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("works on")
"""


@pytest.mark.parametrize(("how", "said", "code"), [("terminated", "alive\n", -15), ("works", "alive\nworks on\n", 0)])
def test_stops_are_the_parents(how, said, code):
    result = subprocess.run([sys.executable, "-c", GROUP, how], capture_output=True, text=True, cwd=REPOSITORY)
    assert (result.stdout, result.stderr, result.returncode) == (said, "", code)


HELD = """
import sys
from pathlib import Path
import torch
from sr.data.crops import CropBatches, CropPlan
from sr.data.stream import CropStream
from sr.data.kinds.sources import Generated
from sr.data.store.building import open_store

store = open_store(Generated("drawings", 2, 48, 0), Path(sys.argv[1]), lambda *_: None)
made = iter(CropStream(CropBatches(CropPlan(store, 2, 8, "pad", 0), store, None, 2), torch.device("cpu"), "workers", 1))
next(made)
sys.held = made  # as a traceback or a session's object may hold it
print("ready", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are ignored on POSIX only")
def test_loader_processes_do_not_keep_a_program_from_ending(tmp_path):
    """They do not hear SIGTERM, with which Python would end them before it waits for them."""
    script = [sys.executable, "-c", HELD, str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=True)
    assert done.stdout == "ready\n"


STARTED = """
import os, signal, sys, time
from sr.data.processes import serve_parent, worker_pool

if __name__ == "__main__":
    try:
        with worker_pool(2, serve_parent) as pool:
            jobs = [pool.submit(time.sleep, 600) for _ in range(4)]
            time.sleep(float(sys.argv[1]))
            os.killpg(0, signal.SIGINT)
            time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("delay", ["0", "0.3", pytest.param("6", marks=pytest.mark.slow)])
def test_a_pool_is_gone_with_ctrl_c_from_its_first_moment(tmp_path, delay):
    script = tmp_path / "pool.py"
    script.write_text(STARTED)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(script), delay], start_new_session=True, **streams) as process:
        out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
