"""A sweep that goes on: the same command, resume=SWEEP, other launchers; what fails leaves a row."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sr.config.schema import register_schema
from sr.errors import UserError
from sr.experiments.failure import read_failure, write_failure
from sr.experiments.table import rows_of
from sr.training.signals import Signals
from sr.verbs.train.launching import launcher_of
from sr.verbs.train.sweep import given_folder
from sr.verbs.train.sweep_record import FILE, SweepRecord, SweptJob, jobs_of, read_record, unlike, write_record
from tests.conftest import REPOSITORY
from tests.sparing import few_now
from tests.test_locks import HOLD

TINY = [
    "data=folder",
    "data.val_pictures=2",
    "data.crop=12",
    "data.batch_size=2",
    "model.features=8",
    "trainer.accelerator=cpu",
    "trainer.max_updates=6",
    "trainer.val_every=3",
    "trainer.log_every=1",
    "trainer.checkpoint_every=2",
]
SWEEP = ["-m", "loss=l1,l2", "seed=1,2"]


def record(*typed: str, jobs=(), **changes) -> SweepRecord:
    values = {"own": None, "first": {}, "planned": len(jobs), "sweeper": "grid"} | changes
    return SweepRecord(tuple(typed), jobs=tuple(jobs), **values)


# ------------------------------------------------------------------------------------- what a sweep is


def test_runs_are_numbered_as_hydra_does():
    register_schema()
    typed = ["model=espcn", "loss=l1,l2", "seed=range(1,3)", "~x", "hydra/launcher=basic", "run_dir=S"]
    found = jobs_of(typed, {"loss", "seed"}, {})
    names = ["0_loss-l1_seed-1", "1_loss-l1_seed-2", "2_loss-l2_seed-1", "3_loss-l2_seed-2"]
    assert [job.name for job in found] == names
    assert found[1].overrides == ("model=espcn", "loss=l1", "seed=2", "~x")
    assert found[1].varied == ("loss=l1", "seed=2")


def test_a_run_is_of_the_level_of_its_experiment():
    found = jobs_of(["experiment=a,b", "seed=1,2"], {"experiment", "seed"}, {"b": 1})
    assert [job.level for job in found] == [0, 0, 1, 1]


def test_a_range_without_steps_is_for_a_search():
    with pytest.raises(UserError, match=r"^optimizer.lr=interval\(1,2\) is a range without steps; .*=optuna$"):
        jobs_of(["optimizer.lr=interval(1,2)"], {"optimizer.lr"}, {})


def test_a_record_is_read_again(tmp_path):
    kept = record("seed=1,2", jobs=[SweptJob("0_seed-1", ("seed=1",), ("seed=1",), 1)], first={"a": {"b": [1, None]}})
    write_record(tmp_path, kept)
    assert read_record(tmp_path) == kept


GOOD = {"typed": ["seed=1"], "own": None, "first": {}, "planned": 1, "sweeper": "grid",
        "jobs": [{"name": "0", "overrides": [], "varied": [], "level": 0}]}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs": [{"name": "../../home", "overrides": [], "varied": [], "level": 0}]},
        {"jobs": [{"name": "..", "overrides": [], "varied": [], "level": 0}]},
        {"jobs": [{"name": "", "overrides": [], "varied": [], "level": 0}]},
        {"jobs": [{"name": "0", "overrides": [], "varied": [], "level": "x"}]},
        {"jobs": 5},
        {"typed": None},
        {"first": 3},
        {"planned": "many"},
    ],
)
def test_what_is_no_record_is_none(tmp_path, changes):
    (tmp_path / FILE).write_text(json.dumps(GOOD))
    assert read_record(tmp_path) is not None
    (tmp_path / FILE).write_text(json.dumps(GOOD | changes))
    assert read_record(tmp_path) is None
    (tmp_path / FILE).write_text(json.dumps(GOOD)[:-20])
    assert read_record(tmp_path) is None


def test_in_what_two_sweeps_differ():
    assert unlike(record("a=1", "b=2"), record("a=1", "b=2")) == ""
    assert unlike(record("a=1", "b=2"), record("a=1", "b=3")) == "b=3 (was b=2)"
    assert unlike(record("a=1"), record("a=1", "b=3")) == "b=3 is new"
    assert unlike(record("a=1", "b=3"), record("a=1")) == "b=3 is gone"
    assert unlike(record("a=1", "b=2"), record("b=2", "a=1")).startswith("b=2 a=1 in another order")
    assert unlike(record("a=1"), record("a=1", sweeper="optuna")) == "hydra/sweeper=optuna (was grid)"


# ------------------------------------------------------------------------------------- launchers by name


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("hydra/launcher=submitit", "there is no such launcher; did you mean submitit_local or submitit_slurm?"),
        ("hydra/launcher=jobli", "there is no such launcher; did you mean joblib?"),
        ("hydra/sweeper=optun", "there is no such sweeper; did you mean optuna?"),
        ("hydra.sweeper.trials=0", "hydra.sweeper.trials=0 must be a whole number of at least 1"),
        ("hydra.sweeper.trials=many", "hydra.sweeper.trials=many must be a whole number of at least 1"),
    ],
)
def test_wrong_launchers(typed, told):
    with pytest.raises(UserError) as error:
        launcher_of([typed])
    assert str(error.value).endswith(told)


def test_a_launcher_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("sr.verbs.train.launching.find_spec", lambda module: None)
    with pytest.raises(UserError, match=r"^hydra/launcher=ray needs a package that is not installed: .*\bray\b"):
        launcher_of(["hydra/launcher=ray"])
    assert launcher_of([]).in_sequence


# ------------------------------------------------------------------------------------- failures


@pytest.mark.slow
def test_a_fault_of_one_combination_leaves_a_row(train, tmp_path):
    code, out, err = train("-m", "seed=1,2", "optimizer.lr=1e-3,abc", "run_dir=SW", "trainer.max_updates=2")
    assert code == 2, err
    sentence = "optimizer.lr=abc does not fit: input should be a valid number"
    first = out.index(f"1_seed-1_optimizer.lr-abc will not be trained: {sentence}")
    assert first < out.index("=== run 1 of 4"), "told before anything is trained"
    states = {row.name: (row.state, row.sentence) for row in rows_of([tmp_path / "SW"])}
    assert list(states.values()) == [("finished", ""), ("failed", sentence)] * 2
    assert f"seed=1,optimizer.lr=abc: failed: {sentence}" in out
    assert "go on with" not in out, "it would fail again"


@pytest.mark.slow
def test_what_fails_while_it_trains_leaves_a_row_and_is_tried_again(train, tmp_path, monkeypatch):
    def refuse(config, command, swept, signals, own):
        if "seed=1" in command.overrides:
            raise OSError("no such device")
        return trained(config, command, swept, signals, own)

    from sr.verbs.train.process import train as trained

    monkeypatch.setattr("sr.verbs.train.process.train", refuse)
    line = ("-m", "seed=1,2", "run_dir=SW", "trainer.max_updates=2")
    code, out, err = train(*line)
    assert code == 2
    assert "OSError: no such device" in err
    assert read_failure(tmp_path / "SW" / "0_seed-1") == "OSError: no such device"
    assert "seed=1: failed: OSError: no such device" in out
    monkeypatch.setattr("sr.verbs.train.process.train", trained)
    code, out, err = train(*line)
    assert code == 0, err
    assert "going on with SW: 1 of 2 runs are there" in out
    assert out.count("=== run ") == 1
    assert [row.state for row in rows_of([tmp_path / "SW"])] == ["finished"] * 2


def test_a_sweep_all_of_whose_runs_are_faulty_leaves_nothing(train, tmp_path):
    code, _, err = train("-m", "optimizer.lr=abc,def", "run_dir=SW")
    assert code == 2
    assert err == "error: optimizer.lr=abc does not fit: input should be a valid number\n"
    assert not (tmp_path / "SW").exists()


# ------------------------------------------------------------------------------------- going on


@pytest.mark.slow
def test_the_same_command_goes_on_below_outputs(train, tmp_path):
    line = ("-m", "seed=1,2", "trainer.max_updates=2")
    assert train(*line)[0] == 0
    (sweep,) = (tmp_path / "outputs").iterdir()
    (sweep / "1_seed-2" / "summary.json").unlink()  # as a run that was killed leaves it
    before = (sweep / "0_seed-1" / "summary.json").read_bytes()
    code, out, err = train(*line)
    assert code == 0, err
    assert f"going on with outputs/{sweep.name}: 1 of 2 runs are there" in out
    assert (sweep / "0_seed-1" / "summary.json").read_bytes() == before
    assert (sweep / "1_seed-2" / "summary.json").exists()
    assert train(*line)[0] == 0
    assert len(list((tmp_path / "outputs").iterdir())) == 2, "one that has ended is not gone on with"


@pytest.mark.slow
def test_resume_names_a_sweep(train, tmp_path):
    assert train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")[0] == 0
    shutil.rmtree(tmp_path / "SW" / "1_seed-2")
    code, out, err = train("resume=SW", defaults=False)
    assert code == 0, err
    assert "=== run 2 of 2: seed=2 ===" in out
    code, _, err = train("resume=SW", "loss=l2", defaults=False)
    assert code == 2
    assert err.startswith("error: resume=SW goes on with that sweep, and loss=l2 would make another; leave it out, or ")
    code, out, err = train("resume=SW", "trainer.max_updates=3", defaults=False)  # longer
    assert code == 0, err
    assert [row.updates for row in rows_of([tmp_path / "SW"])] == [3, 3]


def test_a_configuration_that_changed_is_refused_with_the_difference(train, tmp_path):
    assert train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")[0] == 0
    told = json.loads((tmp_path / "SW" / FILE).read_text())
    told["first"]["optimizer"]["lr"] = 0.5  # as if conf/ had said so then
    (tmp_path / "SW" / FILE).write_text(json.dumps(told))
    code, _, err = train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")
    assert code == 2
    assert err.startswith("error: run_dir=SW holds another sweep: optimizer.lr=0.0")
    assert "(was 0.5)" in err


def test_a_run_of_another_configuration_in_its_place_is_refused(train, tmp_path):
    assert train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")[0] == 0
    config = tmp_path / "SW" / "1_seed-2" / "config.yaml"
    config.write_text(config.read_text().replace("seed: 2", "seed: 7"))
    (tmp_path / "SW" / "1_seed-2" / "summary.json").unlink()
    code, _, err = train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")
    assert code == 2
    assert "error: SW/1_seed-2 holds a run of another configuration (data.seed=2 (was 7), seed=2 (was 7)); " in err


def test_a_strangers_sweep_runs_no_code(train, tmp_path):
    assert train("-m", "seed=1,2", "trainer.max_updates=2", "run_dir=SW")[0] == 0
    told = json.loads((tmp_path / "SW" / FILE).read_text())
    for attack in ("model._target_=os.system", "+callbacks.x._target_=os.getcwd", "data.cache=${oc.env:HOME}"):
        evil = [*told["typed"], attack]
        (tmp_path / "SW" / FILE).write_text(json.dumps(told | {"typed": evil}))
        shutil.rmtree(tmp_path / "SW" / "1_seed-2", ignore_errors=True)
        code, out, err = train("resume=SW", defaults=False)
        assert code == 2, attack
        refused = f"error: SW/sweep.json asks for {attack}, which is not taken from a file; if you know who wrote it, "
        assert err.startswith(refused)
        assert "=== run" not in out


HOSTILE = [
    "+hydra.job.env_set={LD_PRELOAD:evil.so}",
    "hydra.sweep.subdir=../elsewhere",
    "hydra/job_logging=default",
    "run_dir=../elsewhere",
    "resume=../elsewhere",
    "model._target_=os.system",
    "trust=true",
    "seed=9",
    "(((",
]


@pytest.mark.parametrize("override", few_now(HOSTILE))
def test_a_strangers_search_makes_no_other_runs(train, tmp_path, override):
    jobs = [{"name": "0_loss-l1", "overrides": ["loss=l1", override], "varied": ["loss=l1"], "level": 0}]
    told = {"typed": ["loss=l1,l2"], "own": None, "first": {}, "planned": 1, "sweeper": "optuna", "jobs": jobs}
    (tmp_path / "SW").mkdir()
    (tmp_path / "SW" / FILE).write_text(json.dumps(told))
    code, out, err = train("resume=SW", defaults=False)
    assert code == 2
    assert err.startswith("error: ")
    assert "=== run" not in out
    assert json.loads((tmp_path / "SW" / FILE).read_text())["planned"] in (1, 20), "it is not ours to delete"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["resume=SW", "trainer.max_updates=6,8"], "trainer.max_updates=6,8 would make another"),
        (["resume=SW", "run_dir=OTHER"], "run_dir=OTHER would make another"),
        (
            ["resume=BAD"],
            "error: BAD/sweep.json is damaged; the command that made the sweep, with resume=auto run_dir=BAD",
        ),
        (["-m", "seed=1,2", "run_dir="], "run_dir= has no value; give run_dir a file or folder, or leave it out"),
        (["-m", "seed=range(1,10,0)"], "seed=range(1,10,0) has no value"),
        (["-m", "seed=range(5,1)"], "seed=range(5,1) has no value"),
        (
            ["-m", "run_dir=a,b", "loss=l1,l2", "hydra/sweeper=optuna"],
            "run_dir=a,b cannot be searched; give it one value",
        ),
    ],
)
def test_what_no_sweep_is(train, tmp_path, typed, told):
    for name, text in (("SW", json.dumps(GOOD)), ("BAD", json.dumps(GOOD)[:30])):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE).write_text(text)
    code, _, err = train(*typed, defaults=False)
    assert code == 2
    assert told in err
    assert (tmp_path / "SW" / FILE).read_text() == json.dumps(GOOD)


# ------------------------------------------------------------------------------------- killed, and other processes


@pytest.fixture
def sweep(tmp_path, pictures, interruptible):
    """``sweep("run_dir=SW")`` starts a sweep of four tiny runs as a program of its own."""
    processes = []

    def start(*overrides: str) -> subprocess.Popen:
        data = [f"data.train={pictures}", f"data.val={pictures}"]
        command = [sys.executable, str(REPOSITORY / "train.py"), *TINY, *data, *SWEEP, *overrides]
        environment = {k: v for k, v in os.environ.items() if k != "LOCAL_RANK"} | {"OMP_NUM_THREADS": "1"}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **options))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(found, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def table(folder: Path) -> dict[str, tuple]:
    """What a sweep's runs reached, by their names."""
    return {row.name: (row.state, row.updates, dict(row.best), dict(row.final)) for row in rows_of([folder])}


@pytest.fixture
def whole(sweep, tmp_path):
    """The table of an uninterrupted sweep."""
    process = sweep("run_dir=WHOLE")
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return table(tmp_path / "WHOLE")


@pytest.mark.slow
def test_a_sweep_killed_in_its_third_run_ends_with_the_same_table(sweep, whole, tmp_path):
    process = sweep("run_dir=CUT")
    third = tmp_path / "CUT" / "2_loss-l2_seed-1"
    wait_for((third / "checkpoints" / "last.ckpt").exists, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ended = {path.parent.name: path.read_bytes() for path in (tmp_path / "CUT").glob("*/summary.json")}
    assert set(ended) == {"0_loss-l1_seed-1", "1_loss-l1_seed-2"}
    process = sweep("run_dir=CUT")
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert "going on with CUT: 2 of 4 runs are there" in out
    assert f"going on from CUT/{third.name}/checkpoints/last.ckpt" in out
    assert {name: (tmp_path / "CUT" / name / "summary.json").read_bytes() for name in ended} == ended
    assert table(tmp_path / "CUT") == whole


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_other_launchers_end_with_the_same_table_after_a_kill(sweep, whole, tmp_path, launcher):
    options = (f"hydra/launcher={launcher}", "run_dir=OTHER", *(["hydra.launcher.n_jobs=2"] * (launcher == "joblib")))
    process = sweep(*options)
    wait_for(lambda: any((tmp_path / "OTHER").glob("*/checkpoints/last.ckpt")), process)
    os.killpg(process.pid, signal.SIGKILL)  # this program and those that it started
    process.wait()
    kill_others(tmp_path)
    process = sweep(*options)
    out, _ = process.communicate(timeout=400)
    assert process.returncode == 0, out
    assert table(tmp_path / "OTHER") == whole


def kill_others(folder: Path) -> None:
    """Processes that a launcher has started in sessions of their own."""
    import psutil

    for process in psutil.process_iter(["cwd", "pid"]):
        if process.info["cwd"] is not None and Path(process.info["cwd"]).is_relative_to(folder):
            process.kill()
            process.wait(timeout=20)


@pytest.mark.slow
def test_ctrl_c_ends_runs_of_other_processes_saved(sweep, tmp_path):
    process = sweep("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "run_dir=INT", "trainer.max_updates=1000000")
    wait_for(lambda: len(list((tmp_path / "INT").glob("*/checkpoints/last.ckpt"))) == 2, process)
    process.send_signal(signal.SIGTERM)  # to this program alone, as a service manager does
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, out
    states = {row.name: row.state for row in rows_of([tmp_path / "INT"])}
    assert states == {"0_loss-l1_seed-1": "interrupted", "1_loss-l1_seed-2": "interrupted"}, out
    assert "loss=l2,seed=1: not begun" in out
    assert "resume=INT hydra/launcher=joblib hydra.launcher.n_jobs=2" in out


def test_signals_say_what_ends_and_are_passed_on(capfd):
    passed = []
    with Signals() as signals, signals.heard("the runs end", passed.append):
        os.kill(os.getpid(), signal.SIGTERM)
    assert passed == [signal.SIGTERM]
    assert capfd.readouterr().err == "SIGTERM: the runs end\n"


# ------------------------------------------------------------------------------------- folders of their own


@pytest.mark.slow
def test_runs_in_folders_of_their_own(train, tmp_path):
    code, out, err = train("-m", "run_dir=a,'b c'", "trainer.max_updates=2")
    assert code == 0, err
    assert [row.updates for row in rows_of([tmp_path / "a", tmp_path / "b c"])] == [2, 2]
    (sweep,) = (tmp_path / "outputs").iterdir()
    assert read_record(sweep) is not None, "it is known which runs these were"
    assert "run_dir='b c'" in out
    code, out, err = train("-m", "resume=a,'b c'", "trainer.max_updates=4", defaults=False)
    assert code == 0, err
    assert [row.updates for row in rows_of([tmp_path / "a", tmp_path / "b c"])] == [4, 4]


def test_two_runs_in_one_folder_are_refused(train):
    code, _, err = train("-m", "run_dir=a,b", "seed=1,2")
    assert code == 2
    assert err.startswith("error: two runs of this sweep would lie in ")


@pytest.mark.parametrize(
    ("override", "folder"),
    [
        ("run_dir=a\\ b", "a b"),
        ("run_dir='it\\'s'", "it's"),
        ("++run_dir=a", "a"),
        ("resume='c=d'", "c=d"),
        ("resume=auto", None),
        ("run_dir=null", None),
        ("seed=1", None),
    ],
)
def test_the_folder_that_a_run_names(override, folder):
    found = given_folder(SweptJob("0", (override,), ()))
    assert (None if found is None else str(found)) == folder


@pytest.mark.slow
def test_a_run_that_another_process_trains_gets_no_failure(train, tmp_path):
    line = ("-m", "seed=1,2", "run_dir=SW", "trainer.max_updates=2")
    assert train(*line)[0] == 0
    run = tmp_path / "SW" / "1_seed-2"
    (run / "summary.json").unlink()
    command = [sys.executable, "-c", HOLD, str(run / ".lock")]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        assert holder.stdout.readline() == "held\n"
        code, out, _ = train(*line)
    finally:
        holder.kill()
        holder.communicate()
    assert code == 2
    assert "seed=2: running" in out
    assert not (run / "failure.json").exists()


@pytest.mark.slow
def test_a_failure_of_before_is_over_when_the_run_goes_on(train, tmp_path):
    line = ("-m", "seed=1,2", "run_dir=SW", "trainer.max_updates=2")
    assert train(*line)[0] == 0
    write_failure(tmp_path / "SW" / "1_seed-2", "no such device")
    assert [row.state for row in rows_of([tmp_path / "SW"])] == ["finished", "failed"]
    assert train("resume=SW/1_seed-2", "trainer.max_updates=3", defaults=False)[0] == 0
    assert [row.state for row in rows_of([tmp_path / "SW"])] == ["finished"] * 2


def test_limits_that_are_swept_are_not_changed(train, tmp_path):
    assert train("-m", "trainer.max_updates=1,2", "run_dir=SW")[0] == 0
    code, _, err = train("resume=SW", "trainer.max_updates=3", defaults=False)
    assert code == 2
    assert "trainer.max_updates=3 would make another" in err


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_a_table(sweep, tmp_path):
    import psutil

    process = sweep("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "run_dir=OOM", "trainer.max_updates=1000000")
    wait_for(lambda: len(list((tmp_path / "OOM").glob("*/checkpoints/last.ckpt"))) == 2, process)
    workers = [c for c in psutil.Process(process.pid).children(recursive=True) if "loky" in " ".join(c.cmdline())]
    train = [worker for worker in workers if "popen_loky" in " ".join(worker.cmdline())]
    train[0].kill()  # as a system without memory does
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2, out
    assert "the launcher ended early: TerminatedWorkerError" in out
    assert "resume=OOM hydra/launcher=joblib" in out
    kill_others(tmp_path)
