"""What a wheel holds, and that it works without the repository."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from hatchling.build import build_editable, build_wheel

from sr.inference.networks import shipped
from tests.conftest import REPOSITORY


def files_of(repository_folder: str) -> set[str]:
    """Paths that git would keep; ``conf/local`` is of this machine alone."""
    root = REPOSITORY / repository_folder
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {str(path) for path in paths if "__pycache__" not in path.parts and path.parts[0] != "local"}


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Build in the repository, as an installer does: ``built(build_wheel)`` gives the path of the wheel."""
    monkeypatch.chdir(REPOSITORY)
    return lambda build: tmp_path / build(str(tmp_path))


def test_the_wheel_holds_all_of_sr_and_of_conf_and_nothing_else(built):
    with zipfile.ZipFile(built(build_wheel)) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        told = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
        commands = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert {name.removeprefix("sr/conf/") for name in names if name.startswith("sr/conf/")} == files_of("conf")
    plugins = {name for name in names if name.startswith("hydra_plugins/")}
    assert plugins == {"hydra_plugins/sr_sweepers.py"}
    own = {name.removeprefix("sr/") for name in names - plugins if not name.startswith("sr/conf/")}
    assert own == files_of("sr")
    assert "sr/py.typed" in names
    networks = {name for name in names if name.startswith("sr/inference/shipped/")}
    assert networks == {f"sr/inference/shipped/{name}.safetensors" for name in shipped()}
    head = told.partition("\n\n")[0]
    for line in (
        "Name: sr-toolkit",
        "License-Expression: Apache-2.0",
        "Requires-Python: >=3.11",
        "Requires-Dist: kornia",
    ):
        assert f"\n{line}" in head
    assert "Requires-Dist: pytest" not in head
    assert "sr = sr.verbs.cli:main" in commands


def test_an_editable_install_holds_no_copy_that_grows_old(built):
    with zipfile.ZipFile(built(build_editable)) as wheel:
        assert not [name for name in wheel.namelist() if name.endswith((".yaml", ".py"))]


SMALL = [
    "data.train.pictures=4",
    "data.train.size=64",
    "data.val=null",
    "data.crop=12",
    "data.batch_size=2",
    "trainer.accelerator=cpu",
]


@pytest.mark.slow
def test_the_wheel_works_without_the_repository(built, tmp_path):
    # What it depends on is this environment's; PYTHONPATH comes before what is installed there.
    wheel, site, empty = built(build_wheel), tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(site)
    environment["SR_CACHE"] = str(tmp_path / "cache")

    def works(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=empty, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    sr = ("-c", "from sr.verbs.cli import main; main()")
    assert works("-c", "import sr.config.folder as f; print(f.CONF)").strip() == str(site / "sr" / "conf")
    assert "degrade" in works(*sr, "--help")
    works(*sr, "degrade", *SMALL, "--count", "2", "--samples", "4", "-o", "sheet.png")
    assert "ratio" in works(*sr, "bench", "step", *SMALL, "--updates", "2", "--rounds", "2")
    listed = json.loads(works(*sr, "networks", "--json"))
    assert {one["name"] for one in listed} == set(shipped())
    assert all(one["file"].startswith(str(site)) for one in listed)
    if listed:
        works("-c", "import sr, numpy; assert sr.load(device='cpu')(numpy.zeros((6, 5), 'u1')).shape == (12, 10)")
    train = ("-m", "sr.verbs.train", *SMALL, "trainer.max_updates=2")
    works(*train)
    works(*train, "-m", "seed=1,2")
    assert len([*(empty / "outputs").glob("*/summary.json")]) == 1
    assert len([*(empty / "outputs").glob("*_sweep/*/summary.json")]) == 2
    assert {path.name for path in empty.iterdir()} == {"outputs", "sheet.png"}
