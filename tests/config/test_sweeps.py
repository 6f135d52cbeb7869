"""Sweeps over experiments: patterns, parents first, failures that do not stop others, and going on after a stop."""

import shutil

import pytest

from sr.config.composer import composed_from
from sr.config.parsed import first_of, parsed_overrides
from sr.config.sweeps import deferred, listed, parents_first
from sr.errors import UserError
from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folders(tmp_path, tale):
    return [CONF, tmp_path / "mine"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("glob(tale/*)", "tale/00_last,tale/01_first,tale/02_second,tale/aside/03_alone"),
        ("glob(tale/0?_*)", "tale/00_last,tale/01_first,tale/02_second"),
        (
            "glob(*,exclude=[tale/aside/*,cyc*,gan*,int*,l*,p*,search,ship*])",
            "tale/00_last,tale/01_first,tale/02_second",
        ),
        ("glob([tale/01*,tale/aside/*])", "tale/01_first,tale/aside/03_alone"),
        ("tale/02,tale/01", "tale/02,tale/01"),
    ],
)
def test_patterns(folders, pattern, found):
    assert listed(folders, [f"experiment={pattern}", "seed=1,2"]) == [f"experiment={found}", "seed=1,2"]


def test_patterns_of_other_groups_leave_parts_of_files_out():
    (written,) = listed([CONF], ["adversary=glob(*s*)"])
    assert "lsgan,lsgan_conditional" in written
    assert "_base" not in written


def test_a_pattern_that_matches_nothing(folders):
    with pytest.raises(UserError, match=r"experiment=glob\(tael/\*\) matches no experiment; did you mean tale/\*"):
        listed(folders, ["experiment=glob(tael/*)"])
    with pytest.raises(UserError, match=r"glob\(tale/99\*\) matches no experiment; did you mean tale/02_second\?"):
        listed(folders, ["experiment=glob(tale/99*)"])


def test_parents_come_first_and_the_rest_stays(folders):
    names = "photos_5min,tale/00_last,tale/02_second,tale/aside/03_alone,tale/01_first"
    ordered = "photos_5min,tale/aside/03_alone,tale/01_first,tale/02_second,tale/00_last"
    levels = {"photos_5min": 0, "tale/aside/03_alone": 0, "tale/01_first": 0, "tale/02_second": 1, "tale/00_last": 2}
    asked = [f"experiment={names}", "seed=1"]
    assert parents_first(folders, asked) == ([f"experiment={ordered}", "seed=1"], levels)
    assert parents_first(folders, ["seed=1,2"]) == (["seed=1,2"], {})


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ("'/x/a=b','/x/ü'", "/x/a=b"),
        ("'/x/ü','(x)'", "/x/ü"),
        ("'a,b','c'", "a,b"),
        ("['/x/a=b'],['c']", ["/x/a=b"]),
        ("{a: b, c: 'd=e'},null", {"a": "b", "c": "d=e"}),
        ("null,{a: b}", None),
        ("range(3,5)", 3),
    ],
)
def test_the_first_value_of_a_sweep_keeps_its_quotes(values, first):
    swept = parsed_overrides([f"+data.train={values}"])[0][0]
    (alone,) = parsed_overrides([first_of(swept)])[0]
    assert (alone.value(), alone.is_sweep_override(), alone.is_add()) == (first, False, True)


@pytest.mark.parametrize(
    ("typed", "advised"),
    [
        ("data.train=a=b,TR", ["data.train='a=b,TR'", "data.train='a=b',TR"]),
        ("data.train=[a=b,TR]", ["data.train=['a=b',TR]"]),
        ("data.train=a=b", ["data.train='a=b'"]),
        ("data.train=[a=b,1,null]", ["data.train=['a=b',1,null]"]),
    ],
)
def test_the_advised_quotes_are_right(typed, advised):
    (fault,) = parsed_overrides([typed])[1]
    assert fault.endswith(": " + " or ".join(f'"{one}"' for one in advised))
    for one in advised:
        assert parsed_overrides([one])[1] == []


@pytest.mark.parametrize("typed", ["data.train=[a=b,[c,d]]", "data.train=[a=b,'x,y']", "data.train=[a=b,{c: d,e: f}]"])
def test_no_quotes_are_advised_that_would_cut_a_part(typed):
    (fault,) = parsed_overrides([typed])[1]
    assert fault.endswith("with quotes around odd characters")


def test_the_first_value_keeps_what_stands_before_the_name():
    (swept,) = parsed_overrides(["++x=1,2"])[0]
    assert first_of(swept) == "++x=1"


def test_a_circle(folders, tmp_path):
    (tmp_path / "mine/experiment/tale/01_first.yaml").write_text("# @package _global_\ninit_from: tale/02\n")
    with pytest.raises(UserError, match=r"experiments start from each other: tale/0._.* <- tale/0._"):
        parents_first(folders, ["experiment=tale/01_first,tale/02_second"])


def test_values_that_need_a_swept_choice_wait_for_it():
    swept = ["data=anime,drawings", "data.root=DIR", "seed=1", "hydra.sweep.dir=x"]
    assert deferred([CONF], swept) == ["data=anime,drawings", "data.root=choice(DIR)", "seed=choice(1)", swept[-1]]
    fits = ["data=anime,drawings", "seed=1"]
    assert deferred([CONF], fits) == fits
    assert composed_from([CONF], ["data=anime", "data.root=DIR"]).data.root == "DIR"


@pytest.mark.slow
def test_the_whole_tale_at_once(train, tmp_path, tale):
    line = ("-m", *tale, "experiment=glob(tale/*)", "seed=1,2", "run_dir=all", "trainer.max_updates=1", "resume=auto")
    code, out, err = train(*line)
    assert code == 0, err
    assert len(list((tmp_path / "all").glob("*/summary.json"))) == 8
    # A child finds the parent of its own seed.
    assert "init_from.d=tale/01: tale/01_first, seed 2, 1 updates, in all/" in out
    assert "init_from=tale/02: tale/02_second, seed 1, 1 updates, in all/" in out
    # An interruption: one run has lost its end, one has never begun. The others are not trained again.
    cut, never = (next(iter((tmp_path / "all").glob(f"*{name}*seed-2"))) for name in ("01_first", "02_second"))
    (cut / "summary.json").unlink()
    shutil.rmtree(never)
    code, out, err = train(*line)
    assert code == 0, err
    assert "going on with all: 6 of 8 runs are there" in out
    assert out.count("finished: ") == 6
    assert f"going on from {cut.relative_to(tmp_path)}" in out
    assert (never / "summary.json").exists()


@pytest.mark.slow
def test_a_child_says_that_its_parent_failed(train, tmp_path, tale):
    fails = "optimizer.lr=1e30", "trainer.guard.recover=false"
    line = ("-m", *tale, "experiment=tale/01_first,tale/02_second", "run_dir=all", *fails, "resume=auto")
    code, out, err = train(*line)
    assert code == 2
    assert "training has exploded" in err
    assert "tale/01_first at size=full (all/0_experiment-tale-01_first ended by exploded); make one: python -m" in out
    # What exploded is a result: the sweep does not train it again.
    _, out, _ = train(*line)
    assert "experiment=tale/01_first: exploded: exploded after " in out
    assert "=== run 1 " not in out
