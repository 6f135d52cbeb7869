"""Adversaries by configuration: every combination trains, names combine, and mistakes die before training."""

import csv
import json
import math

import pytest
import torch
from omegaconf import OmegaConf

from sr.config.building import build, build_module
from sr.config.combinations import parts
from sr.config.composing import composed, plain
from sr.config.opponents import build_adversaries
from sr.config.overrides import config_groups
from sr.config.schema import SHOWN_BY_DEFAULT
from sr.data.crops import Batch
from sr.errors import UserError
from sr.losses.gan import LeastSquares
from sr.training.clock import Clock
from sr.training.steps import is_finite
from tests.conftest import REPOSITORY
from tests.loops import fit
from tests.stand_ins import ADDITIONS

GROUPS = config_groups(REPOSITORY / "conf")
DISCRIMINATORS = [choice for choice in GROUPS["discriminator"] if choice != "none"]
OBJECTIVES = [choice for choice in GROUPS["adversary"] if choice not in (*ADDITIONS, "none")]
FIXED = "discriminator@loss.terms.fixed_discriminator.loss.network"
SIDE = 64  # the smallest that every discriminator can judge


def prepared(adversary, *overrides, batch_size=2):
    """The module of a small configuration, and batches for it."""
    config = composed(
        [
            f"adversary={adversary}",
            "data=folder",
            "data.train=a",
            "data.val=b",
            "model.features=8",
            "trainer.accelerator=cpu",
            "trainer.max_updates=3",
            *overrides,
        ]
    )
    torch.manual_seed(0)
    module = build_module(config, Clock(3, None))
    generator = torch.Generator().manual_seed(1)
    side = config.data.crop

    def batch(number):
        hr = torch.randint(0, 256, (batch_size, 3, 2 * side, 2 * side), generator=generator, dtype=torch.uint8)
        lr = torch.randint(0, 256, (batch_size, 3, side, side), generator=generator, dtype=torch.uint8)
        return Batch(lr, hr, torch.arange(number * batch_size, (number + 1) * batch_size))

    return module, [batch(number) for number in range(3 * module.g_every)]


def sized(discriminator, adversary):
    """Overrides that show a discriminator SIDE pixels, or 16 where 5 million weights meet each of them."""
    side = 16 if discriminator == "srgan_flexible" else SIDE
    shift = 4 if adversary == "relativistic_clipped" else 0
    boxes = [f"adversary.d.shows.swap.smallest={side // 4}"] if adversary.startswith("pix_gan") else []
    boxes += [f"adversary.d.shows.swap.grid={side // 4}"] if adversary == "pix_gan_one" else []
    return [f"data.crop={(side + shift) // 2}", *boxes]


IN_TURNS = [
    (discriminator, objective, ("32", "bf16")[(i + j) % 2])
    for i, discriminator in enumerate(DISCRIMINATORS)
    for j, objective in enumerate(OBJECTIVES)
]
"""Each pair once, and each discriminator and each objective in both precisions."""


@pytest.mark.slow
@pytest.mark.parametrize(("discriminator", "adversary", "precision"), IN_TURNS)
def test_every_discriminator_trains_with_every_objective(discriminator, adversary, precision):
    overrides = [f"discriminator={discriminator}", f"trainer.precision={precision}", *sized(discriminator, adversary)]
    if adversary == "wgan_gp" and precision == "bf16":
        with pytest.raises(Exception, match=r"trainer\.precision=bf16, but adversary\.d\.objective\.penalty=10 takes"):
            prepared(adversary, *overrides)
        return
    module, batches = prepared(adversary, *overrides)
    before = [[p.detach().clone() for p in net.parameters()] for net in (module.network, module.discriminators)]
    fit(module, batches)
    assert module.updates == 3
    assert is_finite(module)
    values = module.means.take()
    assert all(math.isfinite(value) for value in values.values()), values
    for old, net in zip(before, (module.network, module.discriminators), strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(old, net.parameters(), strict=True))


ADDED = {
    "ambient": "d.shows.views",
    "stepper": "d.policy.stepper.rest_below",
    "image_pool": "d.replay.capacity",
    "batch_store": "d.replay.share",
    "instance_noise": "d.shows.noise.sigma.start",
    "region_swap": "d.shows.swap.boxes",
    "gradients": "d_grad.weight",
    "cycle": "d_back.weight",
}


def test_every_addition_is_tried():
    assert sorted(ADDED) == sorted(ADDITIONS)


@pytest.mark.slow
@pytest.mark.parametrize("addition", ADDITIONS)
def test_additions_combine_by_name(addition):
    # The order does not matter, and the joint name is the same as the list.
    for adversary in (f"[lsgan,{addition}]", f"[{addition},lsgan]", f"lsgan_{addition}"):
        config = composed([f"adversary={adversary}", "discriminator=conv", "data=folder", "data.train=a", "data.val=b"])
        assert OmegaConf.select(config.adversary, ADDED[addition])
        assert config.adversary.d.objective._target_.endswith("LeastSquares")


def test_a_second_adversary_has_a_discriminator_of_its_own_and_follows_the_first():
    # What both see differs: one is conditional. All but the objective is an override.
    judge = ["[lsgan_conditional,gradients]", "discriminator=patchgan", "adversary.d.optimizer.lr=3e-4"]
    module, batches = prepared(judge[0], *judge[1:], "adversary.d_grad.policy.start=1", "data.crop=16")
    first, second = module.adversaries["d"], module.adversaries["d_grad"]
    assert type(first.network) is type(second.network)
    assert [a.network.in_channels for a in (first, second)] == [6, 3]
    assert type(second.objective) is LeastSquares
    assert second.shows.pair == ("grad(sr)", "grad(real)")
    assert (first.weight(5), second.weight(5), second.weight(0)) == (0.1, 5e-3, 0.0)
    optimizers = module.configure_optimizers()
    assert [o.defaults["lr"] for o in optimizers[1:]] == [3e-4, 3e-4]
    assert [o.defaults["betas"] for o in optimizers[1:]] == [(0.5, 0.999)] * 2
    mine, theirs = ({id(p) for group in o.param_groups for p in group["params"]} for o in optimizers[1:])
    assert not mine & theirs
    fit(module, batches)
    columns = module.means.take()
    for name in ("g/gan", "g/gan_grad", "d/total", "d_grad/total", "d_grad/output_fake", "d_grad/gradient"):
        assert math.isfinite(columns[f"train/{name}"])
    assert (first.learned, second.learned) == (3, 2)


def test_each_part_of_a_second_adversary_is_chosen_by_name():
    own = ["discriminator@adversary.d_grad.network=patchgan", "adversary.d_grad.network.features=8"]
    own += ["optimizer@adversary.d_grad.optimizer=sgd", "adversary.d_grad.optimizer.lr=0.5"]
    own += ["schedule@adversary.d_grad.schedule=cosine", "adversary.d_grad.weight=0.1"]
    config = composed(
        ["adversary=ragan_gradients", "discriminator=conv", *own, "data=folder", "data.train=a", "data.val=b"]
    )
    first, second = (OmegaConf.to_container(config.adversary[name], resolve=True) for name in ("d", "d_grad"))
    assert first["network"]["_target_"] == "sr.discriminators.strided.Strided"
    assert second["network"] == {
        "_target_": "sr.discriminators.patchgan.PatchGan",
        "in_channels": 3,
        "features": 8,
        "strides": [2, 2, 2],
        "norm": "instance",
        "reduce": "none",
    }
    assert (second["optimizer"]["_target_"], second["optimizer"]["lr"]) == ("torch.optim.SGD", 0.5)
    assert second["schedule"]["_target_"] == "sr.training.schedules.Cosine"
    assert first["schedule"]["_target_"] == "sr.training.schedules.Constant"
    assert (second["weight"], second["objective"]) == (0.1, first["objective"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1_vgg", ["l1", "vgg"]),
        ("l1_vgg_edge", ["l1", "vgg", "edge"]),
        ("l1_vgg_five_focal_frequency", ["l1", "vgg_five", "focal_frequency"]),
        ("ssim_ms_ssim", ["ssim", "ms_ssim"]),
        ("l1_l1", None),
        ("l1_ms_ssim_ssim", ["l1", "ms_ssim", "ssim"]),
        ("l1_vgx", None),
        ("l1_", None),
        ("l1", ["l1"]),
    ],
)
def test_names_come_apart(name, expected):
    assert parts(name, GROUPS["loss"]) == expected


@pytest.mark.slow
def test_losses_combine_by_name(train, tmp_path):
    code, _out, err = train(
        "loss=l1_vgg_edge", "loss.terms.vgg.loss.weights=random", "loss.terms.l1.weight=0.5", "run_dir=run"
    )
    assert code == 0, err
    with (tmp_path / "run" / "metrics.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    terms = {name: float(row[f"train/g/{name}"]) for name in ("l1", "vgg", "edge")}
    assert float(row["train/g/total"]) == pytest.approx(
        0.5 * terms["l1"] + terms["vgg"] + 0.1 * terms["edge"], rel=1e-4
    )
    assert float(row["train/g/l1_weighted"]) == pytest.approx(0.5 * terms["l1"], rel=1e-4)


@pytest.mark.slow
def test_combinations_in_a_sweep_and_in_an_experiment(train, tmp_path, monkeypatch):
    code, out, _ = train("-m", "loss=l1,l1_edge", "trainer.max_updates=1")
    assert code == 0
    assert "loss=l1_edge" in out
    assert len(list(tmp_path.glob("outputs/*_sweep/*/summary.json"))) == 2


def test_the_columns_that_stay_fixed(train, tmp_path):
    code, out, err = train("adversary=lsgan_conditional_stepper", "discriminator=rev_norm", "run_dir=run")
    assert code == 0, err
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["updates"] for row in rows] == ["1", "2", "3", "4"]
    for name in ("g/total", "g/l1", "g/gan", "d/real", "d/fake", "d/total", "d/throttled"):
        assert all(math.isfinite(float(row[f"train/{name}"])) for row in rows), name
    for name in ("g/gradient", "d/gradient", "d/output_real", "d/output_fake", "sr/colour_error", "sr/checkerboard"):
        assert float(rows[0][f"train/{name}"]) != 0, name
    first = rows[0]
    both = float(first["train/d/real"]) + float(first["train/d/fake"])
    assert float(first["train/d/total"]) == pytest.approx(both, rel=1e-5)
    assert "adversary d: Strided, 152,193 parameters, LeastSquares" in out


@pytest.mark.parametrize(
    ("overrides", "seen"),
    [
        (["discriminator=conv"], {}),
        ([f"{FIXED}=conv"], {}),
        (["discriminator=conv", "adversary=lsgan_conditional"], {}),
        (["discriminator=unet", "adversary=lsgan", f"{FIXED}=conv"], {}),
        (["discriminator=srgan", "adversary=[ragan,region_swap]", "adversary.d.shows.shift=4"], {"side": 200}),
        ([f"{FIXED}=srgan", "loss.terms.fixed_discriminator.shift=8"], {"side": 192}),
    ],
)
def test_a_fixed_discriminator_sees_pictures_alone_whatever_the_adversary_shows(overrides, seen):
    config = plain(composed(["loss=[l1,fixed_discriminator]", "data.crop=100", *overrides]))
    network = config["loss"]["terms"]["fixed_discriminator"]["loss"]["network"]
    assert network.items() >= {"in_channels": 3, **seen}.items()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["adversary=bce"],
            "adversary.d needs a discriminator; add discriminator=… (such as rev_norm, patch_deep, unet)",
        ),
        (
            ["adversary=pix_gan"],
            "adversary.d needs a discriminator; add discriminator=… (such as pixdisc, unet_gan, unet)",
        ),
        (
            ["adversary=[lsgan,region_swap]"],
            "adversary.d needs a discriminator; add discriminator=… (such as pixdisc, unet_gan, unet)",
        ),
        (["discriminator=unet"], "discriminator is set, and no adversary uses it; add adversary=… (such as lsgan)"),
        (["discriminator=pixdisc"], "and no adversary uses it; add adversary=… (such as pix_gan)"),
        (["discriminator=unet_gan"], "and no adversary uses it; add adversary=… (such as pix_gan)"),
        (
            ["loss=[l1,fixed_discriminator]"],
            "loss.terms.fixed_discriminator.loss.network is empty; say of which kind the earlier run's discriminator "
            "was: add discriminator@loss.terms.fixed_discriminator.loss.network=… (such as patchgan)",
        ),
        (
            ["loss=[l1,fixed_discriminator]", f"{FIXED}=conv", "discriminator=unet"],
            "discriminator is set, and no adversary uses it",
        ),
        (["adversary=stepper", "discriminator=conv"], "put an objective in front, as in adversary=[lsgan,stepper]"),
        (
            ["adversary=gradients", "discriminator=conv"],
            "adversary.d_grad takes its objective from adversary.d, and there is none: this choice is an addition; put "
            "an objective in front, as in adversary=[ragan,gradients]",
        ),
        (["adversary=[stepper,gradients]", "discriminator=conv"], "put an objective in front, as in adversary=[ragan,"),
        (
            ["adversary=lsgann", "discriminator=conv"],
            "there is no such adversary in conf/adversary; did you mean lsgan?",
        ),
        (["adversary=lsgan_steper", "discriminator=conv"], "adversary=lsgan_steper: there is no such adversary"),
        (["adversary=lsgan", "discriminator=rev_nrm"], "there is no such discriminator in conf/discriminator; did you"),
        (
            ["adversary=lsgan_conditional", "discriminator=conv", "discriminator.in_channels=3"],
            "discriminator.in_channels=3, but adversary.d shows 6 channels (SR or HR beside the enlarged LR); leave",
        ),
        (
            ["adversary=lsgan", "discriminator=conv", "discriminator.in_channels=6"],
            "discriminator.in_channels=6, but adversary.d shows 3 channels (SR or HR alone)",
        ),
        (
            ["adversary=lsgan_conditional", "discriminator=conv", "+adversary.d.shows.also=lr"],
            "adversary.d.shows.also=lr is a second fake of another size than shows.views=sr,real; name a view of their",
        ),
        (
            ["adversary=[ragan,gradients]", "discriminator=srgan", "data.crop=16", "adversary.d_grad.shows.also=lr"],
            "adversary.d_grad.shows.also=lr is a second fake of another size than shows.views=grad(sr),grad(real)",
        ),
        (
            ["adversary=lsgan", "discriminator=vgg128", "data.crop=50"],
            "discriminator: Vgg128 judges pictures whose side is a multiple of 32 from 64 on, not 100; choose crops so "
            "that 96 pixels are shown, or a discriminator for any size: data.crop=50 at scale=2 shows 100 pixels; "
            "take data.crop=48",
        ),
        (
            ["adversary=relativistic_clipped", "discriminator=srgan", "data.crop=48"],
            "data.crop=48 at scale=2 shows 92 pixels (less adversary.d.shows.shift=4); take data.crop=50",
        ),
        (
            ["adversary=lsgan", "discriminator=srgan", "data.crop=48", "discriminator.side=128"],
            "Srgan was made for 128x128 pixels: data.crop=48 at scale=2 shows the discriminator 96x96 pixels; "
            "take data.crop=64",
        ),
        (
            ["adversary=lsgan", "discriminator=patch_deep", "discriminator.trim=16", "data.crop=48"],
            "Patch needs at least ",
        ),
        (
            ["adversary=pix_gan", "discriminator=conv", "data.crop=24"],
            "adversary.d.shows.swap needs at least 64x64 pixels for its boxes: data.crop=24 at scale=2 shows",
        ),
        (
            ["adversary=[lsgan,stepper]", "discriminator=conv", "adversary.d.policy.stepper.rest_below=0.5"],
            "the stepper switches off below rest_below=0.5 and on above learn_above=0.4, so off must not be above on",
        ),
        (
            ["adversary=wgan_gp", "discriminator=conv", "trainer.precision=bf16"],
            "trainer.precision=bf16, but adversary.d.objective.penalty=10 takes the gradient of a gradient, which "
            "needs float32; set trainer.precision=32, or auto",
        ),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.r1_gamma=10", "trainer.precision=bf16"],
            "trainer.precision=bf16, but adversary.d.r1_gamma=10 takes the gradient of a gradient",
        ),
        (
            ["adversary=[hinge,region_swap]", "discriminator=conv"],
            "shows.swap gives labels between 0 and 1, which Hinge",
        ),
        (["adversary=[ragan,image_pool]", "discriminator=conv"], "RelativisticAverage compares fakes with the real"),
        (["adversary=[pix_gan,image_pool]", "discriminator=conv"], "old fakes have none; set replay=null"),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.objective.smoothing=0.9"],
            "smoothing=0.9 must be at least 0",
        ),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.optimizer.lr=-1"],
            "adversary.d.optimizer.lr=-1 must be positive or 0, such as adversary.d.optimizer.lr=1e-3",
        ),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.wieght=1"],
            "adversary.d.wieght is not a setting; did you mean",
        ),
        (["adversary=bce", "discriminator=conv", "+adversary.d.wieght=1"], "adversary.d.wieght is not an argument of"),
        (["adversary=bce", "discriminator=conv", "adversary.d.policy.d_steps=0"], "d_steps=0 must be at least 1"),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.shows.condition=lr"],
            "adversary.d.shows.condition=lr does not",
        ),
        (
            ["adversary=bce", "discriminator=conv", "adversary.d.policy.d_steps=2", "trainer.accumulate=2"],
            "adversary.d.policy.d_steps=2 repeats steps on one batch, and trainer.accumulate=2",
        ),
        (["loss=vgg"], "the ImageNet weights of vgg19 are not on this machine, and their download failed"),
        (["loss=vgg", "loss.terms.vgg.loss.weights=nowhere.pth"], "loss.terms.vgg.loss"),
        (
            ["loss.terms.l1.weight=0", "adversary=lsgan", "discriminator=conv", "adversary.d.weight=0"],
            "the generator would learn nothing: loss.terms.l1.weight=0 and adversary.d.weight=0; give one a weight",
        ),
        (
            ["loss.terms.l1.weight=-1"],
            "loss.terms.l1: weight=-1.0 is no loss weight; give a finite number of at least 0",
        ),
        (
            ["trainer.monitor=lpips"],
            "trainer.monitor=lpips cannot be measured: trainer.lpips is null, or the weights of AlexNet",
        ),
        (["trainer.lpips=nothing.pth"], "trainer.lpips=nothing.pth"),
        (["trainer.lpips=random", "trainer.monitor=lpips", "schedule=plateau"], "set schedule.mode=min"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_mistakes_are_refused_before_training(train, tmp_path, monkeypatch, overrides, message):
    monkeypatch.setattr(
        "sr.losses.pretrained.URLS", {net: f"http://127.0.0.1:9/{net}.pth" for net in ("vgg19", "alexnet")}
    )
    code, _, err = train(*overrides)
    assert code == 2
    assert message in err
    assert all(line.startswith(("error: ", "Downloading: ")) for line in err.splitlines()), err
    assert not list(tmp_path.glob("outputs/*")), "nothing may be left behind"


def test_a_file_of_weights_that_ends_too_early(train, tmp_path):
    from sr.losses.backbones import Features

    network = Features("vgg16", ["conv2_2"], "random")
    torch.save({f"features.{k}": v for k, v in network.stack.state_dict().items()}, tmp_path / "vgg16.pth")
    weights = ["loss=l1_vgg", "loss.terms.vgg.loss.net=vgg16", "loss.terms.vgg.loss.weights=vgg16.pth"]
    code, _, err = train(*weights, "loss.terms.vgg.loss.layers=[conv5_3]")
    assert code == 2
    lacks = "vgg16.pth lacks conv3_1, conv3_2, conv3_3 and 6 more of vgg16, it is complete up to conv2_2"
    assert f"loss.terms.vgg.loss: {lacks}; set layers=[conv2_2]" in err
    assert train(*weights, "loss.terms.vgg.loss.layers=[conv2_2]")[0] == 0


def test_auto_precision_makes_room_for_float32(train):
    code, out, err = train("adversary=wgan_gp", "discriminator=conv", "trainer.max_updates=1")
    assert code == 0, err
    assert "compute: cpu, float32, contiguous (adversary.d.objective.penalty=10 needs float32)" in out


def test_lpips_decides_which_network_is_best(train, tmp_path):
    code, out, err = train("trainer.lpips=random", "trainer.monitor=lpips", "run_dir=run", "optimizer.lr=1e-2")
    assert code == 0, err
    with (tmp_path / "run" / "metrics.csv").open() as file:
        measured = {row["updates"]: float(row["val/lpips"]) for row in csv.DictReader(file) if row["val/lpips"]}
    best = json.loads((tmp_path / "run" / "summary.json").read_text())["best"]
    assert best["updates"] == int(min(measured, key=measured.get))
    assert "lpips" in out
    assert "sharpness" in out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["adversary=[lsgan,hinge]", "discriminator=conv"], "lsgan and hinge both set adversary.d.objective; keep one"),
        (["adversary=lsgan_hinge", "discriminator=conv"], "lsgan and hinge both set adversary.d.objective; keep one"),
        (
            ["adversary=[lsgan,image_pool,batch_store]", "discriminator=conv"],
            "image_pool and batch_store both set adversary.d.replay; keep one of them",
        ),
        (
            ["adversary=[pix_gan,hinge]", "discriminator=unet"],
            "pix_gan and hinge both set adversary.d.objective; keep one of them",
        ),
        (
            ["adversary=pix_gan_region_swap", "discriminator=unet"],
            "pix_gan and region_swap both set adversary.d.shows.swap; keep one of them",
        ),
        (["loss=l1_l1"], "loss=l1_l1 names l1 twice; once is enough"),
        (["loss=[l1,l1]"], "loss=[l1,l1] names l1 twice; once is enough"),
        (["adversary=lsgan", "discriminator=[conv,rev]"], "discriminator takes one choice, not conv, rev"),
        (["loss=null"], "loss=null is no choice; write loss=…"),
        (["adversary=null"], "adversary=null is no choice; write adversary=none"),
        (
            ["adversary=lsgan", "discriminator=conv", "adversary.d.policy.stepper.rest_below=0.2"],
            "adversary.d.policy.stepper.rest_below is not a setting of these choices; it is a setting of adversary=st",
        ),
        (
            ["adversary.d.weight=0.5"],
            "adversary.d.weight is not a setting of these choices; it is a setting of adversary=",
        ),
        (["optimizer@adversary.d.optimizer=adamw"], "these choices have no adversary.d.optimizer to be chosen by name"),
        (
            ["adversary=lsgan", "discriminator=conv", "adversary.d.objective=null"],
            "adversary.d.objective=null is empty",
        ),
        (
            ["adversary=lsgan", "discriminator=conv", "adversary.d.shows=null"],
            "adversary.d.shows=null is empty; leave it",
        ),
        (["adversary=lsgan", "discriminator=conv", "adversary.d=null"], "adversary.d=null is no adversary; choose one"),
        (
            ["adversary=lsgan_conditional", "discriminator=conv", "adversary.d.shows.scale=3"],
            "adversary.d.shows.scale=3, but scale=2; leave it out",
        ),
        (
            ["loss.terms.l1.weight={_target_:sr.losses.weights.Lineer,start:0}"],
            "loss.terms.l1.weight._target_=sr.losses.weights.Lineer cannot be imported; did you mean Linear",
        ),
        (
            ["loss.terms.l1.weight={_target_:sr.losses.weights.Phases,phases:[[0,0.0]]}"],
            "the generator would learn nothing",
        ),
        (["adversary=lsgan", "discriminator=conv", "data.crop=4"], "Strided needs at least 9x9 pixels: data.crop=4 at"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_newcomers_tried_first(train, overrides, message):
    code, _, err = train(*overrides)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_sweep_over_lists(train, tmp_path):
    code, out, err = train("-m", "adversary=[lsgan,stepper],hinge", "discriminator=conv", "trainer.max_updates=1")
    assert code == 0, err
    assert len(list(tmp_path.glob("outputs/*_sweep/*/summary.json"))) == 2
    assert "adversary=hinge" in out  # whole, though there is no terminal


GAN = ["adversary=lsgan", "discriminator=conv", "trainer.max_updates=1"]
AT_ONCE = "adversary d counts in full from update 0, before it has learnt anything, against an untrained generator"
MEANS = "RelativisticAverage takes the means of each batch of each process alone, so that "


@pytest.mark.parametrize(
    ("overrides", "told", "not_told"),
    [
        (
            [*GAN, "adversary.d.policy.start=100"],
            "adversary d learns from update 100 on, and the run ends at 1: it will never learn",
            AT_ONCE,
        ),
        (
            ["adversary=wgan_gp", "discriminator=rev_norm", "trainer.max_updates=1"],
            "adversary d: batch norm mixes the pictures of a batch, and the gradient penalty means each alone",
            MEANS,
        ),
        (GAN, AT_ONCE, "batch norm"),
        (
            [*GAN, "adversary.d.weight={_target_:sr.losses.weights.Linear,start:0.0,end:0.1,updates:5}"],
            "adversary d: ",
            AT_ONCE,
        ),
        (
            ["adversary=ragan", "discriminator=conv", "trainer.max_updates=1", "trainer.accumulate=2"],
            f"{MEANS}trainer.accumulate=2 is not the same as one large batch; raise data.batch_size instead",
            "trainer.devices",
        ),
        (["adversary=ragan", "discriminator=conv", "trainer.max_updates=1"], AT_ONCE, MEANS),
        (
            ["adversary=[ragan,gradients]", "discriminator=conv", "trainer.max_updates=1"],
            "adversaries d and d_grad count in full from update 0, before they have learnt anything, against an "
            "untrained generator; experiment=gan_phases starts one after the other",
            AT_ONCE,
        ),
        ([*GAN, "trainer.accumulate=2"], AT_ONCE, MEANS),
        ([*GAN, "callbacks=swapout"], "swapout exchanges nothing before update 1017, as it keeps a state", "read for"),
        (
            ["data.real=half", "data.crop=16", "trainer.max_updates=1"],
            "data.real=half is read for nothing: no adversary or loss looks at it; adversary=bce does",
            "swapout",
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_settings_that_are_probably_not_meant_are_told(train, overrides, told, not_told):
    code, out, err = train(*overrides)
    assert code == 0, err
    assert out.count(told) == 1
    assert not_told not in out


def test_phases_and_trained_generators_are_no_reason_to_doubt(train):
    phases = ["experiment=gan_phases", "loss.terms.vgg.loss.weights=random", "run_dir=run"]
    code, out, err = train(*phases)
    assert code == 0, err
    assert "adversary d: " in out
    assert "update 0" not in out
    assert train(*GAN, "run_dir=gan")[0] == 0
    code, out, err = train("resume=gan", "trainer.max_updates=2", defaults=False)
    assert code == 0, err
    assert "update 0" not in out


def test_a_penalty_that_no_file_names_makes_room_for_float32_too(train, monkeypatch):
    monkeypatch.setattr("sr.training.precision.native_bf16", lambda device: True)
    # As a file of the user's may have it: Wasserstein with its own default.
    own = "adversary.d.objective={_target_:sr.losses.gan.Wasserstein}"
    code, out, err = train("adversary=hinge", "discriminator=conv", own, "trainer.max_updates=1")
    assert code == 0, err
    assert "compute: cpu, float32, contiguous (adversary.d.objective.penalty=10 needs float32)" in out
    code, out, _ = train("adversary=hinge", "discriminator=conv", "trainer.max_updates=1")
    assert "compute: cpu, bf16 autocast, channels_last (bf16 is native here)" in out


class Fixed(ValueError):
    """A refusal of a discriminator for one size."""

    def __init__(self, text, side):
        super().__init__(text)
        self.side = side


@pytest.mark.parametrize(
    ("refusal", "hint"),
    [
        (Fixed("only 96 pixels.", 96), ": data.crop=50 at scale=2 shows 100 pixels; take data.crop=48"),
        (Fixed("only 97 pixels.", 97), ": data.crop=50 at scale=2 shows 100 pixels"),  # no crop shows an odd number
        (ValueError("needs channels of at least 1."), "."),
    ],
)
def test_a_discriminator_that_cannot_be_made_names_the_crop_where_its_refusal_names_a_side(refusal, hint):
    config = composed(["adversary=lsgan", "discriminator=conv", "data=folder", "data.train=a", "data.val=b"])
    config.data.crop = 50

    def build(name, node):
        raise UserError(f"{name}.network: {refusal}") from refusal

    with pytest.raises(UserError) as caught:
        build_adversaries(config, build)
    assert str(caught.value) == f"discriminator: {str(refusal).rstrip('.')}{hint}"


WRITTEN_OUT = """
# @package _global_
defaults:
  - override /discriminator: rev
adversary:
  d:
    _target_: sr.training.adversary.adversary.Adversary
    network: ${discriminator}
    weight: 0.1
    objective:
      _target_: sr.losses.gan.LeastSquares
    shows:
      _target_: sr.training.adversary.shows.Shows
      scale: ${scale}
    policy:
      _target_: sr.training.adversary.policy.UpdatePolicy
    optimizer:
      _target_: torch.optim.Adam
      _partial_: true
      lr: 1.0e-4
    schedule:
      _target_: sr.training.schedules.Constant
"""


@pytest.mark.parametrize(("line", "channels"), [("", 3), ("condition: bicubic", 6)])
def test_an_adversary_written_out_may_leave_what_it_shows_to_the_class(tmp_path, line, channels):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        WRITTEN_OUT.replace("    policy:", f"      {line}\n    policy:")
    )
    config = composed(["experiment=mine", "data=folder", "data.train=a", "data.val=b"], tmp_path / "conf")
    assert config.discriminator["in_channels"] == channels
    shows = build_adversaries(config, build)["d"].shows
    assert shows.channels == channels
    if not line:
        told = {"condition": shows.condition, "shift": shows.shift, "views": ",".join(shows.pair)}
        assert told == SHOWN_BY_DEFAULT


def test_a_resumed_run_says_what_has_changed(train, tmp_path):
    gan = ["adversary=lsgan", "discriminator=conv"]
    assert train(*gan, "run_dir=run")[0] == 0
    code, out, err = train("resume=run", "adversary.d.weight=0.5", "trainer.max_updates=6", defaults=False)
    assert code == 0, err
    assert "changed since the checkpoint: " in out
    assert "adversary.d.weight=0.5 (was 0.1)" in out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["adversaries"]["d"] == {"discriminator": "Strided", "parameters": 76225, "objective": "LeastSquares"}
