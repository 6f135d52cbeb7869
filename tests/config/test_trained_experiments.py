"""Every experiment of conf/experiment/FOLDER/ trains, found by walking: its parents first, three updates each."""

import pytest

from sr.config.experiments import names_of
from tests.config.test_experiments import ALL, EXPERIMENTS, at_size

pytestmark = pytest.mark.usefixtures("one_thread")


def parents_first(experiments, parents_of):
    """Each after those that it starts from."""
    ordered = {}

    def add(name):
        for parent in parents_of(name):
            add(parent)
        ordered.setdefault(name)

    for name in experiments:
        add(name)
    return list(ordered)


def parents_of(name):
    return names_of(at_size(name, "smoke")["init_from"], ALL)


@pytest.mark.slow
def test_every_experiment_trains_after_its_parents(train, tmp_path):
    failed = {}
    for name in parents_first(EXPERIMENTS, parents_of):
        place = tmp_path / "runs" / name.replace("/", "_")
        own = f"experiment={name}", "size=smoke", "seed=1", "trainer.accelerator=cpu", f"run_dir={place}"
        code, out, err = train(*own, defaults=False)
        if code != 0 or not (place / "last.safetensors").exists():
            failed[name] = err
        elif any(f"{parent}, seed 1, 3 updates" not in out for parent in parents_of(name)):
            failed[name] = out
    assert not failed, "\n".join(f"{name}: {told[-600:]}" for name, told in failed.items())
