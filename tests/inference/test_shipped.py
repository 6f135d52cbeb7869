"""The networks that come with the package are what the documentation says."""

import csv
import os
import re

import pytest
import torch

from sr.inference.networks import shipped
from sr.inference.trained import trained_of
from sr.models.files import load_network
from tests.conftest import REPOSITORY

NAMES = {"x2": 2, "x3": 3, "x4": 4, "x4_web": 4}
LEAST = {"x2": 2.3, "x4": 1.2}
"""dB over bicubic on Set14."""


def test_all_are_there():
    assert set(shipped()) == set(NAMES)


@pytest.mark.parametrize("name", shipped())
def test_each_is_small_and_says_how_it_was_made(name):
    path = shipped()[name]
    assert path.stat().st_size < 1_000_000
    network, info = load_network(path)
    assert network.scale == info.scale == NAMES[name]
    assert all(value.dtype == torch.float32 and bool(value.isfinite().all()) for value in network.state_dict().values())
    trained = trained_of(info)
    assert trained is not None
    found = re.fullmatch(r"(?:uv run )?python train\.py experiment=(shipped/\w+)", trained.command)
    assert found, trained.command  # one command that anybody can repeat
    assert (REPOSITORY / "conf" / "experiment" / f"{found[1]}.yaml").is_file()
    assert {"Set14", "BSD100"} <= set(trained.figures) or name == "x4_web"
    assert not re.search(r"/\w+/", trained.machine + trained.on)  # no path of the machine that trained it


@pytest.mark.parametrize("name", [name for name in shipped() if name in LEAST])
def test_each_is_as_good_as_promised(name):
    _, info = load_network(shipped()[name])
    trained = trained_of(info)
    assert trained is not None
    figures = trained.figures["Set14"]
    assert figures["psnr_y"] - figures["bicubic_psnr_y"] >= LEAST[name]


@pytest.mark.parametrize("name", shipped())
def test_documentation_has_the_same_figures(name):
    _, info = load_network(shipped()[name])
    trained = trained_of(info)
    assert trained is not None
    line = re.search(rf"^\| `{name}` .*$", (REPOSITORY / "docs" / "networks.md").read_text(), re.MULTILINE)
    assert line, f"docs/networks.md has no line that begins with | `{name}`"
    for numbers in trained.figures.values():
        assert f"{numbers['psnr_y']:.2f}" in line[0]


@pytest.mark.slow
@pytest.mark.skipif("SR_BENCHMARKS" not in os.environ, reason="SR_BENCHMARKS names no folder of test sets")
@pytest.mark.parametrize("name", [name for name in shipped() if name in LEAST])
def test_the_figures_are_measured(sr, tmp_path, name):
    code, _, err = sr("evaluate", name, "--set", "Set14", "--lpips", "none", "--csv", str(tmp_path / "a.csv"))
    assert code == 0, err
    trained = trained_of(load_network(shipped()[name])[1])
    assert trained is not None
    with (tmp_path / "a.csv").open() as file:
        measured = {row["model"]: float(row["psnr_y"]) for row in csv.DictReader(file)}
    figures = trained.figures["Set14"]
    assert measured == pytest.approx({"bicubic": figures["bicubic_psnr_y"], name: figures["psnr_y"]}, abs=0.005)
