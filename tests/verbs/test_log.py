"""`sr log`: verdicts from run folders; which runs count; the page is the same each time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from omegaconf import OmegaConf

from sr.config.experiments import at_size
from sr.errors import UserError
from sr.experiments import measuring
from sr.experiments.claims import read_claims
from sr.experiments.runs import find_runs
from sr.verbs.log import log as module
from sr.verbs.log.asked import Question, default_roots
from sr.verbs.log.counting import counting
from sr.verbs.log.features import features
from sr.verbs.log.log import show_log
from sr.verbs.log.training import Job, _missing, wanted, with_parents

pytestmark = pytest.mark.slow

CLAIMS = """
log/01:
  - claim: better
    says: is better
    holds_if: log/01.val.psnr_y > log/04.val.psnr_y
    margin: 0.2
    why: twice the spread
  - claim: itself
    says: is itself
    holds_if: log/01.val.psnr_y = log/01.val.psnr_y
    margin: 0.2
    why: twice the spread
log/04:
  - claim: explodes
    says: explodes
    holds_if: explodes log/04
"""
FIRST, OTHER = "log/01_rdn_l1_x0_5", "log/04_pure_vgg"


@pytest.fixture
def claims(tmp_path, monkeypatch):
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    monkeypatch.setattr("sr.verbs.log.asked.CLAIMS", tmp_path / "claims.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def run(name, seed, psnr, size="smoke", reason="max_updates", **changes):
    """A run's folder as training leaves it, with its measures."""
    config = at_size(name, size)
    config.seed = seed
    plain = OmegaConf.to_container(config, resolve=True) | {"experiment": name}
    for key, value in changes.items():
        plain["trainer"][key] = value
    folder = Path("outputs") / f"{name.replace('/', '_')}_{seed}_{size}"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(plain)))
    if reason is None:
        return folder
    numbers = {"updates": 3, "parameters": 5, "seconds": 3600.0, "updates_per_second": 1.0}
    tables = {"bicubic": {}, "final": {}, "best": {}}
    more = {"exit_reason": reason, "ended": "2026-11-29", "machine": "a chip"}
    (folder / "summary.json").write_text(json.dumps(numbers | tables | more))
    found = next(one for one in find_runs([Path("outputs")]) if one.folder.path == folder)
    measured = {"key": measuring.key(found), "sets": {"val": {"psnr_y": psnr}}, "bicubic": {}, "run": {}}
    (folder / measuring.FILE).write_text(json.dumps(measured))
    return folder


def shown(capsys, only=(), json=False, seeds=2, write=None, size="smoke", runs="outputs"):
    code = show_log(Question(only, size, range(1, seeds + 1), [Path(runs)]), write, json, False, 1, "cpu", [])
    assert code == 0
    return capsys.readouterr().out


def test_runs_that_count_are_judged(claims, capsys):
    for seed in (1, 2):
        run(FIRST, seed, 30.0 + seed)
        run(OTHER, seed, 28.0 + seed, reason="exploded" if seed == 2 else "max_updates")
    run(FIRST, 3, 99.0)  # a seed that nobody asked for
    run(FIRST, 1, 99.0, size="mini")
    better, itself, explodes = json.loads(shown(capsys, json=True))
    assert (better["verdict"], better["value"], better["seeds"]) == ("holds", 2.0, [1, 2])
    assert itself["verdict"] == "holds"
    assert explodes["verdict"] == "seen in 1 of 2 seeds within 3 updates"


def test_a_run_from_before_a_setting_was_made_counts(claims, capsys):
    path = run(FIRST, 1, 30.0) / "config.yaml"
    config = OmegaConf.load(path)
    del config.model.padding
    OmegaConf.save(config, path)
    assert "does not count" not in shown(capsys)


def test_what_does_not_count_is_told(claims, capsys):
    run(FIRST, 1, 30.0, max_updates=2)
    run(FIRST, 2, 30.0, reason=None)
    run(OTHER, 1, 30.0, reason="interrupted")
    out = shown(capsys)
    assert "does not count: its settings are others than those of log/01_rdn_l1_x0_5: trainer.max_updates" in out
    assert "does not count: it is running or was cut off; resume=auto goes on with it" in out
    assert "does not count: it was ended before its time (interrupted)" in out
    assert "there is no run of log/01_rdn_l1_x0_5 and of log/04_pure_vgg" in out
    assert "uv run python train.py experiment=log/04_pure_vgg size=smoke seed=1" in out
    assert "train what is not there, with what it is compared to: uv run sr log --run --seeds=2 --size=smoke" in out
    assert "each entry's own run; what it starts from comes first, as with --run:" in out
    assert "size=smoke is three updates of the smallest networks, for tests: its numbers say nothing about any" in out
    run(OTHER, 0, 30.0)
    assert "runs of seed 0 are not looked at; --seeds 2 takes 1 to 2" in shown(capsys)


def test_what_could_not_be_measured_is_named_and_not_trained_again(claims, capsys):
    for seed in (1, 2):
        run(FIRST, seed, 30.0)
        run(OTHER, seed, None)
    out = shown(capsys, size="smoke")
    assert f"not measured ({OTHER}.val.psnr_y has no value in seeds 1, 2 (it needs pictures that are finite))" in out
    assert "train what is not there" not in out


def test_why_one_seed_decides_no_claim_of_no_difference(claims, capsys):
    run(FIRST, 1, 30.0)
    assert "undecided (one seed is too few for a claim of no difference)" in shown(capsys, seeds=1)
    run(FIRST, 2, 31.0)
    assert "one seed is too few" not in shown(capsys)


def test_other_sizes_are_judged_without_a_word(claims, capsys):
    assert "say nothing about any claim" not in shown(capsys, size="mini")


def test_one_entry_by_its_number(claims, capsys):
    assert {one["entry"] for one in json.loads(shown(capsys, ["4"], json=True))} == {OTHER}
    assert {one["entry"] for one in json.loads(shown(capsys, ["01", "log/04"], json=True))} == {FIRST, OTHER}
    for name, near in (("99", OTHER), ("3", OTHER), ("0", FIRST), ("pur_vgg", "04_pure_vgg")):
        with pytest.raises(UserError, match=f"--only {name}: the log has no such entry; did you mean {near}.; entries"):
            shown(capsys, [name])
    with pytest.raises(UserError, match=r"--only foo: the log has no such entry; .*entries are 01 to 04, logs log"):
        shown(capsys, ["foo"])


def test_folders_that_hold_no_runs(claims, sr, tmp_path):
    (tmp_path / "outputz").mkdir()
    for typed, says in (("outputs", "there is no such folder; did you mean outputz?"), ("claims.yaml", "is a file")):
        code, _, err = sr("log", "--runs", typed)
        assert code == 2
        assert f"--runs {typed}" in err
        assert says in err
    assert default_roots() == [Path("outputs")]
    (tmp_path / "docs" / "log").mkdir(parents=True)
    assert default_roots() == [Path("outputs"), Path("docs/log")]
    assert sr("log", "--size", "smoke")[0] == 0  # without runs nothing is missing but they


def test_options_without_effect(claims, sr):
    assert "--set foo=1 is for runs that are trained; add --run" in sr("log", "--set", "foo=1")[2]
    assert "--only , names no entry; write numbers or names" in sr("log", "--only", ",")[2]


def test_a_mistake_in_an_override_is_told_before_anything_is_trained(claims, sr, tmp_path):
    code, out, err = sr("log", "--run", "--size", "smoke", "--only", "1", "--set", "foo=1")
    assert code == 2
    assert "foo" in err
    assert "1 of " not in out
    assert not (tmp_path / "outputs" / "log").exists()


def test_entries_of_other_logs_by_name(claims, capsys, tmp_path):
    notes = "".join(
        f"photo_notes/{name}:\n  - {{claim: sharp, says: it is sharp, untestable: nobody looks}}\n"
        for name in ("aaa", "v2")
    )
    (tmp_path / "claims.yaml").write_text(CLAIMS + notes)
    assert [one["entry"] for one in json.loads(shown(capsys, ["photo_notes/aaa"], json=True))] == ["photo_notes/aaa"]
    assert {one["entry"] for one in json.loads(shown(capsys, ["log"], json=True))} == {FIRST, OTHER}
    out = shown(capsys, ["photo_notes"], write=Path("docs"))
    assert "uv run python train.py experiment=photo_notes/v2 size=smoke seed=1" in out
    assert "--only=photo_notes" in (tmp_path / "docs" / "LOG.md").read_text()
    with pytest.raises(UserError, match="entries are 01 to 04, logs log, photo_notes"):
        shown(capsys, ["99"])
    with pytest.raises(UserError, match="photo_notes/aab: the log has no such entry; did you mean photo_notes/aaa"):
        shown(capsys, ["photo_notes/aab"])


def test_the_deepest_layer_of_each_feature_network():
    def deepest(name, size):
        return list(features(at_size(name, size).loss))

    assert deepest("internship/joint", "full") == [("vgg19", "conv4_4")]  # of a mask
    assert deepest("internship/joint", "mini") == [("vgg16", "conv2_2")]
    assert deepest("photo_notes/aaa", "full") == [("vgg16", "conv3_3")]


def test_the_page_is_made_again_the_same(claims, capsys, tmp_path):
    folder = run(FIRST, 1, 30.0)
    run(OTHER, 1, 28.0)
    (folder / measuring.PICTURE).write_bytes(b"a picture")
    shown(capsys, write=Path("docs"))
    kept = {path: path.read_bytes() for path in (tmp_path / "docs").rglob("*") if path.is_file()}
    record = {"config.yaml", "summary.json", "measures.json"}
    assert {path.name for path in kept} == {"LOG.md", "log.json", "measures.webp"} | record
    assert {path.parent.name for path in kept} == {"docs", "01_rdn_l1_x0_5_seed1", "04_pure_vgg_seed1"}
    assert b"(log/01_rdn_l1_x0_5_seed1/measures.webp)" in kept[tmp_path / "docs" / "LOG.md"]
    shown(capsys, write=Path("docs"))
    assert {path: path.read_bytes() for path in kept} == kept
    shutil.rmtree("outputs")
    shown(capsys, write=Path("docs"), runs="docs/log")
    assert {path: path.read_bytes() for path in (tmp_path / "docs").rglob("*") if path.is_file()} == kept
    page = (tmp_path / "docs" / "LOG.md").read_text()
    assert "from 2 runs at `size=smoke` (2.0 hours of training, 2026-11-29; a chip)" in page
    assert "> Claim [L]: validated on DIV2K at x1 it almost reaches the paper's result (32.35 dB)" in page


def test_where_nothing_can_be_written_is_told_first(claims, capsys, monkeypatch, tmp_path):
    (tmp_path / "taken").write_text("x")
    monkeypatch.setattr(module, "counting", None)  # nothing is read
    for place in ("taken", "taken/docs", "/dev/null"):
        with pytest.raises(UserError, match=f"could not write into {place}: "):
            shown(capsys, write=Path(place))
    question = Question((), "smoke", [1], [Path("taken")])
    with pytest.raises(UserError, match="could not write into taken: "):
        show_log(question, None, False, True, 1, "cpu", [])


def test_parents_come_first_and_once():
    needed = [("c", 1), ("c", 2), ("b", 2)]
    parents = {"c": ["b"], "b": ["a"]}
    assert with_parents(needed, parents, 1) == [("a", 1), ("b", 2), ("c", 1), ("c", 2)]
    assert with_parents([("c", 2)], parents, 1) == [("a", 1), ("b", 1), ("c", 2)]


def test_a_record_has_no_network_to_start_from(claims):
    for name, seed in ((FIRST, 1), (FIRST, 2), (OTHER, 1)):
        run(name, seed, 30.0)
    found = {(one.experiment, one.seed): one for one in find_runs([Path("outputs")])}
    there = {FIRST: {1: found[FIRST, 1], 2: found[FIRST, 2]}, OTHER: {1: found[OTHER, 1]}}
    ordered = [(FIRST, 1), (FIRST, 2), (OTHER, 1), (OTHER, 2)]
    parents = {OTHER: [FIRST]}
    assert _missing(ordered, parents, there) == [(FIRST, 2), (OTHER, 2)]
    folder = found[FIRST, 2].folder
    folder.last.touch()
    assert _missing(ordered, parents, there) == [(FIRST, 2), (OTHER, 2)]  # of its discriminator there is nothing
    folder.checkpoint.parent.mkdir()
    folder.checkpoint.touch()
    assert _missing(ordered, parents, there) == [(OTHER, 2)]
    assert _missing(ordered[:3], parents, there) == []


def test_a_run_comes_before_its_record(claims, tmp_path):
    folder = run(FIRST, 1, 30.0)
    (folder / "last.safetensors").touch()
    shutil.copytree(folder, tmp_path / "records" / "one", ignore=shutil.ignore_patterns("last*"))
    question = Question((), "smoke", [1], [Path("outputs"), Path("records")])
    assert counting([FIRST], question, print)[FIRST][1].folder.path == folder


def test_runs_of_another_machine_count(claims, capsys):
    path = run(FIRST, 1, 30.0) / "config.yaml"
    config = OmegaConf.load(path)
    tail = config.data.target.split("/sr-toolkit/")[-1]
    config.data.target = f"/home/somebody/big disk/{tail}"
    config.data.cache = config.data.val.cache = config.data.pools.cache = "/home/somebody/big disk"
    OmegaConf.save(config, path)
    assert "does not count" not in shown(capsys)
    config.data.target = "/home/somebody/frames"
    OmegaConf.save(config, path)
    assert "its settings are others than those of log/01_rdn_l1_x0_5: data.target" in shown(capsys)


def test_seeds_only_where_something_is_compared(claims, tmp_path):
    read = read_claims(tmp_path / "claims.yaml", [FIRST, OTHER], ["psnr_y"], {"log/01": FIRST, "log/04": OTHER}.get)
    assert wanted(read[:2], [1, 2]) == [(FIRST, 1), (FIRST, 2), (OTHER, 1), (OTHER, 2)]
    assert Job("log/31", 2, "mini", Path("outputs/a b")).arguments[-2:] == ["run_dir='outputs/a b'", "resume=auto"]


def test_what_stands_for_vgg_is_said(claims, capsys, monkeypatch):
    for size, stands in (("mini", "VGG16 up to conv2_2 stands for more of it"), ("smoke", "random features stand for")):
        run(FIRST, 1, 30.0, size=size)
        run(OTHER, 1, 28.0, size=size)
        better, itself, _ = json.loads(shown(capsys, json=True, size=size))
        assert better["features"].startswith(stands)
        assert itself["features"] == ""
    monkeypatch.setattr("sr.losses.pretrained.has_some", lambda _: False)
    for size in ("smoke", "mini"):
        (Path("outputs") / f"{OTHER.replace('/', '_')}_1_{size}" / "summary.json").unlink()
    better, *_ = json.loads(shown(capsys, json=True))
    assert "VGG16" not in better["reason"]
    better, itself, _ = json.loads(shown(capsys, json=True, size="mini"))
    assert (better["verdict"], itself["verdict"]) == ("not run", "undecided")
    assert "needs VGG16, whose weights are neither in the folder that SR_WEIGHTS names" in better["reason"]


def test_a_stop_ends_what_runs_side_by_side(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = """
import sys, subprocess
from pathlib import Path
import sr.verbs.log.training as training
from sr.training.signals import Signals
sleeper = [sys.executable, "-c", "import time; time.sleep(120)"]
training._begun = lambda job, _: subprocess.Popen(sleeper)
jobs = [training.Job(name, 1, "smoke", Path(name)) for name in "abc"]
with Signals():
    training.train_all(jobs, {}, 2, lambda text: print(text, flush=True))
"""
    start = [sys.executable, "-c", code]
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        children = psutil.Process(process.pid).children()
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert len(children) == 2
    assert "2 runs end after their update, and save; the same command goes on with them" in out
    assert "KeyboardInterrupt" in err
    assert not any(child.is_running() for child in children)
