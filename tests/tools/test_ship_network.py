"""A finished run becomes a shipped network."""

import runpy
import sys

import pytest

from sr.errors import UserError
from sr.inference import networks
from sr.inference.trained import trained_of
from sr.models.files import load_network
from tests.conftest import REPOSITORY

TOOL = runpy.run_path(str(REPOSITORY / "tools" / "ship_network.py"))
HEAD = "model,set,scale,images,psnr_y,ssim_y,lpips,seconds\n"
LAST = "outputs/run/last.safetensors"
OWN = HEAD + f"{LAST},Set14,2,14,32.70412,0.9123,,1.5\n{LAST},BSD100,2,100,31.5,0.89,nan,2\n"
BICUBIC = HEAD + "bicubic,Set14,2,14,30.23,0.8692,,1\nbicubic,Set14,3,14,27.54,0.7745,,1\n"


@pytest.fixture
def run(trained_once):
    return trained_once("run", "model=compact", "model.features=4", "model.convolutions=1")


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    (tmp_path / "bicubic.csv").write_text(BICUBIC)
    return [str(tmp_path / "own.csv"), str(tmp_path / "bicubic.csv")]


def test_a_finished_run_is_shipped(run, tables, tmp_path, monkeypatch, capsys, sr):
    monkeypatch.setattr(networks, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setitem(TOOL["main"].__globals__, "ship", lambda *asked: TOOL["ship"](*asked, tmp_path / "shipped"))
    words = [run, "x2", *(word for table in tables for word in ("--figures", table)), "--machine", "a chip"]
    monkeypatch.setattr(sys, "argv", ["ship_network.py", *map(str, words)])
    TOOL["main"]()
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| `x2` (x2) | ")
    assert "| Set14 32.70 dB (+2.47); BSD100 31.50 dB | `" in row
    assert "`, seed 0 | a chip, " in row
    network, info = load_network(tmp_path / "shipped" / "x2.safetensors")
    own, _ = load_network(run / "last.safetensors")
    assert all(bool((value == own.state_dict()[key]).all()) for key, value in network.state_dict().items())
    trained = trained_of(info)
    assert trained is not None
    assert (trained.seed, trained.machine, trained.on) == (0, "a chip", "data=folder degradation=bicubic")
    assert trained.figures == {
        "Set14": {"psnr_y": 32.7041, "ssim_y": 0.9123, "bicubic_psnr_y": 30.23, "bicubic_ssim_y": 0.8692},
        "BSD100": {"psnr_y": 31.5, "ssim_y": 0.89},
    }
    assert "model=compact" in trained.command
    assert "run_dir" not in trained.command
    code, out, err = sr("networks")
    assert (code, err) == (0, "")
    assert f"x2: {trained.command}" in out


def refusal(*asked):
    with pytest.raises(UserError) as caught:
        TOOL["ship"](*asked, "a chip", None)
    return str(caught.value)


def test_what_does_not_fit_is_one_sentence(run, tables, tmp_path, monkeypatch):
    own, bicubic = tables
    assert "is not the folder of a finished run" in refusal(tmp_path, "x2", [own])
    assert "own.csv has a second row of Set14" in refusal(run, "x2", [own, own])
    for other in ("outputs/run", "outputs/run/best.safetensors"):
        (tmp_path / "best.csv").write_text(OWN.replace(LAST, other))
        assert f"best.csv is of {other}, and last.safetensors is" in refusal(run, "x2", [str(tmp_path / "best.csv")])
    assert "cannot be read" in refusal(run, "x2", [str(tmp_path / "none.csv")])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "is not a table that `sr evaluate --csv FILE` wrote" in refusal(run, "x2", [str(tmp_path / "other.csv")])
    assert "figures of 'Set14' have no psnr_y" in refusal(run, "x2", [bicubic])
    (tmp_path / "folder.csv").write_text(HEAD + f"{LAST},DIR/HR + DIR/LR,2,14,25,0.7,0.3,1\n")
    folder = str(tmp_path / "folder.csv")
    assert "is a folder of this machine; name the set with --figures NAME=" in refusal(run, "x2", [folder])
    assert TOOL["read_figures"]([f"web={folder}"], 2) == {"web": {"psnr_y": 25, "ssim_y": 0.7, "lpips": 0.3}}
    monkeypatch.setitem(TOOL["ship"].__globals__, "LARGEST", 100)
    assert "last.safetensors is larger than 0.0001 MB; ship a smaller network" in refusal(run, "x2", tables)
