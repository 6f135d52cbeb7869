"""What earlier versions wrote opens as before. Each folder here is named after the commit that wrote it.

`daa0cad` is the run folder of this command line, before the rooms were made, and the bundle of the same with
``optimizer.lr=1e30 trainer.guard.limit=1``:

    python train.py model=espcn model.features=4 data.train.pictures=4 data.train.size=128 data.crop=12 \
        data.batch_size=2 data.val_pictures=1 adversary=lsgan_conditional discriminator=conv discriminator.features=2 \
        trainer.max_updates=4 trainer.val_every=2 trainer.log_every=1 trainer.accelerator=cpu trainer.precision=32 \
        degradation=jpeg_light trainer.ema=0.9 trainer.val_images=0 augmentation=[flips,contrast] trainer.lpips=null \
        logger=wandb logger.wandb.mode=disabled callbacks=early_stop run_dir=daa0cad

`targets.txt` are the ``_target_``s of its conf/.
"""

import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from sr.models.files import load_network
from sr.targets import MOVED, moved

OLD = Path(__file__).with_name("daa0cad")
TARGETS = (OLD / "targets.txt").read_text().split()


@pytest.fixture
def run(tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_then_is_found(target):
    module, _, name = moved(target).rpartition(".")
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_the_table_leads_to_modules_and_each_in_one_step(old, new):
    importlib.import_module(new)
    assert new not in MOVED
    assert (Path("sr", *old.split(".")[1:]).with_suffix(".py")).exists() is False


@pytest.mark.parametrize("file", ["best", "last"])
def test_the_network_loads(file):
    network, info = load_network(OLD / f"{file}.safetensors")
    assert (network.scale, info.config["features"]) == (2, 4)
    assert torch.isfinite(network(torch.rand(1, 3, 8, 8))).all()


def test_the_run_goes_on(run, train):
    code, out, _ = train("resume=run", "trainer.max_updates=6", defaults=False)
    assert code == 0
    assert f"going on from {Path('run') / 'checkpoints' / 'last.ckpt'}" in out
    assert json.loads((run / "summary.json").read_text())["updates"] == 6
    assert [line.split(",")[0] for line in (run / "metrics.csv").read_text().splitlines()[1:]] == list("123456")
    assert "sr.data.kinds.sources.Photographs" in (run / "config.yaml").read_text()  # under the name of today


def test_the_run_is_found_again_by_its_command_line(run, train):
    (run / "summary.json").unlink()  # as after a crash
    written = [line[4:].rstrip(" \\") for line in (__doc__ or "").splitlines() if line.startswith("    ")]
    overrides = " ".join(written).split()[2:-1]
    code, out, _ = train(*overrides, "run_dir=run", "resume=auto", "trainer.max_updates=5", defaults=False)
    assert code == 0
    assert "going on from run/checkpoints/last.ckpt" in out


def test_the_explosion_is_seen_again(sr):
    code, out, _ = sr("replay", OLD / "bugs" / "update_2_batch_2.bug")
    assert code == 0
    assert "seen again" in out


def test_a_setting_names_a_module_by_its_old_name(train):
    code, _, err = train(
        "data.val={_target_: sr.data.sources.Folder, folders: [no_such_folder]}", "trainer.max_updates=1"
    )
    assert (code, "sr.data.sources" in err) == (2, False)
    assert "no_such_folder" in err
