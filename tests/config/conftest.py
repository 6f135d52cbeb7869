"""What tests of the configuration share: a small log of experiments, in a folder of the user's."""

import pytest

GAN = "defaults:\n  - override /adversary: lsgan\n  - override /discriminator: conv\n"
STILL = ("optimizer.lr=1e-9", "adversary.d.optimizer.lr=1e-9", "trainer.max_updates=1", "trainer.val_every=1")
"""A run whose weights stay where they were."""
EXPERIMENTS = {
    "tale/_shared": GAN,
    "tale/01_first": "defaults: [/experiment/tale/_shared@_global_]\n",
    "tale/02_second": "defaults: [/experiment/tale/_shared@_global_]\ninit_from:\n  g: tale/01\n  d: tale/01\n",
    "tale/00_last": "init_from:\n  g: tale/02\n",
    "tale/aside/03_alone": "trainer:\n  ema: null\n",
}


@pytest.fixture
def tale(tmp_path):
    """Arguments for these experiments: 00 starts from 02, which starts from 01."""
    for name, text in EXPERIMENTS.items():
        path = tmp_path / "mine" / "experiment" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# @package _global_\n{text}")
    return ["--config-dir", "mine"]
