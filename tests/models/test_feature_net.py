"""The feature net: sizes, what it gives, and the two losses around it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.inference.opening import open_network
from sr.losses.backbones import Features
from sr.losses.feature_net import FeatureNetLoss
from sr.losses.features import PredictedFeatures
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.models.espcn import Espcn
from sr.models.feature_net import FeatureNet, as_target, trained
from sr.models.files import read_network, save_network
from sr.models.outputs import outputs_of
from sr.types import UserError
from tests.close import assert_close

SMALL = {"scale": 2, "net": "vgg16", "layer": "conv2_2", "width": 0.25}
CONFIG = {"_target_": "sr.models.feature_net.FeatureNet", **SMALL}


SEES = (
    "of weights=imagenet, and weights=random sees the output: their features have nothing in common; set "
    "loss.terms.feature_net.loss.weights=imagenet$"
)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_sizes_are_those_of_vgg():
    with torch.device("meta"):
        assert parameters(FeatureNet(2)) == 20_024_384  # VGG19 up to conv5_4, as torchvision counts its features
        assert parameters(FeatureNet(2, "vgg16", "conv2_2")) == 260_160
        # 1,792/4 + 16*16*9+16 + 16*32*9+32 + 32*128*9+128
        assert parameters(FeatureNet(**SMALL)) == 448 + 2_320 + 4_640 + 36_992


def test_its_graph_is_that_of_the_original():
    net, original = FeatureNet(1, "vgg16", "conv2_2"), Features("vgg16", ["conv2_2"], "random")
    net.stack.load_state_dict(original.stack.state_dict())
    picture = torch.rand(1, 3, 16, 12)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert_close(net.maps(picture), original((picture - mean) / deviation)[0])


def test_it_predicts_while_it_trains_and_enlarges_otherwise():
    net, lr, enlarged = FeatureNet(**SMALL), torch.rand(2, 3, 8, 8), []
    net.enlarge.register_forward_hook(lambda *_: enlarged.append(1))
    made = outputs_of(net.train()(lr))
    assert enlarged == [1]
    assert list(made) == ["sr", "features"]
    assert made["features"].shape == (2, 128, 8, 8)
    assert torch.equal(net.eval()(lr), made["sr"])
    assert_close(made["features"], net.maps(lr))


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"layer=conv2_3 is no convolution of vgg16; choose from conv1_1, conv1_2"):
        FeatureNet(2, "vgg16", "conv2_3")
    with pytest.raises(ValueError, match=r"width=0 must be above 0 and at most 4; 1 is VGG's own"):
        FeatureNet(2, width=0.0)


def test_training_it_is_the_mean_squared_error_of_features():
    net, hr, lr = FeatureNet(**SMALL), torch.rand(2, 3, 16, 16), torch.rand(2, 3, 8, 8)
    loss = PredictedFeatures("vgg16", "conv2_2", weights="random")
    original = Features("vgg16", ["conv2_2"], "random")
    wanted = original(loss.standardise(hr))[0]
    value = loss(net.maps(lr), hr)
    assert_close(value, F.mse_loss(net.maps(lr), wanted))
    value.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    assert all(p.grad is None for p in loss.parameters())
    with pytest.raises(
        UserError, match=r"predicts maps of 128x8x8, and vgg16's conv1_2 has 64x16x16: give model=featu"
    ):
        PredictedFeatures("vgg16", "conv1_2", weights="random")(net.maps(lr), hr)


def test_using_it_needs_no_truth_and_leaves_it_alone():
    net, sr, lr = FeatureNet(**SMALL), torch.rand(2, 3, 16, 16, requires_grad=True), torch.rand(2, 3, 8, 8)
    loss = FeatureNetLoss(net, 2, weights="random").train()
    original = Features("vgg16", ["conv2_2"], "random")
    value = loss(sr, lr)
    assert_close(value, F.l1_loss(original(loss.standardise(sr))[0], net.maps(lr)))
    value.backward()
    assert sr.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())
    assert not net.training
    with pytest.raises(
        UserError, match=r"was trained at scale=2, and this run has scale=4; make one with `uv run pyth"
    ):
        FeatureNetLoss(net, 4, weights="random")


def test_a_trained_one_is_read_from_its_run(tmp_path):
    net = FeatureNet(**SMALL)
    save_network(tmp_path / "last.safetensors", net, CONFIG, {})
    for place in (tmp_path, tmp_path / "last.safetensors"):
        found = trained(str(place))
        assert torch.equal(found.stack[0].weight, net.stack[0].weight)
        assert not found.training
        assert not any(p.requires_grad for p in found.parameters())


def test_its_file_says_of_which_weights_it_predicts_features(tmp_path):
    term = Term(1.0, PredictedFeatures("vgg16", "conv2_2", weights="random"), "features,hr")
    assert Objective({"features": term, "l1": Term(1.0, L1())}).about == {"features": "random"}
    for said, used, alike in (("random", "random", True), ("imagenet", "random", False), (None, "random", True)):
        extra = {} if said is None else {"features": said}
        save_network(tmp_path / "last.safetensors", FeatureNet(**SMALL), CONFIG, extra)
        net = trained(str(tmp_path))
        if alike:
            FeatureNetLoss(net, 2, weights=used)
        else:
            with pytest.raises(UserError, match=SEES):
                FeatureNetLoss(net, 2, weights=used)


@pytest.mark.parametrize(
    ("scale", "extra", "more"),
    [
        (2, {}, ""),
        (2, {"features": "imagenet"}, ""),
        (2, {"features": "random"}, " loss.terms.feature_net.loss.weights=random"),
        (4, {"features": "random"}, " loss.terms.feature_net.loss.weights=random scale=4"),
    ],
)
def test_the_line_that_uses_one_says_what_it_was_trained_with(tmp_path, scale, extra, more):
    config = {**CONFIG, "scale": scale}
    for name in ("best", "last"):
        save_network(tmp_path / f"{name}.safetensors", FeatureNet(**SMALL | {"scale": scale}), config, extra)
    line = f"train.py loss=feature_net loss.terms.feature_net.loss.file={tmp_path}{more}"
    assert as_target(read_network(tmp_path / "last.safetensors")[0], tmp_path).endswith(line)
    with pytest.raises(UserError, match=f"plain bicubic; it is a target for training: .*{line}$"):
        open_network(tmp_path / "best.safetensors")


def test_a_missing_one_is_told_with_the_command_that_makes_it(tmp_path):
    make = r"make one with `uv run python train\.py experiment=lessons/feature_net` and give its run's folder"
    with pytest.raises(UserError, match=f"file=null names no feature net; {make}"):
        trained(None)
    with pytest.raises(UserError, match=f"file=gone: there is no feature net; {make}"):
        trained("gone")
    other = {"scale": 2, "features": 8, "dilations": [1]}
    save_network(tmp_path / "last.safetensors", Espcn(**other), {"_target_": "sr.models.espcn.Espcn", **other}, {})
    with pytest.raises(UserError, match=f"holds a Espcn, no feature net; {make}"):
        trained(str(tmp_path))
    broken = FeatureNet(**SMALL)
    nn.init.constant_(broken.stack[0].bias, float("nan"))
    save_network(tmp_path / "last.safetensors", broken, CONFIG, {})
    with pytest.raises(UserError, match="has weights that are not finite"):
        trained(str(tmp_path))
