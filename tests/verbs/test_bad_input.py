"""What goes wrong on a user's machine, through `train.py` itself: one sentence per fault, nothing lost."""

import errno
import json
import math
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from PIL import Image

import sr.files
from sr.models.files import load_network
from sr.training.callbacks import saving
from sr.training.keeping.checkpoint import read_checkpoint
from tests.conftest import smooth_picture


def sentences(result, faults=1):
    """The sentences of a run that failed, checked to be all that stderr holds."""
    code, _, err = result
    assert code == 2, err
    found = err.splitlines()
    assert len(found) == faults, err
    assert all(line.startswith("error: ") for line in found), err
    assert "Traceback" not in err
    return err


def break_off(path):
    path.write_bytes(path.read_bytes()[:-150])


def leaves(value):
    """All tensors and numbers of nested containers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for child in value:
            yield from leaves(child)
    elif isinstance(value, torch.Tensor) and value.is_floating_point():
        yield from (value.min().item(), value.max().item()) if value.numel() else ()
    elif isinstance(value, float):
        yield value


def trained_updates(folder):
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["trained"]["clock"]["updates"]


# ------------------------------------------------------------------------------------- pictures


def test_missing_folder_names_the_nearest(train, tmp_path, pictures):
    err = sentences(train(f"data.train={tmp_path}/pictres"))
    assert f"there is no folder '{tmp_path}/pictres'; nearest is '{pictures}'" in err
    err = sentences(train(f"data.val=[{pictures},{tmp_path}/nowhere]"))
    assert f"there is no folder '{tmp_path}/nowhere'" in err
    assert not (tmp_path / "outputs").exists(), "nothing may be left behind"


def test_folder_without_pictures(train, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "folder 'empty' is empty" in sentences(train("data.train=empty"))
    (tmp_path / "empty" / "notes.txt").write_text("no pictures here")
    assert "1 .txt" in sentences(train("data.train=empty"))


def test_only_broken_pictures(train, pictures, tmp_path):
    for path in pictures.rglob("*.png"):
        break_off(path)
    err = sentences(train(f"data.val={shutil.copytree(pictures, tmp_path / 'val')}"))
    assert "6 of 6 training pictures cannot be used" in err
    assert "picture_1.png" in err
    assert "data.train" in err


def test_one_broken_among_many_is_reported_and_training_runs(train, pictures):
    for index in range(8):
        Image.fromarray(smooth_picture(40, 40, index)).save(pictures / f"more_{index}.png")
    break_off(pictures / "more_3.png")
    code, out, err = train("data.val=null")
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if "cannot be used" in line]
    assert line.startswith("1 of 14 training pictures cannot be used: ")
    assert "more_3.png" in line
    assert "ended (max_updates) after 4 updates" in out


def test_too_many_broken_pictures_name_the_setting(train, pictures):
    break_off(pictures / "picture_0.png")
    err = sentences(train("data.val=null"))
    assert "1 of 6 training pictures cannot be used" in err
    assert "data.refused=0.1" in err
    assert train("data.val=null", "data.refused=0.2")[0] == 0


def test_pictures_smaller_than_the_crop_are_padded_and_said(train, pictures):
    Image.fromarray(smooth_picture(20, 60, 0)).save(pictures / "low.png")
    code, out, _ = train("data.val=null")
    assert code == 0
    assert "1 of 7 pictures are smaller than the crop and are padded by reflection (" in out
    assert "low.png" in out


def test_pictures_smaller_than_the_crop_can_be_skipped(train, pictures):
    Image.fromarray(smooth_picture(20, 60, 0)).save(pictures / "low.png")
    code, out, _ = train("data.val=null", "data.small=skip")
    assert code == 0
    assert "1 of 7 pictures are smaller than the crop and are skipped (" in out
    err = sentences(train("data.val=null", "data.small=skip", "data.crop=50"))
    assert "data.crop=50 at scale=2 needs 100x100 pixels and the largest picture is 80x84; take data.crop=40" in err


def test_validation_pictures_too_small_to_measure_are_named(train, tmp_path):
    (tmp_path / "val").mkdir()
    Image.fromarray(smooth_picture(13, 40, 0)).save(tmp_path / "val" / "flat.png")
    err = sentences(train("data.val=val"))
    assert "val/flat.png" in err
    assert "too small" in err


@pytest.mark.usefixtures("one_thread")
def test_validation_pictures_too_small_for_lpips_are_said(train, tmp_path):
    (tmp_path / "val").mkdir()
    Image.fromarray(smooth_picture(24, 28, 0)).save(tmp_path / "val" / "small.png")
    code, out, err = train("data.val=val", "trainer.lpips=random", "trainer.max_updates=2", "run_dir=run")
    assert code == 0, err
    told = "validation: 1 of 1 pictures are too small for LPIPS, which needs 31x31 pixels (the smallest is 28x24)"
    assert out.count(told) == 1
    final = json.loads((tmp_path / "run" / "summary.json").read_text())["final"]
    assert final["lpips"] is None
    assert final["psnr_y"] > 0


# ------------------------------------------------------------------------------------- sizes and scales


def test_far_too_large_a_batch_is_refused_with_one_that_fits(train, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * 2**20))
    err = sentences(train("data.batch_size=1000000", "data.val=null", "trainer.precision=32"))
    found = re.search(
        r"a batch of 1000000 crops of 12x12 needs about (\d+)\.\d GiB and 0\.1 GiB are free: "
        r"take data\.batch_size=(\d+) or less, or a smaller data\.crop",
        err,
    )
    assert found, err
    # ESPCN keeps 4 activations of 48 channels for the backward pass: 4 * 48 * 12 * 12 * 4 bytes are 108 KiB a crop.
    assert 103 <= int(found[1]) < 206
    fits = int(found[2])
    assert 10 < fits < 1000
    assert train(f"data.batch_size={fits}", "data.val=null", "trainer.max_updates=1")[0] == 0


@pytest.mark.parametrize("crop", [20_000, 2_000_000])
def test_a_crop_that_fits_in_no_batch_is_refused_as_such(train, monkeypatch, crop):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=32 * 2**30))
    err = sentences(train(f"data.crop={crop}", "data.val=null"))
    assert re.fullmatch(
        rf"error: data\.crop={crop} at scale=2 needs {2 * crop}x{2 * crop} pixels, and the largest picture is \d+x\d+; "
        r"take data\.crop=\d+ at most\n",
        err,
    ), err
    err = sentences(train("data=generated", f"data.crop={crop}", "data.val=null", defaults=False))
    assert f"{crop}x{crop}" in err
    assert "take a smaller data.crop" in err
    assert "data.batch_size=1 or less" not in err, "one crop alone is too large"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scale=5"], "model: Espcn cannot upscale by 5; choose scale from 1, 2, 3, 4, 8."),
        (["scale=0"], "model: Espcn cannot upscale by 0; choose scale from 1, 2, 3, 4, 8."),
        (["scale=-1"], "cannot upscale by -1; choose scale from "),
    ],
)
def test_a_scale_that_the_network_cannot_do(train, overrides, message):
    assert message in sentences(train(*overrides))


# ------------------------------------------------------------------------------------- resuming


@pytest.fixture
def run(trained_once):
    """A finished run of four updates."""
    return trained_once("run", "schedule=constant")


def test_resuming_from_a_truncated_checkpoint(train, run):
    break_off(run / "checkpoints" / "last.ckpt")
    err = sentences(train("resume=run", "trainer.max_updates=6", defaults=False))
    assert "run/checkpoints/last.ckpt is truncated or damaged and cannot be read" in err


def test_resuming_from_something_else(train, run):
    torch.save({"weights": torch.zeros(3)}, run / "checkpoints" / "last.ckpt")
    err = sentences(train("resume=run", "trainer.max_updates=6", defaults=False))
    assert "run/checkpoints/last.ckpt is not a checkpoint of this program" in err


def test_resuming_names_the_folder_not_the_file(train, run):
    err = sentences(train("resume=run/checkpoints/last.ckpt", defaults=False))
    assert "resume=run/checkpoints/last.ckpt is a file; take the run's folder: resume=run" in err


def test_resuming_at_another_scale_is_refused(train, run):
    err = sentences(train("resume=run", "scale=3", "trainer.max_updates=6", defaults=False))
    assert "scale" in err
    assert trained_updates(run) == 4


def test_resuming_a_finished_run_changes_nothing(train, run):
    before, table = load_network(run / "last.safetensors"), (run / "metrics.csv").read_text()
    err = sentences(train("resume=run", defaults=False))
    assert "run has already reached trainer.max_updates (4 updates" in err
    assert "give a larger trainer.max_updates" in err
    after = load_network(run / "last.safetensors")
    assert before[1] == after[1]
    for old, new in zip(before[0].parameters(), after[0].parameters(), strict=True):
        assert torch.equal(old, new)
    assert (run / "metrics.csv").read_text() == table
    assert trained_updates(run) == 4


def test_resuming_with_another_kind_of_optimiser_is_refused(train, run):
    err = sentences(train("resume=run", "optimizer=sgd", "trainer.max_updates=6", defaults=False))
    assert "the checkpoint holds the moments of another optimiser than SGD" in err
    assert trained_updates(run) == 4


def test_every_number_of_the_optimiser_may_change_on_resume(train, run):
    overrides = ["optimizer.weight_decay=0.25", "optimizer.betas=[0.5,0.6]", "trainer.max_updates=5"]
    assert train("resume=run", *overrides, defaults=False)[0] == 0
    (group,) = read_checkpoint(run / "checkpoints" / "last.ckpt")["trained"]["optimizers"][0]["param_groups"]
    assert group["weight_decay"] == 0.25
    assert list(group["betas"]) == [0.5, 0.6]


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_another_schedule_may_take_over_on_resume(train, run, schedule):
    assert train("resume=run", f"schedule={schedule}", "trainer.max_updates=6", defaults=False)[0] == 0


@pytest.mark.slow
def test_an_average_that_begins_on_resume_begins_at_the_trained_weights(train, tmp_path):
    assert train("run_dir=plain", "trainer.ema=null", "optimizer.lr=1e-2")[0] == 0
    trained, _ = load_network(tmp_path / "plain" / "last.safetensors")
    overrides = ["trainer.ema=0.999", "optimizer.lr=0", "trainer.max_updates=5"]
    assert train("resume=plain", *overrides, defaults=False)[0] == 0
    averaged, _ = load_network(tmp_path / "plain" / "last.safetensors")
    for old, new in zip(trained.parameters(), averaged.parameters(), strict=True):
        assert torch.equal(old, new)


def test_resuming_after_the_table_was_edited(train, run):
    # As a spreadsheet saves it, with semicolons. Going on would drop every row.
    text = (run / "metrics.csv").read_text().replace(",", ";")
    (run / "metrics.csv").write_text(text)
    err = sentences(train("resume=run", "trainer.max_updates=6", defaults=False))
    assert "run/metrics.csv is no longer the table that this program wrote" in err
    assert (run / "metrics.csv").read_text() == text
    assert (run / "summary.json").is_file()  # of the run as it ended: nothing went on
    (run / "metrics.csv").rename(run / "mine.csv")
    assert train("resume=run", "trainer.max_updates=6", defaults=False)[0] == 0


# ------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.train=null",
            "data: train=null is no folder of pictures; give its path, or low resolution without a truth",
        ),
        ("data.train=~/photos", "there is no folder '"),  # a path needs no quotes for Hydra
        ("data.train=[]", "no folder of pictures is given"),
        ("optimizer.lr=-1", "optimizer.lr=-1 must be positive or 0"),
        ("optimizer.betas=[0.9,1.5]", "optimizer.betas[1]=1.5 must be at least 0 and below 1"),
        ("data.batch_size=0", "data: batch_size=0 must be at least 1"),
        ("data.val_pictures=0", "data: val_pictures=0 must be at least 1; null takes all"),
    ],
)
def test_values_that_make_no_sense(train, override, message):
    assert message in sentences(train(override))


# ------------------------------------------------------------------------------------- full disks


@pytest.fixture
def largest_file():
    """Call it with a number of bytes: from then on the kernel ends every file there, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def with_checkpoints(monkeypatch, largest_file, train, write):
    """A run whose checkpoints are written by ``write(path, state, the real function)``."""
    with monkeypatch.context() as patch:
        real = saving.write_checkpoint
        patch.setattr(saving, "write_checkpoint", lambda path, state: write(path, state, real))
        result = train("run_dir=run")
    largest_file(None)
    return result


def test_a_disk_that_fills_up_while_a_checkpoint_is_written(train, tmp_path, monkeypatch, largest_file):
    written = []

    def write(path, state, real):
        if written:
            largest_file(2000)
        written.append(state["trained"]["clock"]["updates"])
        real(path, state)

    err = sentences(with_checkpoints(monkeypatch, largest_file, train, write))
    assert written == [2, 4]
    assert err == (
        f"error: could not write run/checkpoints/last.ckpt: {os.strerror(errno.EFBIG)}; the previous file is kept\n"
    )
    assert trained_updates(tmp_path / "run") == 2
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert train("resume=run", defaults=False)[0] == 0, "once there is room again"
    assert trained_updates(tmp_path / "run") == 4


def test_a_disk_that_fills_up_between_two_checkpoints(train, tmp_path, monkeypatch, largest_file):
    # The table is written row by row, so it is the first to meet a full disk.
    def write(path, state, real):
        real(path, state)
        largest_file((tmp_path / "run" / "metrics.csv").stat().st_size + 20)

    err = sentences(with_checkpoints(monkeypatch, largest_file, train, write))
    assert "could not write run/metrics.csv: " in err
    assert trained_updates(tmp_path / "run") == 2


@pytest.mark.parametrize("file", ["metrics.csv", "best.safetensors", "val"])
def test_a_disk_that_is_full_for_the_other_files(train, tmp_path, monkeypatch, file):
    def synchronise(descriptor):
        full = (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
        if full and f"/run/{file}" in str(Path(f"/proc/self/fd/{descriptor}").readlink()).replace("/.", "/"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to tell files apart")
    monkeypatch.setattr(sr.files.os, "fsync", synchronise)
    err = sentences(train("run_dir=run", "optimizer.lr=1e-2"))
    assert "could not write run/" in err
    assert file in err
    assert os.strerror(errno.ENOSPC) in err
    assert trained_updates(tmp_path / "run") == 2
    load_network(tmp_path / "run" / "last.safetensors")


@pytest.mark.parametrize("override", ["run_dir=file/run", "data.cache=file"])
def test_a_file_in_place_of_a_folder(train, tmp_path, override):
    (tmp_path / "file").write_text("in the way")
    assert " write " in sentences(train(override))


# ------------------------------------------------------------------------------------- losses that explode


@pytest.mark.parametrize("log_every", [1, 3, 50])
def test_an_exploding_loss_ends_the_run_and_keeps_a_sound_checkpoint(train, run, log_every):
    overrides = ["optimizer.lr=1e30", "trainer.max_updates=20", f"trainer.log_every={log_every}"]
    err = sentences(train("resume=run", *overrides, defaults=False))
    assert re.search(
        r"is infinite or not a number at update \d+: training has exploded again, after 10 recoveries in a row; "
        r"lower optimizer\.lr, set trainer\.clip=1\.0\. The last checkpoint is kept",
        err,
    ), err
    assert "The last checkpoint is kept" in err
    state = read_checkpoint(run / "checkpoints" / "last.ckpt")["trained"]
    assert all(math.isfinite(value) for value in leaves(state["network"]))
    assert all(math.isfinite(value) for value in leaves(state["ema"]))
    network, _ = load_network(run / "last.safetensors")
    assert all(math.isfinite(value) for value in leaves(dict(network.named_parameters())))


# ------------------------------------------------------------------------------------- settings without effect


def test_stopping_early_needs_something_to_watch(train):
    assert "data.val" in sentences(train("callbacks=early_stop", "data.val=null"))


def test_weights_and_biases_online_without_a_key(train, monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    err = sentences(train("logger=wandb", "logger.wandb.mode=online"))
    assert "logger.wandb.mode=online" in err
    assert "wandb login" in err


def test_a_report_never_takes_the_place_of_a_picture(sr, tmp_path):
    (tmp_path / "va").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "va" / "x.png")
    before = (tmp_path / "va" / "x.png").read_bytes()
    for arguments, says in (
        (("doctor", "va", "--json", "va/x.png"), "--json va/x.png is the name of a picture; take va/x.json"),
        (("evaluate", "bicubic", "--set", "va", "--csv", "va/x.png"), "take va/x.csv"),
        (("degrade", "-o", "va/x.png"), "-o va/x.png is there and no sheet, it would be lost; take another name"),
        (("world", "-o", "va/x.png"), "-o va/x.png is there and no sheet"),
    ):
        code, _, err = sr(*arguments)
        assert (code, says in err) == (2, True), err
    assert (tmp_path / "va" / "x.png").read_bytes() == before
