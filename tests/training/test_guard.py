"""Explosions: undone, counted, kept for a second look; or the end of the run."""

import csv
import json
import math
import re
from pathlib import Path

import pytest
import torch

from sr.models.files import load_network
from sr.training.adversary.replay import BatchStore
from sr.training.keeping.bundle import read_bundle
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.state import copied
from sr.training.module import SuperResolution
from sr.types import UserError

GAN = ["adversary=lsgan", "discriminator=conv", "adversary.d.optimizer.lr=1e-3"]


@pytest.fixture
def bad_batch(monkeypatch):
    """Poison the training pictures of some batch numbers."""
    pair = SuperResolution.pair

    def poison(*numbers):
        def poisoned(self, batch):
            given = pair(self, batch)
            return given._replace(hr=given.hr * math.nan) if self.batches in numbers else given

        monkeypatch.setattr(SuperResolution, "pair", poisoned)

    return poison


def leaves(value):
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in leaves(child)]
    if isinstance(value, list | tuple):
        return [leaf for child in value for leaf in leaves(child)]
    return [value] if isinstance(value, torch.Tensor) and value.is_floating_point() else []


def assert_finite(folder: Path) -> dict:
    state = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    for leaf in leaves(state["trained"]):
        assert leaf.isfinite().all()
    network, _ = load_network(folder / "last.safetensors")
    assert all(p.isfinite().all() for p in network.parameters())
    return state


def rows(folder: Path) -> list[dict]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("opponents", [[], GAN], ids=["supervised", "gan"])
def test_a_run_that_explodes_at_update_50_recovers_by_itself(train, tmp_path, bad_batch, opponents):
    bad_batch(49)
    few = ["trainer.max_updates=70", "trainer.val_every=35", "trainer.log_every=10"]
    code, out, err = train(*few, *opponents, "run_dir=run", "trainer.guard.rate_factor=0.5")
    assert code == 0, err
    assert "update 50: a loss or a gradient is infinite or not a number; back to update 40" in out
    assert "learning rates x0.5" in out
    assert "(1 of 10 in a row)" in out
    state = assert_finite(tmp_path / "run")
    assert state["trained"]["clock"]["updates"] == 70
    assert state["trained"]["batches"] == 80  # ten updates were undone, and their batches do not come again
    assert state["trained"]["rate"] == 0.5
    assert state["guard"] == {"recoveries": 1, "in_a_row": 0}
    assert [int(row["updates"]) for row in rows(tmp_path / "run")] == [10, 20, 30, 35, 40, 50, 60, 70]
    assert "nan" not in (tmp_path / "run" / "metrics.csv").read_text()
    rates = {int(row["updates"]): float(row["train/lr"]) for row in rows(tmp_path / "run") if row["train/lr"]}
    assert rates[50] < 0.6 * rates[40]


@pytest.mark.slow
def test_with_recovery_off_it_stops_with_a_clear_message(train, tmp_path, bad_batch):
    bad_batch(49)
    few = ["trainer.max_updates=70", "trainer.val_every=35", "trainer.log_every=10", "trainer.guard.recover=false"]
    code, _, err = train(*few, "run_dir=run")
    assert code == 2
    assert re.search(
        r"a loss or a gradient is infinite or not a number at update 50: training has exploded; lower optimizer\.lr, "
        r"set trainer\.clip=1\.0, or let the run recover with trainer\.guard\.recover=true\. "
        r"The last checkpoint is kept; see it again with: sr replay run/bugs/update_50_batch_50\.bug",
        err,
    ), err
    assert "Traceback" not in err
    assert assert_finite(tmp_path / "run")["trained"]["clock"]["updates"] == 35
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["exit_reason"], summary["updates"]) == ("exploded", 50)
    code, _, err = train(*few, "run_dir=run", "resume=auto")
    assert (code, "run has exploded (update 50), and the same run would again" in err) == (2, True), err
    code, _, err = train("resume=run", "trainer.guard.recover=true", defaults=False)
    assert code == 0, err


@pytest.mark.slow
def test_a_loss_above_the_threshold_is_an_explosion(train, tmp_path):
    # The weight of the loss jumps at update 5 and never comes back: ten recoveries in a row do not help.
    weight = "loss.terms.l1.weight={_target_:sr.losses.weights.Steps,values:[1.0,1e5],milestones:[5]}"
    code, out, err = train(
        weight, "run_dir=run", "trainer.max_updates=40", "trainer.val_every=4", "trainer.log_every=4"
    )
    assert code == 2
    assert out.count("above trainer.guard.threshold=50 (most of it train/g/l1); back to update 4") == 10
    assert "(10 of 10 in a row)" in out
    assert (
        "training has exploded again, after 10 recoveries in a row; lower loss.terms.l1.weight, optimizer.lr, or raise "
        "trainer.guard.threshold. The last checkpoint is kept" in err
    )
    assert_finite(tmp_path / "run")
    # Each began where the last recovery moved on to; more than three would fill the disk.
    names = sorted(path.name for path in (tmp_path / "run" / "bugs").iterdir())
    assert names == ["update_6_batch_10.bug", "update_6_batch_14.bug", "update_6_batch_6.bug"]
    code, _, err = train(weight, "trainer.max_updates=8", "trainer.guard.threshold=inf")
    assert code == 0, err


def test_the_advice_names_the_network_that_exploded(train):
    few = ["trainer.max_updates=8", "trainer.val_every=8", "trainer.log_every=8", "trainer.guard.recover=false"]
    code, _, err = train(*GAN, *few, "adversary.d.optimizer.lr=1e30", "trainer.precision=32")
    assert code == 2
    assert re.search(
        r"a loss or a gradient of adversary\.d is infinite or not a number at update \d: training has exploded; lower "
        r"adversary\.d\.optimizer\.lr, set adversary\.d\.clip=1\.0, or let the run recover with "
        r"trainer\.guard\.recover=true\. There is no checkpoint yet; see it again",
        err,
    ), err


def test_a_weight_that_is_not_finite_is_seen_again(train, sr, tmp_path):
    """Every loss and gradient is finite, and the step overflows: float32 ends at 3.4e38."""
    few = ["trainer.max_updates=8", "trainer.val_every=8", "trainer.log_every=1", "trainer.precision=32"]
    huge = [
        "optimizer=sgd",
        "optimizer.lr=3e38",
        "schedule=constant",
        "loss.terms.l1.weight=1e4",
        "trainer.guard.threshold=inf",
        "trainer.guard.recover=false",
    ]
    code, _, err = train(*few, *huge, "run_dir=run")
    assert code == 2
    assert "a weight is infinite or not a number at update 1: training has exploded; lower optimizer.lr" in err
    (path,) = (tmp_path / "run" / "bugs").iterdir()
    code, out, err = sr("replay", path)
    assert code == 0, err
    assert "a weight is not finite after update 1: seen again" in out


def test_what_the_guard_is_about_to_undo_is_not_saved(train, tmp_path, monkeypatch):
    """A checkpoint that is due by the wall clock, between two looks."""
    monkeypatch.setattr("sr.training.callbacks.saving.LONGEST_SECONDS", 0.0)
    weight = "loss.terms.l1.weight={_target_:sr.losses.weights.Steps,values:[1.0,1e5],milestones:[5]}"
    rare = ["trainer.val_every=8", "trainer.log_every=8", "trainer.max_updates=8", "trainer.guard.recover=false"]
    assert train(weight, *rare, "run_dir=run")[0] == 2
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert state["trained"]["clock"]["updates"] == 5


@pytest.mark.slow
def test_a_run_that_explodes_again_and_again_ends_in_time(train, tmp_path):
    weight = "loss.terms.l1.weight={_target_:sr.losses.weights.Steps,values:[1.0,1e5],milestones:[5]}"
    settings = ["trainer.max_time=00:00:04", "trainer.max_updates=null", "trainer.guard.limit=100000"]
    code, out, err = train(weight, *settings, "trainer.val_every=4", "trainer.log_every=4", "run_dir=run")
    assert code == 0, err
    assert re.search(r"ended \(max_time\) after [1-5] updates", out)
    assert assert_finite(tmp_path / "run")["trained"]["clock"]["updates"] <= 5


def test_a_full_disk_keeps_nobody_from_recovering(train, monkeypatch, bad_batch):
    def full(path, bundle):
        raise UserError(f"could not write {path}: No space left on device")

    monkeypatch.setattr("sr.training.callbacks.guard.write_bundle", full)
    bad_batch(4)
    code, out, err = train("trainer.max_updates=8", "trainer.log_every=2")
    assert code == 0, err
    assert "(1 of 10 in a row); could not write" in out
    assert "No space left on device" in out


def test_a_bundle_is_replayed_by_one_command(train, sr, tmp_path, bad_batch):
    bad_batch(8)
    few = ["trainer.max_updates=12", "trainer.val_every=6", "trainer.log_every=6", "trainer.accumulate=1"]
    assert train(*few, *GAN, "run_dir=run", "trainer.precision=32")[0] == 0
    (path,) = (tmp_path / "run" / "bugs").iterdir()
    assert path.name == "update_9_batch_9.bug"
    bundle = read_bundle(path)
    assert bundle.config["seed"] == 0
    assert [int(batch.samples[0]) for batch in bundle.batches] == [24, 28, 32]
    code, out, err = sr("replay", path)  # the poison is still there
    assert code == 0, err
    assert "3 updates from the last good state, seed 0" in out
    assert "update 9 is not finite: seen again" in out
    for column in ("update 7", "update 8", "update 9", "train/d/total"):
        assert column in out


def test_a_replay_equals_the_run(train, sr, tmp_path, bad_batch, monkeypatch):
    from sr.verbs import replay as replaying

    bad_batch(10)
    few = ["trainer.max_updates=12", "trainer.val_every=12", "trainer.log_every=1", "trainer.checkpoint_every=12"]
    # Every update is looked at, so the bundle would hold one; the log alone looks at each, the guard at every twelfth.
    with monkeypatch.context() as patch:
        patch.setattr("sr.training.callbacks.guard.Guard.after_update", _look_at_twelve)
        assert train(*few, *GAN, "run_dir=run", "trainer.guard.recover=false")[0] == 2
    expected = {int(row["updates"]): row for row in rows(tmp_path / "run")}
    (path,) = (tmp_path / "run" / "bugs").iterdir()
    seen = {}
    monkeypatch.setattr(replaying, "_print", lambda console, values: seen.update(dict(values)))
    assert sr("replay", path, "--last", 20)[0] == 0
    assert sorted(seen) == list(range(1, 12))
    for updates in range(1, 11):
        for name, value in seen[updates].items():
            assert f"{value:.8g}" == expected[updates][name], (updates, name)


def _look_at_twelve(guard, trainer, module):
    if module.updates == 12:
        guard._look(trainer, module)


@pytest.mark.slow
def test_overrides_try_a_way_out(train, sr, tmp_path, bad_batch):
    few = ["trainer.max_updates=40", "trainer.val_every=4", "trainer.log_every=4"]
    assert train("optimizer.lr=1e30", *few, "run_dir=run")[0] == 2
    path = sorted((tmp_path / "run" / "bugs").iterdir())[0]
    code, out, _ = sr("replay", path)
    assert code == 0
    assert "seen again" in out
    code, out, _ = sr("replay", path, "optimizer.lr=1e-4")
    assert code == 0
    assert "every value and every weight stayed finite" in out
    code, _, err = sr("replay", path, "optimizer.lrr=1")
    assert code == 2
    assert "optimizer.lrr is not an argument of torch.optim.Adam; did you mean lr" in err
    code, _, err = sr("replay", path, "clip")
    assert code == 2
    assert "'clip' is not an override; write name=value" in err


def test_what_is_no_bundle(sr, train, tmp_path):
    for name, message in (
        ("nothing.bug", "nothing.bug does not exist; a run that exploded leaves .bug files"),
        (".", "is a folder; name a .bug file"),
    ):
        code, _, err = sr("replay", tmp_path / name)
        assert code == 2
        assert message in err
    assert train("run_dir=run")[0] == 0
    code, _, err = sr("replay", tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert code == 2
    assert "is not a file of this kind of this program (expected format sr-bundle/1)" in err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.guard.threshold=0", "trainer.guard.threshold=0 must be positive"),
        ("trainer.guard.rate_factor=2", "trainer.guard.rate_factor=2 must be above 0 and at most 1"),
        ("trainer.guard.limit=0", "trainer.guard.limit=0 must be at least 1"),
        ("trainer.guard.treshold=1", "trainer.guard.treshold is not a setting; did you mean trainer.guard.threshold"),
    ],
)
def test_bad_settings(train, override, message):
    code, _, err = train(override)
    assert code == 2
    assert message in err


def test_copies_are_not_views():
    state = {"a": [torch.zeros(2)], "b": {"replay": {"kept": [torch.ones(2)]}}, "n": 3}
    made = copied(state)
    state["a"][0].add_(1)
    assert made["a"][0].tolist() == [0, 0]
    assert made["n"] == 3
    # Stored fakes are never changed in place, and there may be gigabytes of them: they are shared.
    assert made["b"]["replay"]["kept"][0] is state["b"]["replay"]["kept"][0]
    assert made["b"]["replay"]["kept"] is not state["b"]["replay"]["kept"]


def test_a_store_is_not_changed_in_place():
    from sr.draws import Draws

    store = BatchStore(capacity=2, share=0.0)
    for number in range(4):
        before = list(store.kept)
        copies = [kept.clone() for kept in before]
        store.exchange(torch.full((1, 3, 2, 2), float(number)), Draws(0, torch.tensor([number]).numpy()))
        assert all(torch.equal(a, b) for a, b in zip(before, copies, strict=True))
