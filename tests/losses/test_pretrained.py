"""ImageNet weights: where they are looked for, what a file may look like, and what is said when it does not fit."""

import hashlib
import io
from pathlib import Path
from typing import get_args

import pytest
import safetensors.torch
import torch
from torchvision.models import get_model_weights

from sr.errors import UserError
from sr.losses.backbones import Features
from sr.losses.pretrained import URLS, Net, bundled, found, has_some, named_or_file, read_tensors
from tests.served import Site, served

FIRST_TWO = ["conv1_1", "conv1_2"]
PUBLISHED = dict(URLS)
"""Before the tests replace them."""


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    """Neither the machine's weights nor its network: the tests bring their own."""
    monkeypatch.delenv("SR_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for net in get_args(Net):
        monkeypatch.setitem(URLS, net, f"http://127.0.0.1:9/{net}-0123abcd.pth")  # nobody listens on port 9


def tensors(prefix: str = "features.", layers: tuple[int, ...] = (0, 2)) -> dict[str, torch.Tensor]:
    """Random weights of VGG's first convolutions."""
    channels = {0: (3, 64), 2: (64, 64), 5: (64, 128)}
    made = {}
    for layer in layers:
        before, after = channels[layer]
        made[f"{prefix}{layer}.weight"] = torch.randn(after, before, 3, 3) / 10
        made[f"{prefix}{layer}.bias"] = torch.randn(after) / 10
    return made


def as_bytes(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def holds(features: Features, expected: dict[str, torch.Tensor]) -> bool:
    state = features.stack.state_dict()
    return all(torch.equal(state[key.removeprefix("features.")], value) for key, value in expected.items())


@pytest.mark.parametrize("prefix", ["features.", ""])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_may_be_cut_down_and_named_either_way(tmp_path, prefix, nested, suffix):
    content = tensors(prefix)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save({"state_dict": content, "epoch": 3} if nested else content, path)
    assert holds(Features("vgg16", FIRST_TWO, str(path)), {k.removeprefix(prefix): v for k, v in content.items()})


def test_a_classifier_beside_the_features_and_half_precision_do_no_harm(tmp_path):
    content = tensors()
    stored = {k: v.half() for k, v in content.items()} | {"classifier.0.weight": torch.ones(2, 2)}
    torch.save(stored, tmp_path / "w.pth")
    features = Features("vgg16", FIRST_TWO, str(tmp_path / "w.pth"))
    assert holds(features, {k: v.half().float() for k, v in content.items()})
    assert features.stack[0].weight.dtype == torch.float32


def test_batch_norm_files_need_no_counters(tmp_path):
    full = Features("vgg16_bn", ["relu1_1"], "random").stack.state_dict()
    content = {f"features.{k}": v + 0.5 for k, v in full.items() if not k.endswith("num_batches_tracked")}
    torch.save(content, tmp_path / "w.pth")
    assert holds(Features("vgg16_bn", ["relu1_1"], str(tmp_path / "w.pth")), content)


def test_imagenet_is_found_in_the_named_folder_first_then_in_torchs(tmp_path, monkeypatch):
    assert found("vgg16") is None
    hub, own = tmp_path / "torch" / "hub" / "checkpoints", tmp_path / "own"
    hub.mkdir(parents=True)
    own.mkdir()
    in_hub, in_own = tensors(), tensors()
    torch.save(in_hub, hub / "vgg16-0123abcd.pth")
    assert found("vgg16") == hub / "vgg16-0123abcd.pth"
    monkeypatch.setenv("SR_WEIGHTS", str(own))
    assert found("vgg16") == hub / "vgg16-0123abcd.pth"
    torch.save(in_own, own / "vgg16_features.pth")
    assert found("vgg16") == own / "vgg16_features.pth"
    assert holds(Features("vgg16", FIRST_TWO, "imagenet"), in_own)
    (own / "vgg16_features.pth").unlink()
    assert holds(Features("vgg16", FIRST_TWO, "imagenet"), in_hub)
    assert found("vgg19") is None


def test_urls_are_torchvisions():
    """The files that its documentation names; people have them by these names."""
    folder = "https://download.pytorch.org/models"
    expected = {
        "vgg16": f"{folder}/vgg16-397923af.pth",
        "vgg16_bn": f"{folder}/vgg16_bn-6c64b313.pth",
        "vgg19": f"{folder}/vgg19-dcbb9e9d.pth",
        "vgg19_bn": f"{folder}/vgg19_bn-c79401a0.pth",
        "alexnet": f"{folder}/alexnet-owt-7be5be79.pth",
        "squeezenet1_1": f"{folder}/squeezenet1_1-b8a52dc0.pth",
    }
    assert expected == PUBLISHED


def test_download_is_checked_and_kept(tmp_path, monkeypatch, capsys):
    content = tensors()
    data = as_bytes(content)
    name = f"vgg16-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    with served(Site({f"/{name}": data})) as site:
        monkeypatch.setitem(URLS, "vgg16", f"{site.url}/{name}")
        assert holds(Features("vgg16", FIRST_TWO, "imagenet"), content)
        assert holds(Features("vgg16", FIRST_TWO, "imagenet"), content)
        assert len(site.asked) == 1
    assert found("vgg16") == tmp_path / "torch" / "hub" / "checkpoints" / name
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [({"statuses": [503]}, "503"), ({"cuts": [100]}, "invalid hash value"), ({"files": {}}, "404")],
)
def test_a_failed_download_leaves_nothing_and_tells_the_ways_out(tmp_path, monkeypatch, misbehave, reason):
    data = as_bytes(tensors())
    name = f"vgg16-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    with served(Site(**({"files": {f"/{name}": data}} | misbehave))) as site:
        monkeypatch.setitem(URLS, "vgg16", f"{site.url}/{name}")
        with pytest.raises(UserError) as error:
            Features("vgg16", FIRST_TWO, "imagenet")
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    message = str(error.value)
    assert message.startswith("the ImageNet weights of vgg16 are not on this machine, and their download failed (")
    assert reason in message
    assert f"put {site.url}/{name} as {name} into {folder} or into the folder that" in message
    assert "variable SR_WEIGHTS names, or set weights=FILE, or weights=random for an untrained network" in message
    assert "\n" not in message
    assert not list(folder.iterdir())


def test_no_network_is_one_sentence():
    with pytest.raises(UserError, match=r"of alexnet are not on this machine.*refused.*weights=random"):
        Features("alexnet", ["relu1"], "imagenet")


def test_missing_layers_are_named_with_what_can_be_had(tmp_path):
    path = tmp_path / "short.pth"
    torch.save(tensors(), path)
    with pytest.raises(UserError) as error:
        Features("vgg19", ["conv1_1", "relu2_2"], str(path))
    assert str(error.value) == (
        f"{path} lacks conv2_1, conv2_2 of vgg19, it is complete up to conv1_2; set layers=[conv1_2] "
        "(or others up to it), or give a file with all layers up to relu2_2"
    )
    with pytest.raises(UserError, match=r"lacks conv2_1, conv2_2, conv3_1 and 11 more of vgg19"):
        Features("vgg19", ["conv5_4"], str(path))
    with pytest.raises(UserError, match=r"complete up to conv1_2; give a file with all layers up to relu2_2$"):
        Features("vgg19", ["relu2_2"], str(path), fixed=True)
    torch.save(tensors(layers=(0, 5)), path)  # a gap, and a deeper layer after it
    with pytest.raises(UserError, match=r"lacks conv1_2 of vgg16, it is complete up to conv1_1; set layers="):
        Features("vgg16", ["conv2_1"], str(path))


def test_files_of_something_else_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"body.0.weight": torch.ones(3)}, path)
    with pytest.raises(UserError, match=r"holds no features of vgg16: features\.0\.weight is missing; give a file"):
        Features("vgg16", FIRST_TWO, str(path))
    torch.save(tensors(), path)
    with pytest.raises(
        UserError, match=r"another network than alexnet: features\.0\.weight is \[64, 3, 3, 3\] instead"
    ):
        Features("alexnet", ["relu1"], str(path))
    torch.save(tensors() | {"features.2.bias": torch.full((64,), torch.nan)}, path)
    message = r"damaged: features\.2\.bias has values that are not finite; name another file$"
    with pytest.raises(UserError, match=message):
        Features("vgg16", FIRST_TWO, str(path))
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="holds no weights by name but a list"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / name
    if name == "w.pth":
        torch.save(tensors(), path)
    else:
        safetensors.torch.save_file(tensors(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=rf"{name} is damaged or no file of weights \(.*\); name another file$"):
        Features("vgg16", FIRST_TWO, str(path))


def test_a_file_of_the_first_layers_is_taken_where_it_has_all_that_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("SR_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("sr.losses.pretrained._download", lambda net: pytest.fail(f"{net} was to be downloaded"))
    assert not has_some("vgg16")
    first = tensors()
    torch.save(
        {key: value for key, value in first.items() if key.startswith("features.0.")},
        tmp_path / "vgg16_features_to_conv1_1.pth",
    )
    assert has_some("vgg16")
    with pytest.raises(pytest.fail.Exception, match="vgg16 was to be downloaded"):
        Features("vgg16", FIRST_TWO, "imagenet")
    torch.save(first, tmp_path / "vgg16_features_to_conv1_2.pth")
    assert holds(Features("vgg16", FIRST_TWO, "imagenet"), first)


def test_a_damaged_file_that_was_found_may_go(tmp_path, monkeypatch):
    monkeypatch.setenv("SR_WEIGHTS", str(tmp_path))
    path = tmp_path / "vgg16_features.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"features\.pth is damaged .*\); delete it to have it downloaded again$"):
        Features("vgg16", FIRST_TWO, "imagenet")
    torch.save(tensors() | {"features.2.bias": torch.full((64,), torch.nan)}, path)
    with pytest.raises(UserError, match=r"are not finite; delete it to have it downloaded again$"):
        Features("vgg16", FIRST_TWO, "imagenet")


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_no_code_of_a_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Malicious()}, "w.pth")
    with pytest.raises(UserError, match=r"w\.pth is damaged or no file of weights"):
        read_tensors(Path("w.pth"))
    assert not Path("ran").exists()


def test_a_name_that_is_no_file(tmp_path):
    with pytest.raises(UserError, match=r"^weights=imagnet is no file; did you mean imagenet\?$"):
        Features("vgg16", FIRST_TWO, "imagnet")
    message = r"^weights=/nowhere/w\.pth is no file; give the path of a file, imagenet or random$"
    with pytest.raises(UserError, match=message):
        Features("vgg16", FIRST_TWO, "/nowhere/w.pth")
    with pytest.raises(UserError, match=r"^weights=.* is a folder; give the path of a file, imagenet or random$"):
        Features("vgg16", FIRST_TWO, str(tmp_path))


def test_a_keyword_or_a_file_of_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pth").touch()
    assert named_or_file("heads", "~/w.pth", ("bundled",)) == tmp_path / "w.pth"
    assert named_or_file("heads", "bundled", ("bundled",)) is None


@pytest.mark.parametrize("net", ["vgg16_bn", "squeezenet1_1"])
def test_random_weights_are_always_the_same_and_leave_the_generator_alone(net):
    before = torch.get_rng_state()
    first, again = (Features(net, ["relu1_1" if "vgg" in net else "fire3"], "random") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert holds(first, again.stack.state_dict())
    assert all(value.isfinite().all() for value in first.stack.state_dict().values())
    assert first.stack[0].weight.std() > 0.05


def test_random_weights_do_not_depend_on_the_depth():
    assert holds(Features("vgg16", ["conv2_1"], "random"), Features("vgg16", FIRST_TWO, "random").stack.state_dict())


def test_bundled_files():
    assert bundled("torchmetrics", "functional/image/lpips_models/alex.pth").is_file()
    with pytest.raises(UserError, match=r"the installed torchmetrics does not bring none\.pth; update it"):
        bundled("torchmetrics", "none.pth")


def test_the_addresses_are_torchvisions():
    assert {net: get_model_weights(net)["IMAGENET1K_V1"].url for net in get_args(Net)} == PUBLISHED
