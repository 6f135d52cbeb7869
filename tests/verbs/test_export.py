"""`sr export`, as somebody types it."""

import pytest
import torch

from sr.models.compact import Compact
from sr.models.files import save_network

CONFIG = {"_target_": "sr.models.compact.Compact", "scale": 2, "features": 8, "convolutions": 1}


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "network.safetensors"
    save_network(path, Compact(2, 8, 1), CONFIG, {})
    return path


def test_the_file_opens_here_and_the_lines_say_where_else(sr, network, tmp_path):
    out = tmp_path / "a 'b'" / "n.pth"
    code, text, _ = sr("export", network, "--format", "pth", "-o", out)
    assert code == 0
    assert "largest difference to PyTorch: 0 of 1 (parts of a photograph, 48x64, 96x120, 48x28)" in text
    assert "opens in: chaiNNer, ComfyUI" in text
    assert sr("export", network, "--format", "pth", "-o", tmp_path / "without")[0] == 0
    assert (tmp_path / "without.pth").read_bytes() == out.read_bytes()
    from sr.inference.opening import open_network

    ours, theirs = Compact(2, 8, 1), open_network(out)[0]
    ours.load_state_dict(theirs.state_dict())
    lr = torch.rand(1, 3, 9, 7)
    assert torch.equal(ours(lr), theirs(lr))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "onxx", "-o", "n.onnx"], "--format onxx is not written; nearest is onnx"),
        (["--format", "onnx", "-o", "n.pth"], "-o n.pth and --format onnx do not fit"),
        (["-o", "n.txt"], "-o n.txt has the ending of no format; name it n.onnx, or give one of .onnx, .safetensors"),
        (["-o", "network.safetensors"], "is the network itself; choose another file"),
        (["-o", "run/best.safetensors"], "run/best.safetensors is part of a run or a sweep, and would be lost"),
    ],
)
def test_mistakes_are_one_sentence(sr, network, arguments, said):
    before = network.read_bytes()
    run = network.parent / "run"
    run.mkdir()
    (run / "config.yaml").write_text("a: 1\n")
    (run / "best.safetensors").write_text("trained")
    code, _, text = sr("export", network, *arguments)
    assert code == 2
    assert said in text
    assert network.read_bytes() == before
    assert (run / "best.safetensors").read_text() == "trained"
