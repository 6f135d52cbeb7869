"""One writer per run folder; what a run finds there; names that need no quotes."""

import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

import sr.files
from sr.config.parsed import parsed_overrides, quoted_paths
from sr.errors import UserError
from sr.models.files import load_network
from sr.pasted import pasted, setting
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.claim import claimed
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.train.place import run_name
from tests.conftest import REPOSITORY
from tests.test_locks import HOLD


@pytest.fixture
def held(tmp_path):
    """``held(folder)``: another process works there."""
    processes = []

    def hold(folder: str) -> int:
        command = [sys.executable, "-c", HOLD, str(tmp_path / folder / ".lock")]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY))
        assert processes[-1].stdout.readline() == "held\n"
        return processes[-1].pid

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


# ------------------------------------------------------------------------------------- one writer


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    with claimed(tmp_path / "a" / "run", "", anew=True) as first, claimed(tmp_path / "a" / "run", "", anew=True) as two:
        assert (first, two) == (tmp_path / "a" / "run", tmp_path / "a" / "run_2")
        (two / "config.yaml").write_text("begun")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run_2"], "where nothing began, nothing is left"
    assert [path.name for path in two.iterdir()] == ["config.yaml"]


def test_a_folder_that_was_there_stays(tmp_path):
    (tmp_path / "run").mkdir()
    with claimed(tmp_path / "run", ""):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    for name in ("n" * 300, "file/run"):
        (tmp_path / "file").touch()
        with (
            pytest.raises(UserError, match=r"^could not write .*; choose another run_dir$"),
            claimed(tmp_path / name, ""),
        ):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_to_nothing_is_told(tmp_path):
    (tmp_path / "link").symlink_to("gone")
    told = rf"^run_dir={tmp_path}/link is a link to gone, which does not exist; make that folder first$"
    with pytest.raises(UserError, match=told), claimed(tmp_path / "link", "run_dir="):
        pass


@pytest.mark.parametrize("flags", [(), ("-m", "seed=1,2")])
@pytest.mark.parametrize(("name", "shown"), [("a\nb", r"a\nb"), ("a\x1bb", r"a\x1bb"), ("a\u202eb", r"a\u202eb")])
def test_a_place_that_cannot_be_pasted_is_refused(train, tmp_path, name, shown, flags):
    code, _, err = train(*flags, f"run_dir='{name}'")
    assert code == 2
    assert err == (
        f"error: run_dir={shown} holds a character that no terminal shows, so that no printed line could name it; "
        "write run_dir=a_b\n"
    )
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["pictures"]


def test_a_folder_that_holds_a_name_of_a_run(train, tmp_path):
    (tmp_path / "D/val").mkdir(parents=True)
    (tmp_path / "D/val/best.safetensors").touch()
    code, _, err = train("run_dir=D/val")
    assert code == 2
    assert err == (
        "error: run_dir=D/val holds best.safetensors, which the run would overwrite; choose another run_dir\n"
    )


def test_two_processes_into_one_folder(train, tmp_path, held):
    number = held("run")
    code, _, err = train("run_dir=run")
    assert code == 2
    assert err == (
        f"error: run_dir=run is being written by process {number}; wait until it has ended, or take another run_dir\n"
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_two_processes_go_on_with_one_run(train, tmp_path, held):
    assert train("run_dir=run", "trainer.max_updates=2")[0] == 0
    before = (tmp_path / "run" / "summary.json").read_bytes()
    number = held("run")
    for again in (["resume=run"], ["resume=auto", "run_dir=run", "trainer.max_updates=2"]):
        code, _, err = train(*again, "trainer.max_updates=4", defaults=again[0] == "resume=auto")
        assert code == 2
        assert f"run is being written by process {number}; wait until it has ended" in err
    assert (tmp_path / "run" / "summary.json").read_bytes() == before


def test_auto_leaves_a_run_that_is_going_on_elsewhere_alone(train, tmp_path, held):
    assert train("trainer.max_updates=2")[0] == 0
    first = next((tmp_path / "outputs").iterdir())
    (first / "summary.json").unlink()  # it has not come to its end
    held(f"outputs/{first.name}")
    code, out, _ = train("trainer.max_updates=2", "resume=auto")
    assert code == 0
    said = f"the run of this configuration in outputs/{first.name} is going on elsewhere; starting a new run"
    assert f"resume=auto: {said}" in out
    assert len(list((tmp_path / "outputs").glob("*/summary.json"))) == 1


@pytest.mark.slow
def test_a_run_that_is_refused_leaves_nothing(train, tmp_path):
    for place in ("run_dir=new/run", "seed=1"):
        assert train(place, "data.train=nowhere")[0] == 2
        assert train("-m", "seed=1,2", place, "data.train=nowhere")[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


def test_temporary_files_of_a_killed_run_are_gone(train, tmp_path):
    assert train("run_dir=run")[0] == 0
    left = tmp_path / "run" / "checkpoints" / ".last.ckpt.0123abcd.tmp"
    left.write_bytes(b"half")
    assert train("resume=run", "trainer.max_updates=5", defaults=False)[0] == 0
    assert not left.exists()
    assert not (tmp_path / "run" / ".lock").exists()


# ------------------------------------------------------------------------------------- what is found


@pytest.mark.slow
def test_auto_says_finished(train, tmp_path):
    auto = ["resume=auto", "run_dir=run"]
    assert train(*auto)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    code, out, err = train(*auto)
    assert (code, err) == (0, "")
    assert out.startswith("finished: run has ended already (max_updates) after 4 updates, ")
    assert "use it: sr upscale PHOTO -o OUT.png --model run/best.safetensors" in out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    code, out, _ = train(*auto, "trainer.max_updates=5")
    assert code == 0
    assert "going on from run/checkpoints/last.ckpt" in out
    code, _, err = train(*auto, "seed=3")
    assert code == 2
    assert "run_dir=run holds a run of another configuration (" in err
    assert "seed=3 (was 0)" in err
    assert "go on with it: resume=run" in err


@pytest.mark.slow
def test_auto_starts_over_where_there_is_no_checkpoint(train, tmp_path):
    auto = ["resume=auto", "run_dir=run"]
    assert train("run_dir=whole")[0] == 0
    assert train(*auto)[0] == 0
    folder = RunFolder(tmp_path / "run")
    folder.checkpoint.unlink()  # as a run that was killed before its first one leaves it
    folder.summary.unlink()
    code, _, err = train("resume=run", "trainer.max_updates=4", defaults=False)
    assert code == 2
    assert "run has no checkpoint: that run ended before its first one, so there is nothing to go on from. " in err
    assert "Its own command line with run_dir=run resume=auto starts it over" in err
    code, _, err = train("run_dir=run")
    assert code == 2
    assert "run_dir=run already holds a run, which has no checkpoint; resume=auto run_dir=run starts it over" in err
    code, out, err = train(*auto)
    assert code == 0, err
    assert "run has no checkpoint: that run ended before its first one; starting it over" in out
    whole = (tmp_path / "whole" / "metrics.csv").read_text().splitlines()
    assert len(folder.metrics.read_text().splitlines()) == len(whole)
    assert (tmp_path / "run" / "before_best.safetensors").exists(), "a network is never thrown away"


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_auto_brings_back_a_network_that_is_lost(train, tmp_path, whole):
    auto = ["resume=auto", "run_dir=run"]
    assert train(*auto)[0] == 0
    folder = RunFolder(tmp_path / "run")
    rows, network = folder.metrics.read_text(), load_network(folder.last)[0].state_dict()
    folder.last.unlink()
    if whole:
        folder.checkpoint.unlink()
    code, out, err = train(*auto)
    assert code == 0, err
    assert ("nor the network that it ended with; starting it over" in out) == whole
    assert ("run has lost the network that it ended with; its checkpoint brings it back" in out) == (not whole)
    for name, value in load_network(folder.last)[0].state_dict().items():
        assert torch.equal(value, network[name])
    assert folder.summary.is_file()
    assert folder.metrics.read_text().count("\n") == rows.count("\n")
    assert "has ended already" in train(*auto)[1]


def test_a_disk_that_is_full_at_the_first_save(train, tmp_path, monkeypatch):
    def full(descriptor):
        if "last.ckpt" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(sr.files.os, "fsync", full)
        code, _, err = train("resume=auto", "run_dir=run")
    assert code == 2
    assert "No space left on device" in err
    code, out, err = train("resume=auto", "run_dir=run")
    assert code == 0, err
    assert "starting it over" in out


@pytest.mark.slow
def test_a_sweep_is_protected_and_gone_on_with(train, tmp_path):
    sweep = ["-m", "seed=1,2", "run_dir=SW"]
    assert train(*sweep)[0] == 0
    runs = sorted(path.name for path in (tmp_path / "SW").iterdir() if path.is_dir())
    assert runs == ["0_seed-1", "1_seed-2"]
    before = (tmp_path / "SW" / "0_seed-1" / "metrics.csv").read_bytes()
    others = {
        ("seed=3,4",): "seed=3,4 (was seed=1,2)",
        ("model=bicubic", "seed=1,2"): "model=bicubic is new",
        ("--config-dir=mine", "seed=1,2"): f"--config-dir {tmp_path / 'mine'} (was None)",
    }
    resume = "resume=SW goes on with that one, or choose another run_dir"
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "mine.yaml").write_text("_target_: x.Y\n")
    for other, told in others.items():
        code, _, err = train("-m", *other, "run_dir=SW")
        assert code == 2
        assert err == f"error: run_dir=SW holds another sweep: {told}; {resume}\n"
    code, _, err = train("run_dir=SW")
    assert code == 2
    assert "run_dir=SW holds runs of its own (0_seed-1), as of a sweep; choose another run_dir" in err
    assert train("-m", "seed=1,2", "run_dir=SW/0_seed-1")[2].startswith("error: run_dir=SW/0_seed-1 holds a single run")
    RunFolder(tmp_path / "SW" / "1_seed-2").summary.unlink()  # as a run that was killed leaves it
    code, out, err = train(*sweep)
    assert code == 0, err
    assert "going on with SW: 1 of 2 runs are there" in out
    assert "going on from SW/1_seed-2/checkpoints/last.ckpt" in out
    assert out.count("=== run ") == 1
    assert (tmp_path / "SW" / "0_seed-1" / "metrics.csv").read_bytes() == before


@pytest.mark.slow
def test_limits_that_are_swept_tell_runs_apart(train, tmp_path):
    limits = ["-m", "trainer.max_updates=1,2", "run_dir=LIMITS", "resume=auto"]
    assert train(*limits)[0] == 0
    assert "going on with LIMITS: 2 of 2 runs are there" in train(*limits)[1]
    assert len([path for path in (tmp_path / "LIMITS").iterdir() if path.is_dir()]) == 2


def test_a_sweep_in_use(train, tmp_path, held):
    number = held("SW")
    code, _, err = train("-m", "seed=1,2", "run_dir=SW")
    assert code == 2
    assert (
        err
        == f"error: run_dir=SW is being written by process {number}; wait until it has ended, or take another run_dir\n"
    )


# ------------------------------------------------------------------------------------- names and lines


@pytest.mark.parametrize(
    ("varied", "name"),
    [
        (["model=espcn", "loss=l1"], "7_model-espcn_loss-l1"),
        (["augmentation=[flips,contrast]"], "7_augmentation-flips-contrast"),
        (["optimizer.lr=1e-4"], "7_optimizer.lr-1e-4"),
        (["data.train='/home/me/mein Überordner/a'"], "7_data.train-home-me-mein-Uberordner-a"),
        (["a={_target_:x.Y,b:$HOME}"], "7_a-_target_-x.Y-b-HOME"),
        (["seed=1;rm -rf *", "x=日本"], "7_seed-1-rm-rf-_x"),
    ],
)
def test_names_of_runs(varied, name):
    assert run_name(7, varied) == name
    assert shlex.quote(name) == name


def test_long_names_are_cut_and_stay_apart():
    one, two = ([f"data.train={'d' * 220}/a", f"data.{'x' * 200}=2", f"data.crop={n}"] for n in (16, 20))
    names = {run_name(0, one), run_name(0, two)}
    assert len(names) == 2
    assert all(len(name) == 100 and re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)


@pytest.mark.slow
def test_a_sweep_over_long_odd_paths(train, tmp_path, pictures):
    long = tmp_path / ("d" * 220)
    long.mkdir()
    for name in ("a", "b"):
        (long / name).symlink_to(pictures)
    code, out, err = train("-m", f"data.train={long}/a,{long}/b", "data.crop=16,20", "data.batch_size=2", "run_dir=SW")
    assert code == 0, err
    assert len(list((tmp_path / "SW").glob("*/summary.json"))) == 4
    assert f"data.train={long}/b" in out.replace("\n", ""), "the table names what was typed"


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("resume=INT/0_seed=1", "INT/0_seed=1"),
        ("run_dir=with space", "with space"),
        ("run_dir=[x]", "[x]"),
        ("run_dir={a}", "{a}"),
        ("run_dir=Überführung", "Überführung"),
        ("run_dir=it's", "it's"),
        ("run_dir=2024", "2024"),
        ("run_dir=1e3", "1e3"),
        ("run_dir=a(1)", "a(1)"),
        ("run_dir=#x", "#x"),
        ("data.train=my photos=1", "my photos=1"),
        ("resume='INT/0_seed=1'", "INT/0_seed=1"),
        (r"resume=INT/0_seed\=1", "INT/0_seed=1"),
        ("resume=auto", "auto"),
        ("run_dir=-x", "-x"),
    ],
)
def test_odd_paths_need_no_quotes_for_hydra(typed, value):
    parsed, faults = parsed_overrides(quoted_paths([typed]))
    assert not faults
    found = parsed[0].value()
    assert getattr(found, "text", found) == value


@pytest.mark.parametrize(
    "typed", ["run_dir=null", "run_dir=a,b", "data.train=[a,b]", "seed=1", "loss={a:1}", "run_dir="]
)
def test_what_hydra_takes_stays(typed):
    assert quoted_paths([typed]) == [typed]


def test_a_path_of_several_meanings_is_told_with_the_quotes():
    _, faults = parsed_overrides(quoted_paths(["data.train=a b=1,c"]))
    assert faults == [
        "'data.train=a b=1,c' is not an override; write name=value, with quotes around odd characters: "
        + pasted(setting("data.train", "a b=1,c"))
        + " or "
        + pasted("data.train='a b=1',c")
    ]


ODD = "0_seed=1 [a] it's $x Ü #;"


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_the_lines_that_we_print_can_be_pasted(train, tmp_path, pictures):
    def interrupt():
        while not (tmp_path / ODD / "metrics.csv").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    code, out, err = train(f"run_dir={ODD}", "trainer.max_updates=1000000")
    assert code == 130, err
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PHOTO": str(pictures / "picture_0.png"),
    }

    def paste(begins: str, more: str = "") -> str:
        (line,) = [line.removeprefix(begins) for line in out.splitlines() if line.startswith(begins)]
        line = line.replace("PHOTO", '"$PHOTO"') + more
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    saved = read_checkpoint(RunFolder(tmp_path / ODD).checkpoint)["trained"]["clock"]["updates"]
    told = paste("go on: ", f" trainer.max_updates={saved + 1}")
    assert f"going on from {ODD}/checkpoints/last.ckpt" in told
    paste("use it: ")
    assert (tmp_path / "OUT.png").exists()
