"""`sr degrade`: its sheet, its table and its messages."""

import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sr.config.building import build
from sr.config.composing import composed
from sr.degradations.pipeline import VALIDATION_SEED
from sr.draws import Draws, Record
from sr.image.io import to_image, to_pixels
from sr.verbs.screen.sheets import Seen, by_stage, common, contact_sheet, in_words, same_for_all


@pytest.fixture
def degrade(sr, pictures):
    """Run the verb on six small pictures; ``degrade("degradation=…")`` gives (exit code, stdout, stderr)."""

    def run(*arguments: str, output: str = "sheet.png", samples: int = 8) -> tuple[int, str, str]:
        small = ["data=folder", f"data.train={pictures}", "data.crop=12", "data.batch_size=4"]
        device = "trainer.accelerator=cpu"
        return sr("degrade", *small, device, *arguments, "-o", output, "--count", "3", "--samples", str(samples))

    return run


def test_sheet_table_and_rate(degrade, tmp_path):
    code, out, err = degrade("degradation=second_order", "scale=2", samples=16)
    assert (code, err) == (0, "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert 1000 < sheet.width < 2000
        assert 500 < sheet.height < 4000
    assert "drawn for 16 crops" in out
    assert re.search(r"quality +│ +100% │ \d\d to \d\d, median \d\d", out)
    assert re.search(r"[\d,]+ pictures/s from 24x24 crops on cpu, 4 at a time", out)
    assert "low-resolution pictures are made anew for each crop" in out
    assert "the same for every crop: last/resize_and_sinc/resize: factor 1" in out
    assert out.rstrip().endswith("sheet: sheet.png")


def test_bicubic_draws_nothing(degrade, tmp_path):
    code, out, _ = degrade("degradation=bicubic")
    assert code == 0
    assert "nothing is drawn: every crop is treated alike" in out
    assert "made in advance, once for each picture" in out
    assert (tmp_path / "sheet.png").is_file()


def test_same_seed_same_sheet_another_seed_another(degrade, tmp_path):
    for name, seed in (("b", 1), ("a", 0), ("b", 0), ("c", 1)):  # the second b takes the place of the first
        assert degrade("degradation=jpeg_light", f"seed={seed}", output=f"{name}.png")[0] == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_batch_size_changes_no_draw(degrade, tmp_path):
    degrade("degradation=jpeg_light", output="a.png")
    degrade("degradation=jpeg_light", "data.batch_size=8", output="b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_draws_made_in_advance_are_those_of_the_store(degrade, monkeypatch):
    """What stands under a stored crop is what was drawn for its picture when the store was made."""
    held: dict[str, Any] = {}
    monkeypatch.setattr("sr.verbs.degrade.check_input", lambda augmentation, data: held.update(data=data))
    monkeypatch.setattr("sr.verbs.degrade.contact_sheet", lambda *arguments: held.update(record=arguments[2]))
    code, out, _ = degrade("degradation=video_codec", samples=8)
    assert code == 0
    assert "made in advance, once for each picture" in out
    batches = held["data"].stream.batches
    pictures = batches.plan.places(np.arange(8)).pictures
    pipeline = build("degradation", composed(["degradation=video_codec"]).degradation)
    for sample, picture in enumerate(pictures.tolist()):
        again = Record()
        draws = Draws(VALIDATION_SEED, np.array([picture]), again).within("picture")
        hr = batches.hr.picture(picture)
        height, width = (side // 2 * 2 for side in hr.shape[:2])
        lr = to_pixels(pipeline(to_image(np.ascontiguousarray(hr[:height, :width])), draws))
        np.testing.assert_array_equal(lr, batches.lr.picture(picture))
        expected = {name.removeprefix("picture/"): value for name, value in again.of(picture).items()}
        assert held["record"].of(sample) == expected


def test_given_pairs_are_not_degraded(sr, tmp_path, pictures):
    for file in pictures.rglob("*.png"):
        with Image.open(file) as hr:
            (tmp_path / "lr").mkdir(exist_ok=True)
            hr.resize((hr.width // 2, hr.height // 2), Image.Resampling.BOX).save(tmp_path / "lr" / file.name)
    small = ["data.crop=12", "data.batch_size=4", "trainer.accelerator=cpu", "--count", "1", "--samples", "4"]
    code, out, _ = sr("degrade", "data=paired", f"data.hr={pictures}", f"data.lr={tmp_path / 'lr'}", *small)
    assert code == 0
    assert "low-resolution pictures are given: the degradation is not applied" in out
    assert "nothing is drawn" in out
    assert "pictures/s" not in out


@pytest.mark.parametrize(("crop", "scale"), [(48, 1), (16, 3), (48, 8), (160, 4)])
def test_every_size_fits_its_place(tmp_path, crop, scale):
    """No picture meets the edge of the sheet, or its neighbour: the column right of each is white."""
    black = Seen(np.zeros((crop, crop, 3), np.uint8), np.zeros((crop * scale, crop * scale, 3), np.uint8), {"a/b": 1.0})
    contact_sheet(tmp_path / "s.png", [black] * 3, Record(), 3, "")
    sheet = np.asarray(Image.open(tmp_path / "s.png").convert("L"))
    assert sheet.shape[1] < 2100
    dark = (sheet == 0).mean(axis=0) > 0.2
    starts, ends = (int((np.diff(dark.astype(int)) == sign).sum()) for sign in (1, -1))
    assert starts == ends >= 2
    assert not dark[:10].any()
    assert not dark[-10:].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "sheet.jpg"], "error: -o sheet.jpg: the sheet is a PNG file; take -o sheet.png"),
        (["-o", "s.png", "--count", "0"], "error: --count 0 must be at least 1"),
        (["-o", "s.png", "--samples", "-3"], "error: --samples -3 must be at least 1"),
        (["-o", "occupied/s.png"], "error: cannot write occupied/s.png: File exists; take another folder"),
        (
            ["-o", "occupied/below/s.png"],
            "error: cannot write occupied/below/s.png: Not a directory; take another folder",
        ),
        (["-o", "folder.png"], "error: -o folder.png is a folder; take -o folder.png/sheet.png"),
    ],
)
def test_mistakes_are_named_before_anything_is_prepared(sr, tmp_path, arguments, message):
    (tmp_path / "occupied").write_text("no folder")
    (tmp_path / "folder.png").mkdir()
    code, out, err = sr("degrade", "data=folder", "data.train=nowhere", *arguments)
    assert (code, out, err) == (2, "", f"{message}\n")


def test_unknown_degradation(degrade):
    code, _, err = degrade("degradation=second_oder")
    assert code == 2
    assert err.startswith("error: ")
    assert "second_order" in err
    assert len(err.splitlines()) == 1


def test_a_sheet_holds_the_pixels(tmp_path):
    """Low and high resolution at whole factors, side by side, unsmoothed."""
    rng = np.random.default_rng(0)
    seen = [
        Seen(rng.integers(0, 256, (12, 12, 3), np.uint8), rng.integers(0, 256, (24, 24, 3), np.uint8), {})
        for _ in range(3)
    ]
    contact_sheet(tmp_path / "s.png", seen, Record(), 3, "three")
    sheet = np.asarray(Image.open(tmp_path / "s.png").convert("RGB"))
    for pair in seen:
        for picture in (pair.lr, pair.hr):
            factor = 192 // len(picture)
            large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            starts = np.argwhere((sheet == large[0, 0]).all(axis=2))
            assert any(
                np.array_equal(sheet[y : y + 192, x : x + 192], large) for y, x in starts if x + 192 <= sheet.shape[1]
            )


def test_words():
    drawn = {"blur/kind": "iso", "last/jpeg/quality": 31.0, "blur/sigma": 1.23456}
    assert by_stage(drawn) == {"blur": ["blur/kind", "blur/sigma"], "last/jpeg": ["last/jpeg/quality"]}
    assert in_words(drawn) == ["blur: kind iso, sigma 1.23", "last/jpeg: quality 31"]


def test_shares():
    assert common(["a", "b", "a", "a"], 6) == [("a", 0.75), ("b", 0.25)]
    values = [*"aaabbbccdde"]
    shares = common(values, 3)
    assert [label for label, _ in shares] == ["a", "b", "3 others"]
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert common(list("abcdefgh"), 6) == [("8 different ones", 1.0)]


def test_same_for_all():
    record = Record()
    record.add("a/x", np.arange(3), [1.0, 1.0, 1.0])
    record.add("a/y", np.arange(3), [1.0, 1.0, 2.0])
    record.add("b/x", np.arange(2), [1.0, 1.0])
    assert same_for_all(record, 3) == {"a/x": 1.0}
