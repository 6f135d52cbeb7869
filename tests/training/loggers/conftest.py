"""A user of services who has no account, and a run's folder."""

import pytest
import wandb

from sr.training.keeping.command import Command, write_command


@pytest.fixture
def wandb_home(monkeypatch, tmp_path):
    """W&B writes nowhere but below a folder of the test, and knows no key."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(home))
    wandb.teardown()  # it reads the environment once
    yield home
    wandb.teardown()


@pytest.fixture
def run_dir(tmp_path):
    """The folder of a run that is part of a sweep."""
    folder = tmp_path / "0_model-espcn"
    folder.mkdir()
    choices = {"model": "espcn", "loss": "l1_edge", "adversary": "none", "size": "full", "logger": "wandb"}
    write_command(folder, Command("", ["model=espcn"], choices, "my_sweep"))
    return folder
