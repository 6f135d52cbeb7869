"""Resuming equals never having stopped."""

import csv
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from sr.models.files import load_network
from sr.training.callbacks import saving
from sr.training.keeping.checkpoint import random_states, read_checkpoint, set_random_states, write_checkpoint
from sr.types import UserError
from tests.conftest import REPOSITORY

SETTINGS = ["trainer.max_updates=60", "trainer.val_every=15", "trainer.checkpoint_every=5", "trainer.accumulate=2"]
TIMED = ("train/updates_per_second", "train/pictures_per_second", "train/waiting_share", "train/seconds")


def tensors(value, name=""):
    """All leaves of nested dictionaries and lists, by path."""
    if isinstance(value, dict):
        return {k: v for key, child in value.items() for k, v in tensors(child, f"{name}/{key}").items()}
    if isinstance(value, list | tuple):
        return {k: v for key, child in enumerate(value) for k, v in tensors(child, f"{name}/{key}").items()}
    return {name: value}


def assert_same_run(first: Path, second: Path, ignored: tuple[str, ...] = ("elapsed",)) -> None:
    states = [read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (first, second)]
    a, b = (tensors({key: state[key] for key in ("trained", "validation", "random")}) for state in states)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if any(part in name for part in ignored):
            continue
        same = torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name]
        assert same, f"{name} differs"
    for file in ("best.safetensors", "last.safetensors"):
        tensors_of = [(folder / file).read_bytes().split(b"}}", 1)[-1] for folder in (first, second)]
        assert tensors_of[0][-1000:] == tensors_of[1][-1000:]
    rows = []
    for folder in (first, second):
        with (folder / "metrics.csv").open() as file:
            rows.append([{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("model", ["espcn", pytest.param("sr_resnet18", marks=pytest.mark.slow)])
def test_stopped_and_resumed_equals_uninterrupted(train, tmp_path, model):
    # sr_resnet18 has batch norm, whose statistics must come back too.
    few = ["trainer.max_updates=4", "trainer.val_every=2", f"model={model}", "trainer.accumulate=2"]
    few += ["schedule=constant"] if model == "sr_resnet18" else ["schedule=plateau", "schedule.patience=1"]
    assert train(*few, "run_dir=whole")[0] == 0
    assert train(*few, "trainer.max_updates=2", "run_dir=parts")[0] == 0
    code, out, _ = train("resume=parts", "trainer.max_updates=4", defaults=False)
    assert code == 0
    assert "going on from parts/checkpoints/last.ckpt" in out
    # beartype, which checks types during tests in this process, draws from Python's generator.
    assert_same_run(tmp_path / "whole", tmp_path / "parts", ignored=("elapsed", "/random/python"))


GAN = [
    "discriminator=rev",  # its dropout draws from torch's generator
    "adversary.d.policy.stepper.rest_below=0.98",
    "adversary.d.policy.stepper.learn_above=0.99",
    "adversary.d.optimizer.lr=1e-2",
    "schedule@adversary.d.schedule=plateau",
    "adversary.d.schedule.patience=1",
    "adversary.d.weight={_target_:sr.losses.weights.RaiseWhileImproving,start:0.1,factor:1.5,maximum:1.0}",
    "loss.terms.l1.weight={_target_:sr.losses.weights.Linear,start:1.0,end:0.5,updates:5}",
]


@pytest.mark.slow
def test_parts_stopped_and_resumed_equal_uninterrupted(train, tmp_path):
    # 0.2 and 0.7 of 4 updates and of 2 begin with the same update, as far as that goes.
    few = [
        "trainer.max_updates=4",
        "trainer.val_every=2",
        "schedule=constant",
        "parts.rates=[{weights:[head.*],factor:0.1}]",
        "parts.restart=[0.2,0.7]",
    ]
    few += ["parts.freeze=[{weights:[tail.*],until:3}]"]
    code, out, err = train(*few, "run_dir=whole")
    assert code == 0, err
    assert "weights are frozen until update 3" in out
    assert train(*few, "trainer.max_updates=2", "run_dir=parts")[0] == 0
    assert train("resume=parts", "trainer.max_updates=4", defaults=False)[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts", ignored=("elapsed", "/random/python"))


@pytest.mark.slow
@pytest.mark.parametrize("replay", ["image_pool", "batch_store"])
def test_against_an_adversary_stopped_and_resumed_equals_uninterrupted(train, tmp_path, replay):
    # Two optimisers, a stepper that switches, old fakes, noise, schedules with a state.
    small = {"image_pool": "adversary.d.replay.capacity=6", "batch_store": "adversary.d.replay.share=0.5"}[replay]
    few = ["trainer.max_updates=10", "trainer.val_every=2", "trainer.accumulate=2", "schedule=plateau"]
    few += [f"adversary=[lsgan_conditional,stepper,instance_noise,{replay}]", small, *GAN]
    assert train(*few, "run_dir=whole")[0] == 0
    assert train(*few, "trainer.max_updates=4", "run_dir=parts")[0] == 0
    code, _, err = train("resume=parts", "trainer.max_updates=10", defaults=False)
    assert code == 0, err
    assert_same_run(tmp_path / "whole", tmp_path / "parts", ignored=("elapsed", "/random/python"))
    with (tmp_path / "whole" / "metrics.csv").open() as file:
        throttled = [row["train/d/throttled"] for row in csv.DictReader(file)]
    assert len({value for value in throttled if value}) > 1, "the stepper must switch to test anything"
    state = read_checkpoint(tmp_path / "whole" / "checkpoints" / "last.ckpt")["trained"]["adversaries"]["d"]
    assert len(state["replay"]["kept"]) == {"image_pool": 6, "batch_store": 20}[replay]


@pytest.mark.slow
def test_a_discriminator_that_learns_first_goes_on_where_it_was(train, tmp_path):
    # The alarm judges from the middle of a run on, and the first part is a run of its own.
    same = ["schedule=constant", "trainer.colour_alarm=null"]
    few = ["adversary=[lsgan,stepper]", *GAN, "adversary.d.policy.order=d_first", *same]
    assert train(*few, "trainer.max_updates=6", "run_dir=whole")[0] == 0
    assert train(*few, "trainer.max_updates=2", "run_dir=parts")[0] == 0
    assert train("resume=parts", "trainer.max_updates=6", defaults=False)[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts", ignored=("elapsed", "/random/python"))


@pytest.mark.slow
@pytest.mark.parametrize("again", ["trainer.accumulate=2", "adversary.d.policy.g_every=3"])
def test_updates_of_more_batches_begin_with_the_resume(train, tmp_path, again):
    """Three batches were seen: an update that counted from the start of the run would be cut short."""
    gan = ["adversary=lsgan", "discriminator=conv"]
    assert train(*gan, "trainer.max_updates=3", "run_dir=run")[0] == 0
    code, _, err = train("resume=run", again, "trainer.max_updates=5", defaults=False)
    assert code == 0, err
    trained = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["trained"]
    assert trained["batches"] == 3 + 2 * int(again[-1])


def test_a_checkpoint_holds_neither_feature_networks_nor_the_discriminator_in_the_deliverable(train, tmp_path):
    arguments = ["loss=l1_vgg", "loss.terms.vgg.loss.weights=random", "adversary=lsgan", "discriminator=conv"]
    assert train(*arguments, "run_dir=run")[0] == 0
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert not [name for name in tensors(state) if "vgg" in name and isinstance(tensors(state)[name], torch.Tensor)]
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_size < 5e6  # VGG19 alone has 80 MB
    network, _ = load_network(tmp_path / "run" / "last.safetensors")
    assert sum(p.numel() for p in network.parameters()) == 71_196


@pytest.mark.slow
def test_resume_with_another_adversary_is_refused(train):
    assert train("adversary=lsgan", "discriminator=conv", "run_dir=run")[0] == 0
    code, _, err = train("resume=run", "adversary=none", "discriminator=none", "trainer.max_updates=6", defaults=False)
    assert code == 2
    assert "the checkpoint has the adversaries d, this configuration none; leave adversary out" in err
    code, _, err = train("resume=run", "discriminator=rev", "trainer.max_updates=6", defaults=False)
    assert code == 2
    assert "the checkpoint holds another discriminator than this Strided" in err


def command(pictures, *overrides):
    small = [f"data.train={pictures}", f"data.val={pictures}", "data.val_pictures=2", "data.crop=12"]
    return [
        sys.executable,
        str(REPOSITORY / "train.py"),
        "data=folder",
        *small,
        "data.batch_size=4",
        "trainer.accelerator=cpu",
        "trainer.log_every=1",
        *SETTINGS,
        *overrides,
    ]


def _two_sides(folder, pictures):
    """The pictures as one side, and mirrored as the other, of a network that translates."""
    (folder / "mirrored").mkdir()
    for path in sorted(Path(pictures).rglob("*.png")):
        ImageOps.mirror(Image.open(path)).save(folder / "mirrored" / path.name)
    return [f"data.train_lr={pictures}", f"data.real={folder}/mirrored", "data.val=null", f"data.shown={pictures}"]


TRANSLATION = [
    *("model=cyclegan", "model.features=4", "scale=1", "loss=[cycle,identity]", "adversary=[lsgan,cycle]"),
    *("discriminator=conv", "adversary.d.replay.capacity=9", "data.train=null", "data.val_pictures=null"),
]


@pytest.mark.slow
@pytest.mark.parametrize("translates", [False, True])
def test_killed_at_a_random_moment_and_resumed_equals_uninterrupted(tmp_path, pictures, translates):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL}
    own = []
    if translates:
        own = [*TRANSLATION, *_two_sides(tmp_path, pictures)]
    subprocess.run(command(pictures, *own, "run_dir=whole"), check=True, **run)
    process = subprocess.Popen(command(pictures, *own, "run_dir=killed"), **run)
    checkpoint = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.SystemRandom().uniform(0, 0.4))
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = read_checkpoint(checkpoint)["trained"]["clock"]["updates"]
    subprocess.run(command(pictures, *own, "run_dir=killed", "resume=auto"), check=True, **run)
    assert read_checkpoint(checkpoint)["trained"]["clock"]["updates"] == 60
    assert before < 60, "the kill came too late to test anything"
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "crops"), [(signal.SIGINT, "workers"), (signal.SIGTERM, "device")])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, pictures, number, crops):
    long = ["trainer.max_updates=100000", "trainer.checkpoint_every=100000", f"data.crops={crops}", "run_dir=run"]
    process = subprocess.Popen(
        command(pictures, *long),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    metrics = tmp_path / "run" / "metrics.csv"
    deadline = time.monotonic() + 120
    while not metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)  # as Ctrl-C does
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "go on: python -m sr.verbs.train resume=run" in out
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert state["trained"]["clock"]["updates"] >= 1


def test_best_is_the_network_that_was_validated(train, tmp_path):
    # A checkpoint between two validations must not put newer, unmeasured weights under the best one's name.
    seen = []
    write = saving.write_checkpoint

    def watch(path, state):
        write(path, state)
        seen.append((state["trained"]["clock"]["updates"], (tmp_path / "more" / "best.safetensors").exists()))
        if seen[-1][1]:
            kept = load_network(tmp_path / "more" / "best.safetensors")[1]
            assert kept.extra["updates"] == state["validation"]["best_updates"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "write_checkpoint", watch)
        arguments = ["trainer.val_every=2", "trainer.checkpoint_every=1", "trainer.max_updates=5"]
        assert train("run_dir=more", *arguments)[0] == 0
    assert [updates for updates, _ in seen] == [1, 2, 3, 4, 5, 5]


def test_a_slow_network_is_saved_by_the_wall_clock(train, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "LONGEST_SECONDS", 0.0)
    saved = []
    write = saving.write_checkpoint
    monkeypatch.setattr(saving, "write_checkpoint", lambda path, state: (saved.append(path), write(path, state)))
    assert train("trainer.val_every=1000", "trainer.max_updates=3")[0] == 0
    assert len(saved) == 4  # after each update, and after the final validation


def test_random_states_come_back(tmp_path):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    np.random.standard_normal()  # noqa: NPY002 (leaves a cached value behind)
    write_checkpoint(tmp_path / "c.ckpt", {"random": random_states()})
    expected = random.random(), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()  # noqa: NPY002
    set_random_states(read_checkpoint(tmp_path / "c.ckpt")["random"])
    assert (random.random(), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()) == expected  # noqa: NPY002


def test_truncated_checkpoint_is_one_sentence(tmp_path):
    path = tmp_path / "c.ckpt"
    write_checkpoint(path, {"weights": torch.rand(1000)})
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(UserError, match=r"c\.ckpt is truncated or damaged and cannot be read"):
        read_checkpoint(path)


def test_foreign_checkpoint_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "c.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of this program"):
        read_checkpoint(tmp_path / "c.ckpt")


def test_resume_from_nothing_names_the_nearest_run(train, tmp_path):
    assert train("run_dir=good_run")[0] == 0
    code, _, err = train("resume=god_run", defaults=False)
    assert code == 2
    assert "resume=god_run: there is no such folder; did you mean good_run" in err


def test_resume_with_another_network_is_refused(train):
    assert train("run_dir=run")[0] == 0
    code, _, err = train("resume=run", "model=rdn_small", defaults=False)
    assert code == 2
    assert "goes on with the network of that run, Espcn(scale=2" in err


def test_a_run_is_never_overwritten(train, tmp_path):
    assert train("run_dir=run")[0] == 0
    before = (tmp_path / "run" / "best.safetensors").read_bytes()
    code, _, err = train("run_dir=run")
    assert code == 2
    assert "run_dir=run already holds a run; resume=run goes on with it" in err
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == before


@pytest.mark.slow
def test_resume_auto_takes_unfinished_runs_of_the_same_configuration_only(train, tmp_path):
    code, out, _ = train("resume=auto")
    assert code == 0
    assert "no unfinished run" in out
    finished = next((tmp_path / "outputs").iterdir())
    code, out, _ = train("resume=auto")
    assert "no unfinished run" in out
    (finished / "summary.json").unlink()  # as a killed run leaves it
    code, out, _ = train("resume=auto", "loss=l2")
    assert f"no unfinished run of this configuration; resume=outputs/{finished.name} would go on with another" in out
    code, out, _ = train("resume=auto", "trainer.max_updates=5")  # only its end may differ
    assert code == 0
    assert f"going on from outputs/{finished.name}" in out


@pytest.mark.slow
def test_what_is_written_into_the_configuration_of_a_run_is_told_not_to_count(train, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cr3t")
    assert train("run_dir=run")[0] == 0
    config = tmp_path / "run" / "config.yaml"
    edited = re.sub(r"\n  lr: .*", "\n  lr: ${oc.env:SECRET}", config.read_text(), count=1)
    config.write_text(f"{edited}mine: 3\n")
    code, out, err = train("resume=run", "trainer.max_updates=5", defaults=False)
    assert code == 0, err
    told = "optimizer.lr=${oc.env:SECRET} (was 0.001), mine=3 (was none); changes belong on the command line"
    assert f"run/config.yaml was changed, which does not count: {told}" in out
    assert "mine" not in config.read_text()
    config.write_text("[")
    assert train("resume=run", "trainer.max_updates=6", defaults=False)[0] == 0


@pytest.mark.slow
def test_learning_rate_of_the_command_line_counts_on_resume(train, tmp_path):
    assert train("run_dir=run", "schedule=constant")[0] == 0
    code, out, _ = train("resume=run", "trainer.max_updates=6", "optimizer.lr=0.5e-4", defaults=False)
    assert code == 0
    assert "which does not count" not in out
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rates = [float(row["train/lr"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx([1e-3] * 4 + [0.5e-4] * 2)
