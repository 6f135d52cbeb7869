"""`sr prepare photos`: shards, counts, cameras, near-duplicates, resuming."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sr.data.kinds.photos import Photos
from sr.data.preparation.sharding import shard_path
from sr.errors import UserError
from sr.image.io import read_picture
from sr.verbs.prepare.cli import app
from sr.verbs.prepare.photos import prepare_photos
from tests.data.kinds.test_photos import noisy_picture, save

SETTINGS = {
    "side": 32,
    "downscales": (1, 2),
    "per_photo": 6,
    "overlap": 0.0,
    "flat": 4.0,
    "duplicates": 4,
    "seed": 0,
}


@pytest.fixture
def folder(tmp_path):
    for k in range(5):
        save(tmp_path / "photos" / f"{k}.png", noisy_picture(100, 90, k), camera="Old Phone" if k == 2 else None)
    flat = noisy_picture(64, 64, 9)
    flat[:32] = 77
    save(tmp_path / "photos" / "flat.png", flat)
    return tmp_path / "photos"


def contents(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.png")}


def test_crops_are_numbered_through_and_equal_the_source_s(folder, tmp_path, capsys):
    out = tmp_path / "out"
    prepare_photos([folder], out, SETTINGS)
    source = Photos(str(folder), **SETTINGS)
    sieve = source.sieve()
    expected = [p.pixels for k in range(len(source)) for p in source.read(k) if sieve.admit(p.pixels)]
    files = sorted(out.rglob("*.png"), key=lambda path: int(path.stem))
    assert [path.relative_to(out).as_posix() for path in files] == [f"0/{k}.png" for k in range(len(expected))]
    assert all(np.array_equal(read_picture(f).pixels, e) for f, e in zip(files, expected, strict=True))
    text = capsys.readouterr().out
    assert f"{len(expected)} crops of 6 photographs, 2 flat and 0 near-duplicates left out" in text


def test_a_thousand_files_in_a_folder():
    assert shard_path(12678).as_posix() == "12/12678.png"
    assert shard_path(999).as_posix() == "0/999.png"
    assert shard_path(1000).as_posix() == "1/1000.png"
    assert shard_path(7, per_folder=2, suffix=".jpg").as_posix() == "3/7.jpg"
    with pytest.raises(ValueError, match="got -1"):
        shard_path(-1)
    with pytest.raises(ValueError, match="at least 1 file, got 0"):
        shard_path(3, 0)


def test_copies_are_dropped_and_counted(folder, tmp_path, capsys):
    pixels = read_picture(folder / "1.png").pixels
    Image.fromarray(pixels).save(folder / "copy.jpg", quality=92)  # after 1.png, with other bytes
    every = {**SETTINGS, "per_photo": 0}
    prepare_photos([folder], tmp_path / "a", every)
    assert "2 flat and 7 near-duplicates left out" in capsys.readouterr().out
    prepare_photos([folder], tmp_path / "b", {**every, "duplicates": None})
    assert "2 flat and 0 near-duplicates left out" in capsys.readouterr().out
    assert len(contents(tmp_path / "b")) == len(contents(tmp_path / "a")) + 7


def test_interrupted_and_repeated_runs_end_the_same(folder, tmp_path, capsys):
    out, whole = tmp_path / "out", tmp_path / "whole"
    Image.fromarray(read_picture(folder / "1.png").pixels).save(folder / "copy.jpg", quality=92)
    settings = {**SETTINGS, "per_photo": 0}
    prepare_photos([folder], whole, settings, workers=1)
    prepare_photos([folder], out, settings)
    lines = (out / "prepared.jsonl").read_text().splitlines(keepends=True)
    (out / "prepared.jsonl").write_text("".join(lines[:4]) + lines[4][:30])  # killed while writing a line
    last = json.loads(lines[3])
    for path in out.rglob("*.png"):
        if int(path.stem) > last["first"] + last["crops"]:  # the next photograph's first crop was written, no more
            path.unlink()
    assert 10 < len(contents(out)) < len(contents(whole)) - 5
    prepare_photos([folder], out, settings)
    assert contents(out) == contents(whole)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    capsys.readouterr()
    prepare_photos([folder], out, settings)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == times
    assert "7 near-duplicates" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"was filled with side 32 \(now 40\)"):
        prepare_photos([folder], out, {**settings, "side": 40})


def test_added_photographs_are_added(folder, tmp_path):
    out = tmp_path / "out"
    prepare_photos([folder], out, SETTINGS)
    before = contents(out)
    save(folder / "0_new.png", noisy_picture(80, 80, 30))
    prepare_photos([folder], out, SETTINGS)
    after = contents(out)
    assert len(after) > len(before)
    assert all(after[name] == data for name, data in before.items())


def test_noisy_cameras(folder, tmp_path, capsys):
    prepare_photos([folder], tmp_path / "a", {**SETTINGS, "per_photo": 0}, noisy=["old phone"])
    assert "halved first: 1 photograph by old phone" in capsys.readouterr().out
    records = [json.loads(line) for line in (tmp_path / "a" / "prepared.jsonl").read_text().splitlines()[1:]]
    assert {r["name"]: r["crops"] for r in records}["2.png"] == 1  # 50x45 instead of 100x90
    assert {r["name"]: r["crops"] for r in records}["3.png"] == 6 + 1
    with pytest.raises(
        UserError, match=r"by a camera 'Old Fone'; did you mean Old Phone\?; .* cameras: Old Phone \(1\)"
    ):
        prepare_photos([folder], tmp_path / "b", SETTINGS, noisy=["Old Fone"])
    assert not (tmp_path / "b").exists()


def test_damaged_photographs_are_told_and_the_others_done(folder, tmp_path):
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:200])
    with pytest.raises(UserError, match=r"cannot read '.*1\.png'"):
        prepare_photos([folder], tmp_path / "out", SETTINGS)
    assert len(contents(tmp_path / "out")) > 20
    with pytest.raises(UserError, match="got -5; give 0"):
        prepare_photos([folder], tmp_path / "out", {**SETTINGS, "duplicates": -5})


def test_the_verb(folder, tmp_path):
    arguments = [
        "photos",
        str(folder),
        "-o",
        str(tmp_path / "o"),
        "--side",
        "32",
        "--downscale",
        "1",
        "--downscale",
        "2",
    ]
    result = CliRunner().invoke(app, [*arguments, "--duplicates", "-1", "--per-photo", "2"])
    assert result.exit_code == 0, result.output
    assert "11 crops of 6 photographs, 1 flat" in result.output
    assert json.loads((tmp_path / "o" / "prepared.jsonl").read_text().splitlines()[0])["downscales"] == [1, 2]


@pytest.mark.parametrize("line", ["[[[", "[1]", '{"name": 1}', '{"name": "0.png"}', "[" * 5000, "\udcff"])
def test_a_damaged_journal_is_one_sentence(folder, tmp_path, line):
    out = tmp_path / "out"
    prepare_photos([folder], out, SETTINGS)
    path = out / "prepared.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, line, ""]), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError, match=r"prepared.jsonl' is damaged \(.*\); choose another -o, or empty that folder"):
        prepare_photos([folder], out, SETTINGS)
    path.write_text("\n".join([line, ""]), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError, match=r"prepared.jsonl' is damaged"):
        prepare_photos([folder], out, SETTINGS)
