"""What a run keeps of its validation pictures for `sr report`: pixel for pixel, and a history that is thinned."""

import io

import numpy as np
import pytest
from PIL import Image

from sr.errors import UserError
from sr.training.keeping.pictures import FRAMES, KeptPictures, PicturePlace, Views, places, spacing
from sr.training.keeping.run_folder import RunFolder
from sr.training.panels import parts, strip, strip_without_truth
from tests.conftest import smooth_picture


def views(height: int, width: int, scale: int, truth: bool = True) -> Views:
    large = [smooth_picture(scale * height, scale * width, seed) for seed in (1, 2, 3)]
    return Views(smooth_picture(height, width, 0), *large[:2], large[2] if truth else None)


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def tree(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("height", "width"), [(40, 60), (400, 37)])
def test_a_strip_comes_apart_exactly(height, width):
    bicubic, sr, hr = (smooth_picture(height, width, seed) for seed in range(3))
    top = (height - min(320, height)) // 2
    middle = slice(top, top + min(320, height))
    for expected, got in zip((bicubic, sr, hr), parts(strip(bicubic, sr, hr)), strict=True):
        assert np.array_equal(got, expected[middle])
    for expected, got in zip((bicubic, sr), parts(strip_without_truth(bicubic, sr), 2), strict=True):
        assert np.array_equal(got, expected[middle])


@pytest.mark.parametrize("shape", [(16, 40, 3), (50, 42, 3), (50, 0, 3)])
def test_no_strip(shape):
    with pytest.raises(ValueError, match=f"a picture of {shape[1]}x{shape[0]} is no strip of 4 views"):
        parts(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_same_region_of_every_view_is_kept(scale):
    lr = smooth_picture(301, 250, 0)
    large = np.repeat(np.repeat(lr, scale, axis=0), scale, axis=1)
    kept = Views(lr, large, large, large).middle(512)
    side = 512 // scale
    assert kept.lr.shape[:2] == (min(301, side), min(250, side))
    for view in (kept.bicubic, kept.sr, kept.hr):
        assert np.array_equal(view[::scale, ::scale], kept.lr)
        assert max(view.shape) <= 512
    assert Views(lr, large, large).middle(512).hr is None


def test_a_picture_is_kept_pixel_for_pixel(tmp_path):
    shown = views(20, 30, 2)
    KeptPictures(RunFolder(tmp_path), 5).write({"set/00_x": shown}, {"set/00_x": shown.strip()}, 5)
    place = PicturePlace(tmp_path / "val" / "pictures" / "set" / "00_x")
    assert places(tmp_path / "val" / "pictures") == {"set/00_x": place}
    for path, expected in ((place.lr, shown.lr), (place.bicubic, shown.bicubic), (place.sr, shown.sr)):
        assert np.array_equal(pixels(path), expected)
    assert np.array_equal(pixels(place.hr), shown.hr)
    assert np.array_equal(pixels(tmp_path / "val" / "set" / "00_x.png"), shown.strip())
    assert [path.name for path in place.frames().values()] == ["00000005.webp"]
    written = io.BytesIO()
    Image.fromarray(shown.sr).save(written, "WEBP", quality=90)
    assert place.frame(5).read_bytes() == written.getvalue()


@pytest.mark.parametrize(
    ("updates", "every", "step"),
    [(1, 1, 1), (16, 1, 1), (17, 1, 2), (32, 1, 2), (34, 1, 4), (1600, 100, 100), (1700, 100, 200), (99, 100, 100)],
)
def test_spacing_doubles(updates, every, step):
    assert spacing(updates, every) == step


def history(folder, every: int, sittings: list[tuple[int, int]]) -> list[int]:
    """Frames after sittings from (exclusive) to (inclusive) so many updates; the next one goes on before the end."""
    shown = views(10, 10, 2)
    for begin, end in sittings:
        kept = KeptPictures(RunFolder(folder), every)
        if begin:
            kept.resume_from(begin)
        for updates in range(begin + 1, end + 1):
            if updates % every == 0 or updates == end:
                kept.write({"00_x": shown}, {}, updates)
    return list(PicturePlace(folder / "val" / "pictures" / "00_x").frames())


@pytest.mark.parametrize("end", [7, 30, 48, 75, 97])
def test_a_killed_run_keeps_the_frames_of_an_uninterrupted_one(tmp_path, end):
    at_once = history(tmp_path / "once", 3, [(0, end)])
    assert 1 <= len(at_once) <= FRAMES
    assert all(updates % spacing(end - end % 3, 3) == 0 for updates in at_once)
    stop = end * 2 // 3
    assert history(tmp_path / "twice", 3, [(0, stop), (stop // 2, end)]) == at_once
    assert history(tmp_path / "late", 3, [(0, end), (stop // 2, end)]) == at_once


def test_a_history_that_cannot_be_thinned_is_one_sentence(tmp_path):
    kept = KeptPictures(RunFolder(tmp_path), 1)
    kept.write({"00_x": views(10, 10, 2)}, {}, 1)
    blocked = PicturePlace(tmp_path / "val" / "pictures" / "00_x").frame(9)
    blocked.mkdir()
    with pytest.raises(UserError, match=r"could not delete .*00000009\.webp: "):
        kept.resume_from(3)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "val").touch()
    with pytest.raises(UserError, match=r"could not write .*val/pictures/00_x/lr\.png: "):
        KeptPictures(RunFolder(tmp_path), 1).write({"00_x": views(10, 10, 2)}, {}, 1)


def test_a_run_that_starts_over_begins_its_history_anew(tmp_path):
    history(tmp_path, 1, [(0, 3)])
    RunFolder(tmp_path).clear()
    assert not (tmp_path / "val" / "pictures").exists()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
def test_a_run_that_goes_on_keeps_the_same_pictures(train, tmp_path, pictures):
    settings = ["trainer.val_every=1", "schedule=constant", "data.val_pictures=1", f"data.shown={pictures}/below"]
    settings += ["trainer.val_images=1", "optimizer.lr=1e-3"]
    assert train(*settings, "trainer.max_updates=19", "run_dir=once")[0] == 0
    assert train(*settings, "trainer.max_updates=5", "run_dir=twice")[0] == 0
    kept = tmp_path / "twice" / "val" / "pictures"
    for place in places(kept).values():  # as one that was killed after its last checkpoint leaves them
        place.frame(6).write_bytes(place.frame(5).read_bytes())
        place.sr.write_bytes(b"")
    code, _, err = train("resume=twice", "trainer.max_updates=19", defaults=False)
    assert code == 0, err
    whole = tree(tmp_path / "once" / "val")
    assert tree(tmp_path / "twice" / "val") == whole
    once = tree(tmp_path / "once" / "val" / "pictures")
    assert len(whole["bicubic.csv"].splitlines()) == 2
    assert list(places(kept)) == ["00_picture_1", "shown/00_picture_1"]
    assert list(places(kept)["00_picture_1"].frames()) == list(range(2, 19, 2))
    assert "00_picture_1/hr.png" in once
    assert "shown/00_picture_1/hr.png" not in once
    sr = pixels(places(kept)["00_picture_1"].sr)
    assert np.array_equal(sr, parts(pixels(tmp_path / "once" / "val" / "00_picture_1.png"))[1])
