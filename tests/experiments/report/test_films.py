"""Films of a history: as many pictures, of the same size, in their order, once."""

import io

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from sr.experiments.report.building import Wanted
from sr.experiments.report.films import as_gif, as_mp4, delete_others, film_name, write_film
from tests.experiments.report.conftest import WANTED
from tests.experiments.report.made_runs import Made, write_run


def frames(height: int, width: int) -> list[np.ndarray]:
    return [np.full((height, width, 3), level, np.uint8) for level in (20, 120, 220)]


@pytest.mark.parametrize(("height", "width"), [(40, 64), (41, 63)])
def test_an_mp4_has_even_sides_and_the_last_picture_stays(height, width):
    with av.open(io.BytesIO(as_mp4(frames(height, width)))) as file:
        stream = file.streams.video[0]
        shown = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, height + height % 2)
    levels = [round(float(one.mean())) for one in shown]
    assert levels[:3] == pytest.approx([20, 120, 220], abs=3)
    assert len(levels) == 8
    assert levels[3:] == pytest.approx([220] * 5, abs=3)


def test_a_gif_begins_again_and_its_last_picture_stays():
    with Image.open(io.BytesIO(as_gif(frames(21, 33)))) as picture:
        assert picture.info["loop"] == 0
        shown = [(np.asarray(one.convert("RGB")), one.info["duration"]) for one in ImageSequence.Iterator(picture)]
    assert [int(pixels[5, 5, 0]) for pixels, _ in shown] == [20, 120, 220]
    assert [duration for _, duration in shown] == [250, 250, 1500]
    assert shown[0][0].shape == (21, 33, 3)


def test_names_of_films_are_names_of_files(tmp_path):
    history = [(1, "a", tmp_path / "a.png"), (2, "b", tmp_path / "b.png")]
    name = film_name("../<x>/run", "p q.png", history)
    assert name.startswith("_x_run_p_q-")
    assert film_name("../<x>/run", "p q.png", history[:1]) != name


def test_a_film_without_pictures_is_none(tmp_path):
    history = [(1, "a", tmp_path / "gone.png"), (2, "b", tmp_path / "gone.png")]
    assert not write_film(tmp_path, "x", history, [".mp4"])
    assert list(tmp_path.iterdir()) == []


def test_a_report_has_the_films_that_are_wanted(tmp_path, made):
    write_run(tmp_path / "runs" / "one", Made(pictures={"": ["a.png"]}))
    films = tmp_path / "out" / "films"
    report, _ = made(Wanted(WANTED.title, "", WANTED.made, "both"))
    assert report["films"] == [".mp4", ".gif"]
    film = report["pictures"][0]["runs"]["0"]["film"]
    assert film.startswith("films/one_a-")
    assert {path.name for path in films.iterdir()} == {
        f"{film.removeprefix('films/')}{kind}" for kind in (".mp4", ".gif")
    }
    with av.open(str(tmp_path / "out" / f"{film}.mp4")) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (30, 24 + 16)
    times = {path: path.stat().st_mtime_ns for path in films.iterdir()}
    (films / "mine.mp4").write_bytes(b"")
    made(Wanted(WANTED.title, "", WANTED.made, "mp4"))
    assert {path.suffix for path in films.iterdir() if path.name != "mine.mp4"} == {".mp4"}
    assert all(path.stat().st_mtime_ns == times[path] for path in films.iterdir() if path.name != "mine.mp4")
    report, _ = made()
    assert report["pictures"][0]["runs"]["0"]["film"] is None
    assert report["films"] == []
    assert [path.name for path in films.iterdir()] == ["mine.mp4"], "what is not ours stays"


def test_films_of_nobody(tmp_path):
    delete_others(tmp_path / "missing", [])
    name = film_name("a", "b", [])
    (tmp_path / f"{name}.gif").write_bytes(b"")
    delete_others(tmp_path, [f"{name}.gif"])
    assert (tmp_path / f"{name}.gif").exists()
    delete_others(tmp_path, [])
    assert not (tmp_path / f"{name}.gif").exists()
