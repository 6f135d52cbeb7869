"""Run folders of strangers: nothing is written through a link that leads out of them."""

import shutil
from pathlib import Path

import pytest

from sr.training.keeping.claim import leading_out

OLD = Path(__file__).parents[1] / "old_runs" / "daa0cad"


@pytest.fixture
def run(tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "run"


PLACES = {
    "config.yaml": "precious",
    "metrics.csv": "precious",
    "summary.json": "not_there_yet",
    "last.safetensors": "precious",
    "best_lpips.safetensors": "precious",
    "wandb_id.txt": "precious",
    "mlflow/mlflow.db": "precious",
    "tensorboard": "elsewhere",
    ".lock": "precious",
    "val": "elsewhere",
    "wandb": "elsewhere",
    "checkpoints/last.ckpt": "precious",
    "val/update_6": "elsewhere",
    "bugs/x.bug": "../run/../precious",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_link_out_of_the_folder_is_found(run, tmp_path, place):
    path = run / place
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / PLACES[place])
    assert leading_out(run) == path


def test_other_links_may_stay(run, tmp_path):
    (run / "val").mkdir()
    (run / "val" / "newest").symlink_to("../last.safetensors")
    (run / "wandb" / "logs").mkdir(parents=True)
    (run / "wandb" / "logs" / "debug.log").symlink_to(tmp_path / "elsewhere" / "core.log")  # as the tracker makes them
    (tmp_path / "linked").symlink_to(run)
    assert leading_out(run) is None
    assert leading_out(tmp_path / "linked") is None
    assert leading_out(tmp_path / "missing") is None


@pytest.mark.parametrize("typed", [["resume=run"], ["run_dir=run"], ["run_dir=run", "resume=auto"]], ids=" ".join)
def test_a_run_refuses_them(run, train, tmp_path, typed):
    if typed == ["run_dir=run"]:  # nothing else of a run is there
        shutil.rmtree(run)
        run.mkdir()
    if "resume=auto" in typed:  # the file that is compared with this command line
        written = ["model=espcn", "model.features=4", "trainer.max_updates=1", "trainer.val_every=1"]
        shutil.rmtree(run)
        assert train(*written, "run_dir=run")[0] == 0
        typed = [*written, *typed]
    else:
        (run / "config.yaml").unlink(missing_ok=True)
        (run / "config.yaml").symlink_to(tmp_path / "precious")
    (run / "last.safetensors").unlink(missing_ok=True)
    (run / "last.safetensors").symlink_to(tmp_path / "precious")
    code, _, err = train(*typed, "trainer.max_updates=6", defaults="resume=run" not in typed)
    assert (code, "is a link to" in err, "or add trust=true if it is yours" in err) == (2, True, True)
    assert "precious, outside of the folder" in err
    assert (tmp_path / "precious").read_text() == "mine"


def test_with_trust_they_are_followed(run, train, tmp_path):
    shutil.move(run / "checkpoints", tmp_path / "elsewhere" / "checkpoints")
    (run / "checkpoints").symlink_to(tmp_path / "elsewhere" / "checkpoints")
    code, _, err = train("resume=run", "trainer.max_updates=5", defaults=False)
    assert (code, "run/checkpoints is a link to" in err) == (2, True)
    assert train("resume=run", "trainer.max_updates=5", "trust=true", defaults=False)[0] == 0
