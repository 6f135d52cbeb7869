"""A network for the verbs."""

import pytest
import torch

from sr.models.espcn import Espcn
from sr.models.files import save_network


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder as that of a finished run, with a tiny network, x2."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("trained")
    arguments = {"scale": 2, "features": 8, "dilations": [1]}
    network = Espcn(**arguments)
    save_network(folder / "best.safetensors", network, {"_target_": "sr.models.espcn.Espcn", **arguments}, {})
    return folder


@pytest.fixture
def upscale(sr, trained):
    """Run `sr upscale` on the CPU with the tiny network."""

    def run(*arguments):
        return sr("upscale", *arguments, "--model", trained / "best.safetensors", "--accelerator", "cpu")

    return run
