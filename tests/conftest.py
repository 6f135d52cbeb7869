"""Fixtures for every test: fixed seeds, no stray cache, no tracker that phones home, small pictures, a quick run."""

import hashlib
import os
import shutil
import signal
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Tests start hundreds of processes. Where compiled modules are not wanted beside their sources, each would compile
# torch's anew, 8 s of a core; so they lie in pytest's own folder there.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ["PYTHONPYCACHEPREFIX"] = str(REPOSITORY / ".pytest_cache" / "compiled")

# Before torch is imported: its threads must sleep while they wait, or two processes on two cores stall each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys

import numpy as np
import pytest
import torch
from PIL import Image

os.environ.setdefault("WANDB_MODE", "disabled")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Stores built by a test land in the session's temporary folder, and no weights of the user's are found."""
    monkeypatch.setenv("SR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path_factory.getbasetemp() / "trackio"))  # read once, when it is imported


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def interruptible():
    """A suite that runs in the background of a script ignores Ctrl-C, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def one_thread():
    """Threads cost more than they bring on pictures this small when other jobs share the processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def smooth_picture(height: int, width: int, seed: int) -> np.ndarray:
    """A uint8 RGB picture with gradients and edges: a few overlaid discs on a ramp."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    picture = np.stack([60 + 100 * x / width, 80 + 90 * y / height, 120 + 0 * x], axis=2)
    for _ in range(12):
        cy, cx, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(3, height / 3)
        picture[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = rng.uniform(0, 255, 3)
    return picture.round().astype(np.uint8)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder of six small PNG pictures in two levels."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for index in range(6):
        place = folder / "below" if index % 2 else folder
        Image.fromarray(smooth_picture(64 + 4 * index, 80, index)).save(place / f"picture_{index}.png")
    return folder


@pytest.fixture
def train(monkeypatch, tmp_path, pictures, capsys):
    """Run `train.py` in this process on small pictures: ``train("loss=l2")`` gives (exit code, stdout, stderr)."""
    from sr.verbs.train.start import main

    def run(*overrides: str, defaults: bool = True) -> tuple[int, str, str]:
        small = [
            "data=folder",
            f"data.train={pictures}",
            f"data.val={pictures}",
            "data.val_pictures=2",
            "data.crop=12",
            "data.batch_size=4",
            "trainer.accelerator=cpu",
            "trainer.max_updates=4",
            "trainer.val_every=2",
            "trainer.log_every=1",
        ]
        monkeypatch.delenv("SR_WEIGHTS", raising=False)
        small += ["report=false"] if "-m" in overrides else []
        given = {override.split("=")[0] for override in overrides}
        kept = [s for s in small if s.split("=")[0] not in given] if defaults else []
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["train.py", *kept, *overrides])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        try:
            code = main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        out = capsys.readouterr()
        print(out.out, out.err)  # for the report of a failing test
        return code, out.out, out.err

    return run


@pytest.fixture
def trained_once(train, tmp_path, tmp_path_factory):
    """Train once for all tests that ask for the same: ``trained_once("run", "loss=l2")`` gives each a copy to spoil."""

    def run(name: str, *overrides: str) -> Path:
        own = tmp_path / name
        kept = (
            tmp_path_factory.getbasetemp()
            / "trained"
            / hashlib.blake2b(repr((name, overrides)).encode()).hexdigest()[:16]
        )
        if kept.exists():
            shutil.copytree(kept, own)
            return own
        code, _, err = train(*overrides, f"run_dir={name}")
        assert code == 0, err
        shutil.copytree(own, kept)
        return own

    return run


@pytest.fixture
def sr(monkeypatch, tmp_path, capsys):
    """Run the command `sr` in this process: ``sr("evaluate", "bicubic", …)`` gives (exit code, stdout, stderr)."""
    from sr.verbs.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["sr", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.delenv("SR_WEIGHTS", raising=False)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        out = capsys.readouterr()
        print(out.out, out.err)  # for the report of a failing test
        return code, out.out, out.err

    return run
