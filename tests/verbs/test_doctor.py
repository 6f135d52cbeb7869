import json
import os

import numpy as np
import pytest
import skimage.data
from PIL import Image as pil
from scipy.ndimage import shift as moved

from sr.errors import UserError
from sr.verbs.doctor import doctor

PHOTO = skimage.data.astronaut()
COFFEE = skimage.data.coffee()


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pil.fromarray(pixels).save(path, **options)


def crop(number):
    """One of 16 different pieces of a photograph, 100x100."""
    y, x = 128 * (number // 4), 128 * (number % 4)
    return PHOTO[y : y + 100, x : x + 100].copy()


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run the doctor; gives (exit code, what it printed, the JSON, its files by name)."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*folders, **options):
        code = doctor(folders, json=tmp_path / "verdicts.json", workers=1, **options)
        content = json.loads((tmp_path / "verdicts.json").read_text())
        assert content["safe"] == (code == 0)
        return code, capsys.readouterr().out, content, {f["path"].rsplit("/", 1)[-1]: f for f in content["files"]}

    return run


def test_every_file_has_a_verdict(tmp_path, check):
    train = tmp_path / "train"
    for number in range(12):
        save(train / f"{number:02d}.png", crop(number))
    save(train / "again.bmp", crop(3))
    save(train / "smaller.jpg", np.asarray(pil.fromarray(crop(4)).resize((97, 97), pil.Resampling.BICUBIC)), quality=60)
    save(train / "small.png", COFFEE[100:150, 100:150])
    save(train / "enlarged.png", np.asarray(pil.fromarray(COFFEE[100:250, 200:350]).resize((450, 450))))
    pil.fromarray(COFFEE[0:100, 300:400]).convert("RGBA").rotate(9).save(train / "clear.png")
    pil.fromarray(np.asarray(skimage.data.camera()[:100, 200:300], np.uint16) * 257).save(train / "deep.png")
    (train / "cut.png").write_bytes((train / "05.png").read_bytes()[:3000])
    (train / "notes.txt").write_text("words")
    (train / "photo").write_bytes((train / "06.png").read_bytes())
    code, out, content, files = check(train)
    assert code == 0
    assert {name: file["verdict"] for name, file in files.items() if file["verdict"] != "ok"} == {
        "again.bmp": "warning",
        "smaller.jpg": "warning",
        "small.png": "warning",
        "enlarged.png": "warning",
        "clear.png": "warning",
        "cut.png": "refused",
        "notes.txt": "ignored",
        "photo": "ignored",
    }
    assert len(files) == 21
    assert files["again.bmp"]["reasons"] == [f"duplicate: the same pixels as '{train / '03.png'}'"]
    assert files["smaller.jpg"]["reasons"] == [
        "jpeg: JPEG of quality 60: its blocks become part of what is learned",
        f"near-duplicate: nearly the same picture as '{train / '04.png'}'",
    ]
    assert files["small.png"]["reasons"] == ["small: 50x50 is smaller than a crop of 96x96"]
    assert files["enlarged.png"]["reasons"] == ["upscaled: no fine detail: soft, or enlarged before by about x3"]
    assert files["cut.png"]["reasons"][0].startswith("unreadable: truncated")
    assert "looks like PNG" in files["photo"]["reasons"][0]
    assert (files["00.png"]["width"], files["00.png"]["mode"], files["deep.png"]["deep"]) == (100, "RGB", True)
    assert content["summary"]["verdicts"] == {"ok": 13, "warning": 5, "ignored": 2, "refused": 1}
    assert content["summary"]["findings"]["duplicate"] == 1
    assert "Training on this would be safe; 6 files deserve a look." in out
    assert f"refused: {train / 'cut.png'}: truncated" in out


def test_a_leak_is_not_safe(tmp_path, check):
    for number in range(4):
        save(tmp_path / "train" / f"{number}.png", crop(number))
    save(tmp_path / "val" / "same.png", crop(1))
    save(tmp_path / "val" / "similar.jpg", crop(2), quality=80)
    save(tmp_path / "val" / "other.png", crop(9))
    code, out, _, files = check(tmp_path / "train", val=[tmp_path / "val"])
    assert code == 1
    assert {name for name, file in files.items() if file["verdict"] == "unsafe"} == {
        *("1.png", "2.png", "same.png", "similar.jpg")
    }
    assert files["same.png"]["reasons"] == [f"leak: the same pixels as '{tmp_path / 'train' / '1.png'}' (train)"]
    assert "not safe: 2 pictures for validation are also trained on; take them out of one of the two" in out
    assert "Training on this would not be safe" in out


def test_too_many_unreadable_files(tmp_path, check):
    for number in range(4):
        save(tmp_path / f"{number}.png", crop(number))
    (tmp_path / "bad.png").write_bytes(b"nothing")
    code, out, _, _ = check(tmp_path)
    assert code == 1
    assert "1 of 5 pictures (train) cannot be read, more than the share of 0.1" in out
    assert check(tmp_path, refused=0.2)[0] == 0


def test_no_picture_holds_a_crop(tmp_path, check):
    save(tmp_path / "a.png", crop(0))
    code, out, _, _ = check(tmp_path, scale=4)
    assert code == 1
    assert "no picture has the 192x192 pixels of a crop, the largest has a side of 100" in out
    assert check(tmp_path, scale=4, crop_size=25)[0] == 0


def test_pairs(tmp_path, check):
    def lows(number, change=lambda hr: hr, size=50):
        hr = pil.fromarray(change(crop(number)))
        save(tmp_path / "lr" / f"{number}x2.png", np.asarray(hr.resize((size, size), pil.Resampling.BICUBIC)))

    for number in range(7):
        save(tmp_path / "hr" / f"{number}.png", crop(number))
    lows(0)
    lows(1, lambda hr: moved(hr.astype(np.float32), (0, 1, 0), mode="nearest").clip(0, 255).round().astype(np.uint8))
    lows(2, size=25)
    lows(3, lambda hr: (255 * (hr / 255) ** 0.5).round().astype(np.uint8))
    lows(4, lambda hr: crop(12))
    lows(5)
    lows(8)
    code, out, _, files = check(tmp_path / "hr", lr=tmp_path / "lr", scale=2)
    assert code == 1
    reasons = {name: " ".join(file["reasons"]) for name, file in files.items() if file["verdict"] == "unsafe"}
    assert set(reasons) == {"1x2.png", "2x2.png", "3x2.png", "4x2.png", "6.png", "8x2.png"}
    right = float(reasons["1x2.png"].split("lies ")[1].split(" px right")[0])
    assert right == pytest.approx(1, abs=0.1)
    assert "25x25 beside 100x100" in reasons["2x2.png"]
    assert "is x4 by x4, not x2" in reasons["2x2.png"]
    assert "with a gamma of 0.5" in reasons["3x2.png"]
    assert "shows something else" in reasons["4x2.png"]
    assert "has no low-resolution twin by its name" in reasons["6.png"]
    assert "not safe: 6 files do not fit into pairs; mend or remove them" in out


@pytest.mark.parametrize(("above", "below"), [("HR", "LR2"), ("hq", "lq2"), ("gt", "lq")])
def test_both_sides_in_one_folder_as_realsr_has_them(tmp_path, check, above, below):
    for number in range(3):
        hr = pil.fromarray(crop(number))
        save(tmp_path / f"Canon_00{number}_{above}.png", np.asarray(hr))
        save(tmp_path / f"Canon_00{number}_{below}.png", np.asarray(hr.resize((50, 50), pil.Resampling.BICUBIC)))
        save(tmp_path / f"Canon_00{number}_LR4.png", np.asarray(hr.resize((25, 25), pil.Resampling.BICUBIC)))
    code, out, _, files = check(tmp_path, lr=tmp_path, scale=2, crop_size=48)
    assert (code, "not safe" in out) == (0, False), out
    assert {name: file["verdict"] for name, file in files.items() if file["verdict"] != "ok"} == {
        f"Canon_00{number}_LR4.png": "ignored" for number in range(3)
    }
    assert files["Canon_000_LR4.png"]["reasons"] == ["other: by its name on neither side of x2"]
    (tmp_path / f"Canon_001_{below}.png").unlink()
    code, out, _, _ = check(tmp_path, lr=tmp_path, scale=2, crop_size=12)
    assert (code, "not safe: 1 file" in out) == (1, True), out


def test_a_shift_of_all_pairs_is_one_fault(tmp_path, check):
    for number in range(4):
        save(tmp_path / "hr" / f"{number}.png", crop(number))
        away = moved(crop(number).astype(np.float32), (0.4, 0, 0), mode="nearest").clip(0, 255).round()
        low = pil.fromarray(away.astype(np.uint8)).resize((50, 50), pil.Resampling.BICUBIC)
        save(tmp_path / "lr" / f"{number}.png", np.asarray(low))
    code, out, _, files = check(tmp_path / "hr", lr=tmp_path / "lr", scale=2)
    assert code == 1
    assert "px right and +0.4" in out or "px right and +0.3" in out
    assert "the low-resolution pictures lie" in out
    assert sum("shift:" in " ".join(file["reasons"]) for file in files.values()) == 4


def test_a_test_set_by_its_name(tmp_path, check):
    save(tmp_path / "Set5" / "HR" / "a.png", crop(0))
    _, _, _, files = check(tmp_path / "Set5" / "HR")
    assert files["a.png"]["reasons"] == [
        "test set: lies below a folder 'Set5', the name of a test set: never train on it"
    ]


def test_names_need_not_be_text(tmp_path, check):
    folder = os.fsencode(tmp_path / "train")
    os.mkdir(folder)  # noqa: PTH102 - a path of bytes
    save(tmp_path / "train" / "[red]a.png", crop(0))
    (tmp_path / "train" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"broken")
    code, out, content, _ = check(tmp_path / "train")
    assert code == 1
    assert len(content["files"]) == 2
    assert "caf\\xe9.png: it is damaged or not a picture" in out
    assert "[red]a.png" in out


def test_folders_without_pictures(tmp_path, check):
    (tmp_path / "empty").mkdir()
    save(tmp_path / "train" / "a.png", crop(0))
    assert "there is no readable picture (train)" in check(tmp_path / "empty")[1]
    assert "there is no readable picture (val)" in check(tmp_path / "train", val=[tmp_path / "empty"])[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folders": []}, "no folder is given; name at least one"),
        ({"folders": ["nix"]}, "there is no folder 'nix'; check the name"),
        ({"lr": "lr"}, "--lr lr needs --scale"),
        ({"refused": 1.5}, "refused=1.5 must lie in 0..1"),
        ({"crop_size": 0}, "crop=0 must be at least 1"),
        ({"workers": 0}, "workers=0 must be at least 1"),
        ({"seconds": 0.0}, "seconds=0.0 must be larger than 0"),
    ],
)
def test_wrong_usage(tmp_path, options, message):
    from pathlib import Path

    given = {"folders": [tmp_path]} | options
    given["folders"] = [Path(folder) for folder in given["folders"]]
    with pytest.raises(UserError) as error:
        doctor(**given)
    assert message in str(error.value)
