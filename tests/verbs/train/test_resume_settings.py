"""`resume=DIR key=value`: single values of the run's own choices, typed without those choices."""

import pytest
from omegaconf import OmegaConf

from sr.config.overrides import override_faults, with_run_settings
from tests.conftest import REPOSITORY
from tests.sparing import few_now

CONF = REPOSITORY / "conf"
RUN = ["loss=l1_edge", "adversary=[lsgan,stepper]", "discriminator=conv", "callbacks=early_stop"]
RUN += ["degradation=shuffled", "optimizer=sgd", "optimizer.momentum=0.5"]


@pytest.fixture
def run(trained_once):
    """A finished run of two updates whose choices are no defaults."""
    return trained_once("run", *RUN, "trainer.max_updates=2")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    few_now(
        [
            ("adversary.d.weight", 0.1, 0.5),
            ("adversary.d.policy.stepper.rest_below", 0.3, 0.2),
            ("loss.terms.edge.weight", 0.1, 0.3),
            ("callbacks.early_stop.patience", 10, 7),
            ("optimizer.momentum", 0.5, 0.7),
            ("degradation.stages.jpeg.quality", [30, 95], [60, 80]),
        ]
    ),
)
def test_a_value_that_only_the_run_has(train, run, name, old, new):
    before = OmegaConf.load(run / "config.yaml")
    assert OmegaConf.select(before, name) == old
    code, out, err = train("resume=run", f"{name}={new}".replace(" ", ""), "trainer.max_updates=3", defaults=False)
    assert code == 0, err
    assert f"{name}={new} (was {old})" in out
    after = OmegaConf.load(run / "config.yaml")
    assert OmegaConf.select(after, name) == new
    OmegaConf.update(after, name, old)
    after.trainer.max_updates = before.trainer.max_updates
    assert after == before, "nothing else changes"


@pytest.mark.parametrize("plus", ["+", "++"])
def test_plus_signs_may_be_written_too(train, run, plus):
    code, out, err = train("resume=run", f"{plus}adversary.d.weight=0.5", "trainer.max_updates=3", defaults=False)
    assert code == 0, err
    assert "adversary.d.weight=0.5 (was 0.1)" in out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["adversary.d.wieght=0.5"], "adversary.d.wieght is not a setting; did you mean adversary.d.weight"),
        (["++adversary.d.wieght=0.5"], "adversary.d.wieght is not an argument of sr.training.adversary.adversary.Adv"),
        (["loss.terms.egde.weight=1"], "loss.terms.egde.weight is not a setting; did you mean loss.terms.edge.weight"),
        (["optimizer.momentun=0.5"], "optimizer.momentun is not a setting; did you mean optimizer.momentum"),
        (["callbacks.early_stop.patince=3"], "callbacks.early_stop.patince is not a setting; did you mean callbacks."),
        (["adversary.d.weight=much"], "adversary.d.weight=much does not fit"),
        # What the run does not have either is told by the choice that has it.
        (
            ["adversary.d.shows.noise.sigma.start=9"],
            "is not a setting of these choices; it is a setting of adversary=i",
        ),
        # A choice of this command line takes the place of the run's, whose settings end with it.
        (
            ["adversary=lsgan", "discriminator=conv", "adversary.d.policy.stepper.rest_below=0.2"],
            "adversary.d.policy.stepper.rest_below is not a setting of these choices; it is a setting of adversary=st",
        ),
        (
            ["adversary=lsgan", "discriminator=conv", "adversary.d=null"],
            "adversary.d=null is no adversary; choose one with adversary=…",
        ),
        (["adversary.d=null"], "adversary.d=null is no adversary; choose one with adversary=…"),
        (["trainer.devices=0"], "trainer.devices=0 must be at least 1"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_mistake_is_refused_with_the_names_of_the_run(train, run, overrides, message):
    before = (run / "config.yaml").read_text()
    code, _, err = train("resume=run", *overrides, "trainer.max_updates=3", defaults=False)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert (run / "config.yaml").read_text() == before


def test_where_there_is_no_such_run_that_comes_first(train, run):
    code, _, err = train("resume=rum", "adversary.d.weight=0.5", defaults=False)
    assert code == 2
    assert err == "error: resume=rum: there is no such folder; did you mean run?\n"
    code, _, err = train("resume=run/config.yaml", "adversary.d.weight=0.5", defaults=False)
    assert code == 2
    assert err == "error: resume=run/config.yaml is a file; take the run's folder: resume=run\n"


def test_only_what_the_run_alone_has_is_rewritten(tmp_path):
    (tmp_path / "config.yaml").write_text("optimizer: {lr: 1, momentum: 2}\nadversary: {d: {weight: 1}}\n")
    typed = [f"resume={tmp_path}", "optimizer.lr=3", "optimizer.momentum=4", "adversary.d.weight=5", "seed=1"]
    expected = [*typed[:2], "++optimizer.momentum=4", "++adversary.d.weight=5", "seed=1"]
    assert with_run_settings([CONF], typed) == expected
    assert override_faults([CONF], expected) == []
    assert with_run_settings([CONF], [*typed, "optimizer=adamw"])[2] == "optimizer.momentum=4"
    for other in (["resume=auto", *typed[1:]], ["resume=nowhere", *typed[1:]], typed[1:]):
        assert with_run_settings([CONF], other) == other
    (tmp_path / "config.yaml").write_text("a: [")
    assert with_run_settings([CONF], typed) == typed
