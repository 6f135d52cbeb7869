"""What tells runs apart: choices by name, keys below them, seeds."""

from sr.experiments.groups import groups
from sr.experiments.settings import differing, flat, named, seed_groups
from sr.experiments.table import rows_of
from tests.experiments.report.made_runs import ESPCN, RDN, Made, rows_below


def test_a_configuration_by_dotted_key():
    config = {
        "model": {"_target_": "a.B", "widths": [1, 2], "parts": [{"x": None}, 3]},
        "data": {"cache": "/c", "workers": 4, "train": {"cache": "/c", "seed": 0}},
        "size": {"name": "mini", "crop": 3},
        "adversary": {},
        "lr": 1e-4,
        "ema": True,
        "logger": {"wandb": {}},
        "run_dir": "x",
        "resume": "y",
        "trust": True,
        "started_from": {"g": 1},
        "long": "x" * 60 + "y" * 60,
    }
    assert flat(config) == {
        "model._target_": "a.B",
        "model.widths": "[1,2]",
        "model.parts.0.x": "null",
        "model.parts.1": "3",
        "data.train.seed": "0",
        "size": "mini",
        "lr": "0.0001",
        "ema": "true",
        "long": "x" * 60 + "y" * 60,
    }


def test_choices_stand_for_what_follows_from_them(tmp_path):
    wide = ESPCN | {"features": 64}
    found = differing(
        rows_below(
            tmp_path / "runs",
            Made(1, ESPCN, choices={"model": "espcn", "loss": "l1"}),
            Made(1, wide, choices={"model": "espcn", "loss": "l1"}),
            Made(2, RDN, {"optimizer": {"lr": 0.01}}, choices={"model": "rdn", "loss": "l1"}),
        )
    )
    assert found == [
        {"model": "espcn", "model.features": "48", "optimizer.lr": "0.001", "seed": "1"},
        {"model": "espcn", "model.features": "64", "optimizer.lr": "0.001", "seed": "1"},
        {"model": "rdn", "optimizer.lr": "0.01", "seed": "2"},
    ]
    assert named(found[2]) == "model=rdn, optimizer.lr=0.01"


def test_without_choices_keys_are_told(tmp_path):
    found = differing(
        rows_below(tmp_path / "runs", Made(model=ESPCN), Made(model=ESPCN | {"features": 64}), Made(model=RDN))
    )
    espcn = {"model._target_": ESPCN["_target_"]}
    assert found == [
        espcn | {"model.features": "48"},
        espcn | {"model.features": "64"},
        {"model._target_": RDN["_target_"]},
    ]


def test_a_choice_that_only_some_rows_know(tmp_path):
    found = differing(
        rows_below(
            tmp_path / "runs",
            Made(model=ESPCN, choices={"model": "espcn"}),
            Made(model=RDN, choices={"model": "rdn"}),
            Made(model=RDN),
            Made(model=RDN | {"blocks": 5}),
        )
    )
    assert found[:2] == [{"model": "espcn"}, {"model": "rdn"}]
    assert [one["model.blocks"] for one in found[2:]] == ["4", "5"]


def test_what_repeats_another_key_is_told_once(tmp_path):
    four = {"scale": 4, "degradation": {"scale": 4}}
    two = {"degradation": {"scale": 2}}
    found = differing(
        rows_below(tmp_path / "runs", Made(settings=two), Made(model=ESPCN | {"scale": 4}, settings=four))
    )
    assert found == [{"scale": "2"}, {"scale": "4"}]


def test_runs_of_the_same_but_for_the_seed(tmp_path):
    lower = {"optimizer": {"lr": 0.01}}
    both = rows_below(tmp_path / "runs", Made(1), Made(2), Made(1, settings=lower), Made(3), Made(2, settings=lower))
    assert seed_groups(both) == [[0, 1, 3], [2, 4]]
    found = groups(both, differing(both))
    assert [group.name for group in found] == ["optimizer.lr=0.001", "optimizer.lr=0.01"]
    own_seed = rows_of([tmp_path / "runs" / "0_run"])
    assert groups(own_seed, differing(own_seed))[0].name == "0_run"
    same = [both[0], both[1], both[3]]
    assert groups(same, differing(same))[0].name == "all runs"


def test_runs_without_a_configuration_are_each_alone(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").write_text("{}")
    both = rows_of([tmp_path / "runs"])
    assert seed_groups(both) == [[0], [1]]
    assert [group.name for group in groups(both, differing(both))] == ["a", "b"]


def test_long_values_are_compared_whole_and_shown_short(tmp_path):
    long = ["a" * 60 + middle + "b" * 60 for middle in "xy"]
    rows = rows_below(tmp_path, *(Made(settings={"optimizer": {"name": value}}) for value in long))
    assert seed_groups(rows) == [[0], [1]]
    assert [one["optimizer.name"] for one in differing(rows)] == ["a" * 39 + "…" + "b" * 40] * 2
