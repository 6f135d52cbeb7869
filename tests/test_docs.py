"""What the documentation says exists, and what exists is said."""

import re
import shutil

import pytest

from sr.config.overrides import config_groups
from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf"
GROUPS = config_groups(CONF)
PAGES = {
    "loss": "losses.md",
    "adversary": "gan.md",
    "discriminator": "discriminators.md",
    "degradation": "degradations.md",
    "logger": "loggers.md",
}


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("group", "page"), PAGES.items())
def test_every_choice_has_a_line(group, page):
    told = set(re.findall(r"`([a-z0-9_]+)`", text(f"docs/{page}")))
    ranges = {"aug_11", "aug_12", "aug_13", "aug_14"}  # "aug_10 … aug_15"
    assert set(GROUPS[group]) - {"none"} - ranges <= told


SUMMED_UP = {
    "adversary": {"none"},
    "discriminator": {"none"},
    "loss": {"vgg_conv4_3", "vgg_five", "vgg_full", "vgg_mask", "vgg_notes"},
}
"""Choices that the README counts, or needs not name."""


@pytest.mark.parametrize(
    "group", ["model", "loss", "adversary", "discriminator", "callbacks", "schedule", "trainer", "data"]
)
def test_the_readme_names_every_choice(group):
    assert set(GROUPS[group]) - SUMMED_UP.get(group, set()) <= set(re.findall(r"`([a-z0-9_]+)`", text("README.md")))


def test_a_page_names_every_experiment_of_the_lessons():
    told = set(re.findall(r"`(?:lessons/)?([a-z0-9_]+)`", text("docs/log_experiments.md")))
    names = {name.partition("/")[2] for name in GROUPS["experiment"] if name.startswith("lessons/")}
    assert {name for name in names if not name.startswith("control/")} <= told


def test_the_page_names_every_network_with_checkpointing():
    (told,) = re.findall(r"## Less memory in training\n(.*?)```", text("docs/networks.md"), re.DOTALL)
    files = {path.stem: path.read_text() for path in sorted((CONF / "model").glob("*.yaml"))}
    names = {name for name, content in files.items() if "\ncheckpointing:" in content}
    notes = {name for name in names if name.startswith("rrdb_notes_")}  # `rrdb_notes_…`
    assert names - notes <= set(re.findall(r"`([a-z0-9_]+)`", told))


OF_OTHERS = ("discriminator.trim", "discriminator.strides", "discriminator.downsample")
"""Settings of other discriminators than that of the test."""


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page}" for page in PAGES.values())])
def test_settings_in_the_text_exist(page):
    from sr.config.composing import composed

    config = composed(
        [
            "adversary=[lsgan,stepper,image_pool,instance_noise,gradients]",
            "discriminator=conv",
            "loss=l1_vgg",
            "logger=[wandb,tensorboard,mlflow,trackio]",
        ]
    )
    for name in re.findall(r"`((?:trainer|adversary|discriminator|loss|logger)\.[a-z0-9_.]+)(?:=[^`]*)?`", text(page)):
        node = config
        for key in name.split("."):
            assert key in node or name in OF_OTHERS, f"{page}: {name}"
            if key not in node:
                break
            node = node[key]


def test_the_experiment_of_the_gan_page_trains(train, tmp_path, monkeypatch):
    found = re.search(r"```yaml\n(# @package _global_.*?)```", text("docs/gan.md"), re.DOTALL)
    assert found
    folder = tmp_path / "conf"
    shutil.copytree(CONF, folder)
    monkeypatch.setattr("sr.verbs.train.task.CONF", folder)
    monkeypatch.setattr("sr.config.folder.CONF", folder)
    written = found[1].replace("2000", "2").replace("2300", "4")
    (folder / "experiment" / "phases.yaml").write_text(written)
    code, _, err = train("experiment=phases", "trainer.max_updates=6", "data.crop=12", "run_dir=run")
    assert code == 0, err
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    columns = rows[0].split(",")
    values = [dict(zip(columns, row.split(","), strict=True)) for row in rows[1:]]
    generator = [bool(row["train/g/total"]) for row in values]
    discriminator = [bool(row["train/d/total"]) for row in values]
    assert generator == [True, True, False, False, True, True]
    assert discriminator == [False, False, True, True, True, True]
