"""Checkpoints of strangers, or of nobody: every part of a run's state missing or replaced ends in a sentence."""

import copy
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from sr.config.building import build_clock, build_module
from sr.config.composing import changed
from sr.config.starting import start_from, start_of
from sr.config.stored import opened
from sr.errors import UserError
from sr.training.callbacks.guard import Guard
from sr.training.callbacks.validation import Validation
from sr.training.colour_alarm import ColourAlarm
from sr.training.keeping.bundle import read_bundle
from sr.training.keeping.checkpoint import FORMAT, random_states, read_checkpoint, set_random_states, understood
from sr.training.keeping.run_folder import RunFolder
from sr.training.keeping.state import load_trained_state
from sr.training.steps import plain_optimizers

OLD = Path(__file__).parents[1] / "old_runs" / "daa0cad"
STATE = torch.load(OLD / "checkpoints" / "last.ckpt", weights_only=True)
BUNDLE = torch.load(OLD / "bugs" / "update_2_batch_2.bug", weights_only=True)
VALUES = {"None": None, "[]": [], "{}": {}, "5": 5, "x": "x", "tensor": torch.zeros(7, 3), "gone": None, "[5]": [5]}
VALUES |= {"nan": float("nan")}
_PART = ("trained", "validation", "guard", "random")


def places(node, way=()):
    """Ways to every value; of many of one kind (parameters, numbers of a generator) to the first two."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ())
    for key, child in items[: 2 if all(isinstance(key, int) or "." in key for key, _ in items) else None]:
        yield (*way, key)
        yield from places(child, (*way, key))


def replaced(state, way, name):
    """A copy of the state with one value replaced, or taken away."""
    if not way:
        return copy.deepcopy(VALUES[name])
    items = dict(state.items() if isinstance(state, dict) else enumerate(state))
    if len(way) == 1 and name == "gone":
        del items[way[0]]
    else:
        items[way[0]] = replaced(items[way[0]], way[1:], name)
    return items if isinstance(state, dict) else type(state)(items.values())


@pytest.fixture(scope="module")
def module():
    config = changed(opened(STATE["config"], OLD), [])
    return build_module(config, build_clock(config, lambda _: None))


WAYS = [way for part in _PART for way in places({part: STATE[part]})]
"""A part that is missing whole is looked up where the whole command goes on, below."""


@pytest.fixture(scope="module")
def parts(module, tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    alarm = ColourAlarm(STATE["config"]["trainer"]["colour_alarm"], print)
    validation = Validation(2, "psnr_y", folder, 0, None, alarm)
    guard = Guard(True, 1e4, 0.5, 3, (2,), folder, {}, False, print)
    return {
        "trained": lambda state: load_trained_state(module, state),
        "validation": validation.load_state_dict,
        "guard": guard.load_state_dict,
        "random": set_random_states,
    }


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(map(str, way)))
def test_a_part_of_the_state_replaced_ends_in_a_sentence_or_counts(way, module, parts):
    before = random_states()
    try:
        for name in VALUES:
            state = replaced(STATE, way, name)
            if way[0] not in state:
                continue
            try:
                with understood(Path("last.ckpt")):
                    parts[way[0]](state[way[0]])
                    if way[:2] == ("trained", "optimizers"):
                        _one_update(module)
                    if way[0] == "trained":
                        module.means.take()
            except UserError:
                continue
    finally:
        set_random_states(before)


def _one_update(module):
    """Moments that were taken must carry an update."""
    for optimizer in plain_optimizers(module):
        for group in optimizer.param_groups:
            group["lr"] = 0.0
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()


BATCHES = [w for w in places(BUNDLE) if w[0] == "batches"]


@pytest.mark.parametrize("way", [*BATCHES, ("update",), ("trouble",)], ids=str)
def test_a_bundle_with_a_part_replaced(way, tmp_path):
    for name in VALUES:
        torch.save(replaced(BUNDLE, way, name), tmp_path / "x.bug")
        try:
            read_bundle(tmp_path / "x.bug")
        except UserError:
            continue


def test_a_bundle_whose_crops_do_not_fit(sr, tmp_path):
    batch = BUNDLE["batches"][0]
    torch.save(BUNDLE | {"batches": [batch | {"hr": batch["hr"][..., :-3]}]}, tmp_path / "x.bug")
    code, _, err = sr("replay", "x.bug")
    assert (code, "x.bug holds what no run" in err, "not of scale 2" in err) == (2, True, True)


START = ["ema", "ema.module", "network", "adversaries", "adversaries.d", "adversaries.d.network"]


@pytest.mark.parametrize("place", ["", *START, "ema.module.first"])
def test_weights_to_start_from(place, module, tmp_path):
    first = next(iter(STATE["trained"]["network"]))
    way = ("trained", *(first if part == "first" else part for part in place.split(".") if part))
    for name in VALUES:
        torch.save(replaced(STATE, way, name), tmp_path / "x.ckpt")
        for start in (str(tmp_path / "x.ckpt"), {"d": str(tmp_path / "x.ckpt")}):
            try:
                start_from(module, start_of(start), lambda _: None)
            except UserError:
                continue


@pytest.mark.parametrize(
    ("way", "name"),
    [
        (("trained",), "gone"),
        (("trained", "clock"), "[]"),
        (("trained", "optimizers", 0, "state", 0, "exp_avg"), "tensor"),
        (("validation", "best"), "x"),
        (("random", "torch"), "tensor"),
    ],
    ids=str,
)
def test_the_whole_command(way, name, train, tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    torch.save(replaced(STATE, way, name), tmp_path / "run" / "checkpoints" / "last.ckpt")
    code, _, err = train("resume=run", "trainer.max_updates=6", defaults=False)
    assert code == 2
    assert "error: run/checkpoints/last.ckpt holds what no run of this version has written" in err


def test_a_checkpoint_that_is_larger_inside(tmp_path):
    plain, packed = tmp_path / "plain.ckpt", tmp_path / "last.ckpt"
    torch.save({"format": FORMAT, "x": torch.zeros(1 << 20)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert read_checkpoint(plain)["x"].shape == (1 << 20,)
    with pytest.raises(UserError, match=r"cannot be read \(it would unpack to 4.* made to fill the memory\)"):
        read_checkpoint(packed)


def test_a_checkpoint_of_other_objects_is_not_recommended(tmp_path):
    torch.save({"format": FORMAT, "x": Path("x")}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"cannot be read \(it holds other objects\); the network itself"):
        read_checkpoint(tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").write_bytes(pickle.dumps({"x": Path("x")}, 4))  # of which PyTorch warns
    with pytest.raises(UserError, match="cannot be read"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_pickle_that_would_crash_its_reader_is_none(tmp_path):
    from sr.losses.pretrained import read_tensors

    (tmp_path / "last.ckpt").write_bytes(b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.")  # tuples in tuples
    with pytest.raises(UserError, match=r"cannot be read \(its tuples nest deeper than 64"):
        read_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="its tuples nest deeper than 64"):
        read_tensors(tmp_path / "last.ckpt")
