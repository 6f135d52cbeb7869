"""`sr runs`: the table on the screen and as files, chosen, ordered, compared."""

import csv
import json
import os
import threading

import pytest

from tests.experiments.report.made_runs import RDN, Made, write_run, write_zoo

PICTURES = {"": [f"{letter}.png" for letter in "abcdefgh"]}


@pytest.fixture
def sweep(tmp_path):
    """Two networks, two seeds each."""
    for number, (model, seed) in enumerate((m, s) for m in ("espcn", "rdn") for s in (1, 2)):
        made = {"model": RDN} if model == "rdn" else {}
        gain = 1.0 + (model == "rdn")
        choices = {"model": model, "loss": "l1"}
        write_run(
            tmp_path / "SW" / f"{number}_{model}_{seed}",
            Made(seed, gain=gain, choices=choices, pictures=PICTURES, **made),
        )
    return tmp_path / "SW"


def lines_with(out: str, word: str) -> list[str]:
    return [line for line in out.splitlines() if word in line]


def test_every_state_has_its_line(sr, tmp_path):
    write_zoo(tmp_path / "zoo")
    code, out, err = sr("runs", "zoo", "--each")
    assert code == 0, err
    assert "failed: failed: data.train=nowhere does not exist" in out
    assert "foreign: foreign: its config.yaml is none" in out
    assert "exploded: exploded: exploded after 30 updates" in out
    assert len(lines_with(out, "│ ")) == 7


@pytest.mark.usefixtures("sweep")
def test_seeds_are_put_together(sr):
    code, out, err = sr("runs", "SW")
    assert code == 0, err
    (espcn,), (rdn,) = (lines_with(out, name) for name in ("model=espcn", "model=rdn"))
    cells = [cell.strip() for cell in espcn.strip("│").split("│")]
    assert cells[:4] == ["model=espcn", "2", "31.00 ±0.00", "+1.00 ±0.00"]
    assert "32.00 ±0.00" in rdn
    assert len(lines_with(sr("runs", "SW", "--each")[1], "_espcn_")) == 2


@pytest.mark.usefixtures("sweep")
def test_runs_are_chosen_and_ordered(sr):
    _, out, _ = sr("runs", "SW", "--each", "--where", "model=rdn", "--where", "seed=2")
    assert len(lines_with(out, "3_rdn_2")) == 1
    assert "espcn" not in out
    _, out, _ = sr("runs", "SW", "--each", "--by", "psnr_y")
    assert out.index("3_rdn_2") < out.index("0_espcn_1"), "the best first"
    _, out, _ = sr("runs", "SW", "--by", "psnr_y")
    assert out.index("model=rdn") < out.index("model=espcn")
    _, out, _ = sr("runs", "SW", "--each", "--where", "optimizer.lr=1e-3")
    assert len(lines_with(out, "│ ")) == 4, "the same number, written otherwise"


@pytest.mark.usefixtures("sweep")
def test_groups_are_compared_with_a_baseline(sr):
    code, out, err = sr("runs", "SW", "--baseline", "model=espcn", "--at", "final")
    assert code == 0, err
    assert "model=rdn minus model=espcn (final; 95 % interval)" in out
    (psnr,) = [line for line in lines_with(out, "psnr_y") if "chance" in line]
    cells = [cell.strip() for cell in psnr.strip("│").split("│")]
    assert cells == ["psnr_y", "+1", "+1", "+1", "8", "2 and 2", "larger than chance"]
    _, out, _ = sr("runs", "SW", "--baseline", "3_rdn_2")
    assert "model=espcn minus model=rdn (best; 95 % interval)" in out


def test_unlike_runs_are_marked_and_not_compared(sr, sweep, tmp_path):
    write_run(tmp_path / "SW" / "4_x4", Made(settings={"scale": 4}, pictures=PICTURES))
    code, out, _ = sr("runs", "SW", "--baseline", "model=espcn")
    assert code == 0
    assert "runs with other letters are measured on other pictures, or at another scale: not to be compared" in out
    assert "not compared: 0_espcn_1 is x2 and 4_x4 is x4: numbers of two scales are not compared" in out
    assert sweep.exists()


@pytest.mark.usefixtures("sweep")
def test_files_hold_everything(sr, tmp_path):
    write_run(tmp_path / "SW" / "=1+1", Made(ended=None))
    code, _, err = sr("runs", "SW", "--csv", "a.csv", "--json", "a.json")
    assert code == 0, err
    told = {run["name"]: run for run in json.loads((tmp_path / "a.json").read_text())}
    run = told["0_espcn_1"]
    assert (run["state"], run["seed"], run["scale"], run["parameters"], run["seconds"]) == (
        "finished",
        1,
        2,
        71196,
        12.5,
    )
    assert run["settings"]["model"] == "espcn"
    assert run["exit_reason"] == "max_updates"
    assert run["bicubic"] == {"psnr_y": 30.0, "ssim_y": 0.8}
    assert told["=1+1"]["seconds"] is None
    assert run["measured_on"] == told["3_rdn_2"]["measured_on"]
    rows = {row["name"]: row for row in csv.DictReader((tmp_path / "a.csv").read_text().splitlines())}
    assert rows["0_espcn_1"]["best/psnr_y"] == "31.0"
    assert rows["0_espcn_1"]["settings/model"] == "espcn"
    assert rows["'=1+1"]["seconds"] == "", "no spreadsheet runs a name"


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gone"], "there is no folder gone"),
        (["SW", "--by", "psnr_x"], "--by psnr_x: there is no such column; did you mean psnr_y"),
        (["SW", "--where", "modle=rdn"], "--where modle=rdn: no run has a setting modle; did you mean model"),
        (["SW", "--where", "model=rdm"], "--where model=rdm: no run has that; did you mean rdn?"),
        (["SW", "--where", "rdn"], "--where rdn is no condition; write NAME=VALUE, as in --where model=rdn"),
        (["SW", "--at", "last"], "--at last is neither best nor final; take one of the two"),
        (["SW", "--baseline", "seed=1"], "--baseline seed=1 is true of 2 groups of runs (model=espcn; model=rdn)"),
        (["SW", "--baseline", "2_rdn"], "--baseline name=2_rdn: no run has that; did you mean 2_rdn_1"),
    ],
)
def test_wrong_words(sr, words, told):
    code, _, err = sr("runs", *words)
    assert code == 2
    assert told in err


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_file_that_cannot_be_written(sr, option):
    code, _, err = sr("runs", "SW", option, "SW")  # a folder
    assert code == 2
    assert err == "error: SW is a folder; name a file in it\n"


@pytest.mark.parametrize("place", ["SW/0_espcn_1/summary.json", "SW/0_espcn_1/val/metrics.csv", "SW/sweep.json"])
def test_a_file_of_a_run_is_not_written_over(sr, sweep, tmp_path, place):
    (sweep / "sweep.json").write_text("{}")
    before = (tmp_path / place).read_bytes()
    for option in ("--csv", "--json"):
        code, _, err = sr("runs", "SW", option, place)
        assert code == 2
        assert err == f"error: {place} is part of a run or a sweep, and would be lost; name another file\n"
    assert (tmp_path / place).read_bytes() == before


@pytest.mark.usefixtures("sweep")
def test_two_tables_do_not_go_into_one_file(sr, tmp_path):
    code, _, err = sr("runs", "SW", "--csv", "a", "--json", "SW/../a")
    assert code == 2
    assert err == "error: a cannot hold more than one table; name a file for each\n"
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("sweep")
@pytest.mark.skipif(os.name != "posix", reason="pipes that lie in folders")
def test_a_table_into_a_pipe(sr, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    code, _, err = sr("runs", "SW", "--csv", "pipe")
    reader.join(timeout=60)
    assert code == 0, err
    assert read[0].startswith("name,")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.usefixtures("sweep")
def test_unfinished_runs_and_repeated_seeds_are_no_spread(sr, tmp_path):
    choices = {"model": "espcn", "loss": "l1"}
    write_run(tmp_path / "SW" / "4_again", Made(1, gain=1.0, choices=choices, pictures=PICTURES))
    write_run(tmp_path / "SW" / "5_half", Made(3, gain=-9, choices=choices, pictures=PICTURES, ended="interrupted"))
    _, out, _ = sr("runs", "SW")
    (espcn,) = lines_with(out, "model=espcn")
    assert [cell.strip() for cell in espcn.strip("│").split("│")][1:3] == ["3 of 4", "31.00 ±0.00"]
    assert "5_half: interrupted: at update 30" in out


def test_an_empty_folder(sr, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = sr("runs", "empty")
    assert code == 2
    assert err.startswith("error: empty has no runs: no folder with a config.yaml in it")
    code, _, err = sr("runs")
    assert code == 2
    assert "there is no folder outputs" in err
