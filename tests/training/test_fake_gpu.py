"""A training step of every choice on a GPU that is not there (T2): nothing of the CPU meets it, nothing is read.

Launches and transfers have limits, far enough above what PyTorch 2.15 needs that another version keeps them.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sr.augmentations.contrast import Branch, Contrast
from sr.augmentations.down_hr import DownHr
from sr.augmentations.flips import Flips
from sr.augmentations.sequence import Sequence
from sr.config.building import build, build_module
from sr.config.composing import composed
from sr.config.overrides import config_groups
from sr.data.crops import Batch
from sr.degradations.colour import Contrast as LowContrast
from sr.degradations.colour import Gamma, Hue, Saturation
from sr.degradations.corruptor import Corruptor
from sr.degradations.pipeline import Pipeline
from sr.degradations.resize import Resize
from sr.degradations.sharpen import Sharpen, UnsharpMask
from sr.draws import Draws
from sr.training.clock import Clock
from sr.training.steps import is_finite
from sr.types import Crops
from tests.conftest import REPOSITORY
from tests.fake_gpu import GPU, HostRead, fake_gpu, on_fake_gpu, watched, without_trainer
from tests.sparing import few_now
from tests.stand_ins import ADDITIONS, needed

GROUPS = config_groups(REPOSITORY / "conf")
BATCH = 4
SMALL = ["trainer.accelerator=cpu", "trainer.precision=32", "data=folder", "data.train=a", "data.val=b"]


@pytest.fixture(scope="module")
def gpu():
    """One for all tests: constants that are made once per device belong to it."""
    with pytest.MonkeyPatch.context() as patch:
        yield fake_gpu(patch)


class Numbers:
    """Sample numbers, which stay on the CPU."""

    def __init__(self, first):
        self.values = np.arange(first, first + BATCH)

    def numpy(self):
        return self.values


def stepped(gpu, overrides, steps=3, real=False):
    """The module after some steps, and what the last one did; the first makes what is kept."""
    config = composed([*SMALL, "model.features=8", *overrides])
    module = build_module(config, Clock(100, None))
    steps *= module.g_every
    module.compute = replace(module.compute, device=GPU)
    side, scale, watches = config.data.crop, config.scale, []
    with gpu:
        for network in (module.network, module.objective, module.discriminators, module.deliverable):
            on_fake_gpu(network)
        without_trainer(module, lambda: watches[-1])
    for step in range(steps):
        with watched(gpu) as watch:
            watches.append(watch)
            hr = torch.empty(BATCH, 3, side * scale, side * scale, dtype=torch.uint8, device=GPU)
            lr, asked = hr[..., ::scale, ::scale].clone(), getattr(module.network, "reference", None)
            reference = None if asked is None else torch.zeros(BATCH, 4, asked, asked, dtype=torch.uint8)
            high = None if real else hr
            module.training_step(Batch(lr, high, Numbers(step * BATCH), hr if real else None, reference), step)
    assert module.updates == steps // module.g_every
    return module, watches[-1]


OTHERS = ("branch", "feature_net", "features", "fixed_discriminator", "cycle", "identity")
"""They need a network with a side output, one that somebody has trained, or one that translates."""
LOSSES = [choice for choice in GROUPS["loss"] if not choice.startswith(("vgg", "lpips", "dists", *OTHERS))]
FEATURES = [choice for choice in GROUPS["loss"] if choice.startswith(("vgg", "lpips", "dists"))]


@pytest.mark.parametrize("losses", [LOSSES, FEATURES], ids=["pixels", "features"])
def test_a_step_with_every_loss(gpu, losses):
    random = [f"loss.terms.{loss}.loss.weights=random" for loss in losses if losses is FEATURES]
    module, watch = stepped(gpu, [f"loss=[{','.join(losses)}]", "data.crop=96", *random], steps=2)
    assert set(module.objective.terms) == set(losses)
    assert not watch.pageable
    assert watch.counts["launches"] < 150 * len(losses)


def test_a_step_of_a_network_that_looks_at_the_photograph(gpu):
    small = ["model.branches=4", "model.multiplexer_features=8", "model.reference=16"]
    _, watch = stepped(gpu, ["model=spsr_switched", *small, "data.crop=16"])
    assert not watch.pageable


def test_a_step_of_a_translation(gpu):
    of_sides = [
        "model=cyclegan",
        "scale=1",
        "loss=[cycle,identity]",
        "adversary=[lsgan,cycle]",
        "discriminator=patchgan",
    ]
    module, watch = stepped(gpu, [*of_sides, "data.crop=16"], real=True)
    assert set(module.adversaries) == {"d", "d_back"}
    assert not watch.pageable


OPPONENTS = [choice for choice in GROUPS["adversary"] if choice not in (*ADDITIONS, "none")]
OWN = ("batch_store", "cycle")  # with a share of its own below, and of a translation above
ADDED = [pytest.param(f"[lsgan,{choice}]", marks=pytest.mark.slow) for choice in ADDITIONS if choice not in OWN]
TOGETHER = [
    "[lsgan,batch_store]",
    "[lsgan_conditional,stepper,image_pool,instance_noise]",
    "[bce,stepper,instance_noise,region_swap]",
]


@pytest.mark.parametrize("adversary", few_now([*OPPONENTS, *ADDED, *TOGETHER], [OPPONENTS[0], TOGETHER[0]]))
def test_a_step_against_every_adversary(gpu, adversary):
    more = ["adversary.d.replay.share=1.0"] if "batch_store" in adversary else []
    more += ["adversary.d.replay.capacity=6"] if "image_pool" in adversary else []
    _, watch = stepped(gpu, ["discriminator=conv", f"adversary={adversary}", "data.crop=34", *more])
    assert not watch.pageable
    assert watch.counts["pinned"] <= 16
    assert watch.counts["launches"] < 600


@pytest.mark.slow
@pytest.mark.parametrize("discriminator", [choice for choice in GROUPS["discriminator"] if choice != "none"])
def test_every_discriminator_judges_there(gpu, discriminator):
    config = composed([*SMALL, f"discriminator={discriminator}", "adversary=lsgan", "data.crop=64"])
    network = build("discriminator", config.discriminator)
    with watched(gpu) as watch:
        on_fake_gpu(network)
        assert network(torch.empty(BATCH, 3, 128, 128, device=GPU)).device == GPU
    assert not watch.pageable


DEGRADATIONS = [
    pytest.param(choice, marks=pytest.mark.slow if choice.startswith("aug_") else ())
    for choice in GROUPS["degradation"]
    if choice not in ("video_codec", "corrupted")  # of the CPU; with a network that was read before
    and not choice.startswith("kornia_")  # kornia draws real numbers on the CPU, which fake ones cannot be mixed with
]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation(gpu, name, tmp_path):
    more = needed("degradation", name, tmp_path)
    degradation = build("degradation", composed([*SMALL, f"degradation={name}", "scale=2", *more]).degradation)
    for step in range(2):
        with watched(gpu) as watch:
            made = degradation(torch.empty(BATCH, 3, 96, 96, device=GPU), Draws(0, Numbers(step).values))
            assert made.device == GPU
            assert made.shape == (BATCH, 3, 48, 48)
    assert not watch.pageable
    assert watch.counts["launches"] < 1500
    assert watch.counts["pinned"] < 150


def test_stages_that_no_recipe_has(gpu):
    stages = {"a": LowContrast(), "b": Saturation(), "c": Gamma(), "d": Hue(), "e": Sharpen(), "f": UnsharpMask((5, 9))}
    pipeline = Pipeline(2, {**stages, "small": Resize()})
    for step in range(2):
        with watched(gpu) as watch:
            pipeline(torch.empty(BATCH, 3, 32, 32, device=GPU), Draws(0, Numbers(step).values))
    assert not watch.pageable


def test_a_corruptor(gpu):
    class There(nn.Conv2d):
        def to(self, device):  # fake weights cannot be moved, and these are there
            assert device == GPU
            return self

    class One:
        networks = (There(3, 3, 1).requires_grad_(False),)

    pipeline = Pipeline(2, {"small": Resize(), "corruptor": Corruptor(One(), probability=0.5)})
    with watched(gpu) as watch:
        on_fake_gpu(One.networks[0])
        made = pipeline(torch.empty(BATCH, 3, 32, 32, device=GPU), Draws(0, np.arange(BATCH)))
        assert made.device == GPU
    assert not watch.pageable


def test_every_augmentation(gpu):
    contrast = Contrast(0.6, {"a": Branch((-0.2, 0.2), (-0.3, 0.3))})
    steps = {"flips": Flips(), "turns": Flips("rotations"), "contrast": contrast, "down": DownHr((0.35, 0.45), 0.5)}
    for step in range(2):
        with watched(gpu) as watch:
            hr = torch.empty(BATCH, 3, 32, 32, dtype=torch.uint8, device=GPU)
            made = Sequence(steps)(Crops(hr[..., ::2, ::2], hr), Draws(0, Numbers(step).values))
            assert all(pictures.device == GPU for pictures in made)
    assert not watch.pageable


def test_clipping_the_average_and_accumulation(gpu):
    overrides = ["trainer.clip=0.1", "trainer.ema=0.999", "optimizer=adamw", "discriminator=unet", "adversary=hinge"]
    _, watch = stepped(gpu, [*overrides, "adversary.d.clip=1.0", "data.crop=64"])
    assert not watch.pageable


def test_values_are_read_at_the_logging_interval_only(gpu):
    """What the log and the guard ask for is read there, and in no step: both would raise here."""
    module, _ = stepped(gpu, ["discriminator=conv", "adversary=lsgan", "data.crop=34"])
    with watched(gpu):
        for read in (module.means.take, module.alarm.read, lambda: is_finite(module)):
            with pytest.raises(HostRead):
                read()


def test_a_gpu_that_is_not_there_finds_what_it_is_for(gpu):
    with watched(gpu) as watch:
        there = torch.empty(3, device=GPU)
        for read in (float, bool, Tensor.item, Tensor.nonzero, Tensor.cpu):
            with pytest.raises(HostRead):
                read(there if read in (Tensor.nonzero, Tensor.cpu) else there[:1].sum())
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.zeros(3)
        torch.from_numpy(np.ones(3)).to(GPU)
        assert watch.counts["pageable"] == 1
        torch.from_numpy(np.ones(3)).pin_memory().to(GPU, non_blocking=True)
        assert watch.counts["pinned"] == 1
