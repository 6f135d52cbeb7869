"""The line that uploads offline runs, of one run and of a whole sweep: a shell and W&B take it as it is printed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sr.training.keeping.loggers.uploading import sync_line, upload_line

POSIX = pytest.mark.skipif(os.name == "nt", reason="the shell of Windows fills in no pattern")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def offline(folder: Path, number: int = 1, synced: bool = False) -> Path:
    """A run's folder with a part that W&B wrote offline."""
    part = folder / "wandb" / f"offline-run-2026010{number}_000000-abc"
    part.mkdir(parents=True)
    (part / "run-abc.wandb").write_bytes(b"")
    if synced:
        (part / "run-abc.wandb.synced").write_text("")
    return folder


def test_nothing_waits(tmp_path):
    (tmp_path / "online" / "wandb" / "run-1-abc").mkdir(parents=True)
    (tmp_path / "online" / "wandb" / "run-1-abc" / "run-abc.wandb").write_text("")
    (tmp_path / "csv").mkdir()
    runs = [tmp_path / "csv", tmp_path / "online", offline(tmp_path / "done", synced=True), tmp_path / "none"]
    assert upload_line(runs) is None
    assert upload_line([]) is None


def test_a_run_is_named_once_however_many_parts_it_has():
    run = Path("run")
    offline(run, 1, synced=True)
    offline(run, 2)
    assert upload_line([run]) == "wandb sync run/wandb"


def test_what_a_server_did_not_take():
    assert sync_line([Path("run")], online=True) == "wandb sync --include-online run/wandb"


@POSIX
def test_a_sweep_is_one_pattern():
    runs = [offline(Path("outputs") / "sweep" / f"{n}_model=espcn") for n in range(3)]
    Path("outputs/sweep/3_failed").mkdir()
    assert upload_line([*runs, Path("outputs/sweep/3_failed")]) == "wandb sync outputs/sweep/*/wandb"


@POSIX
def test_a_pattern_would_mean_a_run_that_is_not_asked_for():
    runs = [offline(Path("outputs") / name) for name in ("a", "b", "somebody_elses")]
    assert upload_line(runs[:2]) == "wandb sync outputs/a/wandb outputs/b/wandb"
    assert upload_line([runs[0], offline(Path("elsewhere") / "c")]) == "wandb sync outputs/a/wandb elsewhere/c/wandb"


@POSIX
@pytest.mark.parametrize("name", ["my sweep", "-m", "it's", "$HOME", "a;b"])
def test_the_shell_finds_them_whatever_the_sweep_is_called(name):
    runs = [offline(Path(name) / run) for run in ("0_a", "1_b")]
    line = upload_line(runs)
    assert line is not None
    shown = subprocess.run(
        ["sh", "-c", line.replace("wandb sync", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [Path(path) for path in shown] == [run / "wandb" for run in runs]


@POSIX
def test_wandb_takes_the_line(monkeypatch, tmp_path):
    runs = [offline(Path("my sweep") / run, number) for run in ("0_a", "1_b") for number in (1, 2)]
    offline(Path("my sweep") / "2_done", synced=True)
    runs.append(Path("my sweep") / "2_done")
    monkeypatch.setenv("HOME", str(tmp_path))
    line = (upload_line(runs) or "").replace("wandb sync", "sync --dry-run", 1)
    wandb = shlex.join([sys.executable, "-m", "wandb"])
    done = subprocess.run(["sh", "-c", f"{wandb} {line}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Would sync 4 run(s)" in done.stdout + done.stderr
