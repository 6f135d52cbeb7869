"""Data and degradations as a user types them: pairs, twins that do not fit, settings that contradict each other."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from sr.image.resize import imresize
from tests.conftest import smooth_picture
from tests.stand_ins import needed, pool


def sentences(result):
    code, _, err = result
    assert code == 2
    assert "Traceback" not in err
    assert all(line.startswith("error: ") for line in err.splitlines()), err
    return err


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.slow
def test_pairs_are_written_once_and_train(sr, train, tmp_path, pictures):
    command = ["prepare", "pairs", "data=folder", f"data.train={pictures}", "data.val=null"]
    command += ["degradation=second_order", "-o", str(tmp_path / "pairs")]
    code, out, _ = sr(*command)
    assert code == 0
    assert "6 pairs in" in out
    hr, lr = sorted((tmp_path / "pairs/HR").iterdir()), sorted((tmp_path / "pairs/LR").iterdir())
    assert [path.name for path in hr] == [path.name for path in lr] == [f"{n:06d}.png" for n in range(1, 7)]
    for large, small in zip(hr, lr, strict=True):
        width, height = size_of(large)
        assert size_of(small) == (width // 2, height // 2)
    before = {path: path.stat().st_mtime_ns for path in (*hr, *lr)}
    lr[2].unlink()  # the journal says that it was made; a curated folder stays as it is
    assert sr(*command)[0] == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != lr[2])
    lines = [json.loads(line) for line in (tmp_path / "pairs/prepared.jsonl").read_text().splitlines()]
    assert lines[0]["verb"] == "pairs"
    assert len(lines) == 7
    hr[2].unlink()
    paired = ["data=paired", f"data.hr={tmp_path / 'pairs/HR'}", f"data.lr={tmp_path / 'pairs/LR'}"]
    small = ["data.crop=12", "data.batch_size=4", "trainer.max_updates=2", "trainer.val_every=2"]
    code, out, _ = train(*paired, *small, "trainer.accelerator=cpu", defaults=False)
    assert code == 0
    assert "training uses the low-resolution pictures that are given" in out


def test_pairs_need_a_part_that_exists(sr, tmp_path):
    assert "--part test is not train or val" in sentences(sr("prepare", "pairs", "-o", "x", "--part", "test"))
    command = ["prepare", "pairs", "data.val=null", "--part", "val", "-o", str(tmp_path / "x")]
    assert "there are no validation pictures: data.val is null" in sentences(sr(*command))


def test_given_twins_of_a_wrong_size_are_refused(train, tmp_path):
    for number in range(3):
        hr = smooth_picture(60, 84, number)
        for folder, pixels in (("HR", hr), ("LR", imresize(hr, 1 / 3))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    given = [f"data.train={tmp_path / 'HR'}", f"data.train_lr={tmp_path / 'LR'}", "data.val=null"]
    err = sentences(train(*given))
    assert "3 of 3 training pairs do not fit scale=2" in err
    assert "28x20 beside" in err
    assert "(x3 by x3)" in err
    assert train(*given, "scale=3")[0] == 0


def test_twins_follow_their_file_where_another_cannot_be_read(train, tmp_path):
    for number in range(12):
        hr = np.full((40, 40, 3), 20 * number, np.uint8)
        for folder, pixels in (("HR", hr), ("LR", hr[::2, ::2])):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number:02d}.png")
    (tmp_path / "LR/00.png").write_bytes(b"no picture")
    given = [f"data.train={tmp_path / 'HR'}", f"data.train_lr={tmp_path / 'LR'}", "data.val=null", "run_dir=run"]
    code, out, _ = train(*given)
    assert code == 0
    assert "1 of 12 training pictures have no low-resolution twin" in out
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").read_text().splitlines()))
    # Flat pairs of one colour each: a network that adds to bicubic begins without error, a wrong twin costs 20 levels.
    losses = [float(row["train/g/l1"]) for row in rows if row["train/g/l1"]]
    assert losses
    assert max(losses) < 5 / 255


def test_realsr_says_what_it_needs(train):
    err = sentences(train("degradation=realsr"))
    assert "degradation.stages.kernel.pool is ${degradation.pool}/kernels, and data.target is null" in err
    assert "add data.target=…" in err


def test_realsr_takes_the_target_of_the_data(train, tmp_path):
    code, _, err = train("degradation=realsr", f"data.target={pool(tmp_path / 'target')}")
    assert code == 0, err


def test_down_hr_needs_a_degradation_on_the_device(train):
    err = sentences(train("augmentation=down_hr"))
    assert "augmentation down_hr changes what the degradation sees" in err
    assert "set degradation.in_advance=false" in err


def test_augmentations_add_up(train, tmp_path):
    assert train("augmentation=[flips,contrast]", "run_dir=run")[0] == 0
    text = (tmp_path / "run/config.yaml").read_text()
    assert "sr.augmentations.flips.Flips" in text
    assert "sr.augmentations.contrast.Contrast" in text


def test_a_codec_has_to_run_in_advance(train):
    stage = [
        "+degradation.stages.webp._target_=sr.degradations.codecs.WebP",
        "+degradation.stages.webp.quality=[50,90]",
    ]
    err = sentences(train("degradation=bilinear_aa", *stage))
    assert "degradation: stages.webp runs on the CPU only; set degradation.in_advance=true" in err
    assert train("degradation=bilinear_aa", *stage, "degradation.in_advance=true")[0] == 0


def test_stages_that_end_with_another_size_are_told(train):
    assert "end them with a resize to the low resolution" in sentences(
        train("degradation=second_order", "degradation.stages.last=null")
    )


def test_a_stage_can_be_left_out_or_changed(train):
    assert train("degradation=second_order", "degradation.stages.noise=null")[0] == 0
    err = sentences(train("degradation=second_order", "degradation.stages.noise.sigma=[30,1]"))
    assert "degradation.stages.noise" in err
    assert "sigma" in err


def test_validation_pictures_that_are_trained_on_are_told(train, tmp_path):
    (tmp_path / "apart").mkdir()
    for number in range(3):
        Image.fromarray(smooth_picture(40, 40, number)).save(tmp_path / "apart" / f"{number}.png")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "link.png").symlink_to(tmp_path / "apart" / "0.png")
    Image.fromarray(smooth_picture(40, 40, 9)).save(tmp_path / "both" / "own.png")
    code, out, err = train("data.train=both", "data.val=apart", "trainer.max_updates=1")
    assert code == 0, err
    told = (
        f"1 of 3 pictures of data.val are trained on too ({tmp_path}/apart/0.png): what is measured on them flatters; "
    )
    assert out.count(f"{told}keep them out of data.train, or name others with data.val=DIR") == 1
    own = ("data.train=both/own.png", "data.val=apart", "trainer.max_updates=1")
    assert "flatters" not in train(*own)[1]


def test_training_on_a_test_set_is_told(train, tmp_path):
    needed("data", "benchmark", tmp_path)
    code, out, _ = train(f"data.train={tmp_path / 'Set14'}")
    assert code == 0
    assert "training pictures lie in a folder called set14, a test set of the literature" in out


def test_edges_choose_the_crops(train):
    code, out, _ = train("data.positions=edges")
    assert code == 0
    assert "preparing edge maps: 6/6" in out
    assert "edge_background=0 must be above 0" in sentences(train("data.positions=edges", "data.edge_background=0"))


@pytest.mark.slow
@pytest.mark.parametrize("safe", [True, False])
def test_doctors_exit_code_and_report(sr, tmp_path, pictures, safe):
    if not safe:
        for number in range(3):
            (pictures / f"broken_{number}.png").write_bytes(b"no picture")
    report = tmp_path / "report.json"
    code, _, _ = sr("doctor", pictures, "--json", report, "--crop-size", "12")
    assert code == (0 if safe else 1)
    found = json.loads(report.read_text())
    assert found["safe"] is safe
    assert len(found["files"]) == (6 if safe else 9)
    assert all(file["verdict"] for file in found["files"])


def test_doctor_of_a_folder_that_is_not_there(sr):
    assert "nowhere" in sentences(sr("doctor", "nowhere"))


@pytest.mark.parametrize(
    ("choice", "names"),
    [("anime", ["root"]), ("photos", ["root"]), ("paired", ["hr", "lr"]), ("folder", ["train", "val"])],
)
def test_what_a_data_set_needs_is_asked_for_by_name(train, choice, names):
    (line,) = sentences(train(f"data={choice}", defaults=False)).splitlines()
    are = " and ".join(f"data.{name}" for name in names) + (" is" if len(names) == 1 else " are")
    assert line == f"error: {are} not set; add {' '.join(f'data.{name}=…' for name in names)} to the command line"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["degradation=second_order", "degradation.stages.nois=null"], "did you mean degradation.stages.noise"),
        (
            ["degradation=second_order", "degradation.stages.blur.probability=0.5"],
            "; +degradation.stages.blur.probability",
        ),
        (["+augmentation.steps.more=3"], "augmentation: steps.more=3 is no augmentation; give it a _target_"),
        (
            ["degradation=second_order", "+degradation.stages.noise.sigmma=3"],
            "sigmma is not an argument of sr.degradations",
        ),
        (["degradation=second_order", "degradation.stages.blur.size=[8,21]"], "must be odd, such as [9, 21]"),
    ],
)
def test_mistakes_inside_stages_and_steps(train, overrides, message):
    assert message in sentences(train(*overrides))


@pytest.mark.parametrize("verb", ["photos", "noise", "kernels"])
def test_outputs_may_not_lie_among_the_inputs(sr, pictures, verb):
    err = sentences(sr("prepare", verb, pictures, "-o", pictures / "made"))
    assert "lies in" in err
    assert "choose a folder outside of it" in err
    assert not (pictures / "made").exists()


def test_a_picture_in_the_noise_pool_is_named_at_once(sr, tmp_path):
    target = pool(tmp_path / "target")
    Image.new("RGB", (40, 40), "white").save(target / "noise/patches/holiday.png")
    err = sentences(sr("degrade", "degradation=realsr", f"data.target={target}"))
    assert "holiday.png has the mean 255 instead of about 128" in err


@pytest.fixture
def started(interruptible, tmp_path):
    """``started("doctor", …)`` starts `sr` in its own process group."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-c", "from sr.verbs.cli import main; main()", *map(str, arguments)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **streams)
        processes.append(process)
        return process

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 1, 4, 8])
def test_ctrl_c_ends_doctor_with_a_word_whatever_its_processes_do(started, tmp_path, delay):
    (tmp_path / "many").mkdir()
    for number in range(80):
        Image.fromarray(smooth_picture(300, 300, number)).save(tmp_path / "many" / f"{number}.png")
    process = started("doctor", "many")
    assert process.stdout.readline() == "looking at many …\n", "before the imports"
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "interrupted\n") or (process.returncode == 0 and "safe" in out)
    assert gone(process.pid, within=5)


def gone(group: int, within: float) -> bool:
    """Whether nothing of a process group is left; what was killed is there until somebody has taken note of it."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_an_interrupt_that_a_library_makes_another_error_is_one(sr, monkeypatch):
    def converted(*_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("numpy") from error

    monkeypatch.setattr("sr.verbs.doctor.doctor", converted)
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr("sr.data.processes.kill_descendants", lambda: None)
    assert sr("doctor", "many") == (128 + signal.SIGTERM, "looking at many …\n", "interrupted\n")
