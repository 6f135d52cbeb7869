"""What is measured of a run: on pictures whose answer is known, and kept as long as it is of the same network."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from sr.data.pairs import ValidationPair
from sr.errors import UserError
from sr.experiments.baseline import baseline
from sr.experiments.measuring import FILE, PICTURE, kept, measures, of_training, quantity, take
from sr.experiments.records import without_home, write_record
from sr.experiments.runs import find_runs
from sr.models.bicubic import Bicubic
from sr.models.files import save_network
from tests.close import assert_close

CPU = torch.device("cpu")


def pair(number):
    rng = np.random.default_rng(number)
    hr = np.full((64, 64, 3), 120, np.uint8)
    hr[:, 30:34] = 20
    lr = np.full((32, 32, 3), 120, np.uint8)
    lr[:, 15:17] = 20
    return ValidationPair(
        f"{number}.png", lr, np.clip(hr + rng.integers(0, 2, hr.shape), 0, 255).astype(np.uint8), False
    )


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    config = {"scale": 2, "seed": 1, "experiment": "log/31_alias", "size": {"name": "mini"}, "data": {"val": "x"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    numbers = {"updates": 9, "parameters": 0, "seconds": 1.0, "updates_per_second": 9.0, "recoveries": 1}
    (folder / "summary.json").write_text(
        json.dumps(numbers | {"exit_reason": "max_updates", "bicubic": {}, "final": {}, "best": {}})
    )
    (folder / "metrics.csv").write_text(
        "updates,train/g/total,train/d/total,train/d/throttled\n5,2.5,0.2,0.5\n9,0.5,0.7,\n"
    )
    save_network(folder / "last.safetensors", Bicubic(2), {"_target_": "sr.models.bicubic.Bicubic", "scale": 2}, {})
    return find_runs([tmp_path])[0]


def test_nothing_is_measured_where_the_network_is_gone(run, tmp_path):
    take(run, {"": [pair(0)]}, CPU, None)
    before = (run.folder.path / FILE).read_bytes()
    run.folder.last.unlink()
    for gone in (None, run.folder.metrics):
        if gone is not None:
            gone.unlink()
        with pytest.raises(UserError, match="its network is gone, and what was measured of it is of another version"):
            take(run, {"": [pair(0)]}, CPU, None)
    assert (run.folder.path / FILE).read_bytes() == before


def test_a_record_is_believed_whosever_home_it_was(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = yaml.safe_load(run.folder.config.read_text())
    config["data"] |= {"val": {"a": "/home/me/x", "b": "/mnt/home/me/x", "cache": "/big"}, "cache": "/home/me"}
    run.folder.config.write_text(yaml.safe_dump(config))
    run = find_runs([run.folder.path])[0]
    take(run, {"": [pair(0)]}, CPU, None)
    for shown in (True, False):
        write_record(run, tmp_path / "record", shown)
        assert (tmp_path / "record" / PICTURE).exists() == shown
    record = find_runs([tmp_path / "record"])[0]
    assert record.config["data"] == {"val": {"a": "~/x", "b": "/mnt/home/me/x", "cache": "/big"}, "cache": "~/"}
    assert kept(record)["sets"] == kept(run)["sets"] != {}
    write_record(record, tmp_path / "again", False)
    for file in ("config.yaml", "summary.json", FILE):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "record" / file).read_bytes()


def test_a_record_says_what_the_training_says_as_it_is_read_today(run, tmp_path):
    """A run may have been measured by code that read its table otherwise."""
    take(run, {"": [pair(0)]}, CPU, None)
    file = run.folder.path / FILE
    before = json.loads(file.read_text())
    file.write_text(json.dumps(before | {"run": before["run"] | {"d_loss": 9.0}}))
    write_record(run, tmp_path / "record", False)
    assert json.loads((tmp_path / "record" / FILE).read_text())["run"] == before["run"]


@pytest.mark.parametrize("value", [True, "30", None, [], {}, 10**400, -(10**400), 1e308, float("nan"), float("inf")])
def test_what_is_no_number_is_no_measure(value):
    table = {"psnr_y": value, "psnr_rgb": value}
    names = ("v", "v_noise2", "v_noise3")
    measured = {"sets": dict.fromkeys(names, table), "bicubic": {"v": {"psnr_y": 1.0}}, "run": {"updates": value}}
    for name in ("v.psnr_y", "v.gain", "v.robustness", "run.updates"):
        assert quantity(measured, name) is None
    for broken in ("x", [], None):
        assert quantity({"sets": {"v": broken}, "bicubic": {"v": broken}, "run": {}}, "v.psnr_y") is None
        assert quantity({"sets": {"v": {"psnr_y": 1.0}}, "bicubic": {"v": broken}, "run": {}}, "v.gain") is None


def test_a_home_that_holds_everything_stays():
    assert without_home("https://x/y: /z", "/") == "https://x/y: /z"
    assert without_home('{"a": "/root", "b": "/root/x", "c": "/rooted", "d": "/a/root/x"}', "/root") == (
        '{"a": "~/", "b": "~/x", "c": "/rooted", "d": "/a/root/x"}'
    )


def test_a_run_is_measured_and_kept(run):
    assert kept(run) is None
    sets = {"target": [pair(0), pair(1)], "target_noise2": [pair(0)], "target_noise3": [pair(2)]}
    measured = take(run, sets, CPU, None)
    assert kept(run) == json.loads(json.dumps(measured))
    assert measured["sets"] == measured["bicubic"]  # bicubic is the network here
    assert quantity(measured, "target.gain") == 0
    assert quantity(measured, "target.flat_noise") < 2
    first, third = (measured["sets"][name]["psnr_rgb"] for name in ("target", "target_noise3"))
    assert quantity(measured, "target.robustness") == pytest.approx((third - first) / np.log2(3), abs=0.1)
    assert quantity(measured, "target.lpips") is None
    assert quantity(measured, "target.lpips_gain") is None
    assert quantity(measured, "elsewhere.psnr_y") is None
    assert measured["run"] == {
        "updates": 9,
        "explosions": 1.0,
        "largest_total": 2.5,
        "rest_share": 0.5,
        "d_loss": 0.7,  # of the last fifth
        "g_left": 0.2,  # 0.5 by 2.5
        "wobble": None,  # no validation is in the table
        "pace": None,  # nor how fast it was
        "d_won": 0.5,  # of the rows
        "noise_content": None,
    }
    assert quantity(measured, "run.rest_share") == 0.5
    assert (run.folder.path / PICTURE).exists()
    assert set(measured["sets"]["target"]) <= set(measures())


def test_a_gain_is_over_the_enlargement_that_undoes_the_reduction():
    steep = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    lr = F.interpolate(steep, size=(8, 8), mode="bicubic", align_corners=True)
    aligned = {"scale": 4, "degradation": {"stages": {"resize": {"modes": "bicubic_aligned"}}}}
    assert_close(baseline(aligned)(lr)[..., ::31], steep[..., ::31])
    assert (Bicubic(4)(lr)[..., 1:-1] - steep[..., 1:-1]).abs().max() > 0.03
    of_log = {"scale": 4, "degradation": {"stages": {"kernel": {}, "back": {"modes": "bicubic_aligned"}}}}
    for config in ({"scale": 4}, of_log):
        assert isinstance(baseline(config), Bicubic)


def test_a_gain_in_lpips_is_better_where_it_is_less():
    measured = {"sets": {"v": {"lpips": 0.25}}, "bicubic": {"v": {"lpips": 0.5}}, "run": {}}
    assert quantity(measured, "v.lpips_gain") == 0.25
    assert quantity(measured | {"bicubic": {"v": {"lpips": None}}}, "v.lpips_gain") is None


def test_what_labels_cost_is_no_loss_of_the_discriminator(run):
    # 2 ln 2 = 1.38629 is undecided;
    # (0.5 - 0.3) / (1 - 0.3 / 1.38629) = 0.25524, (0.55 - 0.4) / (1 - 0.4 / 1.38629) = 0.21084
    run.folder.metrics.write_text("updates,train/d/total,train/d/floor\n4,1.38629,0.2\n5,0.5,0.3\n9,0.55,0.4\n")
    said = of_training(run)
    assert said["d_loss"] == pytest.approx(0.21084, abs=1e-5)
    assert said["d_won"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("adversary", "undecided"),
    [
        (None, 1.3862944),  # a run before there were adversaries by name
        ({"d": {"mismatched": False}}, 1.3862944),
        ({"d": {"mismatched": True}}, 0.6931472),  # the mean of real, fake and mismatched, ln 2 each
    ],
)
@pytest.mark.parametrize("floor", [0.0, 0.3, 0.5])
def test_a_discriminator_is_as_undecided_whatever_its_labels_cost(run, adversary, undecided, floor):
    run.config["adversary"] = adversary
    rows = f"updates,train/d/total,train/d/floor\n4,{undecided},{floor}\n"
    run.folder.metrics.write_text(rows)
    assert of_training(run)["d_loss"] == pytest.approx(undecided)
    run.folder.metrics.write_text(rows + f"9,{floor},{floor}\n")
    assert of_training(run)["d_loss"] == pytest.approx(0)


def test_bicubic_of_the_same_pictures_is_measured_once(run):
    measured = take(run, {"": [pair(0)]}, CPU, None)
    again = take(run, {"": [pair(0)]}, CPU, None, bicubic_of_sets={"val": {"psnr_y": 1.0}})
    assert again == measured | {"bicubic": {"val": {"psnr_y": 1.0}}}


def test_another_network_is_measured_anew(run):
    take(run, {"": [pair(0)]}, CPU, None)
    assert quantity(kept(run), "val.psnr_y") > 20
    run.folder.last.write_bytes(run.folder.last.read_bytes() + b" ")
    assert kept(run) is None
    run.folder.last.unlink()  # to save room: what was measured of it stays
    assert quantity(kept(run), "val.psnr_y") > 20
    of_others = json.loads((run.folder.path / FILE).read_text())
    of_others["key"]["pictures"] = "others"
    (run.folder.path / FILE).write_text(json.dumps(of_others))
    assert kept(run) is None
    for text in ("{", "[]", '{"key": "of old", "sets": {}, "run": {}}'):
        (run.folder.path / FILE).write_text(text)
        assert kept(run) is None


def test_runs_are_found_at_any_depth_and_others_left_out(run, tmp_path):
    (tmp_path / "outputs" / "strange").mkdir()
    (tmp_path / "outputs" / "strange" / "config.yaml").write_bytes(b"\xff\xfe: [")
    (tmp_path / "outputs" / "cut").mkdir()
    (tmp_path / "outputs" / "cut" / "config.yaml").write_text("experiment: log/09_plain_bad\nseed: 2\n")
    found = {one.folder.path.name: one for one in find_runs([tmp_path, tmp_path / "none"])}
    assert set(found) == {"run", "cut"}
    assert (found["cut"].finished, found["cut"].seed, found["cut"].size) == (False, 2, None)
    assert (run.finished, run.exploded, run.experiment, run.size) == (True, True, "log/31_alias", "mini")


def test_what_a_run_says_of_its_training_is_read_anew(run):
    measured = take(run, {"target": [pair(0)]}, CPU, None)
    del measured["run"]["d_loss"]  # as code of an earlier day kept it
    (run.folder.path / FILE).write_text(json.dumps(measured))
    assert quantity(kept(run), "run.d_loss") == 0.7
