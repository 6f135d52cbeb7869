"""`sr evaluate`: the table's values and layout, and what is said when a set or a scale is wrong."""

import csv
import importlib
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.kinds.benchmark import official_name
from sr.image.resize import bicubic, imresize
from sr.inference.reach import measured_reach
from sr.losses.dists import Dists
from sr.losses.lpips import Lpips
from sr.metrics.border import border_psnr
from sr.metrics.functional import PSNR_LIMIT, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from sr.models.bicubic import Bicubic
from sr.models.edsr import Edsr
from sr.models.espcn import Espcn
from sr.models.files import save_network
from sr.models.imdn import Imdn
from sr.models.msrresnet import MsrResNet
from sr.models.rdn import Rdn
from sr.models.rrdb import RrdbNet
from sr.training.perceptual import Perceptual
from sr.verbs.evaluate.published import Published, published_values
from tests.benchmarks import PUBLISHED, benchmark_pictures
from tests.conftest import smooth_picture

HEADER = (
    "model,set,scale,images,psnr_y,ssim_y,psnr_rgb,ssim_rgb,sharpness,seconds,seconds_per_megapixel,parameters,"
    "published_psnr_y,published_ssim_y,published_psnr_rgb,published_ssim_rgb,published_by"
)


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """A folder of test sets: `Urban2` with its pictures below HR/, `Anime3` without such a level."""
    root = tmp_path / "benchmarks"
    for folder, count in {"Urban2/HR": 2, "Urban2/LR": 1, "Anime3": 3}.items():
        (root / folder).mkdir(parents=True)
        for index in range(count):
            # Odd sizes: what is beyond a multiple of the scale must be cut off the truth as well.
            picture = Image.fromarray(smooth_picture(45 + index, 51, 10 * count + index))
            picture.save(root / folder / f"{index}.png")
    monkeypatch.setenv("SR_BENCHMARKS", str(root))
    return root


@pytest.fixture
def network(tmp_path):
    """The file of an untrained x2 network, beside it the network itself."""
    module = Espcn(scale=2, features=8, dilations=(1,))
    config = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 8, "dilations": [1]}
    save_network(tmp_path / "net.safetensors", module, config, {})
    return tmp_path / "net.safetensors", module.eval()


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def batch(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def by_hand(folder, scale, upscale, gray=False):
    """Means over a folder of what `sr.metrics` says, with pictures read and cut here."""
    values = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            hr = np.array(image.convert("RGB"))
        height, width = (side // scale * scale for side in hr.shape[:2])
        hr = np.ascontiguousarray(hr[:height, :width])
        sr = upscale(imresize(hr, 1 / scale))
        if gray:
            sr = np.rint(sr.mean(axis=2, keepdims=True, dtype=np.float64)).astype(np.uint8).repeat(3, axis=2)
        pair = batch(sr), batch(hr), scale
        values.append([psnr_y(*pair, gray=gray), ssim_y(*pair, gray=gray), psnr_rgb(*pair), ssim_rgb(*pair)])
    return np.mean(values, axis=0).ravel()


def enlarged(scale):
    """Bicubic enlargement by `sr.image.resize`, which shares no code with the network `Bicubic`.

    Float32 sums in another order may round a value at x.5 to the other level: 1e-3 dB in the comparisons.
    """

    def upscale(lr):
        image = bicubic(batch(lr).float() / 255, scale)
        return (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    return upscale


def numbers(row):
    return [float(row[name]) for name in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")]


def error_of(result):
    """The one sentence of a command that failed."""
    code, _, err = result
    assert code == 2
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    return err.removeprefix("error: ").rstrip("\n")


# ------------------------------------------------------------------------------------- values and layout


def test_bicubic_on_a_folder_equals_the_metrics_called_directly(sr, sets, tmp_path):
    code, out, err = sr("evaluate", "bicubic", "--set", sets / "Anime3", "--scale", "3", "--csv", "deep/table.csv")
    assert (code, err) == (0, "")
    assert (tmp_path / "deep" / "table.csv").read_text().splitlines()[0] == HEADER
    (row,) = rows(tmp_path / "deep" / "table.csv")
    assert (row["model"], row["scale"], row["images"]) == ("bicubic", "3", "3")
    assert "Anime3" in row["set"]
    assert float(row["seconds"]) >= 0
    assert numbers(row) == pytest.approx(by_hand(sets / "Anime3", 3, enlarged(3)), abs=1e-3)
    for name, value in zip(("psnr_y", "ssim_y"), numbers(row), strict=False):
        assert f"{value:.2f}" in out if name == "psnr_y" else f"{value:.4f}" in out


def test_a_network_equals_the_metrics_called_directly(sr, sets, network, tmp_path):
    path, module = network

    def upscale(lr):
        with torch.no_grad():
            image = module(batch(lr).float() / 255).clamp(0, 1)
        return (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    code, _, _ = sr("evaluate", path, "--set", sets / "Anime3", "--csv", "t.csv", "--accelerator", "cpu")
    assert code == 0
    bicubic, row = rows(tmp_path / "t.csv")
    assert (bicubic["model"], bicubic["scale"]) == ("bicubic", "2")
    assert numbers(bicubic) == pytest.approx(by_hand(sets / "Anime3", 2, enlarged(2)), abs=1e-3)
    assert (row["model"], row["scale"]) == (str(path), "2")
    assert int(row["parameters"]) == sum(parameter.numel() for parameter in module.parameters())
    # Six decimals are written.
    assert numbers(row) == pytest.approx(by_hand(sets / "Anime3", 2, upscale), abs=1e-6)


def test_gray_pictures_are_their_own_y(sr, tmp_path):
    (tmp_path / "gray").mkdir()
    Image.fromarray(smooth_picture(44, 52, 3)).convert("L").save(tmp_path / "gray" / "a.png")
    assert sr("evaluate", "bicubic", "--set", "gray", "--scale", "2", "--csv", "t.csv")[0] == 0
    (row,) = rows(tmp_path / "t.csv")
    assert numbers(row) == pytest.approx(by_hand(tmp_path / "gray", 2, enlarged(2), True), abs=1e-3)
    assert row["psnr_y"] == row["psnr_rgb"]


def test_several_sets_by_name_and_by_folder(sr, sets, tmp_path):
    arguments = ("--set", "Urban2", "--set", sets / "Anime3", "--set", sets / "Urban2" / "LR", "--scale", "2")
    code, out, _ = sr("evaluate", "bicubic", *arguments, "--csv", "t.csv")
    assert code == 0
    table = rows(tmp_path / "t.csv")
    assert [row["images"] for row in table] == ["2", "3", "1"]  # of Urban2 only what lies below HR/
    assert [Path(row["set"]).name for row in table] == ["Urban2", "Anime3", "LR"]
    assert len({row["set"] for row in table}) == 3
    assert all(row["set"] in out for row in table)
    assert numbers(table[0]) == pytest.approx(by_hand(sets / "Urban2" / "HR", 2, enlarged(2)), abs=1e-3)


def test_folders_of_the_same_name_can_be_told_apart(sr, sets, tmp_path):
    (sets / "Other" / "HR").mkdir(parents=True)
    Image.fromarray(smooth_picture(40, 40, 0)).save(sets / "Other" / "HR" / "a.png")
    arguments = ("--set", sets / "Urban2" / "HR", "--set", sets / "Other" / "HR", "--scale", "2", "--csv", "t.csv")
    assert sr("evaluate", "bicubic", *arguments)[0] == 0
    assert len({row["set"] for row in rows(tmp_path / "t.csv")}) == 2


def test_the_photographs_need_no_folder(sr, tmp_path):
    code, _out, _ = sr("evaluate", "bicubic", "--set", "photographs", "--scale", "8", "--csv", "t.csv")
    assert code == 0
    (row,) = rows(tmp_path / "t.csv")
    assert (row["set"], row["images"]) == ("photographs", "6")


def test_a_folder_here_comes_before_a_set_of_that_name(sr, sets, tmp_path):
    (tmp_path / "Anime3").mkdir()
    Image.fromarray(smooth_picture(40, 40, 0)).save(tmp_path / "Anime3" / "a.png")
    assert sr("evaluate", "bicubic", "--set", "Anime3", "--scale", "2", "--csv", "t.csv")[0] == 0
    assert rows(tmp_path / "t.csv")[0]["images"] == "1"


@pytest.mark.parametrize(
    ("layout", "asked"),
    [
        (("image_SRF_2/{}_SRF_2_HR", "image_SRF_2/{}_SRF_2_LR", "image_SRF_4/{}_SRF_4_HR"), "Set14"),
        (("image_SRF_2/{}_SRF_2_HR", "image_SRF_2/{}_SRF_2_LR"), "Set14/image_SRF_2"),
        (("GTmod12/{}", "LRbicx2/{}", "LRbicx3/{}"), "Set14"),
        (("original/{}", "LR_bicubic/X2/{}x2"), "Set14"),
        (("{}", "LR_bicubic/X4/{}x4"), "Set14"),
        (("hr/{}", "lr/x2/{}"), "Set14"),
        (("here/{}", "there/{}"), "Set14/here"),
    ],
)
@pytest.mark.parametrize("root", ["sets/", ""])
def test_only_high_resolution_of_a_set_is_measured(sr, tmp_path, layout, asked, root):
    for pattern in layout:
        for name in ("a", "b"):
            path = tmp_path / root / "Set14" / f"{pattern.format(name)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(smooth_picture(45, 51, 1)).save(path)
    flags = ("--set", f"{root}{asked}", "--scale", "2", "--csv", "t.csv", "--pictures", "p.csv")
    assert sr("evaluate", "bicubic", *flags)[0] == 0
    high = layout[0].split("/")[-1]
    assert [Path(row["picture"]).stem for row in rows(tmp_path / "p.csv")] == [high.format("a"), high.format("b")]
    assert rows(tmp_path / "t.csv")[0]["published_psnr_y"] == "", "two pictures are not the published ones"


def test_a_set_of_another_scale_alone_has_no_pictures(sr, tmp_path):
    (tmp_path / "Set14" / "image_SRF_4").mkdir(parents=True)
    Image.fromarray(smooth_picture(45, 51, 1)).save(tmp_path / "Set14" / "image_SRF_4" / "a_SRF_4_HR.png")
    error = error_of(sr("evaluate", "bicubic", "--set", "Set14", "--scale", "2"))
    assert error.startswith("Set14 holds no pictures, neither itself nor in HR, ")


# ------------------------------------------------------------------------------------- mistakes


def test_unknown_set_names_the_nearest(sr, sets):
    error = error_of(sr("evaluate", "bicubic", "--set", "Urban", "--scale", "2"))
    assert error == f"--set Urban: no such folder and no such test set below SR_BENCHMARKS={sets}; did you mean Urban2?"
    error = error_of(sr("evaluate", "bicubic", "--set", "xyz", "--scale", "2"))
    assert error.endswith("; choose one of Anime3, Urban2")


@pytest.mark.parametrize("root", [None, "nowhere"])
def test_unknown_set_without_benchmarks(sr, monkeypatch, root):
    if root is None:
        monkeypatch.delenv("SR_BENCHMARKS", raising=False)
    else:
        monkeypatch.setenv("SR_BENCHMARKS", root)
    error = error_of(sr("evaluate", "bicubic", "--set", "Set14", "--scale", "2"))
    assert error.startswith("--set Set14: no such folder")
    assert "SR_BENCHMARKS" in error


def test_a_variable_that_was_empty_is_not_the_folder_here(sr, sets):
    assert error_of(sr("evaluate", "bicubic", "--set", "", "--scale", "2")).startswith("--set has no value")


def test_one_unknown_set_among_several_measures_nothing(sr, sets, tmp_path):
    error_of(sr("evaluate", "bicubic", "--set", "Anime3", "--set", "nothing", "--scale", "2", "--csv", "t.csv"))
    assert not (tmp_path / "t.csv").exists()


def test_bicubic_needs_a_scale_that_it_can_do(sr, sets):
    assert error_of(sr("evaluate", "bicubic", "--set", "Anime3")) == ("bicubic needs --scale, for instance --scale 2")
    for scale in (0, -2, 5):
        error = error_of(sr("evaluate", "bicubic", "--set", "Anime3", "--scale", scale))
        assert error == f"--scale {scale}: Bicubic cannot upscale by {scale}; choose scale from 1, 2, 3, 4, 8."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "bicubic", "--scale", "two"), "Invalid value for '--scale': 'two': "),
        (("bench", "data", "--seconds", "a while"), "Invalid value for '--seconds': 'a while': "),
        (("replay", "x.bug", "--last", "0"), "'0'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_quoted(sr, arguments, message):
    code, _, err = sr(*arguments)
    assert code == 2
    assert message in err


def test_a_network_has_one_scale(sr, sets, network):
    path, _ = network
    error = error_of(sr("evaluate", path, "--set", "Anime3", "--scale", "3"))
    assert error == f"--scale 3, but {path} upscales x2; leave --scale out"
    assert sr("evaluate", path, "--set", "Anime3", "--scale", "2", "--accelerator", "cpu")[0] == 0


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_what_is_no_network_is_one_sentence(sr, sets, network, tmp_path, content):
    path, _ = network
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    assert error_of(sr("evaluate", path, "--set", "Anime3")).startswith(f"{path} is ")


def test_absent_network(sr, sets, tmp_path):
    assert "no network 'nothing.safetensors'" in error_of(sr("evaluate", "nothing.safetensors", "--set", "Anime3"))
    near = error_of(sr("evaluate", "bicubc", "--set", "Anime3", "--scale", "2"))
    assert near == "there is no network 'bicubc'; did you mean bicubic?"
    (tmp_path / "best.safetensors").touch()
    near = error_of(sr("evaluate", "best.safetensor", "--set", "Anime3"))
    assert near == "there is no network 'best.safetensor'; did you mean best.safetensors?"
    (tmp_path / "run").mkdir()
    assert "'run' is a folder without best.safetensors" in error_of(sr("evaluate", "run", "--set", "Anime3"))


def test_a_picture_that_fails_does_not_stop_the_others(sr, sets, tmp_path):
    (sets / "Anime3" / "1.png").write_bytes(b"not a picture")
    Image.new("RGB", (3, 40)).save(sets / "Anime3" / "tiny.png")  # too small to be shrunk by 4
    Image.new("RGB", (14, 40)).save(sets / "Anime3" / "small.png")  # too small to be measured inside its border
    arguments = ("--scale", "4", "--csv", "t.csv", "--border")
    code, _, err = sr("evaluate", "bicubic", "--set", "Anime3", "--set", "Urban2", *arguments)
    assert code == 1
    lines = err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error"] * 3
    for line, (name, why) in zip(lines, (("1", "cannot"), ("small", "too small"), ("tiny", "too small")), strict=True):
        assert f"Anime3/{name}.png" in line
        assert why in line
    table = rows(tmp_path / "t.csv")
    assert [row["images"] for row in table] == ["2", "2"]
    for bad in ("1", "tiny", "small"):
        (sets / "Anime3" / f"{bad}.png").unlink()
    assert sr("evaluate", "bicubic", "--set", "Anime3", *arguments)[0] == 0
    (alone,) = rows(tmp_path / "t.csv")
    times = {"seconds": "", "seconds_per_megapixel": ""}
    assert alone | times == table[0] | times


@pytest.mark.parametrize("place", ["sr.verbs.evaluate.contestants.to_pixels", "sr.verbs.evaluate.measuring.compared"])
@pytest.mark.parametrize("kind", [RuntimeError, ValueError, IndexError])
def test_whatever_one_picture_brings_up_the_others_are_measured(sr, sets, network, tmp_path, monkeypatch, place, kind):
    module, name = place.rsplit(".", 1)
    real = getattr(importlib.import_module(module), name)

    def picky(one, *arguments, **options):
        if 36 in one.shape:
            raise kind("odd\nand more")
        return real(one, *arguments, **options)

    Image.fromarray(smooth_picture(36, 36, 0)).save(sets / "Anime3" / "1.png")
    monkeypatch.setattr(place, picky)
    code, _, err = sr("evaluate", network[0], "--set", "Anime3", "--csv", "t.csv")
    assert code == 1
    what = "the network fails on it" if name == "to_pixels" else "it cannot be measured"
    told = f"{sets}/Anime3/1.png: {what} ({kind.__name__}: odd); SR_TRACEBACK=1 shows where"
    assert err == f"error: {told}\n"
    assert {row["model"]: row["images"] for row in rows(tmp_path / "t.csv")}[str(network[0])] == "2"


def test_a_set_of_which_nothing_can_be_measured(sr, sets, tmp_path):
    for path in (sets / "Anime3").iterdir():
        path.write_bytes(b"not a picture")
    code, _, err = sr("evaluate", "bicubic", "--set", "Anime3", "--scale", "2", "--csv", "t.csv")
    assert (code, len(err.splitlines())) == (2, 3)
    assert not (tmp_path / "t.csv").exists()
    code, _, err = sr("evaluate", "bicubic", "--set", "Anime3", "--set", "Urban2", "--scale", "2", "--csv", "t.csv")
    assert (code, len(err.splitlines())) == (1, 3)
    assert [row["set"] for row in rows(tmp_path / "t.csv")] == ["Urban2"]


# ------------------------------------------------------------------------------------- given low resolution


@pytest.fixture
def given(tmp_path):
    """HR and LR folders of three pairs at x2; the low resolution is brighter by 8 than bicubic would make it."""
    for number in range(3):
        hr = smooth_picture(45, 50 + number, number)
        lr = np.clip(imresize(hr[:44, : 50 + number // 2 * 2], 0.5).astype(int) + 8, 0, 255).astype(np.uint8)
        for folder, name, pixels in (("HR", f"{number}.png", hr), ("LR", f"{number}x2.png", lr)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / name)
    return tmp_path / "HR", tmp_path / "LR"


def psnr_in_numpy(sr, hr, border):
    """The literature's, written out: studio-range BT.601 Y of 8-bit pictures."""
    y = [
        (16 + np.asarray(p, np.float64) @ [65.481, 128.553, 24.966] / 255)[border:-border, border:-border]
        for p in (sr, hr)
    ]
    return 10 * np.log10(255**2 / np.mean((y[0] - y[1]) ** 2))


def test_given_low_resolution_by_hand(sr, given, tmp_path):
    hr_folder, lr_folder = given
    flags = ("--hr", hr_folder, "--lr", lr_folder, "--scale", "2", "--csv", "t.csv")
    assert sr("evaluate", "bicubic", *flags)[0] == 0
    (row,) = rows(tmp_path / "t.csv")
    values = []
    for number in range(3):
        hr = np.array(Image.open(hr_folder / f"{number}.png"))
        lr = np.array(Image.open(lr_folder / f"{number}x2.png"))
        large = enlarged(2)(lr)
        values.append(psnr_in_numpy(large, hr[: large.shape[0], : large.shape[1]], 2))
    assert float(row["psnr_y"]) == pytest.approx(np.mean(values), abs=1e-3)
    assert (row["set"], row["images"]) == (f"{hr_folder} + {lr_folder}", "3")
    assert sr("evaluate", "bicubic", "--set", hr_folder, *flags)[0] == 0  # beside sets whose twins are made
    made = by_hand(hr_folder, 2, enlarged(2))[0]
    assert [r["set"] for r in rows(tmp_path / "t.csv")] == [str(hr_folder), row["set"]]
    assert float(rows(tmp_path / "t.csv")[0]["psnr_y"]) == pytest.approx(made, abs=1e-3)


def test_given_twins_that_do_not_fit(sr, given):
    hr, lr = given
    flags = ("evaluate", "bicubic", "--hr", hr, "--lr", lr, "--scale")
    error = error_of(sr(*flags, "4"))
    assert "3 of 3 --hr and --lr pairs do not fit scale=4: 0.png: 25x22 against 50x45 is x2" in error
    assert "set the scale that they have, or mend the files" in error
    (lr / "1x2.png").rename(lr / "other.png")
    error = error_of(sr(*flags, "2"))
    assert "1 without a partner: 1.png (nearest: " in error
    assert "rename or remove them" in error
    (lr / "other.png").write_bytes(b"not a picture")
    (lr / "other.png").rename(lr / "1.png")
    code, _, err = sr(*flags, "2")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "LR/1.png" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "nothing to measure on; give --set DIR, or --hr DIR --lr DIR"),
        (["--hr", "A"], "--hr A is one side of pairs; give the other with --lr DIR"),
        (["--lr", "B", "--set", "C"], "--lr B is one side of pairs; give the other with --hr DIR"),
        (["--hr", "A", "--lr", "B"], "there is no folder 'A'"),
    ],
)
def test_one_side_is_not_enough(sr, flags, message):
    assert error_of(sr("evaluate", "bicubic", "--scale", "2", *flags)).startswith(message)


def test_a_table_that_cannot_be_written_is_one_sentence(sr, sets, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = sr("evaluate", "bicubic", "--set", "Anime3", "--scale", "2", "--csv", "file/t.csv")
    assert "could not write into file" in error_of(result)
    assert "psnr_y" not in result[1], "it is refused before the work"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--csv", "net.safetensors"), "net.safetensors is the name of a network; name another file"),
        (("--pictures", "new.PTH"), "new.PTH is the name of a network"),
        (("--csv", "odd_name"), "odd_name is a network that is measured; name another file"),
        (("--markdown", "run/config.yaml"), "run/config.yaml is part of a run or a sweep, and would be lost"),
        (("--csv", "t", "--pictures", "./t"), "t cannot hold more than one table; name a file for each"),
        (
            ("--markdown", "a", "--csv", "t", "--pictures", "t"),
            "t cannot hold more than one table; name a file for each",
        ),
    ],
)
def test_a_table_takes_the_place_of_nothing_else(sr, sets, network, tmp_path, flags, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("a: 1\n")
    (tmp_path / "odd_name").write_bytes(network[0].read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    error = error_of(sr("evaluate", "net.safetensors", "odd_name", "--set", "Anime3", *flags))
    assert error.startswith(message)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# ------------------------------------------------------------------------------------- the border


def test_psnr_by_distance_to_the_border_by_hand():
    hr = torch.full((1, 3, 24, 20), 100, dtype=torch.uint8)
    sr = hr.clone()
    sr[..., :2, :] += 10
    sr[..., -1] = 110  # two rows and one column of the outermost
    sr[..., 9:11, 9:11] += 4
    outermost = 24 * 20 - 20 * 16
    wrong = 2 * 20 + 22
    inside = 8 * 4
    expected = [10 * np.log10(255**2 / (100 * wrong / outermost)), PSNR_LIMIT]
    expected.append(10 * np.log10(255**2 / (16 * 4 / inside)))
    assert border_psnr(sr, hr, gray=True) == pytest.approx(expected, abs=1e-4)
    assert np.isnan(border_psnr(sr[..., :16, :16], hr[..., :16, :16])).tolist() == [False, False, True]


def test_the_border_in_the_table_and_in_the_file(sr, sets, network, tmp_path):
    path, _ = network
    flags = ("--set", sets / "Urban2", "--csv", "t.csv", "--border")
    code, out, _ = sr("evaluate", "bicubic", "--scale", "2", *flags)
    assert code == 0
    (row,) = rows(tmp_path / "t.csv")
    for zone in ("0_to_1_px", "2_to_7_px", "8_px_and_more"):
        assert row[f"psnr_y_{zone}"] == row[f"bicubic_{zone}"]
        assert f"{float(row[f'bicubic_{zone}']):.2f}" in out
    assert out.count("+0.00") == 3
    assert sr("evaluate", path, *flags)[0] == 0
    _, other = rows(tmp_path / "t.csv")
    assert other["bicubic_0_to_1_px"] == row["bicubic_0_to_1_px"]
    assert other["psnr_y_0_to_1_px"] != row["psnr_y_0_to_1_px"]


# ------------------------------------------------------------------------------------- published numbers


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("name", "scale"), PUBLISHED)
def test_bicubic_scores_what_the_literature_says(sr, tmp_path, name, scale):
    benchmark_pictures(name)  # skips where the set is missing
    assert sr("evaluate", "bicubic", "--set", name, "--scale", scale, "--csv", "t.csv", "--accelerator", "cpu")[0] == 0
    (row,) = rows(tmp_path / "t.csv")
    assert float(row["psnr_y"]) == pytest.approx(PUBLISHED[name, scale][0], abs=0.01)


# ------------------------------------------------------------------------------------- LPIPS of small pictures


@pytest.fixture
def lpips(monkeypatch):
    """Untrained weights stand in for AlexNet's, whatever is asked for but none."""

    def build(name, choice, device, _):
        return Perceptual(Lpips("alex", "random"), device) if name == "lpips" and choice is not None else None

    monkeypatch.setattr("sr.verbs.evaluate.evaluate.build_distance", build)


@pytest.mark.usefixtures("lpips")
def test_lpips_passes_over_pictures_that_are_too_small(sr, sets, tmp_path):
    arguments = ("evaluate", "bicubic", "--set", "Anime3", "--scale", "2", "--csv", "t.csv")
    assert sr(*arguments)[0] == 0
    (large,) = rows(tmp_path / "t.csv")
    Image.fromarray(smooth_picture(20, 26, 9)).save(sets / "Anime3" / "small.png")
    code, out, err = sr(*arguments)
    (with_small,) = rows(tmp_path / "t.csv")
    assert (code, err) == (0, "")
    told = "Anime3: 1 of 4 pictures are too small for LPIPS, which needs 31x31 pixels (the smallest is 26x20): LPIPS is"
    assert f"{told} the mean over the other 3" in out
    assert with_small["images"] == "4"
    assert with_small["lpips"] == large["lpips"]
    assert with_small["psnr_y"] != large["psnr_y"]


@pytest.mark.usefixtures("lpips")
def test_lpips_is_an_empty_cell_where_no_picture_is_large_enough(sr, tmp_path):
    (tmp_path / "small").mkdir()
    Image.fromarray(smooth_picture(20, 26, 9)).save(tmp_path / "small" / "a.png")
    arguments = ("evaluate", "bicubic", "--set", "small", "--scale", "2", "--csv", "t.csv")
    code, out, _ = sr(*arguments)
    (row,) = rows(tmp_path / "t.csv")
    assert (code, row["lpips"]) == (0, "")
    assert float(row["psnr_y"]) > 0
    assert "LPIPS is left empty" in out
    assert "nan" not in out
    asked = error_of(sr(*arguments, "--lpips", "imagenet"))
    assert asked.endswith(
        "small/a.png is 26x20 pixels, and LPIPS needs 31x31; --lpips auto leaves LPIPS out for such pictures, --lpips "
        "none for all"
    )


@pytest.mark.slow
def test_what_takes_seconds_to_import_is_left_alone():
    heavy = "lightning", "hydra", "omegaconf", "torchmetrics", "torchvision", "torch._dynamo"
    code = f"import sys, sr.verbs.evaluate.evaluate; sys.exit(str([name for name in {heavy} if name in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr == "[]\n"


# ------------------------------------------------------------------------------------- many networks, many sets


@pytest.fixture
def several(network, tmp_path):
    """Files of an x2 and an x3 network, the latter in a run's folder."""
    other = Espcn(scale=3, features=8, dilations=(1,))
    config = {"_target_": "sr.models.espcn.Espcn", "scale": 3, "features": 8, "dilations": [1]}
    (tmp_path / "outputs" / "run3").mkdir(parents=True)
    save_network(tmp_path / "outputs" / "run3" / "best.safetensors", other, config, {})
    return network[0].name, "run3"


def test_networks_of_several_scales_on_several_sets(sr, sets, several, tmp_path):
    flags = ("--set", "Anime3", "--set", "Urban2", "--csv", "t.csv", "--markdown", "t.md", "--pictures", "p.csv")
    code, out, err = sr("evaluate", *several, *flags)
    assert (code, err) == (0, "")
    table = rows(tmp_path / "t.csv")
    who = [("bicubic", "2"), ("bicubic", "3"), (several[0], "2"), ("run3", "3")]
    assert [(row["model"], row["scale"]) for row in table] == who * 2
    assert [row["set"] for row in table] == ["Anime3"] * 4 + ["Urban2"] * 4
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[0].startswith("| set | scale | network | images | psnr_y |")
    assert lines[2].startswith(f"| Anime3 | x2 | bicubic | 3 | {float(table[0]['psnr_y']):.2f} |")
    assert len(lines) == 2 + 8
    each = rows(tmp_path / "p.csv")
    assert len(each) == 4 * 3 + 4 * 2
    of_first = [float(row["psnr_y"]) for row in each if (row["set"], row["model"]) == ("Anime3", several[0])]
    assert np.mean(of_first) == pytest.approx(float(table[2]["psnr_y"]), abs=2e-6)
    assert (each[0]["picture"], each[0]["width"]) == (str(sets / "Anime3" / "0.png"), "50")
    assert "Urban2 x3 run3" in out


def test_pictures_are_kept(sr, sets, several, tmp_path):
    (sets / "Anime3" / "below").mkdir()
    Image.fromarray(smooth_picture(45, 51, 7)).convert("L").save(sets / "Anime3" / "below" / "0.png")
    assert sr("evaluate", *several, "--set", sets / "Anime3", "--save", "kept")[0] == 0
    kept = {str(path.relative_to(tmp_path / "kept")) for path in (tmp_path / "kept").rglob("*.png")}
    folders = "bicubic_x2", "bicubic_x3", "net", "run3"
    assert kept == {f"{folder}/Anime3/{name}.png" for folder in folders for name in ("0", "0_2", "1", "2")}
    with Image.open(tmp_path / "kept" / "net" / "Anime3" / "1.png") as file:
        made = np.array(file)
    with Image.open(sets / "Anime3" / "1.png") as file:
        truth = np.array(file)[: made.shape[0], : made.shape[1]]
    assert sr("evaluate", several[0], "--set", "Anime3", "--pictures", "p.csv")[0] == 0
    (row,) = [r for r in rows(tmp_path / "p.csv") if r["model"] != "bicubic" and r["picture"].endswith("/1.png")]
    assert float(psnr_y(batch(made), batch(truth), 2)[0]) == pytest.approx(float(row["psnr_y"]), abs=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_number_is_that_of_the_file_that_upscale_writes(sr, network, tmp_path, mode):
    (tmp_path / "set").mkdir()
    (tmp_path / "low").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (88, 104, 3), np.uint8)
    hr = Image.fromarray(noise // 2 + smooth_picture(88, 104, 3) // 2).convert(mode)
    hr.save(tmp_path / "set" / "a.png")
    Image.fromarray(imresize(np.array(hr.convert("RGB")), 1 / 2)).convert(mode).save(tmp_path / "low" / "a.png")
    flags = ("--accelerator", "cpu", "--engine", "torch", "--precision", "32")
    assert sr("upscale", "low/a.png", "-o", "file.png", "--model", network[0], *flags)[0] == 0
    assert sr("evaluate", network[0], "--set", "set", "--pictures", "p.csv", "--save", "kept")[0] == 0
    with Image.open(tmp_path / "file.png") as file, Image.open(tmp_path / "kept" / "net" / "set" / "a.png") as kept:
        assert file.mode == kept.mode == mode
        made = np.array(file.convert("RGB"))
        assert np.array_equal(made, np.array(kept.convert("RGB")))
    (row,) = [row for row in rows(tmp_path / "p.csv") if row["model"] != "bicubic"]
    own = psnr_y(batch(made), batch(np.array(hr.convert("RGB"))), 2, gray=mode == "L")
    assert float(row["psnr_y"]) == pytest.approx(float(own[0]), abs=1e-6)


def test_finding_out_how_to_compute_takes_no_time_of_a_picture(sr, network, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("sr.verbs.evaluate.measuring.perf_counter", lambda: clock[0])

    def slowly(network):
        clock[0] += 3600.0
        return measured_reach(network)

    monkeypatch.setattr("sr.inference.upscaler.measured_reach", slowly)
    (tmp_path / "set").mkdir()
    Image.fromarray(smooth_picture(280, 300, 3)).save(tmp_path / "set" / "a.png")
    assert sr("evaluate", network[0], "--set", "set", "--pictures", "p.csv")[0] == 0
    assert [float(row["seconds"]) for row in rows(tmp_path / "p.csv")] == [0.0, 0.0]
    assert clock[0] >= 3600


def test_pictures_are_kept_under_names_of_their_own(sr, sets, tmp_path):
    (sets / "Anime3" / "below").mkdir()
    for name in ("0_2.png", "0.bmp", "below/0.png", "below/A.png", "a.png"):
        Image.fromarray(smooth_picture(45, 51, 7)).save(sets / "Anime3" / name)
    assert sr("evaluate", "bicubic", "--scale", "2", "--set", sets / "Anime3", "--save", "kept")[0] == 0
    kept = sorted(path.name for path in (tmp_path / "kept").rglob("*.png"))
    assert kept == ["0.png", "0_2.png", "0_3.png", "0_4.png", "1.png", "2.png", "A_2.png", "a.png"]


def test_what_was_measured_is_not_measured_again(sr, sets, network, tmp_path, monkeypatch):
    path, _ = network
    flags = ("--set", "Anime3", "--csv", "t.csv", "--pictures", "p.csv")
    assert sr("evaluate", path, *flags)[0] == 0
    first = rows(tmp_path / "t.csv"), rows(tmp_path / "p.csv")
    measured = []
    monkeypatch.setattr("sr.verbs.evaluate.evaluate.measure_set", lambda found, *_: measured.append(found.label))
    code, out, _ = sr("evaluate", path, *flags)
    assert code == 0
    assert (rows(tmp_path / "t.csv"), rows(tmp_path / "p.csv")) == first
    assert "2 of 2 rows were measured before and kept; --again measures them anew" in out

    def labels(*arguments):
        measured.clear()
        sr("evaluate", path, *flags, *arguments)
        return [label.split()[-1] for label in measured]

    both = ["bicubic", str(path)]
    assert labels("--again") == labels("--border") == labels("--save", "kept") == both
    assert labels() == []
    monkeypatch.setattr("sr.verbs.evaluate.evaluate.PROTOCOL", "another")
    assert labels() == both
    monkeypatch.undo()


@pytest.mark.parametrize("changed", ["network", "picture", "code", "damage"])
def test_what_changed_is_measured_again(sr, sets, network, tmp_path, monkeypatch, changed):
    monkeypatch.setenv("SR_CACHE", str(tmp_path / "cache"))
    path, module = network
    assert sr("evaluate", path, "--set", "Anime3")[0] == 0
    kept = sorted((tmp_path / "cache" / "evaluated").iterdir())
    assert len(kept) == 2
    if changed == "network":
        with torch.no_grad():
            next(module.parameters()).add_(0.01)
        config = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 8, "dilations": [1]}
        save_network(path, module, config, {})
    elif changed == "picture":
        Image.fromarray(smooth_picture(45, 51, 99)).save(sets / "Anime3" / "1.png")
    elif changed == "code":
        monkeypatch.setattr("sr.verbs.evaluate.kept.code_digest", lambda: "another")
    else:
        for file in kept:
            file.write_bytes(file.read_bytes()[:-5])
    code, out, _ = sr("evaluate", path, "--set", "Anime3")
    assert code == 0
    expected = {"network": "1 of 2 rows", "picture": "", "code": "", "damage": ""}[changed]
    assert ("rows were measured before" in out) == bool(expected)
    assert expected in out


OWN = """
from torch import nn

GAIN = 1.0


class Net(nn.Module):
    def __init__(self, scale: int = 2):
        super().__init__()
        self.scale, self.c = scale, nn.Conv2d(3, 3, 1)

    def forward(self, lr):
        CHECK
        return GAIN * nn.functional.interpolate(self.c(lr), scale_factor=2)
"""


def network_of_ones_own(folder, monkeypatch, name, check="pass"):
    (folder / f"{name}.py").write_text(OWN.replace("CHECK", check))
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module(name)
    save_network(folder / "own.safetensors", module.Net(), {"_target_": f"{name}.Net", "scale": 2}, {})
    return module


def test_code_of_ones_own_may_change_and_is_measured_again(sr, sets, tmp_path, monkeypatch):
    module = network_of_ones_own(tmp_path, monkeypatch, "evaluated_own")
    flags = ("evaluate", "own.safetensors", "--set", "Anime3", "--csv", "t.csv", "--trust")
    assert sr(*flags)[0] == 0
    first = rows(tmp_path / "t.csv")[1]["psnr_y"]
    monkeypatch.setattr(module, "GAIN", 0.5)
    assert "1 of 2 rows were measured before" in sr(*flags)[1]
    assert rows(tmp_path / "t.csv")[1]["psnr_y"] != first


def test_a_network_that_asserts_sizes_fails_picture_by_picture(sr, sets, tmp_path, monkeypatch):
    network_of_ones_own(tmp_path, monkeypatch, "picky_own", "assert lr.shape[-1] % 8 == 0, 'sides'")
    code, _, err = sr("evaluate", "own.safetensors", "--set", "Anime3", "--trust", "--csv", "t.csv")
    assert code == 1
    told = "the network fails on it (AssertionError: sides); SR_TRACEBACK=1 shows where"
    assert [line.split("/")[-1] for line in err.splitlines()] == [f"{name}.png: {told}" for name in range(3)]
    assert [row["model"] for row in rows(tmp_path / "t.csv")] == ["bicubic"]


def test_seconds_of_another_machine_are_not_told(sr, sets, tmp_path, monkeypatch):
    flags = ("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--csv", "t.csv", "--pictures", "p.csv")
    assert sr(*flags)[0] == 0
    first = rows(tmp_path / "t.csv")[0]
    assert float(first["seconds"]) > 0
    assert sr(*flags)[0] == 0
    assert rows(tmp_path / "t.csv")[0] == first
    monkeypatch.setattr("sr.verbs.evaluate.measuring.machine", lambda: "another")
    code, out, _ = sr(*flags)
    assert code == 0
    assert rows(tmp_path / "t.csv")[0] == first | {"seconds": "", "seconds_per_megapixel": ""}
    assert [row["seconds"] for row in rows(tmp_path / "p.csv")] == [""] * 3
    assert "1 of 1 rows were measured before" in out


def test_a_cache_that_cannot_be_written_is_none(sr, sets, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SR_CACHE", str(tmp_path / "file"))
    code, _, err = sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3")
    assert (code, err) == (0, "")


def fourteen(folder):
    """As many pictures as Set14 has."""
    folder.mkdir(parents=True)
    for number in range(14):
        Image.fromarray(smooth_picture(45, 51, number)).save(folder / f"{number}.png")


def test_published_numbers_stand_beside_their_network(sr, tmp_path, monkeypatch):
    fourteen(tmp_path / "sets" / "Set14")
    monkeypatch.setenv("SR_BENCHMARKS", str(tmp_path / "sets"))
    code, out, _ = sr("evaluate", "bicubic", "--set", "Set14", "--scale", "4", "--csv", "t.csv", "--markdown", "t.md")
    assert code == 0
    (row,) = rows(tmp_path / "t.csv")
    assert (row["published_psnr_y"], row["published_ssim_y"], row["published_psnr_rgb"]) == ("26.00", "0.7027", "")
    assert "Zhang et al. 2018" in row["published_by"]
    assert "26.00/.7027" in out
    assert "published: bicubic x4: Zhang et al. 2018" in out
    assert "published (architecture)" in (tmp_path / "t.md").read_text()
    assert "26.00/.7027 |" in (tmp_path / "t.md").read_text()


def test_nobody_published_what_was_trained_here(sr, tmp_path, monkeypatch):
    fourteen(tmp_path / "Set14")
    network = Espcn(scale=2, features=8, dilations=(1,))
    config = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 8, "dilations": [1]}
    save_network(tmp_path / "run.safetensors", network, config, {})
    key = ("Espcn", sum(p.numel() for p in network.parameters()), 2, "Set14")
    known = published_values() | {key: Published({"psnr_y": "33.33"}, "a paper")}
    monkeypatch.setattr("sr.verbs.evaluate.tables.published_values", lambda: known)
    assert sr("evaluate", "run.safetensors", "--set", "Set14", "--csv", "t.csv")[0] == 0
    assert [row["published_psnr_y"] for row in rows(tmp_path / "t.csv")] == ["30.24", ""]


@pytest.mark.slow
def test_published_networks_are_ours_by_their_number_of_parameters():
    makers = {
        "Bicubic": [Bicubic],
        "Rdn": [Rdn],
        "RrdbNet": [RrdbNet],
        "MsrResNet": [MsrResNet],
        "Imdn": [Imdn],
        "Edsr": [Edsr, partial(Edsr, features=256, blocks=32, branch=0.1)],
    }
    with torch.device("meta"):
        for kind, parameters, scale, name in published_values():
            arguments = {} if kind in ("Bicubic", "RrdbNet") else {"icnr": False}
            made = [maker(scale=scale, **arguments) for maker in makers[kind]]
            assert parameters in [sum(p.numel() for p in network.parameters()) for network in made]
            assert official_name(name) == name


# ------------------------------------------------------------------------------------- pictures without a truth


@pytest.fixture
def pyiqa(monkeypatch):
    """A stand-in for the package: one measure, the mean brightness."""

    class Brightness:
        def __call__(self, pictures):
            assert pictures.shape[:2] == (1, 3)
            return pictures.mean(dim=(1, 2, 3), keepdim=True)

    def create_metric(name, device):
        if name == "musiq":
            raise OSError("no route to host\nmore")
        return Brightness()

    package = ModuleType("pyiqa")
    package.list_models = lambda metric_mode: {"NR": ["niqe", "musiq"]}[metric_mode]
    package.create_metric = create_metric
    package.__version__ = "0"
    monkeypatch.setitem(sys.modules, "pyiqa", package)


@pytest.mark.usefixtures("pyiqa")
def test_measures_of_pictures_alone(sr, network, tmp_path):
    (tmp_path / "low").mkdir()
    pixels = smooth_picture(20, 24, 1)
    Image.fromarray(pixels).save(tmp_path / "low" / "a.png")
    code, out, err = sr("evaluate", network[0], "--lr", "low", "--no-reference", "niqe", "--csv", "t.csv")
    assert (code, err) == (0, "")
    bicubic, own = rows(tmp_path / "t.csv")
    assert float(bicubic["niqe"]) == pytest.approx(pixels.mean() / 255, abs=0.01)
    assert own["niqe"] != bicubic["niqe"]
    assert (bicubic["psnr_y"], bicubic["images"]) == ("", "1")
    assert "nan" not in out
    assert "infinite" not in out


@pytest.mark.usefixtures("pyiqa")
def test_measures_of_pictures_alone_beside_the_others(sr, sets, tmp_path):
    assert (
        sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--no-reference", "niqe", "--csv", "t.csv")[0] == 0
    )
    (row,) = rows(tmp_path / "t.csv")
    assert float(row["psnr_y"]) > 0
    assert 0 < float(row["niqe"]) < 1


@pytest.mark.usefixtures("pyiqa")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nique", "--no-reference nique: pyiqa has no such measure of pictures alone; did you mean niqe?"),
        (
            "musiq",
            "--no-reference musiq: pyiqa cannot load it (no route to host); most measures download",
        ),
    ],
)
def test_a_measure_that_cannot_be_had(sr, sets, name, message):
    error = error_of(sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--no-reference", name))
    assert error.startswith(message)


def test_pyiqa_is_an_extra(sr, sets, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    error = error_of(sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--no-reference", "niqe"))
    assert error == "--no-reference niqe needs pyiqa: uv sync --extra iqa"


# ------------------------------------------------------------------------------------- DISTS


def test_dists_beside_lpips(sr, sets, tmp_path, monkeypatch):
    def build(name, choice, device, _):
        return Perceptual(Dists("random"), device) if name == "dists" and choice is not None else None

    monkeypatch.setattr("sr.verbs.evaluate.evaluate.build_distance", build)
    code, out, _ = sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--csv", "t.csv")
    (row,) = rows(tmp_path / "t.csv")
    assert code == 0
    assert float(row["dists"]) > 0
    assert f"{float(row['dists']):.4f}" in out
    assert "dists" not in sr("evaluate", "bicubic", "--scale", "2", "--set", "Anime3", "--dists", "none")[1]
