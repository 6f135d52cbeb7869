import os
import signal
import sys
import time

import pytest

from sr.data.doctor import guarded
from sr.data.doctor.guarded import Failure, Guarded, Limits


def work(job):
    """Runs in the worker processes."""
    if job == "hang":
        time.sleep(600)
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "exit":
        os._exit(3)
    if job == "raise":
        raise KeyError("nobody expected this\nsecond line")
    if job == "grow":
        return len(bytearray(2**30))
    if job == "shout":
        os.write(2, b"a line of a C library\n" * 1000)
    return f"did {job}"


def reasons(jobs, workers=1, **limits):
    done = dict(Guarded(work, workers, Limits(**limits)).run(jobs))
    assert sorted(done) == list(range(len(jobs)))
    return [done[i].reason if isinstance(done[i], Failure) else done[i] for i in range(len(jobs))]


@pytest.mark.parametrize("few", [64, 0], ids=["forks", "fork server"])
def test_jobs_that_hang_or_kill_their_process_become_sentences_and_the_others_are_done(monkeypatch, few):
    monkeypatch.setattr(guarded, "_FEW", few)
    jobs = ["a", "hang", "b", "die", "exit", "c", "raise", "d"]
    assert reasons(jobs, workers=2, seconds=1.0) == [
        "did a",
        "took longer than 1 seconds",
        "did b",
        "ended the process that read it (signal SIGKILL)",
        "ended the process that read it (exit code 3)",
        "did c",
        "cannot be examined (KeyError: 'nobody expected this\\nsecond line')",
        "did d",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit")
def test_memory_is_limited():
    assert reasons(["grow", "a"], memory=2**28) == ["needs more memory than the limit", "did a"]
    assert reasons(["grow"], memory=2**32) == [2**30]


def test_what_libraries_write_to_standard_error_stays_in_the_process(capfd):
    assert reasons(["shout"]) == ["did shout"]
    assert capfd.readouterr().err == ""


def test_no_jobs_start_no_process():
    assert list(Guarded(work, 4, Limits()).run([])) == []


def test_an_abandoned_run_leaves_no_process():
    run = Guarded(work, 2, Limits()).run(["a", "hang", "hang"])
    next(run)
    run.close()
    import multiprocessing

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("limits", [{"seconds": 0.0}, {"memory": 0}])
def test_limits_are_positive(limits):
    with pytest.raises(ValueError, match="must be larger than 0"):
        Limits(**limits)


def test_at_least_one_worker():
    with pytest.raises(ValueError, match="workers=0 must be at least 1"):
        Guarded(work, 0, Limits())
