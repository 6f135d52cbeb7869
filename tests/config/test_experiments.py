"""Experiments in folders, found by themselves: those of the logs at every size, and those of shipped networks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from sr.config.checks import checked
from sr.config.composer import composed_from
from sr.config.experiments import at_size, names_of, parents_of
from sr.config.folder import config_groups
from sr.experiments.runs import Run
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.log.counting import _fault
from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf"
ALL = config_groups(CONF)["experiment"]
SHIPPED = [name for name in ALL if name.startswith("shipped/")]
"""They have one size, that of the network which comes along."""
EXPERIMENTS = [name for name in ALL if "/" in name and name not in SHIPPED]
SIZES = config_groups(CONF)["size"]
FILES = sorted(path for pattern in ("*/**/*.yaml", "_*.yaml") for path in (CONF / "experiment").glob(pattern))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_fits_at_every_size(experiment, size):
    config = OmegaConf.to_container(checked(at_size(experiment, size)), resolve=True)
    assert config["size"]["name"] == size
    parents = {**config["init_from"], "grown": config["grow_from"]}
    places = [place for place in parents.values() if isinstance(place, str)]
    assert len(names_of(parents, ALL)) == len(places), "every parent exists"
    run = Run(RunFolder(Path("run")), config, {"exit_reason": "max_updates"})
    assert _fault(run, experiment, size) == "", "a run of it counts"


def test_a_size_brings_its_numbers_and_nothing_else():
    for size in SIZES:
        directly = composed_from([CONF], ["experiment=log/08_gan_warmup", f"size={size}"])
        assert directly == at_size("log/08_gan_warmup", size)


def test_sizes_name_the_same_numbers():
    def names(node, prefix=""):
        for key, child in node.items():
            yield f"{prefix}{key}"
            if isinstance(child, dict):
                yield from names(child, f"{prefix}{key}.")

    found = {size: set(names(yaml.safe_load((CONF / f"size/{size}.yaml").read_text()))) for size in SIZES}
    assert all(one == found["full"] for one in found.values()), found
    text = "".join(path.read_text() for path in FILES)
    used = set(re.findall(r"\$\{size\.([a-z0-9_.]+)\}", text))
    assert used <= found["full"]
    leaves = {name for name in found["full"] if not any(other.startswith(f"{name}.") for other in found["full"])}
    assert leaves - used == {"name"}, "numbers that nothing reads"


def flat(node, prefix=""):
    """Dotted names with their values; a list counts as a whole."""
    if not isinstance(node, dict) or not node:
        return {prefix.rstrip("."): node}
    return {name: value for key, child in node.items() for name, value in flat(child, f"{prefix}{key}.").items()}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_mini_differs_from_full_in_what_the_size_feeds_alone(experiment):
    written = flat(OmegaConf.to_container(at_size(experiment, "mini"), resolve=False))
    # What reads the size, and what reads that: ${data.crop} reads ${size.crop}, ${discriminator} a whole branch.
    fed, more = set(), {name for name, value in written.items() if "${size." in str(value)}
    while more - fed:
        fed |= more
        branches = {".".join(name.split(".")[:n]) for name in fed for n in range(1, name.count(".") + 2)}
        more = {
            name
            for name, value in written.items()
            if branches & set(re.findall(r"\$\{([a-z0-9_.]+)\}", str(value)))
            or ("world_target" in str(value) and any(one.startswith("data.world.") for one in fed))
            or ("shown_side" in str(value) and "data.crop" in fed)
        }
    full, mini = (flat(OmegaConf.to_container(at_size(experiment, size), resolve=True)) for size in ("full", "mini"))
    differing = {name for name in {*full, *mini} if full.get(name, "none") != mini.get(name, "none")}
    explained = tuple(f"{name}." for name in fed)
    assert {name for name in differing if name not in fed and not name.startswith(("size.", *explained))} == set()
    assert {"data.crop", "size.name"} <= differing


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_begins_as_an_experiment_does(path: Path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")


def with_all_that_they_start_from(names):
    needed, left = list[str](), list(names)
    while left:
        name = left.pop()
        if name not in needed:
            needed.append(name)
            left += parents_of(OmegaConf.to_container(at_size(name, "smoke"), resolve=True), EXPERIMENTS)
    return needed


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted({name.partition("/")[0] for name in EXPERIMENTS}))
def test_every_experiment_makes_three_updates(folder, tmp_path, monkeypatch):
    """Parents first, in one command, in a world of its own: a new file is trained without being named here."""
    monkeypatch.setenv("SR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SR_WEIGHTS", raising=False)
    names = with_all_that_they_start_from(name for name in EXPERIMENTS if name.startswith(f"{folder}/"))
    command = [
        "-m",
        f"experiment={','.join(names)}",
        "size=smoke",
        "trainer.accelerator=cpu",
        "run_dir=all",
        "report=false",
    ]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "train.py"), *command],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    updates = {}
    for config in (tmp_path / "all").glob("*/config.yaml"):
        summary = json.loads((config.parent / "summary.json").read_text())
        updates[yaml.safe_load(config.read_text())["experiment"]] = summary["updates"]
    assert updates == dict.fromkeys(names, 3)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", SHIPPED)
def test_what_trained_a_shipped_network_trains(train, experiment):
    code, out, err = train(
        f"experiment={experiment}",
        "trainer.accelerator=cpu",
        "trainer.max_updates=2",
        "data.train.pictures=4",
        "data.batch_size=2",
        "trainer.val_every=2",
        defaults=False,
    )
    assert code == 0, err
    assert "ended (max_updates) after 2 updates" in out
