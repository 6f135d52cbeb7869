"""The deliverable file: what goes in comes out, what is wrong is said, what was there survives."""

import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from sr.files import write_atomically
from sr.models.bicubic import Bicubic
from sr.models.espcn import Espcn
from sr.models.files import load_network, save_network
from sr.models.rdn import Rdn
from sr.models.weights import read_weights
from sr.pickles import PICKLED
from sr.types import UserError

CONFIG = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 8, "dilations": [1, 2]}


def network():
    return Espcn(scale=2, features=8, dilations=(1, 2))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "runs" / "best.safetensors"
    save_network(path, network(), CONFIG, {"updates": 1500, "metrics": {"psnr_y": 37.2}, "run": "a"})
    return path


def rewrite(path, tensors=None, **metadata):
    """The same file with other tensors or metadata; None removes an entry."""
    with safetensors.safe_open(path, "pt") as file:
        everything = {**(file.metadata() or {}), **metadata}
        tensors = tensors or {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    kept = {k: v for k, v in everything.items() if v is not None}
    path.write_bytes(safetensors.torch.save(tensors, kept))


def test_round_trip(tmp_path):
    original = network().to(memory_format=torch.channels_last).train()
    path = tmp_path / "best.safetensors"
    save_network(path, original, CONFIG, {"updates": 1500, "metrics": {"psnr_y": 37.2}})
    loaded, info = load_network(path)
    assert info.path == path
    assert info.scale == loaded.scale == 2
    assert info.config == CONFIG
    assert info.extra == {"updates": 1500, "metrics": {"psnr_y": 37.2}}
    assert not loaded.training
    image = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        assert torch.equal(loaded(image), original.to(memory_format=torch.contiguous_format)(image))


def test_file_of_a_network_without_weights(tmp_path):
    path = tmp_path / "bicubic.safetensors"
    save_network(path, Bicubic(3), {"_target_": "sr.models.bicubic.Bicubic", "scale": 3}, {})
    loaded, _ = load_network(path)
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(loaded(image), Bicubic(3)(image))


def test_half_precision_weights_come_back_as_float32(tmp_path):
    path = tmp_path / "half.safetensors"
    save_network(path, network().bfloat16(), CONFIG, {})
    loaded, _ = load_network(path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_config_of_another_network_is_refused_when_saving(tmp_path):
    with pytest.raises(ValueError, match=r"describes sr.models.espcn.Espcn at scale 2, .* is sr.models.rdn.Rdn"):
        save_network(tmp_path / "x.safetensors", Rdn(2, 4, 4, 1, 1), CONFIG, {})
    assert not any(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------- bad files


def test_absent_file(tmp_path):
    with pytest.raises(UserError, match=r"nothing.safetensors does not exist"):
        load_network(tmp_path / "nothing.safetensors")
    with pytest.raises(UserError, match="is not a file"):
        load_network(tmp_path)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_truncated_file(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"best.safetensors is truncated; copy or download it again"):
        load_network(saved)


@pytest.mark.parametrize("content", [b"", b"not weights at all", bytes(1000), b"PK\x03\x04" * 50])
def test_something_else(saved, content):
    saved.write_bytes(content)
    with pytest.raises(UserError, match=r"best.safetensors is not a safetensors file"):
        load_network(saved)


@pytest.mark.parametrize("ending", [".onnx", ".param", ".pth"])
def test_of_other_endings_is_said_which_are_read(tmp_path, ending):
    (tmp_path / f"net{ending}").write_bytes(b"not weights at all")
    told = r"is not a safetensors file \(.*\); networks are read from \.safetensors files and, where other programs"
    with pytest.raises(UserError, match=f"net{ending} {told}"):
        load_network(tmp_path / f"net{ending}")
    for known in PICKLED:  # what the sentence names is what is read
        torch.save({"params": {"a": torch.zeros(1)}}, tmp_path / f"net{known}")
        assert known in read_error(tmp_path / f"net{ending}")
        assert list(read_weights(tmp_path / f"net{known}")) == ["a"]


def read_error(path):
    with pytest.raises(UserError) as error:
        load_network(path)
    return str(error.value)


def test_weights_of_another_program(saved):
    safetensors.torch.save_file({"conv.weight": torch.zeros(3)}, saved)
    with pytest.raises(UserError, match="is not a network of this toolkit: its format is 'none'"):
        load_network(saved)
    rewrite(saved, format="sr-toolkit/9")
    with pytest.raises(UserError, match="its format is 'sr-toolkit/9', expected 'sr-toolkit/1'"):
        load_network(saved)


@pytest.mark.parametrize("metadata", [{"model": None}, {"extra": None}, {"extra": "{"}, {"model": "[]"}])
def test_damaged_metadata(saved, metadata):
    rewrite(saved, **metadata)
    with pytest.raises(UserError, match=r"best.safetensors has damaged metadata"):
        load_network(saved)


def test_target_outside_the_models_is_never_imported(saved, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    for target in ("evil.Network", "os.system", "sr.files.write_atomically"):
        rewrite(saved, model=f'{{"_target_": "{target}", "scale": 2}}')
        with pytest.raises(UserError, match=f"names the network '{target}', which is not under"):
            load_network(saved)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "sr.models.espnc.Espcn",
            "names the network 'sr.models.espnc.Espcn', which this version does not have",
        ),
        (
            "sr.models.espcn.Missing",
            "names the network 'sr.models.espcn.Missing', which this version does not",
        ),
        ("sr.models.init.icnr_", "names 'sr.models.init.icnr_', which is not a network"),
    ],
)
def test_unknown_target(saved, target, message):
    rewrite(saved, model=f'{{"_target_": "{target}", "scale": 2}}')
    with pytest.raises(UserError, match=message):
        load_network(saved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('"scale": 5', "cannot upscale by 5"),
        ('"scale": 2, "width": 3', "unexpected keyword argument 'width'"),
    ],
)
def test_arguments_that_cannot_be(saved, arguments, message):
    rewrite(saved, model=f'{{"_target_": "sr.models.espcn.Espcn", {arguments}}}')
    with pytest.raises(UserError, match=f"describes a network that cannot be built: .*{message}"):
        load_network(saved)


def test_weights_that_do_not_fit_are_named(saved):
    weights = network().state_dict()
    weights["extra.weight"] = weights.pop("head.0.bias")
    weights["head.0.weight"] = torch.zeros(2, 3, 5, 5)
    rewrite(saved, tensors=weights)
    message = (
        r"best.safetensors holds the weights of another network than Espcn: 1 missing \(head.0.bias\); "
        r"1 unexpected \(extra.weight\); "
        r"1 mis-shaped \(head.0.weight \[2, 3, 5, 5\] instead of \[8, 3, 5, 5\]\)"
    )
    with pytest.raises(UserError, match=message):
        load_network(saved)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.bool, torch.int8])
def test_numbers_that_are_not_real_are_no_weights(saved, dtype):
    weights = network().state_dict()
    weights["head.0.bias"] = weights["head.0.bias"].to(dtype)
    rewrite(saved, tensors=weights)
    with pytest.raises(UserError, match=rf"1 mistyped \(head.0.bias {dtype} instead of torch.float32\)"):
        load_network(saved)


def test_only_the_first_few_keys_are_named(saved):
    rewrite(saved, tensors=Rdn(2, 4, 4, 1, 1).state_dict())
    with pytest.raises(UserError, match=r"8 missing \(head.0.weight, .*, \.\.\.\); 16 unexpected") as error:
        load_network(saved)
    assert len(str(error.value)) < 500


# --------------------------------------------------------------------------------------- atomic writing


WRITE_BEYOND_THE_LIMIT = """
import resource, signal, sys
from pathlib import Path
from sr.errors import UserError
from sr.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
target = Path(sys.argv[1])
try:
    write_atomically(target, bytes(100_000))
except UserError as error:
    message = str(error)
write_atomically(target.with_name("small"), bytes(999))
print(message)
"""


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    # In a process of its own, whose files the kernel stops at 1000 bytes: writing stops half-way, as on a full disk.
    pytest.importorskip("resource")
    target = tmp_path / "best.safetensors"
    target.write_bytes(b"old")
    command = [sys.executable, "-c", WRITE_BEYOND_THE_LIMIT, str(target)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert out.strip() == f"could not write {target}: File too large; the previous file is kept"
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "small"]
    assert (tmp_path / "small").stat().st_size == 999


def test_failing_to_reach_the_disk_is_a_failure(tmp_path, monkeypatch):
    target = tmp_path / "best.safetensors"
    target.write_bytes(b"old")

    def full(_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device; the previous file is kept"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
    target.unlink()
    with pytest.raises(UserError, match=r"No space left on device$"):
        write_atomically(target, b"new")
    assert not any(tmp_path.iterdir())


def test_interruption_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"new")
    assert not any(tmp_path.iterdir())


def test_folders_are_made_links_followed_and_permissions_usual(tmp_path):
    real = tmp_path / "new" / "folder" / "file"
    write_atomically(real, b"1")
    link = tmp_path / "link"
    link.symlink_to(real)
    write_atomically(link, b"2")
    assert link.is_symlink()
    assert real.read_bytes() == b"2"
    mask = os.umask(0)
    os.umask(mask)
    assert real.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"could not write .*/file/best.safetensors: (Not a directory|File exists)$"):
        write_atomically(tmp_path / "file" / "best.safetensors", b"1")
