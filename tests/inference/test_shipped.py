"""The networks that come with the package are what the documentation says."""

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


@pytest.mark.xfail(not shipped(), reason="not trained yet", strict=True)
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
