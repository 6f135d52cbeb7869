"""Two processes that train together equal one with the joint batch."""

import csv
import os
import subprocess
import sys

import pytest
import torch

from sr.models.files import load_network
from sr.training.keeping.checkpoint import read_checkpoint
from tests.close import assert_close
from tests.conftest import REPOSITORY

TIMED = ("train/updates_per_second", "train/pictures_per_second", "train/waiting_share", "train/seconds")
# A stepper that switches, and noise and shifts that belong to samples.
GAN = [
    "adversary=[lsgan_conditional,stepper,instance_noise]",
    "discriminator=conv",
    "adversary.d.policy.stepper.rest_below=1.07",
    "adversary.d.policy.stepper.learn_above=1.075",
    "adversary.d.shows.shift=4",
    "adversary.d.weight={_target_:sr.losses.weights.RaiseWhileImproving,start:0.1,factor:2.0,maximum:1.0}",
]
# Old fakes, which all processes must hold alike; penalties; and every way to make an update of several batches.
POOL = [
    "adversary=[lsgan,image_pool]",
    "discriminator=conv",
    "adversary.d.replay.capacity=6",
    "adversary.d.policy.d_steps=2",
    "adversary.d.r1_gamma=1",
    "adversary.d.r1_every=3",
]
STORE = [
    "adversary=[hinge,batch_store]",
    "discriminator=conv",
    "adversary.d.replay.capacity=3",
    "adversary.d.replay.share=0.7",
    "adversary.d.policy.g_every=2",
    "trainer.accumulate=2",
]

FIRST = ["adversary=lsgan", "discriminator=conv", "adversary.d.policy.order=d_first"]

# Two generators, and two discriminators with a pool each.
TRANSLATION = [
    "data=styles",
    "data.pictures=5",
    "data.val_scenes=1",
    "data.size=48",
    "model=cyclegan",
    "model.features=8",
    "scale=1",
    "loss=[cycle,identity]",
    "adversary=[lsgan,cycle]",
    "discriminator=conv",
    "adversary.d.replay.capacity=6",
    "trainer.accumulate=2",
    "optimizer=sgd",  # Adam makes steps out of what rounding leaves of gradients that are 0
    "optimizer.lr=1e-4",
    "adversary.d.optimizer.lr=1e-5",
    "data.crop=40",  # of a flat crop instance normalisation keeps nothing but rounding
]


def run(folder, pictures, *overrides):
    own = ["data=folder", f"data.train={pictures}", f"data.val={pictures}", "data.val_pictures=1"]
    settings = [
        *([] if any(override.startswith("data=") for override in overrides) else own),
        "data.crop=12",
        "model.features=8",
        "schedule=constant",
        "trainer.accelerator=cpu",
        "trainer.val_every=2",
        "trainer.log_every=1",
    ]
    # A run that goes on has its own settings.
    settings = [] if any(override.startswith("resume=") for override in overrides) else settings
    command = [sys.executable, str(REPOSITORY / "train.py"), *settings, *overrides]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SR_RUN", "LOCAL_RANK", "MASTER_"))}
    environment |= {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "opponents",
    [[], GAN, POOL, STORE, FIRST, TRANSLATION],
    ids=["supervised", "gan", "pool", "store", "first", "translation"],
)
def test_two_processes_equal_one_with_the_joint_batch(tmp_path, pictures, opponents):
    # Instance normalisation of what is hardly trained enlarges rounding, beyond the tolerance after the fourth update.
    updates = 4 if opponents == TRANSLATION else 8
    common = [*opponents, f"trainer.max_updates={updates}", "trainer.precision=32"]
    joint = run(tmp_path, pictures, *common, "data.batch_size=4", "run_dir=one")
    assert joint.returncode == 0, joint.stderr
    two = run(tmp_path, pictures, *common, "trainer=ddp", "data.batch_size=2", "run_dir=two")
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("run folder: two") == 1  # the other process is silent
    assert "Traceback" not in two.stderr

    one, both = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert (
        [row["updates"] for row in one] == [row["updates"] for row in both] == [str(n) for n in range(1, updates + 1)]
    )
    for expected, got in zip(one, both, strict=True):
        for name, value in expected.items():
            # An amplitude is a root over the batch, and a norm of what a throttled step leaves out is absent.
            # Nor is SSIM of what is all but flat, as an untrained translation, which hangs on the rounding to 8 bits.
            flat = opponents == TRANSLATION and "ssim" in name
            if value and name != "train/sr/checkerboard" and not flat:
                assert_close(torch.tensor(float(got[name])), torch.tensor(float(value)))
    if opponents == GAN:
        assert len({row["train/d/throttled"] for row in one}) > 1, "the stepper must switch to test anything"
    networks = [load_network(tmp_path / name / "last.safetensors")[0] for name in ("one", "two")]
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        assert_close(a, b)
    states = [read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")["trained"] for name in ("one", "two")]
    batches = {tuple(STORE): 32, tuple(TRANSLATION): 8}.get(tuple(opponents), 8)
    assert states[0]["samples"] == states[1]["samples"] == 4 * batches
    assert states[0]["batches"] == states[1]["batches"] == batches


@pytest.mark.slow
def test_two_processes_resume(tmp_path, pictures):
    # Channels innermost leave odd strides in fixed kernels, which processes could not exchange.
    gan = ["adversary=[lsgan_conditional,stepper,instance_noise,image_pool]", "adversary.d.replay.capacity=5", *GAN[1:]]
    common = [*gan, "trainer=ddp", "data.batch_size=2", "trainer.precision=bf16", "trainer.channels_last=on"]
    assert run(tmp_path, pictures, *common, "trainer.max_updates=8", "run_dir=whole").returncode == 0
    assert run(tmp_path, pictures, *common, "trainer.max_updates=4", "run_dir=parts").returncode == 0
    again = run(tmp_path, pictures, "resume=parts", "trainer.max_updates=8")
    assert again.returncode == 0, again.stderr
    assert "going on from parts/checkpoints/last.ckpt" in again.stdout
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.devices=0"], "trainer.devices=0 must be at least 1"),
        (["trainer.devices=2", "trainer.max_time=00:01:00"], "end the run with trainer.max_updates=N, and leave"),
        (["trainer.devices=2", "trainer.max_updates=null"], "trainer.devices=2 processes have clocks that differ"),
        (["-m", "trainer.devices=2", "loss=l1,l2"], "a sweep trains one run after another in one process"),
    ],
)
def test_what_processes_cannot_do_is_refused(train, overrides, message):
    code, _, err = train(*overrides)
    assert code == 2
    assert message in err


def test_processes_started_by_another_program_are_refused(train, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.delenv("SR_RUN_FOLDER", raising=False)
    code, _, err = train()
    assert code == 2
    assert "process 1: LOCAL_RANK=1 says that another program starts the processes; start one yourself" in err


@pytest.mark.slow
def test_two_processes_have_one_wandb_run_whose_parts_are_uploaded_together(tmp_path, pictures, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    common = ["trainer=ddp", "logger=wandb", "data.batch_size=2"]
    first = run(tmp_path, pictures, *common, "trainer.max_updates=2", "run_dir=two")
    assert first.returncode == 0, first.stderr
    again = run(tmp_path, pictures, "resume=two", "trainer.max_updates=4")
    assert again.returncode == 0, again.stderr
    parts = sorted((tmp_path / "two" / "wandb").glob("offline-run-*"))
    assert len(parts) == 2
    told = next(line for line in again.stdout.splitlines() if "wandb sync" in line)
    assert told.endswith("wandb sync two/wandb")
    assert len({part.name.rpartition("-")[2] for part in parts}) == 1


@pytest.mark.slow
def test_processes_train_a_network_of_whose_outputs_the_loss_reads_one(tmp_path, pictures):
    spsr = ["model=spsr", "model.features=8", "model.blocks=4", "model.growth=8", "model.spacing=1", "loss=l1"]
    done = run(tmp_path, pictures, *spsr, "trainer=ddp", "data.batch_size=2", "trainer.max_updates=3", "run_dir=two")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "two")) == 3
