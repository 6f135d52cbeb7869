"""Networks of spandrel: by name, arguments checked, trained, written and opened again by spandrel itself."""

import builtins
import copy
import io

import pytest
import torch

from sr.errors import UserError
from sr.models.exact import ExactConv2d
from sr.models.spandrel import DEFAULTS, Spandrel, kinds
from tests.choices import refusal
from tests.close import assert_close

spandrel = pytest.importorskip("spandrel")
SMALL = {
    "compact": {"num_feat": 8, "num_conv": 2},
    "span": {"feature_channels": 8},
    "RRDB": {"num_filters": 8, "num_blocks": 2},
    "RealPLKSR": {"dim": 16, "n_blocks": 2},
    "safmn": {"dim": 8, "n_blocks": 1},
    "swinir": {"embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2]},
    "mosr": {"dim": 16, "n_block": 2},
}


@pytest.mark.parametrize("arch", SMALL)
@pytest.mark.parametrize("scale", [2, 4])
def test_a_network_is_built_used_and_taught(arch, scale):
    network = Spandrel(scale, arch, SMALL[arch])
    assert network.scale == scale
    sr = network(torch.rand(1, 3, 9, 13))
    assert sr.shape == (1, 3, 9 * scale, 13 * scale)
    sr.square().mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("arch", SMALL)
def test_its_file_is_spandrels(arch):
    network = Spandrel(2, arch, SMALL[arch]).eval()
    opened = spandrel.ModelLoader().load_from_state_dict(dict(network.state_dict()))
    lr = torch.rand(1, 3, 16, 16)
    assert opened.scale == 2
    assert_close(network(lr), opened.model.eval()(lr))


def test_weights_have_their_authors_names_in_every_way():
    network = Spandrel(2, "compact", SMALL["compact"])
    state = network.state_dict()
    assert list(state)[:2] == ["body.0.weight", "body.0.bias"]
    other = Spandrel(2, "compact", SMALL["compact"])
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))
    copied = copy.deepcopy(network)  # an average of weights is one
    assert copied.state_dict().keys() == state.keys()
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "network.body.0.weight"'):
        other.load_state_dict({k: v for k, v in state.items() if k != "body.0.weight"})
    inside = torch.nn.ModuleDict({"generator": network})
    assert "generator.body.0.weight" in inside.state_dict()
    inside.load_state_dict(inside.state_dict())


def test_the_last_convolution_is_exact():
    assert isinstance(Spandrel(2, "span", SMALL["span"]).network.upsampler[0], ExactConv2d)


def test_wrong_names_and_values():
    assert "arch=spam is not one of atd, aurasr, " in refusal(Spandrel, 2, "spam")
    assert "; did you mean span?" in refusal(Spandrel, 2, "spam")
    told = refusal(Spandrel, 2, "compact", {"num_feet": 8})
    assert told == "arguments.num_feet: arch=compact has no such argument; did you mean num_feat?"
    told = refusal(Spandrel, 2, "compact", {"zzz": 8})
    assert told.endswith("it has num_in_ch, num_out_ch, num_feat, num_conv, act_type.")
    told = refusal(Spandrel, 2, "compact", {"num_feat": "8"})
    assert told == "arguments.num_feat=8 should be float or int, as its default 64"
    assert "no such argument" in refusal(Spandrel, 2, "compact", {"upscale": 4}), "the scale is the network's"
    assert "arguments.norm=1 should be bool" in refusal(Spandrel, 2, "span", {"norm": 1})
    assert "norm_layer is not a plain value" in refusal(Spandrel, 2, "swinir", {"norm_layer": "nn.LayerNorm"})
    assert "arch=swinir cannot be built of these arguments" in refusal(Spandrel, 2, "swinir", {"window_size": 7})
    assert "arch=compact cannot be built of these arguments" in refusal(Spandrel, 2, "compact", {"act_type": "eval"})
    assert "arch=aurasr needs arguments.dim, which has no default" in refusal(Spandrel, 2, "aurasr")
    assert "cannot upscale by 5" in refusal(Spandrel, 5)


def test_what_makes_no_upscaled_rgb():
    assert "takes 1 channels and makes 1; here pictures have 3" in refusal(Spandrel, 1, "dncnn", {"nc": 4, "nb": 3})
    assert "arch=upcunet3x makes x3 of these arguments, not x2" in refusal(Spandrel, 2, "upcunet3x")
    grays = {"num_in_ch": 1, "num_out_ch": 1}
    assert "takes 1 channels" in refusal(Spandrel, 2, "compact", SMALL["compact"] | grays)


def test_defaults_are_of_architectures_that_exist():
    assert DEFAULTS.keys() <= kinds().keys()


def test_without_spandrel_there_is_a_sentence(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name == "spandrel":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"spandrel, which knows more .* is not installed: uv sync --extra spandrel"):
        Spandrel(2)


def test_trained_from_the_command_line_and_opened_again(train, tmp_path):
    small = "+model.arguments.feature_channels=8"
    code, _, err = train("model=spandrel", "model.arch=span", small, "run_dir=run", "trainer.max_updates=2")
    assert code == 0, err
    from sr.models.files import load_network

    network, info = load_network(tmp_path / "run" / "last.safetensors")
    assert info.config["arch"] == "span"
    assert isinstance(network, Spandrel)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    (tmp_path / "span.pth").write_bytes(buffer.getvalue())
    assert spandrel.ModelLoader().load_from_file(tmp_path / "span.pth").architecture.id == "SPAN"


def test_a_typo_on_the_command_line(train):
    code, _, err = train("model=spandrel", "+model.arguments.num_fea=8")
    assert code == 2
    assert "model: arguments.num_fea: arch=compact has no such argument; did you mean num_feat?" in err
