"""Weights, packages and ncnn: read back as other programs do, refused where they would show another picture."""

import dataclasses
import importlib.util
import zipfile

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sr import files
from sr.errors import UserError
from sr.inference.export import formats
from sr.inference.export.formats import FORMATS, export_network
from sr.inference.export.ncnn import _renamed
from sr.inference.export.plain import applied
from sr.inference.export.trial import SIZES, photographs
from sr.models.compact import Compact
from sr.models.edsr import Edsr
from sr.models.espcn import Espcn
from sr.models.rrdb import RrdbNet

with_ncnn = pytest.mark.skipif(
    importlib.util.find_spec("pnnx") is None or importlib.util.find_spec("ncnn") is None, reason="uv sync --extra ncnn"
)


@pytest.fixture(scope="module")
def pictures():
    return photographs()


def refusal(network, kind, tmp_path, pictures, half=False):
    target = tmp_path / f"network{FORMATS[kind].suffixes[0]}"
    with pytest.raises(UserError) as error:
        export_network(network, kind, target, pictures, half)
    assert not list(tmp_path.iterdir())
    return str(error.value)


def test_the_pictures_have_the_sizes_that_are_said(pictures):
    assert [tuple(one.shape) for one in pictures] == [(1, 3, *size) for size in SIZES]
    assert all(one.std() > 0.05 for one in pictures)


@pytest.mark.parametrize(
    "network",
    [Compact(2, 8, 2), Compact(3, 8, 1), RrdbNet(4, 8, 1), RrdbNet(2, 8, 1)],
    ids=["x2", "x3", "rrdb", "rrdb2"],
)
@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_published_networks_are_the_same_to_spandrel(network, kind, tmp_path, pictures):
    target = tmp_path / f"network.{kind}"
    written = export_network(network, kind, target, pictures, half=False)
    assert written.paths == (target,)
    assert written.difference < 1e-6


def test_pth_holds_plain_tensors_where_basicsr_looks(tmp_path, pictures):
    network = Compact(2, 8, 1)
    export_network(network, "pth", tmp_path / "network.pth", pictures, half=False)
    content = torch.load(tmp_path / "network.pth", weights_only=True)
    assert list(content) == ["params"]
    assert list(content["params"]) == list(network.state_dict())
    assert {type(value) for value in content["params"].values()} == {torch.Tensor}


def test_half_weights(tmp_path, pictures):
    written = export_network(Compact(2, 8, 1), "safetensors", tmp_path / "n.safetensors", pictures, half=True)
    assert {value.dtype for value in load_file(tmp_path / "n.safetensors").values()} == {torch.float16}
    assert 0 < written.difference < 1e-2


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (RrdbNet(3, 8, 1), "would take this x3 RrdbNet for a x2 ESRGAN"),
        (RrdbNet(4, 8, 1, growth=8), "assume growth=32 of every RRDBNet, and this has 8"),
        (Compact(2, 8, 1, padding="reflect"), "padding=reflect lies in no weight"),
        (Espcn(2, 8), r"know no Espcn"),
        (Edsr(2, 8, 1), r"know no Edsr"),
    ],
)
def test_what_others_would_misread_is_refused_with_the_reason_and_a_way_out(network, reason, tmp_path, pictures):
    said = refusal(network, "safetensors", tmp_path, pictures)
    assert reason in said
    assert "--format onnx" in said


def test_another_picture_is_refused(tmp_path, pictures, monkeypatch):
    network = Compact(2, 8, 1)
    monkeypatch.setattr(formats, "applied", lambda _, lr: torch.zeros(1, 3, 2 * lr.shape[-2], 2 * lr.shape[-1]))
    said = refusal(network, "pth", tmp_path, pictures, half=True)
    assert "where 0.01 is allowed: other programs would show another picture" in said
    assert said.endswith("leave --half out")


def test_a_network_that_exploded_is_refused(tmp_path, pictures):
    network = Compact(2, 8, 1)
    with torch.no_grad():
        network.body[0].weight.fill_(torch.inf)
    assert "infinite or not a number" in refusal(network, "pth", tmp_path, pictures)


@pytest.mark.slow
def test_a_package_runs_without_this_toolkit_and_has_no_paths(tmp_path, pictures):
    written = export_network(RrdbNet(2, 4, 1, growth=2), "pt2", tmp_path / "n.pt2", pictures, half=False)
    assert written.difference < 1e-6
    with zipfile.ZipFile(tmp_path / "n.pt2") as archive:
        assert not any(b'File \\"' in archive.read(name) for name in archive.namelist())


def test_blobs_of_ncnn_have_the_names_that_programs_ask_for():
    text = (
        "7767517\n3 3\nInput in0 0 1 in0\nConvolution in0 1 1 in0 1 0=8 1=3 in0=1\nBinaryOp add_0 2 1 1 in0 out0 0=0\n"
    )
    assert _renamed(nn.Identity(), text) == (
        "7767517\n3 3\nInput in0 0 1 data\nConvolution in0 1 1 data 1 0=8 1=3 in0=1\n"
        "BinaryOp add_0 2 1 1 data output 0=0\n"
    )
    with pytest.raises(UserError, match=r"cannot be written for ncnn \(ncnn has no layer aten::mT\); --format onnx"):
        _renamed(nn.Identity(), "7767517\n1 1\naten::mT t 1 1 in0 out0\n")


@with_ncnn
@pytest.mark.parametrize("network", [Compact(2, 8, 1), Espcn(3, 8, padding="replicate"), RrdbNet(4, 8, 1)])
@pytest.mark.parametrize("half", [False, True])
def test_ncnn_makes_the_same_picture(network, half, tmp_path, pictures):
    written = export_network(network, "ncnn", tmp_path / "n.param", pictures, half)
    assert [path.name for path in written.paths] == ["n.param", "n.bin"]
    assert written.difference < (1e-2 if half else 1e-5)
    words = (tmp_path / "n.param").read_text().split()
    assert {"data", "output"} <= set(words)


@with_ncnn
def test_ncnn_of_what_folds_pixels_is_refused(tmp_path, pictures):
    assert "does not take pictures of every size" in refusal(RrdbNet(2, 8, 1), "ncnn", tmp_path, pictures)


@pytest.mark.parametrize("there", ["nothing", "a folder", "a file for a folder"])
def test_a_place_that_takes_no_file_is_told_before_the_long_work(there, tmp_path, pictures, monkeypatch):
    target = tmp_path / "out" / "n.pth"
    if there == "a folder":
        target.mkdir(parents=True)
        told = "n.pth is a folder; name a file"
    elif there == "a file for a folder":
        target.parent.write_text("")
        told = "could not write into"
    else:
        monkeypatch.setattr("sr.files._temporary", _no_room)
        told = "No space left on device"
    late = dataclasses.replace(FORMATS["pth"], made=lambda *_: pytest.fail("too late"))
    monkeypatch.setitem(FORMATS, "pth", late)
    with pytest.raises(UserError, match=told):
        export_network(Compact(2, 8, 1), "pth", target, pictures, half=False)


def _no_room(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("old", [True, False])
def test_both_files_of_a_format_or_none(old, tmp_path, pictures, monkeypatch):
    pair = formats.Format((".param", ".bin"), (), lambda *_: (b"new", b"new"), lambda _, lr: applied(network, lr))
    monkeypatch.setitem(FORMATS, "pair", pair)
    network, places = Compact(2, 8, 1), [tmp_path / "n.param", tmp_path / "n.bin"]
    if old:
        for path in places:
            path.write_bytes(b"old")
    real = files.write_atomically

    def picky(path, data):
        if path.suffix == ".bin":
            raise UserError("could not write n.bin: No space left on device")
        real(path, data)

    with monkeypatch.context() as patch:
        for module in (files, formats):
            patch.setattr(module, "write_atomically", picky, raising=False)
        with pytest.raises(UserError, match=r"could not write n\.bin"):
            export_network(network, "pair", places[0], pictures, half=False)
    assert [path.read_bytes() if path.exists() else None for path in places] == ([b"old"] * 2 if old else [None] * 2)
    export_network(network, "pair", places[0], pictures, half=False)
    assert [path.read_bytes() for path in places] == [b"new"] * 2


def test_weights_that_nobody_named_are_not_replaced(tmp_path, pictures):
    (tmp_path / "network.bin").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"network\.bin is there without network\.param, so it may be something else"):
        export_network(Compact(2, 4, 1), "ncnn", tmp_path / "network.param", pictures, half=False)
    assert (tmp_path / "network.bin").read_bytes() == b"mine"


def test_the_callers_draws_stay(tmp_path, pictures):
    network = Compact(2, 4, 1)
    torch.manual_seed(3)
    export_network(network, "pt2", tmp_path / "network.pt2", pictures, half=False)
    drawn = torch.rand(1)
    assert torch.equal(drawn, torch.manual_seed(3) and torch.rand(1))
