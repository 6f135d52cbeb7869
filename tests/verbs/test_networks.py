"""`sr networks`: what there is to enlarge pictures with."""

import json

import pytest

from sr.inference import networks
from sr.models.compact import Compact
from sr.models.files import save_network
from tests.inference.test_trained import TOLD


def save(path, scale, extra):
    path.parent.mkdir(exist_ok=True)
    network = Compact(scale, features=4, convolutions=1)
    config = {"_target_": "sr.models.compact.Compact", "scale": scale, "features": 4, "convolutions": 1}
    save_network(path, network, config, extra)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "SHIPPED", tmp_path / "shipped")
    save(tmp_path / "shipped" / "x2.safetensors", 2, {"trained": TOLD})
    save(tmp_path / "shipped" / "x4.safetensors", 4, {})
    return tmp_path


def test_shipped_ones_runs_and_files(sr, folder, trained_once):
    run = trained_once("run", "model=espcn", "model.features=8", "model.dilations=[1]")
    (folder / "outputs").mkdir()
    run.rename(folder / "outputs" / "run")
    trained_once("outputs/cut_off", "model=espcn", "model.features=8")
    (folder / "outputs" / "cut_off" / "summary.json").unlink()
    save(folder / "mine.safetensors", 3, {})
    code, out, err = sr("networks", "mine.safetensors", "--json")
    assert (code, err) == (0, "")
    found = {one["name"]: one for one in json.loads(out)}
    assert list(found) == ["x2", "x4", "outputs/run", "mine.safetensors"]
    assert found["x2"] == {
        "name": "x2",
        "source": "shipped",
        "file": str(folder / "shipped" / "x2.safetensors"),
        "scale": 2,
        "parameters": sum(p.numel() for p in Compact(2, 4, 1).parameters()),
        "kind": "Compact",
        **TOLD,
    }
    own = found["outputs/run"]
    assert (own["source"], own["file"], own["scale"]) == ("run", "outputs/run/best.safetensors", 2)
    assert (own["kind"], own["on"]) == ("Espcn", "data=folder degradation=bicubic")
    assert own["figures"]["validation"].keys() == {"psnr_y", "ssim_y", "bicubic_psnr_y", "bicubic_ssim_y"}
    assert (found["mine.safetensors"]["source"], found["mine.safetensors"]["scale"]) == ("file", 3)
    code, out, err = sr("networks")
    assert (code, err) == (0, "")
    for text in ("Set14 32.70 dB (+2.47)", "outputs/run", "Espcn", "--model x2", "(seed 0, a chip"):
        assert text in out
    assert "cut_off" not in out


def test_one_that_cannot_be_read_does_not_hide_the_others(sr, folder):
    save(folder / "shipped" / "x3.safetensors", 3, {"trained": {"command": "x"}})
    endless = TOLD | {"figures": {"Set14": {"psnr_y": 10**400}}}
    code, out, err = sr("networks", save(folder / "endless.safetensors", 2, {"trained": endless}), "nothing", "--json")
    assert code == 1
    assert [one["name"] for one in json.loads(out)] == ["x2", "x4"]
    first, large, second = err.splitlines()
    assert "x3.safetensors has damaged metadata under 'extra.trained'" in first
    assert "endless.safetensors has damaged metadata under 'extra.trained'" in large
    assert second.startswith("error: there is no network 'nothing'; give a shipped name (x2, x3, x4)")


def test_nothing_at_all_is_said(sr, folder):
    for path in (folder / "shipped").iterdir():
        path.unlink()
    code, out, _ = sr("networks")
    assert code == 0
    assert out == "no networks: none came with this installation, and no run has finished below outputs/\n"
