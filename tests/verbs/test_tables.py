"""Tables at the end of a run and of a sweep, as wide as the terminal allows."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from sr.console import plain_console
from sr.experiments.runs import Run
from sr.experiments.table import Row
from sr.training.keeping.command import Command
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.screen.runs import COLUMNS, cells_of, print_runs
from sr.verbs.screen.tables import print_numbers, print_result

METRICS = {"psnr_y": 30.0, "ssim_y": 0.9, "psnr_rgb": 28.0, "ssim_rgb": 0.8, "sharpness": 1.05, "lpips": 0.0083}
CONFIG = {"model": {"_target_": "sr.models.espcn.Espcn"}}
SUMMARY = {
    "scale": 4,
    "updates": 123_456,
    "seconds": 61.2,
    "updates_per_second": 94.6,
    "pictures_per_second": 378.0,
    "waiting_share": 0.021,
    "exit_reason": "max_updates",
    "parameters": 71_196,
    "bicubic": METRICS,
    "final": METRICS | {"psnr_y": 32.25},
    "best": METRICS | {"psnr_y": 31.5, "lpips": 0.007, "updates": 100_000},
}


def test_a_result_fits_a_narrow_terminal(tmp_path):
    text = io.StringIO()
    print_result(Console(file=text, width=80), SUMMARY, RunFolder(tmp_path), CONFIG)
    rows = {
        cells[0]: cells[1:]
        for line in text.getvalue().splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]) == 4
    }
    assert rows["metric"] == ["bicubic", "final (123456 updates)", "best (100000 updates)"]
    assert rows["psnr_y"] == ["30.00", "32.25", "31.50"]
    assert rows["lpips"] == ["0.0083", "0.0083", "0.0070"]
    assert rows["sharpness"] == ["1.05"] * 3
    assert rows["gain psnr_y"] == ["", "+2.25", "+1.50"]


def row(state="finished", sentence="", **changes):
    """A row whose numbers are those of the summary, with changes."""
    summary = SUMMARY | changes
    best = {name: value for name, value in summary["best"].items() if name != "updates"}
    numbers = {name: summary[name] for name in ("updates", "updates_per_second", "parameters", "bicubic")}
    return Row("run", Run(RunFolder(Path("run")), CONFIG, None), Command(), state, sentence, best=best, **numbers)


def sweep(capsys, monkeypatch, *rows):
    """Cells by run of a table in 100 columns, the headings under ``run``; and the lines below it."""
    monkeypatch.setenv("COLUMNS", "100")
    print_runs(rows, "sweep")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "…" not in out, "nothing is cut"
    table = [line.strip("│┃").replace("┃", "│").split("│") for line in out.splitlines() if line[0] in "│┃"]
    cells = {name.strip(): [cell.strip() for cell in values] for name, *values in table}
    return cells, out.split("┘\n")[1].splitlines()


COUNTS = ["71,196", "123456", "94.6"]


def test_a_sweep_tells_each_run_and_what_failed(capsys, monkeypatch):
    never_validated = row("interrupted", "ended by interrupted", best={})
    failed = Row("run", Run(RunFolder(Path("run")), {}, None), Command(), "failed", "no such loss\nbut others")
    rows = ("0_loss=l1", row()), ("1_loss=l2", never_validated), ("2_loss=l3", failed), ("3_loss=l4", None)
    cells, below = sweep(capsys, monkeypatch, *rows)
    assert cells["run"] == [
        "psnr_y",
        "gain",
        "ssim_y",
        "sharpness",
        "lpips",
        "parameters",
        "updates",
        "updates/s",
    ]
    assert cells["0_loss=l1"] == ["31.50", "+1.50", "0.9000", "1.05", "0.0070", *COUNTS]
    assert cells["1_loss=l2"] == ["", "", "", "", "", *COUNTS]
    assert cells["2_loss=l3"] == [""] * 8
    assert below == [
        "1_loss=l2: interrupted: ended by interrupted",
        "2_loss=l3: failed: no such loss",
        "but others",
        "3_loss=l4: not begun",
    ]


def test_a_sweep_with_the_longest_numbers_fits_too(capsys, monkeypatch):
    best = SUMMARY["best"] | {"psnr_y": 108.25, "sharpness": 12.25}
    large = row(best=best, parameters=138_245_569, updates=1_000_000, updates_per_second=1234.5)
    cells, _ = sweep(capsys, monkeypatch, ("a=1", large))
    assert cells["a=1"] == ["108.25", "+78.25", "0.9000", "12.25", "0.0070", "138,245,569", "1000000", "1234.5"]


def test_a_sweep_without_sharpness_and_lpips_has_no_columns_for_them(capsys, monkeypatch):
    old = row(best={"psnr_y": 31.5, "ssim_y": 0.9, "psnr_rgb": 28.0, "updates": 5})
    cells, below = sweep(capsys, monkeypatch, ("a=1", old))
    assert cells["a=1"] == ["31.50", "+1.50", "0.9000", *COUNTS]
    assert below == []


def test_the_best_by_a_further_metric_is_a_line(tmp_path):
    text = io.StringIO()
    further = {"lpips": METRICS | {"lpips": 0.1234, "updates": 700, "file": "best_lpips.safetensors"}}
    print_result(Console(file=text, width=80), SUMMARY | {"best_by": further}, RunFolder(tmp_path), CONFIG)
    assert "best by lpips: 0.1234 at 700 updates, best_lpips.safetensors\n" in text.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_long_names_and_numbers_are_whole_in_a_narrow_terminal(width):
    best = SUMMARY["best"] | {"psnr_y": 108.25, "sharpness": 12.25}
    large = row(best=best, parameters=138_245_569, updates=1_000_000, updates_per_second=1234.5)
    columns = [column for column in COLUMNS if column in cells_of(large)]  # no cycle_psnr without a translation
    cells = [cells_of(large)[column] for column in columns]
    names = ["data.train=[/home/somebody/pictures/of/summer,/A/b],model=espcn_dilated_progressive", "b"]
    text = io.StringIO()
    print_numbers(plain_console(width, file=text), "run", columns, [(name, cells) for name in names], "sweep")
    lines = text.getvalue().splitlines()
    assert all(len(line) <= width for line in lines if names[0] not in line)
    headings = next(line for line in lines if "psnr_y" in line).split()
    assert [text for text in headings if text not in "┃│"] == ["run", *columns]
    assert sum(all(cell in line for cell in cells) for line in lines) == 2, "a line for each run"
    if width == 80:
        assert lines[-2:] == [f"run 1: {names[0]}", "run 2: b"]


def test_evaluation_fits_eighty_columns():
    columns = ("images", "psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "sharpness", "lpips", "seconds")
    text = io.StringIO()
    row = ("/data/benchmark/Set14/HR", ["100", "30.23", "0.8692", "28.54", "0.8512", "0.76", "0.2630", "12.25"])
    print_numbers(plain_console(80, file=text), "set", columns, [row])
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any(all(column in line for column in columns) for line in lines)
    assert lines[-1] == "set 1: /data/benchmark/Set14/HR"


@pytest.mark.parametrize(
    ("config", "of_run", "of_network"),
    [
        (CONFIG, "", ""),
        ({"model": {"_target_": "my_parts.Net"}}, " trust=true", " --trust"),
        (CONFIG | {"callbacks": {"x": {"_target_": "my_parts.Call"}}}, " trust=true", ""),
        (CONFIG | {"data": {"cache": "${oc.env:CACHE}"}}, " trust=true", ""),
    ],
)
def test_lines_to_be_pasted_carry_the_word_of_trust(tmp_path, config, of_run, of_network):
    text = io.StringIO()
    print_result(
        Console(file=text, width=80), SUMMARY | {"exit_reason": "interrupted"}, RunFolder(tmp_path / "r"), config
    )
    lines = text.getvalue().splitlines()
    assert next(line for line in lines if line.startswith("go on")).endswith(f"/r{of_run}")
    assert lines[-1].endswith(f"last.safetensors{of_network}")
