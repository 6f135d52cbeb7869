"""`sr report`: what is written where, again and again, and every way in which it refuses."""

import os

import pytest

from sr.experiments.report import writing
from sr.locks import alone
from sr.verbs.report import title_of
from tests.experiments.report.made_runs import Made, report_of, rows_below, write_run


@pytest.fixture(autouse=True)
def page(tmp_path, monkeypatch):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "page.css").write_text("body {}")
    (folder / "page.js").write_text("1;")
    monkeypatch.setattr(writing, "PAGE", folder)
    return folder


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "runs" / "sweep" / "0_a", Made(1))
    write_run(tmp_path / "runs" / "sweep" / "1_b", Made(2))
    return tmp_path / "runs"


def files(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("runs")
def test_a_report_is_a_folder_of_static_files(sr, tmp_path):
    code, out, err = sr("report", "runs")
    assert code == 0, err
    assert out.splitlines()[-1] == "2 runs, 2 pictures; open report/index.html"
    own = files(tmp_path / "report")
    assert {name for name in own if not name.startswith("pictures/")} == {
        ".sr-report",
        "index.html",
        "page.css",
        "page.js",
        "plotly.min.js",
        "data.js",
    }
    assert len(own["plotly.min.js"]) > 1_000_000
    assert own[".sr-report"] == b""
    report = report_of(tmp_path / "report")
    assert (report["title"], report["command"]) == ("runs", "sr report runs -o report")
    assert [run["folder"] for run in report["runs"]] == ["runs/sweep/0_a", "runs/sweep/1_b"]


def test_a_report_is_updated(sr, tmp_path, runs):
    assert sr("report", "runs", "-o", "out", "--title", "first -o")[0] == 0
    assert report_of(tmp_path / "out")["command"] == "sr report runs -o out --title 'first -o'"
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / ".data.js.0123abcd.tmp").write_text("left by one that was killed")
    write_run(runs / "sweep" / "2_c", Made(3, gain=2))
    code, out, err = sr("report", "runs/sweep/2_c", "-o", "out")
    assert code == 0, err
    assert "1 runs, 2 pictures; open out/index.html" in out
    after = files(tmp_path / "out")
    assert after["notes.txt"] == b"mine"
    assert not [name for name in after if name.endswith((".tmp", ".lock"))]
    pictures = {name for name in after if name.startswith("pictures/")}
    text = (tmp_path / "out" / "data.js").read_text()
    assert all(name.removeprefix("pictures/").removesuffix(".js") in text for name in pictures), (
        "nobody shows the others"
    )
    assert report_of(tmp_path / "out")["title"] == "2_c"


def test_an_interrupted_report_leaves_the_one_before(sr, tmp_path, runs, monkeypatch):
    assert sr("report", "runs", "-o", "out")[0] == 0
    before = files(tmp_path / "out")
    write_run(runs / "sweep" / "2_c", Made(3))
    with monkeypatch.context() as patch:
        patch.setattr(writing, "as_script", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sr("report", "runs/sweep/2_c", "-o", "out")
    after = files(tmp_path / "out")
    assert {name: after.get(name) for name in before} == before
    assert sr("report", "runs/sweep/2_c", "-o", "out")[0] == 0


def test_two_runs_of_one_name_are_both_shown(sr, tmp_path, runs):
    write_run(tmp_path / "others" / "0_a", Made(5))
    assert sr("report", "runs", "others", "-o", "out")[0] == 0
    report = report_of(tmp_path / "out")
    assert sorted(run["name"] for run in report["runs"]) == ["1_b", "others/0_a", "sweep/0_a"]
    assert report["title"] == "3 runs"


def test_the_title_is_that_of_the_sweep(tmp_path):
    both = rows_below(tmp_path / "some", Made(1, choices={"model": "a"}), Made(2, choices={"model": "b"}))
    assert title_of(both, [tmp_path / "some"]) == "sweep"
    assert title_of(rows_below(tmp_path / "old", Made()), [tmp_path / "old"]) == "old"


def test_what_is_left_out_is_told(sr, tmp_path, runs):
    for run in (runs / "sweep").iterdir():
        for place in (run / "val" / "pictures").iterdir():
            for name in ("lr.png", "hr.png", "bicubic.png"):
                (place / name).write_bytes(b"no picture")
        (run / "metrics.csv").write_text("updates,a\n1,2,3,4\n")
    code, out, _ = sr("report", "runs", "-o", "out")
    assert code == 0
    assert out.count("left out: ") == 9
    assert "left out: 6 more" in out
    assert "left out: 0_a: " in out


def test_a_run_that_is_called_like_markup_is_shown_so(sr, tmp_path):
    write_run(tmp_path / "runs" / "[red]<script>", Made())
    code, out, err = sr("report", "runs/[red]<script>", "-o", "out [b]")
    assert code == 0, err
    assert "open out [b]/index.html" in out
    assert report_of(tmp_path / "out [b]")["runs"][0]["name"] == "[red]<script>"


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rusn"], "there is no folder rusn; did you mean runs"),
        (
            ["runs/sweep/0_a/config.yaml"],
            "is a file; name a folder of a run, or one with runs; did you mean runs/sweep/0_a",
        ),
        (["rums"], "rums has no runs: no folder with a config.yaml in it; the nearest that has is runs"),
        (["runs/sweep/0_a/val"], "val has no runs: no folder with a config.yaml in it; the nearest that has is "),
        (["runs", "rums", "none"], "there is no folder none"),
        (["runs", "--film", "gfi"], "--film gfi is no kind of film; did you mean gif?"),
        (["runs", "-o", "file"], "file is a file; name a folder for the report, such as report"),
        (["runs", "-o", "file/below"], "could not write into file/below: "),
        (
            ["runs", "-o", "full"],
            "full holds something else than a report (a, b, c, …); name a new folder, such as full/report",
        ),
        (
            ["runs", "-o", "runs"],
            "runs holds something else than a report (sweep); name a new folder, such as runs/report",
        ),
        (
            ["runs", "-o", "runs/sweep/0_a"],
            "runs/sweep/0_a is the folder of a run, and a report is no part of it; name",
        ),
        (["runs", "-o", "runs/sweep/0_a/report"], "0_a, which is the folder of a run, and a report is no part of it"),
        (["runs/sweep/1_b", "-o", "runs/sweep/0_a/report"], "0_a, which is the folder of a run"),
        (
            ["runs", "-o", "linked"],
            "linked/pictures is a link, through which a report would write elsewhere; delete it",
        ),
        (["runs", "-o", "nowhere"], "nowhere is a link to nothing; name a folder, such as report"),
    ],
)
def test_bad_input_is_one_sentence(sr, tmp_path, arguments, message):
    (tmp_path / "rums").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    for name in "abcd":
        (tmp_path / "full" / name).touch()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".sr-report").touch()
    (tmp_path / "linked" / "pictures").symlink_to(tmp_path / "full")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    before = files(tmp_path)
    code, _, err = sr("report", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert files(tmp_path) == before


def test_every_missing_folder_is_told(sr, runs):
    code, _, err = sr("report", "one", runs, "two")
    assert (code, err.count("error: there is no folder ")) == (2, 2)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system where nobody may make a folder")  # noqa: PTH112
def test_an_unwritable_target_is_one_sentence(sr, runs):
    code, _, err = sr("report", runs, "-o", "/proc/report")
    assert code == 2
    assert "error: could not write into /proc/report: " in err


@pytest.mark.usefixtures("runs")
def test_two_reports_into_one_folder_at_a_time_are_refused(sr, tmp_path):
    assert sr("report", "runs", "-o", "out")[0] == 0
    with alone(tmp_path / "out" / ".lock"):
        code, _, err = sr("report", "runs", "-o", "out")
        assert code == 2
        assert f"out is being written by process {os.getpid()}; wait until it has ended" in err
        assert (tmp_path / "out" / ".lock").exists()
    assert sr("report", "runs", "-o", "out")[0] == 0


def test_an_installation_without_the_page_is_one_sentence(sr, runs, page):
    (page / "index.html").unlink()
    code, _, err = sr("report", "runs")
    assert code == 2
    assert "index.html is missing: this installation is not whole; install it again" in err


@pytest.mark.usefixtures("one_thread")
def test_a_real_training_is_reported(train, sr, tmp_path):
    settings = ["trainer.max_updates=6", "trainer.val_every=2", "trainer.val_images=1"]
    assert train(*settings, "run_dir=run")[0] == 0
    code, out, err = sr("report", "run", "-o", "out", "--film", "gif")
    assert code == 0, err
    assert "left out" not in out
    report = report_of(tmp_path / "out")
    (run,) = report["runs"]
    assert (run["seed"], run["state"], run["updates"]) == (0, "finished", 6)
    assert "python" in run["command"]
    assert len(run["curves"]["seconds"]) == len(run["curves"]["updates"]) == 6
    assert run["curves"]["seconds"] == sorted(run["curves"]["seconds"])
    (picture,) = report["pictures"]
    assert picture["bicubic_metrics"].keys() == picture["runs"]["0"]["metrics"].keys()
    shown = picture["runs"]["0"]
    assert [updates for updates, _ in shown["history"]] == [2, 4, 6]
    assert (tmp_path / "out" / f"{shown['film']}.gif").is_file()
    assert shown["metrics"]["psnr_y"] > 0
