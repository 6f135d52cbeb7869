"""`init_from=`: weights of another run or of a file, and nothing else of it."""

import argparse
import math

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn

from sr.config.later_settings import with_later_settings
from sr.config.overrides import joint_start
from sr.config.starting import Start, _weights, start_of, weights_in
from sr.image.io import write_picture
from sr.inference.networks import shipped
from sr.models.compact import Compact
from sr.models.files import load_network, read_tensors, save_network
from sr.models.sr_resnet18 import WIDTHS
from sr.training.keeping.checkpoint import read_checkpoint
from sr.types import Picture, UserError

GAN = ("adversary=lsgan", "discriminator=conv")
# The weights are one tiny step from where they started.
STILL = ("optimizer.lr=1e-9", "trainer.max_updates=1", "trainer.val_every=1")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def parent(trained_once):
    """A run against a discriminator, at a learning rate that moves every weight."""
    return trained_once("parent", *GAN, "optimizer.lr=1e-2", "adversary.d.optimizer.lr=1e-2", "seed=5")


def state(folder):
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")


def assert_near(some, others):
    assert some.keys() == others.keys()
    for name, value in some.items():
        torch.testing.assert_close(value, others[name], rtol=0, atol=1e-6, msg=name)


def apart(some, others):
    return max((some[name] - others[name]).abs().max().item() for name in some)


def test_a_run_starts_from_the_weights_of_another_and_nothing_else(train, tmp_path, parent):
    d = "adversary.d.optimizer.lr=1e-9"
    code, out, err = train("run_dir=child", "init_from=parent", "init_from.d=parent", *GAN, *STILL, d)
    assert code == 0, err
    assert "init_from: Espcn starts from parent/best.safetensors\n" in out
    assert "starts from parent/checkpoints/last.ckpt\n" in out
    before, after = state(parent)["trained"], state(tmp_path / "child")["trained"]
    best = load_network(parent / "best.safetensors")[0].state_dict()
    assert_near(after["network"], best)
    assert_near(after["ema"]["module"], best)
    assert_near(after["adversaries"]["d"]["network"], before["adversaries"]["d"]["network"])
    assert after["clock"]["updates"] == after["ema"]["updates"] == after["adversaries"]["d"]["learned"] == 1
    assert after["batches"] == 1
    assert {int(s["step"]) for s in after["optimizers"][0]["state"].values()} == {1}
    stored = OmegaConf.load(tmp_path / "child" / "config.yaml").init_from
    assert (stored.g, stored.d) == ("parent", "parent")


def test_the_generator_alone(train, tmp_path, parent):
    assert train("run_dir=child", "init_from=parent", *GAN, *STILL)[0] == 0
    before, after = state(parent)["trained"], state(tmp_path / "child")["trained"]
    assert apart(before["adversaries"]["d"]["network"], after["adversaries"]["d"]["network"]) > 1e-3


def test_from_files(train, tmp_path, parent):
    average = state(parent)["trained"]["ema"]["module"]
    for number, place in enumerate(("parent/last.safetensors", "parent/checkpoints/last.ckpt")):
        assert train(f"run_dir={number}", f"init_from={place}", *STILL)[0] == 0
        assert_near(state(tmp_path / str(number))["trained"]["network"], average)
    (parent / "best.safetensors").unlink()
    assert train("run_dir=last", "init_from=parent", *STILL)[0] == 0
    assert_near(state(tmp_path / "last")["trained"]["network"], average)


def test_from_a_network_that_comes_along(train, tmp_path):
    (tmp_path / "x2").mkdir()  # a shipped name goes first
    code, out, err = train(
        "run_dir=child", "init_from=x2", "model=compact", "model.features=48", "model.convolutions=8", *STILL
    )
    assert code == 0, err
    assert "init_from: Compact starts from " in out
    ours = load_network(shipped()["x2"])[0].state_dict()
    assert_near(state(tmp_path / "child")["trained"]["network"], ours)
    (tmp_path / "x2").rmdir()
    code, _, err = train("run_dir=other", "init_from=x22")
    assert code == 2
    assert "init_from=x22: there is no such file or folder; did you mean x2?" in err


def test_weights_that_exploded_are_refused(train, sr, tmp_path, parent):
    network, info = load_network(parent / "best.safetensors")
    next(iter(network.parameters())).data[0] = math.nan
    save_network(tmp_path / "nan.safetensors", network, info.config, {})
    (tmp_path / "va").mkdir()
    write_picture(tmp_path / "va" / "x.png", Picture(np.zeros((32, 32, 3), np.uint8)))
    says = (
        "nan.safetensors has weights that are not finite (head.0.weight, 1 of 10 tensors): its training exploded; take"
    )
    for code, _, err in (
        train("run_dir=child", "init_from=nan.safetensors", *STILL),
        sr("evaluate", "nan.safetensors", "--set", "va"),
        sr("upscale", "va/x.png", "-o", "y.png", "--model", "nan.safetensors"),
    ):
        assert code == 2
        assert says in err


def test_tensors_that_do_not_fit_are_refused_or_left(train, tmp_path, parent):
    more = ("scale=4", "data.crop=8", *STILL)
    code, _, err = train("run_dir=child", "init_from=parent", *more)
    assert code == 2
    assert (
        "init_from=parent/best.safetensors does not fit Espcn: 2 mis-shaped (tail.0.weight [12, 48, 3, 3] instead of "
        "[48, 48, 3, 3], tail.0.bias [12] instead of [48]); init_from.partial=true keeps the 8 of 10 tensors that fit"
    ) in err
    assert not (tmp_path / "child").exists()
    code, out, err = train("run_dir=child", "init_from=parent", "init_from.partial=true", *more)
    assert code == 0, err
    assert "starts from parent/best.safetensors, 8 of 10 tensors; not taken: 2 mis-shaped (tail.0.weight" in out
    best = load_network(parent / "best.safetensors")[0].state_dict()
    after = state(tmp_path / "child")["trained"]["network"]
    kept = [name for name in best if not name.startswith("tail")]
    assert_near({n: after[n] for n in kept}, {n: best[n] for n in kept})
    code, _, err = train("init_from=parent", "init_from.partial=true", "model=sr_resnet18")
    assert code == 2
    assert "no tensor fits, so that init_from.partial=true would not help; take another network" in err


def test_goes_on_without_loading_again(train, tmp_path, parent):
    line = ("run_dir=child", "resume=auto", "init_from=parent", "optimizer.lr=1e-2", "trainer.max_updates=1")
    code, out, err = train(*line)
    assert code == 0, err
    assert "starts from parent/best.safetensors" in out
    for file in parent.rglob("*.*"):
        if file.is_file():
            file.unlink()  # whoever goes on does not need it
    (tmp_path / "child" / "summary.json").unlink()
    code, out, err = train(*line[:4], "trainer.max_updates=3")
    assert code == 0, err
    assert "going on from child/checkpoints/last.ckpt" in out
    assert "starts from" not in out
    assert state(tmp_path / "child")["trained"]["clock"]["updates"] == 3
    code, _, err = train("resume=child", "init_from=parent", "trainer.max_updates=5", defaults=False)
    assert code == 2
    assert (
        "resume=child goes on with that run's own weights, and init_from=parent starts a new run from others; leave "
        "one of the two out"
    ) in err
    assert train("resume=child", "trainer.max_updates=5", defaults=False)[0] == 0


def test_the_doubt_about_untrained_generators_knows_it(train, parent):
    doubt = "counts in full from update 0"
    assert doubt in train(*GAN, *STILL)[1]
    assert doubt in train(*GAN, *STILL, "init_from.d=parent")[1]
    assert doubt not in train(*GAN, *STILL, "init_from=parent")[1]


def test_in_a_sweep(train, parent):
    places = "init_from=parent,parent/last.safetensors"
    code, out, err = train("-m", places, *STILL)
    assert code == 0, err
    assert "starts from parent/best.safetensors" in out
    assert "starts from parent/last.safetensors" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["init_from=parnet"], "init_from=parnet: there is no such file or folder; did you mean parent?"),
        (
            ["init_from=parent/best.safetensor"],
            "parent/best.safetensor: there is no such file or folder; did you mean parent/best.safetensors",
        ),
        (["init_from=."], "init_from=. is no run's folder, as it has no best.safetensors or last.safetensors or check"),
        (["init_from=."], "; did you mean parent?"),
        (
            ["init_from=parent/config.yaml"],
            "is neither a run's folder nor a .safetensors, a .ckpt or another",
        ),
        (
            ["init_from=parent/net.pth"],
            "parent/net.pth is damaged or no file of weights (pickle exhausted before seeing",
        ),
        (["init_from="], "init_from= names no place; give a run's folder, a .safetensors, .ckpt or .pth"),
        (["init_from.d=parent"], "init_from.d=parent, but this run has no adversary d; choose one of g"),
        (["init_from.partial=3"], "init_from.partial=3 must be true or false"),
        (["init_from.dd=parent"], "init_from.dd is not a setting; did you mean init_from.d"),
        (["init_form=parent"], "init_form is not a setting; did you mean init_from"),
    ],
)
def test_wrong_places_are_one_sentence(train, tmp_path, arguments, message):
    for name in ("best.safetensors", "config.yaml", "net.pth", "checkpoints/last.ckpt"):
        path = tmp_path / "parent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    code, _, err = train(*arguments)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_run_without_an_adversary_has_no_discriminator(train, parent):
    assert train("run_dir=plain")[0] == 0
    code, _, err = train("init_from.d=plain", *GAN)
    assert code == 2
    assert "init_from.d=plain/checkpoints/last.ckpt has no adversary d: it was trained without one" in err


def test_the_setting_in_all_its_forms():
    assert start_of(None) == start_of({"g": None, "d": None, "partial": False}) == Start({}, False)
    assert start_of("RUN") == start_of({"g": "RUN"}) == Start({"g": "RUN"}, False)
    assert start_of({"g": "A", "d_gradient": "B", "partial": True}) == Start({"g": "A", "d_gradient": "B"}, True)
    with pytest.raises(UserError, match=r"init_from=\[1\] names no place"):
        start_of([1])


def test_both_forms_on_one_command_line():
    assert joint_start(["init_from=A", "seed=1"]) == ["init_from=A", "seed=1"]
    for order in (["init_from=A", "init_from.d=B"], ["init_from.d=B", "init_from=A"]):
        assert sorted(joint_start(order)) == ["init_from.d=B", "init_from.g=A"]


def test_runs_of_earlier_versions_are_the_same_runs():
    model = {"_target_": "sr.models.espcn.Espcn", "scale": 2}
    now = {
        "model": model | {"padding": "zeros", "gain": 1.0},
        "init_from": {"g": None, "d": None, "partial": False},
        "seed": 0,
    }
    now |= {"grow_from": None, "parts": {"rates": [], "freeze": [], "restart": []}}
    assert with_later_settings({"model": model, "seed": 0}) == with_later_settings(now) == now
    assert with_later_settings(now | {"init_from": "A"}) == now | {"init_from": now["init_from"] | {"g": "A"}}
    resnet, noise = "sr.models.sr_resnet18.SrResnet18", {"_target_": "sr.degradations.noise_pool.PooledNoise"}
    later = with_later_settings({"model": {"_target_": resnet}, "degradation": {"stages": {"noise": noise}}})
    assert later["model"] == {"_target_": resnet, "padding": "zeros", "widths": list(WIDTHS), "checkpointing": False}
    assert later["degradation"] == {"stages": {"noise": noise | {"count": None}}}
    own = {"model": {"_target_": "my.Net"}, "init_from": None}
    assert with_later_settings(own)["model"] == own["model"]


OWN = '''
from torch import nn


class Mine(nn.Module):
    """Somebody's own network."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(3, 3 * scale**2, 3, padding=1)

    def forward(self, lr):
        return nn.functional.pixel_shuffle(self.conv(lr), self.scale)
'''


def test_weights_of_a_network_of_ones_own(train, tmp_path, monkeypatch):
    (tmp_path / "numbers_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    model = ("model=bicubic", "model._target_=numbers_own.Mine")
    first = train(*model, "run_dir=first", "optimizer.lr=1e-2")
    assert first[0] == 0, first[2]
    code, out, err = train(*model, "run_dir=second", "init_from=first", *STILL)
    assert code == 0, err
    assert "init_from: Mine starts from first/best.safetensors" in out
    best = read_tensors(tmp_path / "first" / "best.safetensors")
    assert_near(state(tmp_path / "second")["trained"]["network"], best)


COMPACT = ("model=compact", "model.features=8", "model.convolutions=2")


def test_a_file_of_another_program(train, tmp_path):
    weights = Compact(2, features=8, convolutions=2).state_dict()
    torch.save({"params": {f"module.{name}": value for name, value in weights.items()}}, tmp_path / "other.pth")
    code, out, err = train("run_dir=run", "init_from=other.pth", *COMPACT, *STILL)
    assert code == 0, err
    assert "init_from: Compact starts from other.pth\n" in out
    assert_near(load_network(tmp_path / "run" / "last.safetensors")[0].state_dict(), weights)


def test_the_names_that_the_network_has_are_found(tmp_path):
    """RRDBNet's file by BasicSR's names for spandrel's network, which has the old ones."""
    pytest.importorskip("spandrel")
    from sr.models.rrdb import RrdbNet
    from sr.models.spandrel import Spandrel

    ours, theirs = RrdbNet(4, features=8, blocks=1), Spandrel(4, "rrdb", {"num_filters": 8, "num_blocks": 1})
    path = tmp_path / "x.pth"
    torch.save(ours.state_dict(), path)
    by_new = _weights("g", path, set(ours.state_dict()))
    by_old = _weights("g", path, set(theirs.state_dict()))
    assert by_new.keys() == ours.state_dict().keys()
    assert by_old.keys() == theirs.state_dict().keys()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_layers_that_lie_in_a_part_called_as_wrappers_are(tmp_path, suffix):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.Conv2d(3, 3, 1)

    network, path = Net(), tmp_path / f"x{suffix}"
    weights = network.state_dict()
    torch.save(weights, path) if suffix == ".pth" else save_file(weights, path)
    assert _weights("g", path, set(weights)).keys() == weights.keys()
    assert _weights("g", path, {"weight", "bias"}).keys() == {"weight", "bias"}


def test_a_checkpoint_of_another_program_that_calls_is_refused(train, tmp_path):
    torch.save({"params": {}, "opt": argparse.Namespace(a=1)}, tmp_path / "other.pth")
    code, _, err = train("init_from=other.pth", *COMPACT)
    assert code == 2
    assert "other.pth holds more than weights (argparse.Namespace): opening that could run a stranger's code" in err


FIXED = ("loss=[l1,fixed_discriminator]", *GAN)


@pytest.mark.slow
def test_a_fixed_discriminator_is_that_of_an_earlier_run_and_stays(train, tmp_path, parent):
    code, out, err = train("run_dir=child", "+init_from.fixed_discriminator=parent", *FIXED, *STILL)
    assert code == 0, err
    assert "init_from.fixed_discriminator: Strided starts from parent/checkpoints/last.ckpt\n" in out
    after, judge = state(tmp_path / "child")["trained"], state(parent)["trained"]["adversaries"]["d"]["network"]
    assert after["fixed"]["fixed_discriminator"].keys() == judge.keys()
    assert apart(after["fixed"]["fixed_discriminator"], judge) == 0
    assert apart(after["adversaries"]["d"]["network"], judge) > 1e-3
    code, out, err = train("resume=child", "trainer.max_updates=2", defaults=False)
    assert code == 0, err
    assert apart(state(tmp_path / "child")["trained"]["fixed"]["fixed_discriminator"], judge) == 0


@pytest.mark.parametrize("name", ["disc_old", "fixed_discriminator", "d"])
def test_a_term_of_any_name_takes_the_discriminator_of_d(name, tmp_path):
    trained = {"adversaries": {"d": {"network": {"weight": torch.ones(1)}}, "d_grad": {"network": {}}}}
    assert weights_in(name, tmp_path, {"trained": trained}) == {"weight": torch.ones(1)}
    with pytest.raises(UserError, match=r"init_from.d_x=.* has no adversary d_x: its adversaries are d, d_grad"):
        weights_in("d_x", tmp_path, {"trained": trained})


def test_a_fixed_discriminator_without_a_run_is_one_sentence(train, tmp_path):
    code, _, err = train("run_dir=child", *FIXED, *STILL)
    assert code == 2
    assert "nothing says which; add +init_from.fixed_discriminator=RUN, a run's folder, a .ckpt or an experiment" in err


def test_unpaired_runs_of_before_there_were_sides_are_the_same_runs():
    kind = {"_target_": "sr.data.module.CropData"}
    before = {"hr": "H", "lr": "L", "train_lr": "L", "real": "H", "shown": "L", "val": None}
    side = {"_target_": "sr.data.kinds.two_sides.to_train_on", "side": None, "val_share": 0.1, "shorter_side": None}
    now = before | {"a": None, "b": None, "val_share": 0.1, "shorter_side": None}
    now |= {"train_lr": side | {"given": "L"}, "real": side | {"given": "H"}}
    now |= {"shown": {"_target_": "sr.data.kinds.two_sides.to_show", "given": "L", "a": None, "b": None}}
    assert with_later_settings({"data": kind | now}) == with_later_settings({"data": kind | before})
    sides = now | {"a": "A", "b": "B"}
    assert with_later_settings({"data": kind | sides}) != with_later_settings({"data": kind | before})
