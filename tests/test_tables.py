"""Tables at the end of a run and of a sweep, as wide as the terminal allows."""

import io

from rich.console import Console

from sr.app.tables import print_result, print_sweep
from sr.training.run_folder import RunFolder

METRICS = {"psnr_y": 30.0, "ssim_y": 0.9, "psnr_rgb": 28.0, "ssim_rgb": 0.8, "sharpness": 1.05, "lpips": 0.0083}
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
    print_result(Console(file=text, width=80), SUMMARY, RunFolder(tmp_path))
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


def test_a_sweep_tells_each_run_and_what_failed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    never_validated = SUMMARY | {"best": {}}
    print_sweep([("0_loss=l1", SUMMARY, ""), ("1_loss=l2", never_validated, ""), ("2_loss=l3", None, "no such loss")])
    out = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    lines = {name: values for name, *values in cells}
    counts = ["71,196", "123456", "94.6", "max_updates"]
    assert lines["0_loss=l1"] == ["31.50", "+1.50", "0.9000", "28.00", *counts]
    assert lines["1_loss=l2"] == ["", "", "", "", *counts]
    assert lines["2_loss=l3"] == [*[""] * 7, "failed"]
    assert out.endswith("2_loss=l3 failed: no such loss\n")
