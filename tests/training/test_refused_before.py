"""One sentence before any training: what adversaries, feature nets, terms and parts are refused for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sr.config.feature_nets import feature_faults
from sr.config.second_opponents import first_faults
from sr.degradations.corruptor import Corruptor
from sr.degradations.pictures import Pictures
from sr.draws import Draws
from sr.training.callbacks.swapout import _counted_beside
from tests.sparing import few_now
from tests.stand_ins import needed

REST = ["data.crop=16", "data.batch_size=2", "trainer.max_updates=1", "data.val=null"]
TINY = ["model=espcn", "model.features=8", *REST]
FEATURES = ["model=feature_net", "model.net=vgg16", "model.width=0.1", "loss=features", "discriminator=none"]
VGG16 = ["loss.terms.features.loss.net=vgg16", "loss.terms.features.loss.weights=random"]


def refused(train, *overrides):
    code, _, err = train(*overrides, "run_dir=run")
    assert code == 2, err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("override", "message"),
    few_now(
        [
            ("network=patchgan", "a choice is made by discriminator@adversary.d_grad.network=…, or discriminator=…"),
            ("network=3", "adversary.d_grad.network=3 is a plain value in the place of settings"),
            ("optimizer=adamw", "a choice is made by optimizer@adversary.d_grad.optimizer=…"),
            ("schedule=cosine", "a choice is made by schedule@adversary.d_grad.schedule=…"),
            ("objective=ragan", "adversary=… chooses it, and its values have names of their own"),
            ("shows=branch", "adversary.d_grad.shows=branch is a plain value"),
            ("policy=[1]", "adversary.d_grad.policy=[1] is a list, and adversary.d_grad.policy takes settings by name"),
            ("policy=null", "adversary.d_grad.policy=null is empty; leave it out of the command line"),
        ]
    ),
)
def test_a_plain_value_is_no_part_of_an_adversary(train, override, message):
    pair = ["adversary=[ragan,gradients]", "discriminator=patchgan"]
    assert message in refused(train, *TINY, *pair, f"adversary.d_grad.{override}")


def test_references_are_no_plain_values():
    whole = {"objective": {"_target_": "x"}, "network": "${discriminator}", "policy": None}
    assert list(first_faults({"d": whole})) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["adversary=[ragan,gradients]", "discriminator=patchgan", "discriminator@adversary.d_grad.network=none"],
            "without a discriminator there is no adversary; leave d_grad out of it",
        ),
        (
            ["adversary=ragan", "discriminator=patchgan", "discriminator@adversary.d.network=patchgan"],
            "the discriminator of adversary.d is chosen by discriminator=…",
        ),
        (
            ["adversary=ragan", "discriminator=none", "+adversary.d.network={_target_:torch.nn.Identity}"],
            "adversary.d.optimizer: Identity has no weight that learns; choose a network that has",
        ),
        (
            ["adversary=wgan_gp", "discriminator=patchgan", "adversary.d.min_loss=0.5"],
            "Wasserstein has a loss without a floor, below which min_loss=0.5 could leave it",
        ),
        (
            ["adversary=relativistic_clipped", "discriminator=patch_shallow", "data.real=half"],
            "objective=RelativisticClipped compares pictures with their own truth, cell by cell",
        ),
        (["loss.terms.l1.views='sr,real'", "data.real=half"], "loss.terms.l1.views=sr,real compares each picture with"),
        (
            ["loss.terms.l1.views='hr,hr'"],
            "loss.terms.l1.views=hr,hr: no weight of Espcn has a part in hr",
        ),
        (["loss.terms.l1.views='sr,lr'"], "loss.terms.l1.views=sr,lr compares pictures of different shapes"),
        (
            ["loss.terms.l1.views='degraded(sr),lr'", "degradation=jpeg_light"],
            "loss.terms.l1.views=degraded(sr),lr needs a degradation that passes gradient on",
        ),
        (["parts.rates=null"], "parts.rates=null is no list; write 'parts.rates=[{weights:[PART.*],factor:0.1}]'"),
        (["parts.rates={weights:['*'],factor:0.1}"], "is no list; write 'parts.rates=[{weights:"),
        (["parts.freeze=tail"], "parts.freeze=tail is no list; write 'parts.freeze=[{all_but:[PART.*],until:1000}]'"),
        (["parts.restart=0.5"], "parts.restart=0.5 is no list; write 'parts.restart=[0.5]'"),
        (["parts.restart=[a]"], "parts.restart=['a'] must be ascending fractions of the run"),
        (["parts.restart=[[0.5]]"], "parts.restart=[[0.5]] must be ascending fractions of the run"),
        (["loss.terms.l1.views='sr,hrr'"], "there is no view hrr"),
    ],
)
def test_what_means_nothing_is_one_sentence(train, overrides, message):
    assert message in refused(train, *TINY, *overrides)


def test_a_feature_net_and_its_loss_are_of_one_layer(train):
    err = refused(train, *REST, *FEATURES, "model.layer=conv1_2", *VGG16)
    assert "model.layer=conv1_2 and loss.terms.features.loss.layer=conv5_4: a feature net predicts the layer" in err
    err = refused(train, *REST, "model=feature_net", "model.net=vgg16", "loss=features")  # nothing is downloaded
    assert "set both to one value, as in loss.terms.features.loss.net=vgg16" in err


@pytest.mark.parametrize("crop", [7, 1])
def test_a_feature_net_says_how_small_is_too_small(train, crop):
    layer = ["model.layer=conv5_1", "loss.terms.features.loss.layer=conv5_1"]
    tiny = [one for one in REST if not one.startswith("data.crop")]
    err = refused(train, *tiny, *FEATURES, *layer, *VGG16, f"data.crop={crop}", "scale=2")
    assert "model.layer=conv5_1 has halved its pictures to nothing: it needs 16x16 pixels" in err
    assert "take data.crop=8" in err


def test_an_adversary_judges_no_fixed_picture(train):
    layer = ["model.layer=conv1_2", "loss.terms.features.loss.layer=conv1_2"]
    features = [one for one in FEATURES if one != "discriminator=none"]
    err = refused(train, *REST, *features, *layer, *VGG16, "adversary=bce", "discriminator=patchgan")
    assert "views=sr,real: no weight of FeatureNet has a part in sr or real: its picture is fixed" in err


@pytest.mark.parametrize(
    "broken", few_now(["empty.safetensors", "cut.safetensors", "other.pth", "picture.safetensors"], 1)
)
def test_a_damaged_feature_net_names_the_command_that_makes_one(train, tmp_path, pictures, broken):
    contents = {
        "empty": b"",
        "cut": (100).to_bytes(8, "little") + b"{",
        "other": b"nothing",
        "picture": next(pictures.glob("*.png")).read_bytes(),
    }
    Path(tmp_path, broken).write_bytes(contents[broken.partition(".")[0]])
    err = refused(train, *TINY, "loss=feature_net", f"loss.terms.feature_net.loss.file={broken}")
    assert f"file={broken}: " in err
    assert "experiment=lessons/feature_net" in err


def test_a_mistyped_experiment_is_no_file(train):
    err = refused(train, *TINY, "loss=feature_net", "loss.terms.feature_net.loss.file=lessons/feature_nte")
    assert "there is no such experiment; did you mean lessons/feature_net" in err


@pytest.mark.parametrize("setting", ["grow_from", "init_from"])
@pytest.mark.parametrize("name", few_now(["empty.safetensors", "empty.ckpt", "empty.pth"], 1))
def test_damaged_files_are_told_with_their_setting(train, tmp_path, setting, name):
    (tmp_path / name).write_bytes(b"")
    err = refused(train, *REST, "model=edsr", "model.features=8", "model.blocks=1", "scale=4", f"{setting}={name}")
    assert f"error: {setting}={name}: " in err
    assert "resume" not in err
    assert "give a run's folder, or the .safetensors of a network" in err


def test_what_is_no_file_is_not_looked_for_beside_itself(train):
    err = refused(train, *REST, "model=edsr", "scale=4", "grow_from=/dev/null")
    assert "grow_from=/dev/null is no file of a network" in err


def test_settings_of_unpaired_data_whose_defaults_are_others(train, tmp_path):
    """Before the command line is applied data.shown and data.real refer to what is not there yet."""
    given = [one for one in needed("data", "unpaired", tmp_path) if not one.startswith(("adversary", "discriminator"))]
    none = ["data.train=null", f"data.real={tmp_path}/HR", f"data.shown={tmp_path}/LR"]
    small = ["model=espcn", "model.features=8", "data.batch_size=2", "trainer.max_updates=1", "data.val=null"]
    code, out, err = train("data=unpaired", *given, *none, *small)
    assert code == 0, err
    assert "ended (max_updates) after 1 updates" in out


def test_faults_of_feature_nets_are_of_those_alone():
    other = {"_target_": "sr.models.espcn.Espcn", "net": "vgg19"}
    assert list(feature_faults(other, {"terms": {}})) == []
    assert list(feature_faults({"_target_": "sr.models.feature_net.FeatureNet"}, {})) == []


def test_a_count_of_steps_lies_where_the_optimiser_keeps_its_own():
    meta, moments = torch.device("meta"), {"step": torch.zeros(()), "exp_avg": torch.zeros(2)}
    moved = _counted_beside(moments, {"step": torch.zeros((), device=meta)})
    assert moved["step"].device == meta
    assert moved["exp_avg"].device.type == "cpu"
    same = {"step": torch.zeros(())}
    assert _counted_beside(same, {}) is same
    assert _counted_beside(same, {"step": torch.ones(())}) is same


def test_a_corruptor_replaces_the_chosen_rows_alone():
    class Two:
        networks = (nn.Conv2d(3, 3, 1, bias=False),)

    with torch.no_grad():
        Two.networks[0].weight.copy_(0.5 * torch.eye(3)[:, :, None, None])
    stage = Corruptor(Two(), probability=0.5)
    pixels, draws = torch.rand(8, 3, 4, 4), Draws(0, np.arange(8))
    made = stage(Pictures.of(pixels, (4, 4)), draws).pixels
    halved = [bool(torch.allclose(a, 0.5 * b)) for a, b in zip(made, pixels, strict=True)]
    assert any(halved)
    assert all(half or torch.equal(a, b) for half, a, b in zip(halved, made, pixels, strict=True))
