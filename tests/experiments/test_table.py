"""Run folders as a table, however the runs ended."""

import json
import shutil

import pytest

from sr.experiments.failure import read_failure, write_failure
from sr.experiments.table import row_in, rows_of
from sr.locks import alone
from sr.training.keeping.command import FILE, Command, read_command, write_command
from tests.experiments.report.made_runs import Made, write_run, write_zoo


def test_a_line_for_each_run_whatever_became_of_it(tmp_path):
    write_zoo(tmp_path)
    write_run(tmp_path / "running", Made(seed=6, ended=None))
    with alone(tmp_path / "running" / ".lock"):
        rows = {row.name: row for row in rows_of([tmp_path])}
    states = {name: row.state for name, row in rows.items()}
    assert states == {
        "cut_off": "cut off",
        "damaged": "cut off",
        "exploded": "exploded",
        "failed": "failed",
        "finished": "finished",
        "foreign": "foreign",
        "interrupted": "interrupted",
        "running": "running",
    }
    assert rows["failed"].sentence == "data.train=nowhere does not exist"
    assert rows["damaged"].sentence == "summary.json is damaged"
    assert rows["exploded"].sentence == "exploded after 30 updates"
    assert rows["foreign"].sentence.startswith("its config.yaml is none")


def test_a_run_without_a_summary_says_what_it_has_reached(tmp_path):
    write_run(tmp_path / "ended", Made())
    write_run(tmp_path / "cut", Made(ended=None))
    cut, ended = rows_of([tmp_path])
    assert (cut.updates, cut.best_updates) == (30, 30)
    assert cut.final == {"psnr_y": 31.0} == cut.best
    assert cut.bicubic == {"psnr_y": 30.0}
    assert ended.bicubic == {"psnr_y": 30.0, "ssim_y": 0.8}
    assert len(ended.by_picture("final")) == 2
    assert ended.by_picture("best") == ended.by_picture("final")
    assert ended.by_picture("final")["", "a.png"] == {"psnr_y": 31.01, "ssim_y": 0.9}


def test_a_strangers_metrics_cost_only_their_run(tmp_path):
    write_run(tmp_path / "a", Made())
    for number, value in enumerate(("1e999", "nan", "-5", "x", "9" * 400)):
        run = write_run(tmp_path / f"b{number}", Made(ended=None))
        run.metrics.write_text(f"updates,val/psnr_y,train/updates_per_second\n{value},31.5,inf\n")
    assert [row.state for row in rows_of([tmp_path])] == ["finished"] + ["cut off"] * 5


def test_numbers_that_none_computes_with_cost_only_their_run(tmp_path):
    for number, key in enumerate(("seconds", "updates", "parameters", "pictures_per_second", "recoveries", "bicubic")):
        run = write_run(tmp_path / f"{number}_run", Made())
        summary = json.loads(run.summary.read_text())
        huge = {"psnr_y": 10**400} if key == "bicubic" else 10**400
        run.summary.write_text(json.dumps(summary | {key: huge}))
    assert {(row.state, row.sentence) for row in rows_of([tmp_path])} == {("cut off", "summary.json is damaged")}


def test_a_doubled_column_is_damage(tmp_path):
    run = write_run(tmp_path / "run", Made(ended=None))
    run.metrics.write_text("updates,val/psnr_y,val/psnr_y\n5,31,0.8\n")
    (row,) = rows_of([tmp_path])
    assert (row.final, row.sentence) == ({}, "metrics.csv is damaged")


def test_names_are_as_long_as_it_takes(tmp_path):
    for place in ("a/sweep/0_x", "b/sweep/0_x", "b/sweep/1_y"):
        write_run(tmp_path / place, Made())
    assert [row.name for row in rows_of([tmp_path])] == ["a/sweep/0_x", "b/sweep/0_x", "1_y"]
    assert len(rows_of([tmp_path, tmp_path / "b"])) == 3, "each once"


def test_the_second_comes_before_the_tenth(tmp_path):
    for number in (10, 2, 0):
        write_run(tmp_path / f"{number}_seed-1", Made())
    assert [row.name for row in rows_of([tmp_path])] == ["0_seed-1", "2_seed-1", "10_seed-1"]


def test_a_folder_where_nothing_began_has_no_row(tmp_path):
    assert row_in(tmp_path) is None
    assert rows_of([tmp_path, tmp_path / "gone"]) == []


def test_runs_are_told_apart_by_what_they_are_measured_on(tmp_path):
    write_run(tmp_path / "x2", Made())
    write_run(tmp_path / "x4", Made(settings={"scale": 4}))
    other = write_run(tmp_path / "other", Made())
    summary = json.loads(other.summary.read_text())
    other.write_summary(summary | {"bicubic": {"psnr_y": 29.0}})
    assert len({row.judged_on for row in rows_of([tmp_path])}) == 3
    shutil.rmtree(tmp_path / "x4")
    (tmp_path / "x2").rename(tmp_path / "x2_again")
    write_run(tmp_path / "x2", Made(seed=7))
    assert len({row.judged_on for row in rows_of([tmp_path])}) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"line": 5, "overrides": 7, "choices": [1]}', b"\xff"])
def test_damaged_records_say_nothing(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    (tmp_path / "failure.json").write_bytes(content)
    assert read_command(tmp_path).choices == {}
    assert read_failure(tmp_path) == ""


def test_what_made_a_run_and_why_it_failed_are_read_again(tmp_path):
    command = Command("train.py seed=1", ["seed=1"], {"model": "espcn"}, "sweep")
    write_command(tmp_path, command)
    assert read_command(tmp_path) == command
    write_failure(tmp_path / "new", "no such device")
    assert read_failure(tmp_path / "new") == "no such device"
