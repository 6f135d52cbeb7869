"""Fixtures for every test: fixed seeds, no stray cache, no tracker that phones home."""

import os

import pytest
import torch

os.environ.setdefault("WANDB_MODE", "disabled")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Stores built by a test land in the session's temporary folder, never in the user's cache."""
    monkeypatch.setenv("SR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)
