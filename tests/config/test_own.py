"""Parts of users: classes in files of their own, and a folder of choices beside conf/."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra

from sr.config.composing import composed
from sr.config.own import own_folder
from sr.errors import UserError
from sr.verbs.train.arguments import split_arguments
from tests.conftest import REPOSITORY

PARTS = """
import numpy as np
import torch
from torch import nn
from sr.data.contract import PictureSource
from sr.types import Picture


class Net(nn.Module):
    def __init__(self, scale: int, width: int = 16) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Conv2d(3, 3 * scale**2, 3, padding=1)

    def forward(self, lr):
        return nn.functional.pixel_shuffle(self.body(lr), self.scale)


class Judge(nn.Module):
    smallest_side, side, cell, margin = 4, None, 1, 0

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.body = nn.Conv2d(in_channels, 1, 3)

    def forward(self, shown):
        return self.body(shown)


class Halves:
    key, in_advance, slow = "halves", False, False

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def __call__(self, hr, draws):
        return nn.functional.avg_pool2d(hr, self.scale)

    def picture(self, hr, index=0):
        return hr[:: self.scale, :: self.scale][: hr.shape[0] // self.scale, : hr.shape[1] // self.scale]


class Gray(PictureSource):
    def __init__(self, level: int, pictures: int = 3) -> None:
        self.level, self.pictures = level, pictures

    def stamp(self) -> str:
        return f"gray {self.level}"

    def __len__(self) -> int:
        return self.pictures

    def name(self, index: int) -> str:
        return f"gray {index}"

    def read(self, index: int):
        return Picture(np.full((64, 64, 3), self.level + index, np.uint8))
"""
CHOICES = {
    "model/mine": "_target_: strangers_parts.Net\nscale: ${scale}\n",
    "discriminator/judge": "_target_: strangers_parts.Judge\nin_channels: ${shown_channels:}\n",
    "degradation/halves": "_target_: strangers_parts.Halves\nscale: ${scale}\n",
    "loss/near": "_target_: sr.losses.objective.Objective\nterms:\n  near:\n    _target_: sr.losses.objective.Term\n"
    "    weight: 1.0\n    views: sr,hr\n    loss:\n      _target_: torch.nn.MSELoss\n",
    "data/gray": "defaults:\n  - _crops\nlevel: 100\ntrain:\n  _target_: strangers_parts.Gray\n  level: ${data.level}\n"
    "val:\n  _target_: strangers_parts.Gray\n  level: 90\n",
    "experiment/first": "# @package _global_\ndefaults:\n  - override /model: mine\n  - override /loss: l1_near\n",
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Somebody's working folder: a module, and a folder of choices."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "strangers_parts.py").write_text(PARTS)
    for name, text in CHOICES.items():
        path = tmp_path / "my conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "my conf"
    for name in ("strangers_parts", "my_parts"):
        sys.modules.pop(name, None)
    GlobalHydra.instance().clear()


def config_of(run: Path) -> str:
    return (run / "config.yaml").read_text()


@pytest.mark.slow
def test_a_class_in_the_current_folder_trains_and_resumes(train, own, tmp_path):
    named = ("model._target_=strangers_parts.Net", "model.width=8")
    code, out, _ = train(*named, "run_dir=run")
    assert code == 0
    assert "model: strangers_parts.Net does not take features, dilations, tail" in out
    assert "of the choice; left out\n" in out
    config = config_of(tmp_path / "run")
    assert "width: 8" in config
    assert set(yaml.safe_load(config)["model"]) == {"_target_", "scale", "width"}
    assert "--model run/best.safetensors --trust\n" in out
    # The same line after an interruption needs no further word, nor does another that names the class again.
    (tmp_path / "run" / "summary.json").unlink()
    code, out, err = train(*named, "run_dir=run", "resume=auto", "trainer.max_updates=6")
    assert (code, "going on from run/checkpoints/last.ckpt" in out) == (0, True), err
    code, out, err = train(*named, "run_dir=run", "resume=auto", "trainer.max_updates=6")
    assert (code, "finished: run has ended already" in out, "--trust\n" in out) == (0, True, True), err
    code, _, err = train(*named, "resume=run", "trainer.max_updates=7", defaults=False)
    assert code == 0, err
    code, _, err = train("resume=run", "trainer.max_updates=8", defaults=False)
    assert (code, "add trust=true" in err) == (2, True)
    code, out, err = train(*named, "run_dir=run")
    assert (code, "resume=run trust=true goes on with it" in err) == (2, True)


def test_lines_to_be_pasted_carry_the_word_of_trust(train, own):
    named = ("model._target_=strangers_parts.Net", "optimizer.lr=1e30", "trainer.guard.recover=false")
    code, _, err = train(*named, "run_dir=run", "trainer.max_updates=20", "trainer.val_every=20")
    assert (code, "training has exploded" in err) == (2, True)
    assert re.search(r" sr replay run/bugs/update_\d+_batch_\d+\.bug --trust\n", err)


def test_own_choices_that_read_the_environment_resume(train, own, monkeypatch):
    monkeypatch.setenv("STRANGERS_WIDTH", "8")
    (own / "data" / "near.yaml").write_text("defaults:\n  - folder\ncache: ${oc.env:STRANGERS_WIDTH,x}/cache\n")
    line = ("--config-dir", "my conf", "model=mine", "data=near", "adversary=lsgan", "discriminator=judge")
    assert train(*line, "run_dir=run")[0] == 0
    (Path("run") / "summary.json").unlink()
    code, out, err = train(*line, "run_dir=run", "resume=auto", "trainer.max_updates=5")
    assert (code, "going on from run/checkpoints/last.ckpt" in out) == (0, True), err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            ["model._target_=strangers_parts.Net", "model.widht=8"],
            "model.widht is not an argument of strangers_parts.Net; did you mean width?",
        ),
        (
            ["model._target_=strangers_parts.Nett"],
            "Nett cannot be imported; did you mean Net?",
        ),
        (["model._target_=nowhere.Net"], "looked for nowhere.py in "),
        (["model._target_=strangers_parts.Judge"], "model.in_channels is not set, and strangers_parts.Judge needs it"),
        (["--config-dir", "my conf", "model=mien"], "there is no such model in conf/model or "),
        (["--config-dir", "my conf", "model=mien"], "did you mean mine?"),
        (["--config-dir", "my conf", "model=mine", "+model.widht=8"], "did you mean width"),
        (["--config-dir", "my conf", "model=mine", "loss=l1_near_l1"], "names l1 twice"),
        (["--config-dir", "my_conf"], "--config-dir my_conf: there is no such folder; did you mean my conf?"),
        (["--config-dir"], "--config-dir needs a value behind it"),
        (["--config-name", "x"], "--config-name would leave conf/ out; --config-dir FOLDER takes choices of yours"),
        (["--config-dri", "my_conf"], "--config-dri is no flag of train.py; did you mean --config-dir"),
    ],
)
def test_a_mistake_is_a_sentence(train, own, typed, message):
    code, _, err = train(*typed)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_own_choices_train_in_any_combination(train, own, tmp_path):
    given = (
        "--config-dir",
        "my conf",
        "model=mine",
        "loss=l1_near",
        "degradation=halves",
        "data=gray",
        "data.level=50",
    )
    plain = ("data.level=50", "data.crop=12", "data.batch_size=2", "trainer.max_updates=2", "trainer.val_every=2")
    more = ("adversary=lsgan", "discriminator=judge", "trainer.accelerator=cpu", "run_dir=run")
    code, _, err = train(*given, *plain, *more, defaults=False)
    assert code == 0, err
    assert "strangers_parts.Judge" in config_of(tmp_path / "run")


def test_a_sweep_over_own_and_other_choices(train, own):
    code, out, err = train("--config-dir=my conf", "-m", "model=mine,espcn", "trainer.max_updates=1")
    assert code == 0, err
    assert "=== run 2 of 2: model=espcn ===" in out


def test_own_experiments_and_help(train, own, tmp_path):
    assert train("--config-dir", "my conf", "experiment=first", "run_dir=run")[0] == 0
    assert "near:" in config_of(tmp_path / "run")
    code, out, _ = train("--config-dir", "my conf", "--help", defaults=False)
    assert code == 0
    assert re.search(r"model: .*\bmine\b", out)


def test_the_other_verbs_take_the_folder_too(sr, own, tmp_path, pictures):
    data = (f"data.train={pictures}", "data=folder", "data.crop=12", "data.batch_size=2", "degradation=halves")
    for verb in (["degrade", "--samples", "2", "--count", "2"], ["bench", "degradation", "--seconds", "0.1"]):
        code, _, err = sr(*verb, "--config-dir", "my conf", *data)
        assert code == 0, err
    typed = ("degradation._target_=strangers_parts.Halves", *data[:-1], "data.val=null")
    code, _, err = sr("prepare", "pairs", "-o", "pairs", *typed)
    assert code == 0, err
    assert len([*Path("pairs/LR").glob("*.png")]) == 6


def test_the_other_verbs_complete_what_is_typed_as_training_does(sr, own, tmp_path, pictures):
    pictures.rename(tmp_path / "my photos")
    data = ("data=folder", "data.train=my photos", "data.crop=12", "data.batch_size=2")
    code, out, err = sr("degrade", "--samples", "2", "--count", "2", *data, "model._target_=strangers_parts.Net")
    assert code == 0, err
    assert "model: strangers_parts.Net does not take features, dilations, tail" in out
    code, _, err = sr("prepare", "pairs", "-o", "pairs", *data, "data.val=null")
    assert code == 0, err


@pytest.mark.parametrize("target", ["strangers_parts.make_net", "strangers_parts.Outer.Net"])
def test_a_network_that_its_file_could_not_name(train, own, tmp_path, target):
    more = "\n\ndef make_net(scale: int):\n    return Net(scale)\n\n\nclass Outer:\n    class Net(Net):\n        pass\n"
    (tmp_path / "strangers_parts.py").write_text(PARTS + more)
    code, _, err = train(f"model._target_={target}")
    assert (code, f"model._target_={target} must be the class itself" in err) == (2, True)
    assert "Traceback" not in err


def test_what_a_class_lacks_is_told(train, own):
    code, _, err = train("degradation._target_=strangers_parts.Net")
    assert code == 2
    assert "degradation: Net has no key, slow, in_advance, picture; CONTRIBUTING.md says what" in err


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model/espcn.yaml", "has model/espcn.yaml, and conf/ has a file of that name too; give yours another name"),
        ("adversary/_base.yaml", "has adversary/_base.yaml, and conf/ has"),
        ("train.yaml", "has a train.yaml, as conf/ has; put what differs into "),
    ],
)
def test_names_of_ours_are_refused(own, file, message):
    (own / file).parent.mkdir(exist_ok=True)
    (own / file).write_text("seed: 1\n")
    with pytest.raises(UserError, match=re.escape(message)):
        own_folder(own)


def test_a_folder_without_choices_is_refused(own):
    (own.parent / "flat").mkdir()
    (own.parent / "flat" / "mine.yaml").write_text("a: 1\n")
    with pytest.raises(UserError, match=r"has no GROUP/NAME.yaml.*; mine.yaml belongs into one of its folders"):
        own_folder(own.parent / "flat")
    assert own_folder(REPOSITORY / "conf") is None


def test_a_setting_that_another_own_choice_reads_is_one(own):
    (own / "degradation" / "levels.yaml").write_text("_target_: sr.degradations.bicubic.Bicubic\nscale: ${data.mine}\n")
    (own / "data" / "noted.yaml").write_text("defaults:\n  - folder\nmine: 2\n")
    config = composed(["data=noted", "data.train=a", "data.val=b"], own)
    assert config.data.mine == 2


def test_flags_and_overrides_come_in_any_order():
    found = split_arguments(["a=1", "-m", "b=2", "--info=all"])
    assert found.overrides == ["a=1", "b=2"]
    assert found.flags == ["-m", "--info=all"]
    assert (found.several, found.only_shows, found.own) == (True, True, None)


def blocks(kind: str) -> list[str]:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("## Parts of your own")[2].partition("\n## ")[0]
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_the_example_of_contributing_works_literally(train, own, tmp_path):
    (module,) = blocks("python")
    (tmp_path / "my_parts.py").write_text(module)
    for text in blocks("yaml"):
        path = tmp_path / text.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.partition("\n")[2])
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line)
        assert words[:4] == ["uv", "run", "python", "train.py"]
        code, _, err = train(*words[4:])
        assert code == 0, err
