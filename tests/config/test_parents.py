"""``init_from=tale/01``: a run that starts from the newest finished run of an experiment."""

import json
import os

import pytest
from omegaconf import OmegaConf

from sr.config.experiments import matching, named_choices, names_of
from sr.experiments.runs import find_runs
from sr.models.files import read_tensors
from tests.config.conftest import STILL

EXPERIMENTS = ["log/07_5_test_gan", "log/07_x4", "log/20_scale_hr", "log/control/29_icnr", "log/control/29_scratch"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("log/20", ["log/20_scale_hr"]),
        ("log/20_scale_hr", ["log/20_scale_hr"]),
        ("log/07", ["log/07_x4"]),
        ("log/07_5", ["log/07_5_test_gan"]),
        ("log/2", []),
        ("log/control/29", ["log/control/29_icnr", "log/control/29_scratch"]),
    ],
)
def test_what_a_reference_means(reference, found):
    assert matching(reference, EXPERIMENTS) == found


def test_the_parents_of_a_configuration():
    assert names_of({"g": "log/20", "d": None, "partial": False}, EXPERIMENTS) == ["log/20_scale_hr"]
    assert names_of("outputs/run", EXPERIMENTS) == []
    assert names_of(None, EXPERIMENTS) == []


@pytest.mark.parametrize(
    ("overrides", "chosen", "name"),
    [
        (["experiment=log/31_alias"], {}, "log/31_alias"),
        (["experiment=[log/31_alias,mine]"], {}, "log/31_alias,mine"),
        (["experiment=null"], {"experiment": "null"}, None),
        ([], {"experiment": None}, None),
        ([], {"experiment": "chosen_by_a_file"}, "chosen_by_a_file"),
    ],
)
def test_which_experiment_a_run_is(overrides, chosen, name):
    assert named_choices(overrides, chosen).get("experiment") == name


@pytest.mark.slow
def test_a_child_starts_where_its_parent_ended_and_remembers_it(train, tmp_path, tale):
    for seed, name in ((1, "a"), (2, "b")):
        assert train(*tale, "experiment=tale/01_first", f"seed={seed}", f"run_dir=runs/{name}")[0] == 0
    code, out, err = train(*tale, "experiment=tale/02_second", "seed=1", "run_dir=runs/child", *STILL)
    assert code == 0, err
    assert "init_from=tale/01: tale/01_first, seed 1, 4 updates, in runs/a\n" in out
    assert "starts from runs/a/last.safetensors" in out
    stored = OmegaConf.load(tmp_path / "runs/child/config.yaml")
    assert stored.experiment == "tale/02_second"
    assert stored.init_from.g == "tale/01"
    assert stored.started_from == {
        "g": {"experiment": "tale/01_first", "run": "runs/a", "seed": 1, "updates": 4},
        "d": {"experiment": "tale/01_first", "run": "runs/a", "seed": 1, "updates": 4},
    }
    assert json.loads((tmp_path / "runs/child/summary.json").read_text())["experiment"] == "tale/02_second"
    parent, child = (read_tensors(tmp_path / f"runs/{name}/last.safetensors") for name in ("a", "child"))
    assert max((parent[key] - child[key]).abs().max().item() for key in parent) < 1e-6
    # Of no run of this seed, the newest of another; it does not count that the line stands elsewhere.
    os.utime(tmp_path / "runs/a/summary.json")
    code, out, _ = train(*tale, "experiment=tale/02_second", "seed=3", "run_dir=runs/other", *STILL)
    assert code == 0
    assert "in runs/a; there is none of seed 3, so the newest of another" in out


@pytest.mark.slow
def test_what_is_no_finished_run_is_told(train, tmp_path, tale):
    line = (*tale, "experiment=tale/02_second", "seed=4", "run_dir=runs/child", *STILL)
    makes = "make one: python -m sr.verbs.train experiment=tale/01_first size=full seed=4 --config-dir "
    code, _, err = train(*line)
    assert code == 2
    assert "init_from=tale/01: there is no finished run of tale/01_first at size=full; make one" in err
    assert makes in err
    assert not (tmp_path / "runs").exists(), "nothing may be left behind"

    assert train(*tale, "experiment=tale/01_first", "seed=4", "run_dir=runs/parent", "size=smoke")[0] == 0
    _, _, err = train(*line)
    assert "no finished run of tale/01_first at size=full (runs/parent is of size=smoke); make one" in err
    code, _, err = train(*line, "size=smoke")
    assert code == 0, err

    (tmp_path / "runs/parent/summary.json").unlink()  # as after a crash
    _, _, err = train(*line[:-1], "size=smoke", "run_dir=runs/another", *STILL)
    assert "(runs/parent was cut off; resume=runs/parent goes on with it); make one" in err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("tale/07", "init_from=tale/07: there is no such experiment; did you mean tale/02_second or tale/01_first?"),
        ("tale/01_frist", "init_from=tale/01_frist: there is no such experiment; did you mean tale/01_first?"),
        ("photos_5mim", "init_from=photos_5mim: there is no such file or folder"),
    ],
)
def test_unknown_names(train, tale, place, message):
    code, _, err = train(*tale, f"init_from={place}")
    assert code == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_folder_of_that_name_is_the_folder(train, tmp_path, tale):
    assert train(*tale, "experiment=tale/01_first", "run_dir=tale/01")[0] == 0
    code, out, err = train(*tale, "experiment=tale/02_second", "run_dir=child", *STILL)
    assert code == 0, err
    assert "starts from tale/01/best.safetensors" in out


@pytest.mark.slow
def test_a_run_with_networks_of_experiments_is_found_and_goes_on(train, tmp_path, tale):
    (tmp_path / "mine/experiment/tale/net.yaml").write_text("# @package _global_\nscale: 1\n")
    assert train(*tale, "experiment=tale/net", "run_dir=outputs/net", "trainer.lpips=null")[0] == 0
    files = "degradation.stages.corruptor.files"
    code, _, err = train(*tale, "degradation=corrupted", f"{files}=[tale/net]", "run_dir=outputs/child")
    assert code == 0, err
    (run,) = [run for run in find_runs([tmp_path / "outputs"]) if run.folder.path.name == "child"]
    told = {"experiment": "tale/net", "run": "outputs/net", "seed": 0, "updates": 4}
    file = "outputs/net/last.safetensors"
    assert run.config["started_from"] == {"files": [{"setting": f"{files}.0", **told, "file": file}]}
    code, out, err = train("resume=outputs/child", "trainer.max_updates=5", defaults=False)
    assert code == 0, err
    assert "going on from outputs/child" in out
