"""`grow_from=`: a run at twice the scale of the network that it starts from."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from sr.config.growing import grow_from
from sr.config.later_settings import with_later_settings
from sr.config.starting import GROWN, Start, start_from, start_of
from sr.config.sweeps import parents_first
from sr.models.edsr import Edsr
from sr.models.files import read_tensors, save_network
from sr.models.internship_srresnet import InternshipSrResNet
from sr.training.ema import Ema
from sr.training.keeping.checkpoint import read_checkpoint
from sr.types import UserError
from tests.conftest import REPOSITORY

INTERNSHIP = {
    "_target_": "sr.models.internship_srresnet.InternshipSrResNet",
    "features": 4,
    "blocks": 1,
    "spectral": True,
    "icnr": False,
    "padding": "zeros",
}
EDSR = {"_target_": "sr.models.edsr.Edsr", "features": 4, "blocks": 1}
NET = ("model=internship_srresnet", "model.features=4", "model.blocks=1")
GAN = (
    "adversary=[bce,batch_store]",
    "discriminator=srgan",
    "discriminator.features=2",
    "discriminator.hidden=4",
    "data.crop=16",
)
STILL = ("optimizer.lr=1e-9", "adversary.d.optimizer.lr=1e-9", "trainer.max_updates=1", "trainer.val_every=1")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with networks of the internship at x2 and x4, and an EDSR at x2."""
    monkeypatch.chdir(tmp_path)
    for scale in (2, 4):
        network = InternshipSrResNet(scale, features=4, blocks=1)
        save_network(f"x{scale}.safetensors", network, {**INTERNSHIP, "scale": scale}, {})
    save_network("edsr.safetensors", Edsr(2, features=4, blocks=1), {**EDSR, "scale": 2}, {})
    torch.save({"params": Edsr(2, features=4, blocks=1).state_dict()}, "edsr.pth")
    torch.save({"a": torch.zeros(1)}, "other.pth")
    (tmp_path / "empty").mkdir()
    return tmp_path


def grow(start, scale=4, model=INTERNSHIP, network=None, ema=None):
    """What is remembered and said; the module as far as growth sees it."""
    kind = {INTERNSHIP["_target_"]: InternshipSrResNet, EDSR["_target_"]: Edsr}[model["_target_"]]
    model = {**model, "scale": scale}
    network = network or kind(**{key: value for key, value in model.items() if key != "_target_"})
    said = []
    module = SimpleNamespace(network=network, ema=ema, adversaries={})
    told = grow_from(module, Start({GROWN: start}, False), model, said.append)
    return module, told, said


def test_a_network_grows_and_says_so(place):
    module, told, said = grow("x2.safetensors", ema=Ema(0.9))
    half = read_tensors(place / "x2.safetensors")
    for state in (module.network.state_dict(), module.ema.averaged().state_dict()):
        assert all(torch.equal(state[name], tensor) for name, tensor in half.items())
        assert len(state) == len(half) + 5  # of a convolution with spectral normalisation and a slope
    kept = ["first.*", "blocks.*", "trunk.*", "stages.0.*", "end.*"]
    assert told == {"grown": {"file": "x2.safetensors", "scale": 2, "carried": kept, "new": ["stages.1.*"]}}
    assert said == [
        "grow_from: InternshipSrResNet x4 grows from x2.safetensors, x2: carried first.*, blocks.*, trunk.*, "
        f"stages.0.*, end.* ({len(half)} tensors); new stages.1.*",
        "grow_from: the optimiser and the clock begin anew",
    ]
    assert grow_from(module, Start({}, False), INTERNSHIP, said.append) == {}


def test_growth_draws_nothing_and_leaves_the_new_stage_as_it_was_built(place):
    network = InternshipSrResNet(4, features=4, blocks=1)
    stage = network.state_dict()["stages.1.conv.parametrizations.weight.original"].clone()
    state = torch.get_rng_state()
    grow("x2.safetensors", network=network)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network.state_dict()["stages.1.conv.parametrizations.weight.original"], stage)


def test_x8_grows_from_x4_and_from_other_programs_files(place):
    assert grow("x4.safetensors", scale=8)[1]["grown"]["new"] == ["stages.2.*"]
    module, told, _ = grow("edsr.pth", model=EDSR)
    assert told["grown"]["new"] == ["upsample.2.*"]
    theirs = torch.load(place / "edsr.pth", weights_only=True)["params"]
    assert torch.equal(module.network.state_dict()["conv_last.weight"], theirs["conv_last.weight"])


@pytest.mark.parametrize(
    ("start", "scale", "model", "message"),
    [
        (
            "x2.safetensors",
            2,
            INTERNSHIP,
            "grow_from=x2.safetensors: this run is x2, and x4 grows from x2, x8 from x4; choose scale=4 or scale=8",
        ),
        ("x2.safetensors", 3, INTERNSHIP, "grow_from=x2.safetensors: this run is x3, and x4 grows from x2, x8 from x4"),
        (
            "x4.safetensors",
            4,
            INTERNSHIP,
            "grow_from=x4.safetensors is x4 as this run; init_from=x4.safetensors starts from it",
        ),
        (
            "x2.safetensors",
            8,
            INTERNSHIP,
            "grow_from=x2.safetensors is x2, and x8 grows from x4; give one of that scale",
        ),
        (
            "edsr.safetensors",
            4,
            INTERNSHIP,
            "grow_from=edsr.safetensors is Edsr x2, and this run's network is InternshipSrResNet: a network grows from "
            "one of its kind",
        ),
        (
            "x2",
            4,
            INTERNSHIP,
            "x2.safetensors is Compact x2, and this run's network is InternshipSrResNet: a network grows from one of",
        ),
        (
            "x2.safetensors",
            4,
            INTERNSHIP | {"features": 8},
            "grow_from=x2.safetensors does not fit InternshipSrResNet at x2: 33 mis-shaped (first.0.bias [4] instead "
            "of [8], first.0.parametrizations.weight.original [4, 3, 9, 9] instead of [8, 3, 9, 9], ",
        ),
        ("x2.safetensors", 4, INTERNSHIP | {"features": 8}, "; it was trained with model.features=4"),
        ("x3.safetensors", 4, INTERNSHIP, "grow_from=x3.safetensors: there is no such file or folder; did you mean x"),
        (
            "empty",
            4,
            INTERNSHIP,
            "grow_from=empty is no run's folder, as it has no last.safetensors or checkpoints/last.ckpt or best",
        ),
        (
            "other.pth",
            4,
            EDSR,
            "grow_from=other.pth: the file does not say what network it is, and its weights are no Edsr's; give a "
            "run's folder, or the .safetensors of a network",
        ),
    ],
)
def test_what_cannot_grow_is_told(place, start, scale, model, message):
    with pytest.raises(UserError) as error:
        grow(start, scale, model)
    assert message in str(error.value)


def test_networks_that_do_not_grow_name_those_that_do(place):
    from sr.models.imdn import Imdn

    with pytest.raises(UserError) as error:
        grow("x2.safetensors", network=Imdn(4, blocks=1))
    message = str(error.value)
    assert message.startswith("grow_from=x2.safetensors: Imdn at x4 does not grow: Imdn has no chain of stages; ")
    grow_too = message.partition("networks that do: model=")[2].split(", ")
    assert {"edsr", "espcn_progressive", "internship_srresnet", "msrresnet", "rdn", "srresnet"} <= {*grow_too}
    assert not {"imdn", "espcn", "compact", "rrdbnet", "bicubic", "sr_resnet18"} & {*grow_too}


def test_a_run_starts_from_one_network():
    assert start_of({"g": None, "d": None, "partial": False}, "RUN") == Start({"grown": "RUN"}, False)
    message = (
        r"grow_from=RUN and init_from=OTHER: a run starts from one of the two; leave one out \(init_from=null where an "
        "experiment has it"
    )
    with pytest.raises(UserError, match=message):
        start_of("OTHER", "RUN")
    places = {"fixed_discriminator": "JUDGE", "d_x": "OTHER"}  # whose are they? That of a loss does not grow
    assert start_of(places, "RUN") == Start({**places, "grown": "RUN"}, False)
    rival, objective = SimpleNamespace(), SimpleNamespace(fixed={})
    module = SimpleNamespace(objective=objective, adversaries={"d_x": rival}, network=None, ema=None)
    with pytest.raises(UserError, match=r"grow_from=RUN and init_from.d_x=OTHER: .* \(init_from.d_x=null where"):
        start_from(module, start_of(places, "RUN"), print)


def test_runs_of_before_grew_from_nothing():
    assert with_later_settings({"model": {"_target_": "x"}})["grow_from"] is None
    assert with_later_settings({"grow_from": "RUN"})["grow_from"] == "RUN"


@pytest.mark.slow
def test_parents_are_trained_before_what_grows_from_them():
    names = "internship/growth_x8,internship/growth_x4,internship/joint,internship/mse"
    arguments, levels = parents_first([REPOSITORY / "conf"], [f"experiment={names}", "size=smoke"])
    assert arguments[0] == f"experiment={','.join(reversed(names.split(',')))}"
    assert [levels[name] for name in names.split(",")] == [3, 2, 1, 0]


@pytest.mark.slow
def test_both_networks_grow_and_the_run_goes_on_without_its_parent(train, tmp_path):
    assert train("run_dir=parent", *NET, *GAN, "optimizer.lr=1e-2", "adversary.d.optimizer.lr=1e-2")[0] == 0
    code, out, err = train("run_dir=child", "grow_from=parent", "scale=4", *NET, *GAN, *STILL)
    assert code == 0, err
    assert "InternshipSrResNet x4 grows from parent/last.safetensors, x2: carried first.*" in out
    assert (
        "grow_from: Srgan of d goes on from parent/checkpoints/last.ckpt: carried layers.*, verdict.0.bias, "
        "verdict.2.*; new verdict.0.weight\ngrow_from: optimisers, clocks and stores of old fakes begin anew\n"
    ) in out
    before, after = (
        read_checkpoint(tmp_path / run / "checkpoints/last.ckpt")["trained"] for run in ("parent", "child")
    )
    old, new = before["adversaries"]["d"]["network"], after["adversaries"]["d"]["network"]
    weights = [name for name in old if name.endswith(("original", "verdict.2.weight"))]
    assert len(weights) == 9
    assert all((old[name] - new[name]).abs().max() < 1e-6 for name in weights)
    assert old["verdict.0.weight"].shape == (4, 64)
    assert new["verdict.0.weight"].shape == (4, 256)
    assert after["clock"]["updates"] == after["ema"]["updates"] == 1
    half, grown = (read_tensors(tmp_path / run / "last.safetensors") for run in ("parent", "child"))
    ends = "end.parametrizations.weight.original"
    assert (half[ends] - grown[ends]).abs().max() < 1e-6
    stored = OmegaConf.load(tmp_path / "child/config.yaml")
    assert stored.grow_from == "parent"
    assert stored.started_from.grown.d == {
        "carried": ["layers.*", "verdict.0.bias", "verdict.2.*"],
        "new": ["verdict.0.weight"],
    }

    shutil.rmtree(tmp_path / "parent")
    code, out, err = train("resume=child", "trainer.max_updates=2", defaults=False)
    assert code == 0, err
    assert "grow_from" not in out
    code, _, err = train("resume=child", "grow_from=parent", "trainer.max_updates=5", defaults=False)
    assert code == 2
    assert "resume=child goes on with that run's own weights, and grow_from=parent starts a new run from others" in err


@pytest.mark.slow
def test_discriminators_that_nothing_is_known_of_begin_anew(train):
    assert train("run_dir=parent", *NET, "trainer.max_updates=1")[0] == 0
    for start, reason in (
        ("parent", "parent/checkpoints/last.ckpt has none"),
        ("parent/last.safetensors", "a file of a network has none"),
    ):
        code, out, err = train(f"run_dir={reason[0:3]}", f"grow_from={start}", "scale=4", *NET, *GAN, *STILL)
        assert code == 0, err
        assert f"grow_from: Srgan of d begins anew: {reason}\n" in out


@pytest.mark.slow
def test_a_checkpoint_alone_is_enough(train, tmp_path):
    assert train("run_dir=parent", *NET, *GAN, "trainer.max_updates=1")[0] == 0
    line = ("grow_from=parent/checkpoints/last.ckpt", "scale=4", *NET, *GAN, *STILL)
    code, out, err = train("run_dir=child", *line)
    assert code == 0, err
    assert "Srgan of d goes on from parent/checkpoints/last.ckpt" in out
    assert "grows from parent/checkpoints/last.ckpt, x2" in out
