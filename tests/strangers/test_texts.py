"""Names of strangers on a terminal and in tables: shown, never obeyed."""

import csv
import io
import pickle
import shutil

import numpy as np
import pytest
from rich.table import Table

from sr.console import plain_bar, plain_console
from sr.draws import Record
from sr.errors import UserError
from sr.image.io import find_pictures, read_picture, write_picture
from sr.printable import cell, printable
from sr.training.keeping.pictures import picture_file
from sr.training.keeping.tables import PictureTable, read_table
from sr.types import Picture
from sr.verbs.screen.sheets import Seen, contact_sheet

TEXTS = {
    "colour": "\x1b[31mred",
    "clear": "\x1b[2J",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://x\x1b\\x",
    "clipboard": "\x1b]52;c;eA==\x07",
    "C1": "\x9b2J",
    "bell": "\x07",
    "back": "ab\x08\x08",
    "return": "safe\rerror: gone",
    "delete": "\x7f",
    "NUL": "\x00",
    "turned": "photo\u202egnp.exe",
    "isolated": "\u2066x\u2069",
    "mark": "\u200f\u061c",
    "hidden": "a\u200bb\ufeff",
    "line separator": "a\u2028error: b\u2029",
    "next line": "a\x85error: b",
    "surrogate": "\udcff",
    "tag letters": "a\U000e0041",
}
FORMULAS = ["=cmd|' /C calc'!A0", "=1+1", "+1+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")']


def obeyed(text):
    return [c for c in text if c != "\n" and not c.isprintable()]


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("terminal", [False, True])
def test_consoles_show_them(case, terminal):
    file = io.StringIO()
    console = plain_console(width=200, file=file)
    table = Table(TEXTS[case], title=TEXTS[case])
    table.add_row(TEXTS[case])
    console.print(TEXTS[case], soft_wrap=True)
    console.print(table)
    assert not obeyed(file.getvalue())
    if terminal:
        console._force_terminal = console.is_interactive = True
        with plain_bar(console) as bar:
            bar.add_task(TEXTS[case], total=1)
        assert TEXTS[case] not in file.getvalue()


@pytest.mark.parametrize("case", TEXTS)
def test_printable(case):
    shown = printable(TEXTS[case] + "\n")
    assert not obeyed(shown)
    assert "\n" not in shown


@pytest.mark.parametrize(
    "name", ["holiday 1.png", "写真　１.png", "a\u00a0b", "[x] {y} <script>", "é", "😀.png", "\\x1b"]
)
def test_usual_names_stay(name):
    assert printable(name) == name


@pytest.mark.parametrize("case", TEXTS)
def test_errors_of_verbs(case, sr, tmp_path):
    if "\x00" in TEXTS[case]:
        return  # no argument of a program holds one
    code, _, err = sr("upscale", tmp_path / TEXTS[case], "-o", "x.png")
    assert code == 2
    assert not obeyed(err)


@pytest.mark.parametrize("case", ["clear", "turned", "return", "line separator"])
def test_names_of_pictures(case, sr, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"{TEXTS[case]}.png").write_bytes(b"no picture")
    for verb in (("upscale", folder, "-o", "out", "--model", "x"), ("doctor", folder, "--verbose", "--workers", "0")):
        _, out, err = sr(*verb)
        assert not obeyed(out + err)


NAME = "outp\x1b[31m\nerror: x"


def only_one_line(text):
    """There is one error, and nothing that a terminal obeys."""
    return text.count("\n") == 1 and text.startswith("error: ") and not obeyed(text)


@pytest.mark.parametrize(
    "words",
    [
        ("upscale", "picture_0.png", "-o", f"{NAME}/x.png", "--model", NAME),
        ("replay", NAME),
        ("evaluate", "bicubic", "--scale", "2", "--set", NAME),
        ("prepare", "frames", NAME, "-o", "out"),
        ("prepare", "kernels", NAME, "-o", "out"),
        ("degrade", NAME, "-o", "out"),
    ],
)
def test_a_name_makes_no_line_of_an_error(words, sr, tmp_path, pictures):
    shutil.copy(pictures / "picture_0.png", tmp_path)
    code, _, err = sr(*words)
    assert code == 2
    assert only_one_line(err), err


@pytest.mark.parametrize(
    "setting", ["resume", "data.root", "model", "init_from", "experiment", "validation.monitor", "no.such"]
)
def test_a_setting_makes_no_line_of_an_error(setting, train):
    code, _, err = train(f"{setting}='{NAME}'")
    assert code == 2
    assert only_one_line(err), err


def test_a_name_makes_no_line_of_a_table(sr, tmp_path, pictures):
    (tmp_path / NAME).symlink_to(pictures)
    code, out, _ = sr("evaluate", "bicubic", "--set", NAME, "--scale", "2", "--lpips", "none")
    assert code == 0
    assert r"outp\x1b[31m\nerror: x" in out


def test_errors_keep_their_own_lines_through_processes():
    error = pickle.loads(pickle.dumps(UserError("one", "two\nthree")))
    assert str(error) == "one\ntwo\\nthree"


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text):
    assert str(cell(text)).startswith("'")


@pytest.mark.parametrize("value", ["-1", "+1e3", "-0.5", "-inf", "name", "<script>", 7, -7.5, None, ""])
def test_numbers_and_names_stay(value):
    assert cell(value) == value


def test_evaluate_writes_no_formula(sr, tmp_path, pictures):
    folder = tmp_path / "=cmd|' C calc'!A0"
    folder.mkdir()
    (folder / "x.png").write_bytes((pictures / "picture_0.png").read_bytes())
    code, _, _ = sr("evaluate", "bicubic", "--set", folder.name, "--scale", "2", "--csv", "t.csv", "--lpips", "none")
    assert code == 0
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [row["set"] for row in csv.DictReader(file)] == [f"'{folder.name}"]


@pytest.mark.parametrize("name", ["a\nerror: b.png", "a\x1b[2J.png"])
def test_names_of_pictures_in_messages(name, tmp_path):
    (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / f"empty {name}").touch()
    for path in (tmp_path / name, tmp_path / f"empty {name}", tmp_path / f"missing {name}", tmp_path / f"{name}x"):
        with pytest.raises(UserError) as error:
            read_picture(path)
        assert str(error.value).isprintable()
    (tmp_path / f"folder {name}").mkdir()
    with pytest.raises(UserError) as error:
        find_pictures([tmp_path / f"folder {name}"])
    assert str(error.value).isprintable()


@pytest.mark.parametrize("case", TEXTS)
def test_a_table_file_can_be_shown_on_a_terminal(case, tmp_path):
    assert not obeyed(str(cell(TEXTS[case])))
    table = PictureTable(tmp_path / "metrics.csv")
    table.add(1, {"": [(TEXTS[case], {"psnr_y": 1.0})]})
    table.add(2, {"": [(TEXTS[case], {"psnr_y": 2.0})]})
    assert not obeyed(table.path.read_text())
    assert [row["psnr_y"] for row in read_table(table.path)[1]] == ["1", "2"]


@pytest.mark.parametrize("name", [*TEXTS.values(), "x$\\foo$", "あ" * 85, "ü" * 127, "a" * 251])
def test_names_of_pictures_kernels_and_patches_on_sheets_and_in_files(name, tmp_path):
    own = picture_file("", 0, f"{name}.png")
    assert not obeyed(own)
    write_picture(tmp_path / f"{own}.png", Picture(np.zeros((2, 2, 3), np.uint8)))
    record = Record()
    black = np.zeros((4, 4, 3), np.uint8)
    seen = [Seen(black, black, {"blur/kernel": name})]
    record.values = {"blur/kernel": {i: f"{name}{i}" for i in range(2)}}
    contact_sheet(tmp_path / "sheet.png", seen, record, 2, "title")
    assert read_picture(tmp_path / "sheet.png").pixels.shape[1] > 500
