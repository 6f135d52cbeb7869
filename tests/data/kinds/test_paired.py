"""Pairs of given pictures: names that meet, sizes that fit, both sides in step."""

import pickle

import numpy as np
import pytest
from hydra.utils import instantiate
from PIL import Image

from sr.data.kinds.matching import header_size, match_names, matched
from sr.data.kinds.paired import PairedHr, PairedLr
from sr.data.store.building import open_store
from sr.errors import UserError
from sr.image.io import read_picture
from tests.config.test_config import composed


def silent(*_):
    pass


def write(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folders(tmp_path, names, lr_name, hr=(24, 36), lr=(12, 18)):
    for seed, name in enumerate(names):
        write(tmp_path / "hr" / f"{name}.png", *hr, seed)
        write(tmp_path / "lr" / lr_name.format(name), *lr, seed)
    return str(tmp_path / "hr"), str(tmp_path / "lr")


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("0001.png", "0001.png"),
        ("0001.png", "0001x2.png"),
        ("0001.png", "0001x2m.png"),
        ("0001.png", "0001x2w1.png"),
        ("0001.png", "0001_x2.PNG"),
        ("0001.png", "X2/0001x2.png"),
        ("IMG_7.PNG", "img_7.jpg"),
        ("cat_HR.png", "cat_LR.png"),
        ("cat-hr.png", "cat-lr.webp"),
        ("cat_GT.png", "cat_LQ.png"),
        ("cat.png", "cat_bicubic_x2.png"),
        ("img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png"),
        ("2020/trip/a.png", "trip/ax2.png"),
        ("photo.v2.png", "photo.v2x2.png"),
        ("Canon_001_HR.png", "Canon_001_LR2.png"),
        ("Canon_001_HR.png", "Canon_001_LR_x2.png"),
        ("cat-hr2.png", "cat-lr.png"),
        ("\u00dcber.png", "U\u0308ber_LR.png"),
    ],
)
def test_names_that_meet(hr, lr):
    assert match_names([hr, "other.png"], ["another.png", lr], 2) == {hr: lr}


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("0001.png", "0002x2.png"),
        ("color.png", "colo_lr.png"),
        ("clr.png", "c.png"),  # an ending needs something before it that sets it apart
    ],
)
def test_names_that_do_not_meet(hr, lr):
    assert match_names([hr], [lr], 2) == {}


def test_files_that_differ_in_their_suffix_case_or_form_alone():
    twins = ["a.jpg", "a.png", "B.png", "b.png", "\u00dc.png", "U\u0308.png"]
    assert match_names(twins, twins[::-1], 2) == {name: name for name in twins}
    assert match_names(["a.jpg", "a.png"], ["a.png"], 2) == {"a.png": "a.png"}


def test_names_that_look_alike_are_told_apart_in_messages(tmp_path):
    for name in ("\u00dc.png", "U\u0308.png"):
        write(tmp_path / "hr" / name, 24, 36)
    write(tmp_path / "lr" / "\u00dc.png", 12, 18)
    with pytest.raises(UserError, match=r"1 without a partner: 'U\\u0308\.png' \(nearest: '\\xdc\.png'\)"):
        matched(tmp_path / "hr", tmp_path / "lr", 2)


def test_both_sides_in_one_folder_as_realsr_comes(tmp_path):
    for number in (1, 2):
        for ending, size in (("HR", 24), ("LR2", 12), ("LR3", 8)):
            write(tmp_path / "Canon" / f"Canon_{number:03d}_{ending}.png", size, size)
    pairs = matched(tmp_path, tmp_path, 2)
    assert [(pair.hr.name, pair.lr.name) for pair in pairs] == [
        ("Canon_001_HR.png", "Canon_001_LR2.png"),
        ("Canon_002_HR.png", "Canon_002_LR2.png"),
    ]


def test_a_name_that_ends_like_a_scale():
    # One rule for all names: HR box2 and bo, each LR with x2 behind it.
    assert match_names(["box2.png", "bo.png"], ["box2x2.png", "box2.png"], 2) == {
        "box2.png": "box2x2.png",
        "bo.png": "box2.png",
    }
    assert match_names(["box2.png", "bo.png"], ["box2.png", "bo.png"], 2) == {
        "box2.png": "box2.png",
        "bo.png": "bo.png",
    }


def test_mixed_namings_meet_too():
    assert match_names(["1.png", "2.png", "3_HR.png"], ["1.jpg", "2x2.png", "sub/3_LR.png"], 2) == {
        "1.png": "1.jpg",
        "2.png": "2x2.png",
        "3_HR.png": "sub/3_LR.png",
    }


def test_ambiguous_names_are_not_guessed():
    assert match_names(["a/1.png", "b/1.png"], ["1x2.png"], 2) == {}
    assert match_names(["a/1.png", "b/1.png"], ["b/1x2.png", "a/1x2.png"], 2) == {
        "a/1.png": "a/1x2.png",
        "b/1.png": "b/1x2.png",
    }


def test_a_mismatch_names_everything_that_helps(tmp_path):
    hr, lr = folders(tmp_path, ["0420", "0422"], "{}x2.png")
    write(tmp_path / "hr" / "0421.png", 24, 36)
    write(tmp_path / "lr" / "0999x2.png", 12, 18)
    with pytest.raises(UserError) as error:
        matched(hr, lr, 2, "training")
    assert str(error.value) == (
        f"training pairs do not match: 3 pictures in {hr} and 3 in {lr}; 1 without a partner: 0421.png (nearest: "
        "0999x2.png); 1 without a partner: 0999x2.png (nearest: 0421.png); rename or remove them"
    )


def test_many_mismatches_show_the_first(tmp_path):
    hr, lr = folders(tmp_path, ["a_photograph"], "{}.png")
    for n in range(5):
        write(tmp_path / "hr" / f"q{n}.png", 4, 4)
    with pytest.raises(UserError, match=r"5 without a partner: q0\.png, q1\.png, q2\.png, …; rename or remove them"):
        matched(hr, lr, 2)


def test_a_missing_folder_is_told(tmp_path):
    folders(tmp_path, ["a"], "{}.png")
    with pytest.raises(UserError, match=r"there is no folder .*lrr'; nearest is '.*lr'"):
        matched(tmp_path / "hr", tmp_path / "lrr", 2)


def test_wrong_sizes_say_which_scale_they_have(tmp_path):
    hr, lr = folders(tmp_path, ["0421", "0422"], "{}x4.png", (678, 1020), (339, 510))
    with pytest.raises(UserError) as error:
        PairedHr("train", hr, lr, 4, hr, lr).fetch(silent, silent)
    assert str(error.value) == (
        "2 of 2 training pairs do not fit scale=4: 0421.png: 510x339 against 1020x678 is x2, not x4; "
        "0422.png: 510x339 against 1020x678 is x2, not x4; set the scale that they have, or mend the files"
    )


def test_names_of_another_scale_meet_so_that_the_sizes_tell(tmp_path):
    hr, lr = folders(tmp_path, ["a", "b"], "{}x2.png")
    with pytest.raises(
        UserError, match=r"2 of 2 training pairs do not fit scale=3: a\.png: 18x12 against 36x24 is x2, not"
    ):
        PairedHr("train", hr, lr, 3, hr, lr).fetch(silent, silent)


def test_different_ratios_are_both_shown(tmp_path):
    hr, lr = folders(tmp_path, ["a"], "{}.png", (30, 40), (10, 20))
    with pytest.raises(UserError, match=r"a\.png: 20x10 against 40x30 is x2 by x3, not x2"):
        PairedHr("train", hr, lr, 2, hr, lr).fetch(silent, silent)


@pytest.mark.parametrize(
    ("hr", "lr", "shared"),
    [((25, 37), (12, 18), (12, 18)), ((25, 37), (13, 19), (12, 18)), ((25, 37), (13, 18), (12, 18))],
)
def test_sizes_that_nearly_fit(tmp_path, hr, lr, shared):
    pair = folders(tmp_path, ["a", "b"], "{}.png", hr, lr)
    fits = lr == (hr[0] // 2, hr[1] // 2)
    sides = [kind("val", *pair, 2, *pair) for kind in (PairedHr, PairedLr)]
    if fits:
        sides[0].fetch(silent, silent)  # the rest beyond the last whole low-resolution pixel is never looked at
    else:
        with pytest.raises(UserError, match=r"do not fit scale=2: .*; data\.fix=crop cuts both to what they share"):
            sides[0].fetch(silent, silent)
    cropped = [kind("val", *pair, 2, *pair, fix="crop") for kind in (PairedHr, PairedLr)]
    for source in cropped:
        source.fetch(silent, silent)
    high, low = (source.read(1).pixels for source in cropped)
    assert low.shape[:2] == shared
    assert high.shape[:2] == (2 * shared[0], 2 * shared[1])
    assert np.array_equal(low, read_picture(sides[1].paths[1]).pixels[: shared[0], : shared[1]])
    assert cropped[0].stamp() != sides[1].stamp()


def test_crop_does_not_hide_a_wrong_scale(tmp_path):
    pair = folders(tmp_path, ["a"], "{}.png", (24, 36), (11, 18))
    with pytest.raises(UserError, match="set the scale that they have"):
        PairedHr("train", *pair, 2, *pair, fix="crop").fetch(silent, silent)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_header_sizes_are_those_of_the_upright_picture(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (30, 20)).save(path, exif=exif if suffix != "png" else None)
    assert header_size(path) == read_picture(path).pixels.shape[:2]
    assert header_size(tmp_path / "none.png") is None


def test_both_sides_hold_out_the_same_pairs(tmp_path):
    pair = folders(tmp_path, [f"{n:04d}" for n in range(20)], "{}_LR.jpg")
    parts = {}
    for part in ("train", "val"):
        high, low = PairedHr(part, *pair, 2, val_share=0.25), PairedLr(part, *pair, 2, val_share=0.25)
        for source in (high, low):
            source.fetch(silent, silent)
        assert [path.stem + "_LR" for path in high.paths] == [path.stem for path in low.paths]
        parts[part] = {path.stem for path in high.paths}
    assert len(parts["val"]) == 5
    assert len(parts["train"]) == 15
    assert not parts["train"] & parts["val"]


def test_the_split_does_not_depend_on_where_the_folders_lie(tmp_path):
    names = [f"{n:04d}" for n in range(12)]
    here = PairedHr("val", *folders(tmp_path / "here", names, "{}.png"), 2, val_share=0.3)
    there = PairedHr("val", *folders(tmp_path / "there", names, "{}.png"), 2, val_share=0.3)
    assert [path.name for path in here.paths] == [path.name for path in there.paths]


def test_given_validation_folders(tmp_path):
    train = folders(tmp_path / "train", ["a", "b"], "{}.png")
    val = folders(tmp_path / "val", ["c"], "{}.png")
    assert [path.stem for path in PairedLr("train", *train, 2, *val).paths] == ["a", "b"]
    assert [path.stem for path in PairedLr("val", *train, 2, *val).paths] == ["c"]


def test_the_sources_make_stores(tmp_path):
    pair = folders(tmp_path, ["a", "b", "c"], "{}x2.png")
    for kind, height in ((PairedHr, 24), (PairedLr, 12)):
        source = pickle.loads(pickle.dumps(kind("train", *pair, 2, *pair)))
        source.fetch(silent, silent)
        assert open_store(source, tmp_path / "cache", silent).heights.tolist() == [height] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hr_val": "x"}, "hr_val is given without lr_val; give both, or neither"),
        ({"lr_val": "x"}, "lr_val is given without hr_val"),
        ({"val_share": 1.5}, "val_share=1.5 must be above 0 and below 1"),
        ({"val_share": 0}, "val_share=0 must be above 0"),
        ({"fix": "stretch"}, "fix=stretch is not one of refuse, crop"),
        ({"part": "test"}, "part=test is not one of train, val"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        PairedHr(**({"part": "train", "hr": "a", "lr": "b", "scale": 2} | settings))


def test_the_configuration_builds_all_four(tmp_path):
    hr, lr = folders(tmp_path, [f"{n:04d}" for n in range(10)], "{}x2.png")
    data = composed("data=paired", f"data.hr={hr}", f"data.lr={lr}", "data.val_share=0.3").data
    built = {key: instantiate(data[key]) for key in ("train", "train_lr", "val", "val_lr")}
    assert {key: len(source) for key, source in built.items()} == {"train": 7, "train_lr": 7, "val": 3, "val_lr": 3}
