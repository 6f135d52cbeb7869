"""Feature stacks against torchvision's own modules, and the VGG loss against plain formulas on them."""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torchvision.transforms.functional import normalize

from sr.errors import UserError
from sr.losses.backbones import Features, Standardise, layers_of
from sr.losses.pretrained import Net
from sr.losses.vgg import Vgg, masked_layers, reduced
from tests.choices import refusal
from tests.close import assert_close
from tests.conftest import REPOSITORY
from tests.feature_networks import pair, torchvisions, untrained_features, with_biases

VGG_CONFIGS = sorted((REPOSITORY / "conf" / "loss").glob("vgg*.yaml"))
NETS = get_args(Net)
pytestmark = pytest.mark.usefixtures("one_thread")


def collected(stack, indices, x):
    """What hooks and loops in published code get: maps that an in-place ReLU may overwrite later."""
    maps = []
    for index, module in enumerate(stack):
        x = module(x)
        if index in indices:
            maps.append(x)
    return maps


def small(**options):
    return with_biases(Vgg("vgg16", weights="random", **{"layers": ["conv1_2", "conv2_1"]} | options))


@pytest.mark.parametrize("net", NETS)
def test_every_layer_equals_torchvisions(net):
    names = [name for name, _ in layers_of(net)]
    ours = with_biases(Features(net, names, "random"))
    theirs = torchvisions(net, ours)
    picture = torch.randn(1, 3, 64, 64)
    x = picture
    for index, value in enumerate(ours(picture)):
        x = theirs[index](x.clone())  # ReLUs work in place
        assert_close(value, x)
    assert len(names) == len(theirs) == len(untrained_features(net))


def test_layers_have_the_usual_indices():
    indices = {net: {name: i for i, (name, _) in enumerate(layers_of(net))} for net in NETS}
    assert indices["vgg16"]["conv3_3"] == 14
    assert indices["vgg16"]["conv4_3"] == 21
    assert indices["vgg16"]["pool5"] == 30
    assert indices["vgg19"]["conv5_4"] == 34
    assert indices["vgg19_bn"]["bn5_4"] == 50
    assert indices["alexnet"]["relu5"] == 11
    assert indices["squeezenet1_1"]["fire9"] == 12


@pytest.mark.parametrize("net", NETS)
def test_smallest_picture(net):
    features = Features(net, [layers_of(net)[-1][0]], "random")
    side = features.smallest
    assert all(n == 1 for n in features(torch.zeros(1, 3, side, side))[0].shape[2:])
    features.check(torch.zeros(1, 3, side, side))
    with pytest.raises(UserError, match=rf"up to \w+ needs pictures of at least {side}x{side} pixels, not {side}x"):
        features.check(torch.zeros(1, 3, side, side - 1))
    with pytest.raises(RuntimeError):
        features(torch.zeros(1, 3, side - 1, side - 1))


def test_only_what_is_needed_is_built():
    assert len(Features("vgg19", ["conv1_2", "relu1_1"], "random").stack) == 3


def test_convolutions_are_taken_before_their_activation():
    before, after = (with_biases(Features("vgg16", [n], "random")) for n in ("conv1_2", "relu1_2"))
    after.stack.load_state_dict(before.stack.state_dict())
    x, _ = pair()
    assert before(x)[0].min() < 0
    assert torch.equal(F.relu(before(x)[0]), after(x)[0])


def test_maps_come_in_the_order_of_their_names():
    features = with_biases(Features("vgg16", ["relu2_1", "conv1_1", "relu1_1"], "random"))
    deep, first, activated = features(pair()[0])
    assert deep.shape[1] == 128
    assert first.min() < 0
    assert torch.equal(F.relu(first), activated)


def test_the_trap_of_activations_in_place():
    """Only the deepest map survives; the value and the gradient are those of relu, relu, conv."""
    loss = small(layers=["conv1_1", "conv1_2", "conv2_1"], inplace=True, input="zero_one", distance="l2")
    meant = small(layers=["relu1_1", "relu1_2", "conv2_1"], input="zero_one", distance="l2")
    meant.features.stack.load_state_dict(loss.features.stack.state_dict())
    x, y = pair()
    theirs = torchvisions("vgg16", loss.features)
    maps, wanted = (collected(theirs, (0, 2, 5), z) for z in (x, y))
    assert maps[0].min() == maps[1].min() == 0 > maps[2].min()
    expected = sum((a - b).square().mean() for a, b in zip(maps, wanted, strict=True))
    assert_close(loss(x, y), expected)
    gradients = []
    for module in (loss, meant):
        p = x.clone().requires_grad_()
        module(p, y).backward()
        gradients.append(p.grad)
    assert gradients[0].abs().max() > 0
    assert_close(gradients[0], gradients[1])
    honest = small(layers=["conv1_1", "conv1_2", "conv2_1"], input="zero_one", distance="l2")
    honest.features.stack.load_state_dict(loss.features.stack.state_dict())
    assert honest(x, y) > 1.1 * loss(x, y)


@pytest.mark.parametrize(
    ("net", "mask", "names"),
    [
        ("vgg19", 15, ["conv1_2", "conv2_2", "conv3_4", "conv4_4"]),
        ("vgg19_bn", 17, ["bn1_2", "bn5_4"]),
        ("vgg16_bn", 4, ["bn3_3"]),
        ("vgg16", 31, ["conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"]),
        ("vgg16", 5, ["conv1_2", "conv3_3"]),
    ],
)
def test_masks(net, mask, names):
    assert masked_layers(net, mask) == names


def test_batch_norm_comes_between_a_convolution_and_its_activation():
    """So its map is the one before the activation, and the one that an activation in place overwrites."""
    names = ["conv1_1", "bn1_1", "relu1_1", "conv1_2"]
    honest, trapped = (with_biases(Features("vgg16_bn", names, "random", inplace=i)) for i in (False, True))
    trapped.stack.load_state_dict(honest.stack.state_dict())
    x, _ = pair()
    conv, bn, relu, deepest = honest(x)
    assert bn.min() < 0
    assert torch.equal(F.relu(bn), relu)
    for overwritten, meant in zip(trapped(x), (conv, relu, relu, deepest), strict=True):
        assert torch.equal(overwritten, meant)


def test_flattened_maps_count_by_their_size():
    loss = small(layers=15, flattened=True, distance="l2", layer_weights=[1.0, 2.0, 3.0, 4.0])
    x, y = pair(1, 16, 16)
    maps, wanted = loss.features(loss.standardise(x)), loss.features(loss.standardise(y))
    sizes = [m.numel() for m in maps]
    assert [size / sizes[-1] for size in sizes] == [8, 4, 2, 1]
    squares = [(a - b).square().flatten() for a, b in zip(maps, wanted, strict=True)]
    assert_close(loss(x, y), torch.cat([w * s for w, s in zip((1, 2, 3, 4), squares, strict=True)]).mean())


@pytest.mark.parametrize("pool", [1, 3, 7])
def test_pooled_maps(pool):
    loss = small(layers=["conv1_2", "relu2_1"], pool=pool, layer_weights=[0.5, 2.0])
    x, y = pair(2, 16, 16)
    sides = [loss.features(loss.standardise(z)) for z in (x, y)]
    terms = [
        F.l1_loss(F.adaptive_avg_pool2d(a, pool).flatten(1), F.adaptive_avg_pool2d(b, pool).flatten(1))
        for a, b in zip(*sides, strict=True)
    ]
    assert_close(loss(x, y), 0.5 * terms[0] + 2 * terms[1])


def test_inputs():
    x, _ = pair()
    stretched, plain, imagenet = (small(input=i).standardise(x) for i in ("minus_one_one", "zero_one", "imagenet"))
    assert_close(stretched, 2 * x - 1)
    assert torch.equal(plain, x)
    assert_close(imagenet, normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert Standardise((0.5,) * 3, (0.5,) * 3)(x.bfloat16()).dtype == torch.float32


def test_half_size_in_linear_light():
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(2, 2).expand(1, 3, 4, 4)
    assert_close(reduced(board, 2, True), torch.full((1, 3, 2, 2), 0.7297400528407231))  # 0.5^(1/2.2)
    assert_close(reduced(board, 2, False), torch.full((1, 3, 2, 2), 0.5))
    assert reduced(board, 1, True) is board
    gray = torch.full((1, 3, 5, 4), 0.3)
    assert_close(reduced(gray, 2, True), torch.full((1, 3, 2, 2), 0.3))


def test_linear_light_has_finite_gradients_everywhere():
    x = torch.linspace(-0.5, 1.5, 48).reshape(1, 3, 4, 4).requires_grad_()
    reduced(x, 2, True).sum().backward()
    assert x.grad.isfinite().all()
    dark = torch.zeros(1, 3, 4, 4, requires_grad=True)
    reduced(dark, 2, True).sum().backward()
    assert dark.grad.isfinite().all()


@pytest.mark.parametrize("linear", [True, False])
def test_resolutions_add_up(linear):
    both = small(resolutions=[1, 2], resolution_weights=[1.0, 0.25], linear_light=linear)
    one = small()
    one.features.stack.load_state_dict(both.features.stack.state_dict())
    x, y = pair()
    halved = [(z**2.2 if linear else z).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)) for z in (x, y)]
    half = one(*(z ** (1 / 2.2) if linear else z for z in halved))
    assert_close(both(x, y), one(x, y) + 0.25 * half)


def test_gradient_is_right():
    loss = small(distance="l2", resolutions=[1, 2], layers=["conv1_1", "relu1_2"]).double()
    x, y = pair(1, 6, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: loss(z, y), x.requires_grad_())


def test_layout_is_kept_and_does_not_matter():
    loss = small()
    x, y = (z.contiguous(memory_format=torch.channels_last) for z in pair())
    maps = loss.features(loss.standardise(x))
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)
    assert_close(loss(x, y), loss(x.contiguous(), y.contiguous()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["conv2_3"]}, r"vgg16 has no layer 'conv2_3'; did you mean conv2_2"),
        ({"layers": ["fc6"]}, r"vgg16 has no layer 'fc6'; choose from conv1_1, relu1_1"),
        ({"layers": []}, r"layers=\[\] must name at least one layer of vgg16"),
        ({"layers": ["conv1_1", "conv1_1"]}, "none twice"),
        ({"layers": 32}, r"layers=32 must be a list of layer names, or a bit mask .* 1 to 31"),
        ({"layers": True}, "layers=True must be a list"),
        ({"layers": "conv1_1"}, r"layers=conv1_1 must be a list, layers=\[conv1_1\]"),
        (
            {"layer_weights": [1.0]},
            r"layer_weights=\[1.0\] must be one finite number of at least 0 for each of the 2 layers \(conv1_2",
        ),
        ({"layer_weights": [1.0, float("nan")]}, r"layer_weights=\[1.0, nan\] must be one finite number of at least 0"),
        ({"layer_weights": [1.0, -0.5]}, r"layer_weights=\[1.0, -0.5\] must be one finite number of at least 0"),
        ({"resolution_weights": [-1.0]}, r"resolution_weights=\[-1.0\] must be one finite number of at least 0"),
        ({"resolutions": [0]}, r"resolutions=\[0\] must be divisors of at least 1"),
        ({"resolutions": []}, r"resolutions=\[\] must be"),
        ({"resolution_weights": [1.0, 2.0]}, r"for each of the 1 resolutions \(1\)"),
        ({"pool": 0}, "pool=0 must be at least 1"),
        ({"trim": -1}, "trim=-1 counts pixels; use 0"),
    ],
)
def test_mistakes_are_quoted(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"net": "vgg13"}, "net=vgg13 is not one of vgg16, vgg16_bn, vgg19 or vgg19_bn; did you mean vgg19?"),
        ({"distance": "l3"}, "distance=l3 is not one of l1 or l2; choose one of them."),
        ({"input": "tanh"}, "input=tanh is not one of imagenet, zero_one or minus_one_one; choose one of them."),
    ],
)
def test_choices_that_do_not_exist_are_refused(wrong, message):
    assert refusal(Vgg, weights="random", **wrong) == message


def test_a_network_that_does_not_exist_is_refused():
    listed = "vgg16, vgg16_bn, vgg19, vgg19_bn, alexnet or squeezenet1_1"
    with pytest.raises(ValueError, match=rf"^net=resnet is not one of {listed}; did you mean alexnet\?$"):
        layers_of("resnet")


def test_pictures_that_do_not_fit_are_refused():
    loss = small(layers=["conv3_1"], resolutions=[1, 2])
    message = r"vgg16 up to conv3_1 needs pictures of at least 8x8 pixels, not 7x9; take larger"
    with pytest.raises(UserError, match=message):
        loss(torch.zeros(1, 3, 7, 9), torch.zeros(1, 3, 7, 9))


@pytest.mark.parametrize("resolutions", [[1], [1, 2]])
def test_a_border_of_the_maps_is_left_out(resolutions):
    """The notes: of maps as large as pictures of 248 pixels 16 cells, of those half as large 8, of a quarter 4."""
    loss = small(layers=["conv1_2", "conv2_2", "conv3_1"], trim=16, resolutions=resolutions, distance="l2")
    x, y = pair(1, 248, 248)
    expected = torch.zeros(())
    for factor in resolutions:
        maps, wanted = (loss.features(loss.standardise(reduced(z, factor, True))) for z in (x, y))
        for a, b, cells in zip(maps, wanted, (16 // factor, 8 // factor, 4 // factor), strict=True):
            expected += (a - b)[:, :, cells:-cells, cells:-cells].square().mean()
    assert_close(loss(x, y), expected)
    border = x.clone()
    border[:, :, :2] = y[:, :, :2]
    assert_close(loss(x, y), loss(border, y))  # 2 pixels reach as far as 14: less than the border
    with pytest.raises(UserError, match=r"trim=16 at each border leaves nothing of pictures of 32x40; .* or trim=15"):
        loss(torch.zeros(1, 3, 32, 40), torch.zeros(1, 3, 32, 40))


def published(name, stack, x, y):
    """The loss of each file of conf/loss, written down from its source, on torchvision's stack with in-place ReLUs."""
    halves = [(z.clamp(1e-6, 1) ** 2.2).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)) ** (1 / 2.2) for z in (x, y)]
    imagenet = [normalize(z, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) for z in (x, y)]
    stretched = [2 * z - 1 for z in (x, y)]
    if name == "vgg":
        return F.l1_loss(*(stack[:35](z) for z in imagenet))
    if name == "vgg_five":
        cuts = zip((0.1, 0.1, 1, 1, 1), (3, 8, 17, 26, 35), strict=True)
        return sum(w * F.l1_loss(*(stack[:cut](z) for z in imagenet)) for w, cut in cuts)
    if name in ("vgg_full", "vgg_conv4_3"):
        cut = stack[:22] if name == "vgg_conv4_3" else stack
        return F.l1_loss(*(torch.nn.AdaptiveAvgPool2d((7, 7))(cut(z)).flatten(1) for z in stretched))
    if name == "vgg_mask":
        flat = [torch.cat([m.flatten() for m in collected(stack, (2, 7, 16, 25), z)]) for z in stretched]
        return F.mse_loss(*flat)
    assert name == "vgg_notes", "write down what the source computes"
    halved = [normalize(z, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) for z in halves]
    maps = [[collected(stack[:15], (0, 2, 5, 7, 10, 12, 14), z) for z in two] for two in (imagenet, halved)]
    return sum(F.mse_loss(a, b) for p, t in maps for a, b in zip(p, t, strict=True))


@pytest.mark.parametrize("path", VGG_CONFIGS, ids=lambda path: path.stem)
def test_configs_are_what_they_say(path):
    term = OmegaConf.load(path).terms[path.stem]
    assert term.weight == (1e-4 if path.stem == "vgg_notes" else 1.0)
    assert term.loss.weights == "imagenet"
    loss = with_biases(instantiate(term.loss, weights="random"))
    x, y = pair(1, 32, 32)
    assert_close(loss(x, y), published(path.stem, torchvisions(term.loss.net, loss.features), x, y))
