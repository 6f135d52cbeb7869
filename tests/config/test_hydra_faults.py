"""Settings and flags of Hydra's own: one sentence where they are wrong, and they count where they are right."""

import os
import re

import pytest

from sr.config.folder import CONF
from sr.config.overrides import asks_hydra
from sr.verbs.train.arguments import split_arguments

QUICK = ("data.val=null", "trainer.max_updates=1", "report=false")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("hydra.mode=MULTIRUN", "hydra.mode=MULTIRUN: one run is made unless -m asks for one per combination"),
        ("hydra=1", "hydra=1 replaces all settings of Hydra; name one of them, such as hydra.verbose=true"),
        ("+hydra=1", r"\+hydra=1 replaces all settings of Hydra"),
        ("hydra.job.nmae=x", "hydra.job.nmae is not a setting of Hydra; did you mean hydra.job.name"),
        ("hydra.job.chdir=true", "hydra.job.chdir=true would look for this command's files in another folder"),
        ("hydra.run.dir=null", "hydra.run.dir=null takes away what Hydra works with"),
        ("~hydra.run", "~hydra.run takes away what Hydra works with"),
        ("hydra.run=null", "hydra.run=null takes away what Hydra works with"),
        ("hydra/job_logging=defalt", "there is no hydra/job_logging/defalt; did you mean default?"),
        ("hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs is not a setting of Hydra"),
        ("--help model=espnc", "there is no such model in conf/model; did you mean espcn"),
        ("--cfg jobb", "--cfg jobb: there is no such choice; did you mean job?"),
        ("--info=jobs", "--info=jobs: there is no such choice"),
        ("--info jobs", "'jobs' is not an override"),
        ("-m=3", "-m=3: -m has no value; leave =3 out"),
        ("-p data=folder", "-p data=folder: it takes the name of a part, as in -p model"),
        ("--config-dir a --config-dir b", "--config-dir is given twice, a and b"),
        ("--resolve", "--resolve says how --cfg shows the configuration; write --cfg job --resolve"),
        ("-m seed=1,2 --cfg job", "-m makes a run per combination, and --cfg is of one run"),
        ("-m seed=1,2 --run", "-m makes a run per combination, and --run is of one run"),
    ],
)
def test_a_mistake_is_one_sentence(train, tmp_path, typed, message):
    code, _, err = train(*QUICK, *typed.split())
    assert code == 2
    assert re.search(message, err), err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


def test_what_hydra_tells_may_be_named_in_both_ways():
    assert split_arguments(["--info", "defaults", "model=rdn"]).flags == ["--info=defaults"]
    assert split_arguments(["--info=defaults"]).flags == ["--info=defaults"]
    assert split_arguments(["-i", "model=rdn"]).overrides == ["model=rdn"]


def test_what_may_be_null_is(train):
    assert train(*QUICK, "hydra.output_subdir=null")[0] == 0


def test_a_value_of_hydras_own_may_be_part_of_another(train, tmp_path):
    code, _, err = train(*QUICK, "run_dir='made_by_${hydra:runtime.choices.model}'")
    assert code == 0, err
    assert (tmp_path / "made_by_espcn" / "summary.json").exists()


def test_settings_of_hydra_in_a_file_count_in_a_single_run(train, tmp_path, monkeypatch):
    monkeypatch.setenv("SEEN", "before")
    folder = tmp_path / "own" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nhydra:\n  job:\n    env_set: {SEEN: by_hydra}\n")
    seen = []
    monkeypatch.setattr("sr.verbs.train.process.train", lambda *_: seen.append(os.environ["SEEN"]))
    code, _, err = train("--config-dir", str(tmp_path / "own"), "experiment=mine")
    assert (code, seen) == (0, ["by_hydra"]), err


def test_other_files_ask_nothing_of_hydra():
    assert not asks_hydra([CONF], ["model=rdn", "experiment=log/31_alias", "trainer.max_updates=3"])
    assert asks_hydra([CONF], ["experiment=search"])
    assert asks_hydra([CONF], ["hydra.verbose=true"])
