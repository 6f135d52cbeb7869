"""A search by Optuna: what is searched, that it goes on, that it gives up what falls behind."""

import json

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is missing: uv sync")

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from sr.errors import UserError  # noqa: E402
from sr.experiments.table import rows_of  # noqa: E402
from sr.training.search import study_in  # noqa: E402
from sr.verbs.train.searching import Search, space_of  # noqa: E402
from sr.verbs.train.sweep_record import FILE, STORAGE, read_record  # noqa: E402

SEARCH = (
    *("-m", "hydra/sweeper=optuna", "hydra.sweeper.trials=3", "optimizer.lr=tag(log,interval(1e-4,1e-2))"),
    *("loss=l1,l2", "trainer.max_updates=2", "trainer.val_every=1", "run_dir=SW"),
)


@pytest.mark.parametrize(
    ("typed", "distribution"),
    [
        ("optimizer.lr=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("trainer.clip=interval(0,1)", FloatDistribution(0, 1)),
        ("data.batch_size=int(interval(4,16))", IntDistribution(4, 16)),
        ("data.crop=range(16,49,8)", IntDistribution(16, 48, step=8)),
        ("loss=l1,l1_edge", CategoricalDistribution(["l1", "l1_edge"])),
    ],
)
def test_what_is_searched(typed, distribution):
    space = space_of(["model=espcn", typed, "hydra/sweeper=optuna", "run_dir=SW"])
    assert space.fixed == ("model=espcn",)
    assert list(space.distributions.values()) == [distribution]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("model=espcn", "hydra/sweeper=optuna needs something to search, such as "),
        ("optimizer.lr=interval(2,1)", "optimizer.lr=interval(2,1) is no range to search: it must rise"),
        ("optimizer.lr=tag(log,interval(0,1))", "with log begin above 0"),
        ("optimizer.lr=interval(1,inf)", "is no range to search"),
        ("data.crop=range(9,9)", "data.crop=range(9,9) has no value"),
    ],
)
def test_what_cannot_be_searched(typed, told):
    with pytest.raises(UserError) as error:
        space_of([typed])
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampler": "tpee"}, "hydra.sweeper.sampler=tpee does not exist; did you mean tpe?"),
        ({"together": 0}, "hydra.sweeper.together=0 must be at least 1"),
    ],
)
def test_settings_of_a_search(tmp_path, changes, told):
    settings = {"trials": 3, "together": 1, "sampler": "tpe", "prune": True, "seed": 0} | changes
    with pytest.raises(UserError) as error:
        Search(**settings).study(tmp_path)
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("hydra.sweeper.prune=perhaps", "hydra.sweeper.prune=perhaps must be true or false"),
        ("hydra.sweeper.together=abc", "hydra.sweeper.together=abc must be a whole number of at least 1"),
        ("hydra.sweeper.seed=-1", "hydra.sweeper.seed=-1 must be a whole number of at least 0"),
        ("model.features=interval(8,9)", "model.features=8"),
        ("optimizer.lr=1e-3,abc", "optimizer.lr=abc: optimizer.lr=abc does not fit"),
    ],
)
def test_a_search_with_a_fault_is_refused_before_anything_begins(train, tmp_path, typed, told):
    code, out, err = train("-m", "hydra/sweeper=optuna", "loss=l1,l2", typed, "run_dir=SW")
    assert code == 2
    assert told in err
    assert "=== run" not in out
    assert not (tmp_path / "SW").exists()


def test_half_a_line_of_a_power_cut_is_cut_off(tmp_path):
    search = Search(3, 1, "random", prune=True, seed=0)
    search.study(tmp_path).ask({"x": FloatDistribution(0, 1)})
    whole = (tmp_path / STORAGE).read_bytes()
    (tmp_path / STORAGE).write_bytes(whole + b'{"op_code": 5, "worker')
    assert len(search.study(tmp_path).get_trials()) == 1
    (tmp_path / STORAGE).write_bytes(b"nonsense\n" + whole)
    with pytest.raises(UserError, match=r"search.log is damaged \(.*\); delete the sweep's folder, or take another"):
        search.study(tmp_path)


def test_a_search_that_goes_on_chooses_other_values(tmp_path):
    search, space = Search(3, 1, "random", prune=True, seed=0), {"x": FloatDistribution(0, 1)}
    values = [search.study(tmp_path).ask(space).params["x"] for _ in range(4)]
    assert len(set(values)) == 4


@pytest.mark.slow
def test_a_search_goes_on(train, tmp_path):
    code, out, err = train(*SEARCH)
    assert code == 0, err
    rows = rows_of([tmp_path / "SW"])
    assert len(rows) == 3
    assert {row.state for row in rows} <= {"finished", "pruned"}
    study = study_in(tmp_path / "SW" / STORAGE)
    best = max(row.best["psnr_y"] for row in rows if row.state == "finished")
    assert study.best_value == pytest.approx(best)
    (line,) = [line for line in out.splitlines() if line.startswith("train with its values: ")]
    number = study.best_trial.number
    assert f"optimizer.lr={study.best_params['optimizer.lr']:.6g}" in line
    assert "callbacks.pruning" not in line
    # An interruption: the study has asked for a run whose folder is gone, another that it never recorded.
    record = read_record(tmp_path / "SW")
    told = json.loads((tmp_path / "SW" / FILE).read_text())
    study.ask()  # as by a process that was killed before it could record it
    (tmp_path / "SW" / FILE).write_text(json.dumps(told))
    code, out, err = train("resume=SW", "hydra.sweeper.trials=5", defaults=False)
    assert code == 0, err
    assert len(rows_of([tmp_path / "SW"])) == 5
    states = [trial.state for trial in study_in(tmp_path / "SW" / STORAGE).get_trials(deepcopy=False)]
    assert states.count(TrialState.FAIL) == 1
    assert states.count(TrialState.RUNNING) == 0
    assert read_record(tmp_path / "SW").jobs[:3] == record.jobs
    assert f"{number}_" in out


@pytest.mark.slow
def test_what_falls_behind_is_given_up(train, tmp_path):
    """Rates a thousand times apart: the slow ones are behind the median of the fast ones from the first validation."""
    code, _, err = train(
        *("-m", "hydra/sweeper=optuna", "hydra.sweeper.trials=9", "hydra.sweeper.sampler=random", "loss=l2"),
        *("optimizer.lr=tag(log,interval(1e-6,1e-2))", "trainer.max_updates=12", "trainer.val_every=3", "run_dir=SW"),
    )
    assert code == 0, err
    rows = rows_of([tmp_path / "SW"])
    pruned = [row for row in rows if row.state == "pruned"]
    assert pruned
    assert all(row.updates < 12 for row in pruned)
    assert all(row.updates == 12 for row in rows if row.state == "finished")
    study = study_in(tmp_path / "SW" / STORAGE)
    assert sum(trial.state == TrialState.PRUNED for trial in study.get_trials(deepcopy=False)) == len(pruned)


def test_a_search_without_validation_pictures(train):
    code, _, err = train(*SEARCH, "data.val=null")
    assert code == 2
    assert "a search watches the validation, and there is none: set data.val" in err
