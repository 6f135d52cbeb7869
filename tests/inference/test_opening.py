"""`open_network`: files of ours and of other programs; nothing of a stranger's runs, nothing fills the memory."""

import argparse
import io
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch.serialization import MAGIC_NUMBER

from sr.errors import UserError
from sr.inference.opening import PUBLISHED, namings, open_network
from sr.models.compact import Compact
from sr.models.edsr import Edsr
from sr.models.files import load_network, save_network
from sr.models.msrresnet import MsrResNet
from sr.models.rrdb import RrdbNet
from sr.models.srresnet import SrResNet
from sr.models.weights import read_weights
from tests.close import assert_close
from tests.strangers.mark import MARK

SMALL = {"features": 8, "convolutions": 2}


def compact(scale=2):
    return Compact(scale, **SMALL).eval()


def refused(path):
    with pytest.raises(UserError) as error:
        open_network(path)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 700
    assert path.name in message
    return message


# ------------------------------------------------------------------------------------------------- opened


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_what_exploded_is_not_opened(tmp_path, suffix):
    network, path = compact(), tmp_path / f"x{suffix}"
    next(network.parameters()).data[0] = torch.nan
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_network(path, network, {"_target_": "sr.models.compact.Compact", "scale": 2, **SMALL}, {})
    assert "has weights that are not finite" in refused(path)


def test_files_of_ours(tmp_path):
    config = {"_target_": "sr.models.compact.Compact", "scale": 2, **SMALL}
    save_network(tmp_path / "x.safetensors", compact(), config, {"updates": 3})
    network, info = open_network(tmp_path / "x.safetensors")
    assert (type(network), info.extra) == (Compact, {"updates": 3})


WRAPPED = {
    "plain": lambda state: state,
    "params": lambda state: {"params": state},
    "the average first": lambda state: {"params": {k: v + 1 for k, v in state.items()}, "params_ema": state},
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 1.0}},
    "two levels": lambda state: {"model": {"net": state}},
    "one key of any name": lambda state: {"whatever": state},
    "wrapped": lambda state: {f"{'module.netG.' * 1500}{k}": v for k, v in state.items()},
    "parallel": lambda state: {f"module.{k}": v for k, v in state.items()},
    "compiled in a GAN": lambda state: {f"netG._orig_mod.{k}": v for k, v in state.items()},
    "half": lambda state: {k: v.half() for k, v in state.items()},
}


@torch.no_grad()
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_however_a_program_wraps_the_weights(wrapped, tmp_path):
    original = compact()
    torch.save(WRAPPED[wrapped](original.state_dict()), tmp_path / "x.pth")
    network, info = open_network(tmp_path / "x.pth")
    assert info.config == {"_target_": "sr.models.compact.Compact", "scale": 2, **SMALL}
    assert info.scale == network.scale == 2
    assert not network.training
    lr = torch.rand(1, 3, 5, 6)
    if wrapped == "half":
        original.load_state_dict({k: v.half().float() for k, v in original.state_dict().items()})
    assert_close(network(lr), original(lr))


@pytest.mark.parametrize("network", PUBLISHED)
def test_what_was_opened_is_saved_as_a_file_of_ours(network, tmp_path):
    safetensors.torch.save_file(network(scale=4).state_dict(), tmp_path / "x.safetensors")
    opened, info = open_network(tmp_path / "x.safetensors")
    save_network(tmp_path / "ours.safetensors", opened, info.config, info.extra)
    again, _ = load_network(tmp_path / "ours.safetensors")
    assert type(again) is network
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), opened.parameters(), strict=True))


@torch.no_grad()
@pytest.mark.parametrize(
    ("arch", "arguments"),
    [
        ("span", {"feature_channels": 8}),
        ("rrdb", {"num_filters": 8, "num_blocks": 2}),  # by the old names
        ("swinir", {"embed_dim": 12, "depths": [1], "num_heads": [2], "window_size": 7, "img_size": 7}),
        ("RealPLKSR", {"dim": 16, "n_blocks": 2}),
        ("rcan", {"n_feats": 8, "n_resgroups": 1, "n_resblocks": 1, "reduction": 4}),
    ],
)
def test_files_that_spandrel_knows(arch, arguments, tmp_path):
    spandrel = pytest.importorskip("spandrel")
    from sr.models.spandrel import Spandrel

    original = Spandrel(2, arch, arguments).eval()
    torch.save({"params_ema": original.state_dict()}, tmp_path / "x.pth")
    network, info = open_network(tmp_path / "x.pth")
    assert info.config["_target_"] == "sr.models.spandrel.Spandrel"
    lr = torch.rand(1, 3, 14, 14)
    expected = spandrel.ModelLoader().load_from_file(tmp_path / "x.pth")(lr.clone())
    assert_close(network(lr).clamp(0, 1), expected)
    save_network(tmp_path / "ours.safetensors", network, info.config, {})
    assert_close(load_network(tmp_path / "ours.safetensors")[0](lr), network(lr))


def test_old_files_without_the_counters_of_batch_norm(tmp_path):
    state = SrResNet(2, features=8, blocks=1).state_dict()
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, tmp_path / "x.pth")
    assert isinstance(open_network(tmp_path / "x.pth")[0], SrResNet)


def test_names_by_which_weights_can_be_had(tmp_path):
    pytest.importorskip("spandrel")
    state = RrdbNet(4, features=8, blocks=1).state_dict()
    torch.save(state, tmp_path / "x.pth")
    first = [next(iter(names)) for names in namings(tmp_path / "x.pth")]
    assert first == ["conv_first.weight", "conv_first.weight", "model.0.weight"]


# ------------------------------------------------------------------------------------------------ refused


class Evil:
    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


PAYLOADS = {
    "beside the weights": lambda: {"params": compact().state_dict(), "info": Evil()},
    "in place of a weight": lambda: {"body.0.weight": Evil()},
    "an object": lambda: torch.nn.Conv2d(3, 3, 1),
    "options of a program": lambda: {"opt": argparse.Namespace(a=1), "params": compact().state_dict()},
}


@pytest.mark.parametrize("case", PAYLOADS)
@pytest.mark.parametrize("ending", [".pth", ".pt", ".ckpt", ".bin"])
def test_code_is_refused_and_never_runs(case, ending, tmp_path):
    torch.save(PAYLOADS[case](), tmp_path / f"x{ending}")
    message = refused(tmp_path / f"x{ending}")
    assert "opening that could run a stranger's code, so it is refused and nothing in it was run" in message
    assert not Path(MARK).exists()


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_bare_pickle_is_refused_and_never_runs(protocol, tmp_path):
    (tmp_path / "x.pth").write_bytes(pickle.dumps({"a": Evil()}, protocol))
    refused(tmp_path / "x.pth")
    assert not Path(MARK).exists()


def test_the_offending_name_is_told(tmp_path):
    torch.save({"a": Evil()}, tmp_path / "x.pth")
    assert "holds more than weights (posix.system): " in refused(tmp_path / "x.pth")


def test_code_in_a_file_that_calls_itself_safetensors(tmp_path):
    torch.save({"a": Evil()}, tmp_path / "x.safetensors")
    assert "is not a safetensors file" in refused(tmp_path / "x.safetensors")
    assert not Path(MARK).exists()


def test_a_program_is_no_weights(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.rand(1, 3, 4, 4)).save(tmp_path / "x.pt")
    assert "is a TorchScript archive, a program rather than weights" in refused(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(5000), b"PK\x03\x04" * 50, b"\x80\x02"])
def test_no_file_of_weights(content, tmp_path):
    (tmp_path / "x.pth").write_bytes(content)
    assert "is damaged or no file of weights" in refused(tmp_path / "x.pth")


def test_cut_short(tmp_path):
    torch.save(compact().state_dict(), tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes((tmp_path / "x.pth").read_bytes()[:-3000])
    refused(tmp_path / "x.pth")


def test_no_weights_at_all(tmp_path):
    torch.save({}, tmp_path / "x.pth")
    assert "holds no weights by name, but a dict." in refused(tmp_path / "x.pth")
    torch.save({"iter": 5, "model_g": {"a": torch.zeros(1)}, "optim": {}, "more": 1}, tmp_path / "x.pth")
    assert "but a table of iter, model_g, optim, ...; take the part with the weights out" in refused(tmp_path / "x.pth")
    assert "does not exist" in refused(tmp_path / "y.pth")


def _saved(tensors):
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def test_views_that_claim_more_than_the_file_has(tmp_path):
    state = compact().state_dict() | {"body.0.weight": torch.zeros(1).expand(10**6, 3, 3, 3)}
    (tmp_path / "x.pth").write_bytes(_saved(state))
    assert "its tensors claim" in refused(tmp_path / "x.pth")


NO_PLAIN_TENSORS = {
    "nothing": lambda: torch.empty(10**6, 10**6, device="meta"),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "complex": lambda: torch.zeros(8, 3, 3, 3, dtype=torch.complex64),
    "true or false": lambda: torch.zeros(8, 3, 3, 3, dtype=torch.bool),
    "whole": lambda: torch.zeros(8, 3, 3, 3, dtype=torch.int8),
}


@pytest.mark.parametrize("made", NO_PLAIN_TENSORS.values(), ids=list(NO_PLAIN_TENSORS))
@pytest.mark.filterwarnings("ignore:Sparse")
def test_tensors_that_hold_nothing(made, tmp_path):
    (tmp_path / "x.pth").write_bytes(_saved({"body.0.weight": made()}))
    assert "body.0.weight is no plain tensor" in refused(tmp_path / "x.pth")


def test_an_archive_that_unpacks_to_more(tmp_path):
    state = {"body.0.weight": torch.zeros(10**6)}
    with zipfile.ZipFile(io.BytesIO(_saved(state))) as stored, zipfile.ZipFile(tmp_path / "x.pth", "w") as packed:
        for entry in stored.infolist():
            packed.writestr(entry.filename, stored.read(entry), zipfile.ZIP_DEFLATED)
    assert "made to fill the memory" in refused(tmp_path / "x.pth")


def _with_pickle(path, content):
    """A file of PyTorch's with another pickle."""
    with zipfile.ZipFile(io.BytesIO(_saved({"a": torch.zeros(2)}))) as stored, zipfile.ZipFile(path, "w") as made:
        for entry in stored.infolist():
            made.writestr(entry.filename, content if entry.filename.endswith("data.pkl") else stored.read(entry))


_NESTED = b"\x85" * 300_000
_DOUBLED = b"".join(b"q%ch%c\x86" % (number, number) for number in range(60))
CRASHING = {
    "tuples nest": b"})" + _NESTED + b"K\x01s.",
    "with a mark each": b"}" + b"(" * 30_000 + b"t" * 30_000 + b"K\x01s.",
    "through the memory": b"})" + b"\x85q\x00h\x00" * 100_000 + b"K\x01s.",
    "as sizes": b"}ctorch\nSize\n)" + _NESTED + b"\x85RK\x01s.",
    "in a mapping of another kind": b"ccollections\nOrderedDict\n]]()" + _NESTED + b"K\x01eaa\x85R.",
    "tuples that hold one another twice": b"}K\x01\x85" + _DOUBLED + b"K\x01s.",
    "room without end": b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
}


@pytest.mark.parametrize("kind", ["an archive", "the old format", "a bare pickle"])
@pytest.mark.parametrize("case", CRASHING)
def test_pickles_that_would_crash_their_reader(case, kind, tmp_path):
    content = b"\x80\x02" + CRASHING[case]
    if kind == "an archive":
        _with_pickle(tmp_path / "x.pth", content)
    else:
        magic, version = (pickle.dumps(one, 2) for one in (MAGIC_NUMBER, 1001))
        before = magic + version + pickle.dumps({}, 2) if kind == "the old format" else b""
        (tmp_path / "x.pth").write_bytes(before + content)
    assert "x.pth is not opened: " in refused(tmp_path / "x.pth")


def test_an_archive_without_a_pickle_or_packed_in_other_ways(tmp_path):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        stored = zipfile.ZipFile(io.BytesIO(_saved(compact().state_dict())))
        with stored, zipfile.ZipFile(tmp_path / "x.pth", "w") as made:
            for entry in stored.infolist():
                made.writestr(entry.filename, stored.read(entry), method)
        assert "is damaged or no file of weights" in refused(tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as made:
        made.writestr("x/version", "3")
    assert "is damaged or no file of weights" in refused(tmp_path / "y.pth")


@pytest.mark.parametrize("archive", [True, False])
def test_what_programs_save_beside_weights_is_no_attack(archive, tmp_path):
    network = compact()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 3, 4, 4)).sum().backward()
    optimizer.step()
    deep = {"a": [({"b": [(1, 2.5, None, True, "c")]}, ((1, 2), (3, (4, (5,)))))]}
    beside = {"optimizer": optimizer.state_dict(), "options": deep, "pixels": torch.Size((3, 4)), "big": 10**30}
    content = {"state_dict": network.state_dict(), "type": torch.float16, **beside}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=archive)
    assert type(open_network(tmp_path / "x.pth")[0]) is Compact


WIDE = torch.zeros(20_000, 3, 3, 3)
HOSTILE = {
    "a wide first layer": {"conv_first.weight": WIDE, "body.0.rdb1.conv1.weight": torch.zeros(32, 64, 3, 3)}
    | {f"conv_up{number}.weight": torch.zeros(1) for number in (1, 2)},
    "a wide first layer of spandrel's": {
        "model.0.weight": WIDE,
        "model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(32, 64, 3, 3),
        "model.1.sub.1.RDB1.conv1.0.weight": torch.zeros(1),
        "model.1.sub.2.weight": torch.zeros(1),
        "model.8.weight": torch.zeros(3, 3),
    },
    "a million blocks of spandrel's": {
        "model.0.weight": torch.zeros(64, 3, 3, 3),
        "model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(32, 64, 3, 3),
        "model.1.sub.1000000.RDB1.conv1.0.weight": torch.zeros(1),
        "model.8.weight": torch.zeros(3, 3),
    },
    "no sizes": {"body.0.weight": torch.zeros(()), "body.1.weight": torch.zeros(1), "body.2.bias": torch.zeros(())},
    "names alone": dict.fromkeys(Edsr(2, features=4, blocks=1).state_dict(), torch.zeros(1)),
    "control characters": {"\x1b[2J.weight": torch.zeros(1)},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_weights_that_describe_nothing_real(case, tmp_path):
    (tmp_path / "x.pth").write_bytes(_saved(HOSTILE[case]))
    refused(tmp_path / "x.pth")


def test_a_file_of_ours_that_names_spandrel_is_bounded_too(tmp_path):
    pytest.importorskip("spandrel")
    state = compact().state_dict()
    config = (
        '{"_target_": "sr.models.spandrel.Spandrel", "scale": 2, "arch": "compact", "arguments": {"num_feat": 900}}'
    )
    metadata = {"format": "sr-toolkit/1", "model": config, "scale": "2", "extra": "{}"}
    (tmp_path / "x.safetensors").write_bytes(safetensors.torch.save(state, metadata))
    assert "made to fill the memory" in refused(tmp_path / "x.safetensors")


def test_weights_of_something_else_are_named(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "x.pth")
    assert "holds the weights of no network that is known here (weight, bias)" in refused(tmp_path / "x.pth")


def test_a_variant_of_a_network_is_told_weight_by_weight(tmp_path):
    state = MsrResNet(2, features=8, blocks=1).state_dict()
    del state["conv_last.bias"]
    torch.save(state, tmp_path / "x.pth")
    assert "another network than MsrResNet: 1 missing (conv_last.bias)" in refused(tmp_path / "x.pth")


# -------------------------------------------------------------------------------------- published weights


@torch.no_grad()
def test_published_compact_is_what_spandrel_makes_of_it():
    spandrel = pytest.importorskip("spandrel")
    path = Path(os.environ.get("SR_WEIGHTS", "/nowhere")) / "realesr-animevideov3.pth"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in the folder SR_WEIGHTS")
    network, _ = open_network(path)
    lr = torch.rand(1, 3, 20, 24)
    theirs = spandrel.ModelLoader().load_from_state_dict(dict(read_weights(path)))
    assert_close(network(lr).clamp(0, 1), theirs(lr))
