"""Pictures of a network that translates between two sides, in a real browser: there, and back."""

import pytest
from playwright.sync_api import expect

from sr.training.keeping.pictures import KeptPictures, Views
from sr.training.keeping.tables import write_table
from tests.conftest import smooth_picture
from tests.experiments.report.made_runs import Made, report_of, write_run


@pytest.fixture
def translated(tmp_path, sr):
    """The page of a run that made one picture of each side, and of the first one's counterpart."""
    run = write_run(tmp_path / "runs" / "one", Made(pictures={}, settings={"scale": 1}))
    write_run(tmp_path / "runs" / "other", Made(pictures={"": ["x.png"]}))  # of super-resolution, on the same page
    views = {
        f"{side}/00_{side}": Views(
            *[smooth_picture(24, 30, seed + n) for n in (0, 0, 1)], back=smooth_picture(24, 30, 9)
        )
        for seed, side in enumerate("ab")
    }
    views["to_b/00_a"] = Views(*[smooth_picture(24, 30, n) for n in (0, 0, 1, 2)])
    KeptPictures(run, 10).write(views, {}, 30)
    write_table(
        run.changes,
        ["updates", "setting", "before", "after"],
        [{"updates": "20", "setting": "loss.terms.cycle.weight", "before": "20.0", "after": "24"}],
    )
    strips = {name: one.strip() for name, one in views.items()}
    KeptPictures(run, 10).write({}, {"b/01_strip": strips["b/00_b"]}, 30)
    write_table(
        run.by_picture,
        ["updates", "set", "picture", "cycle_psnr"],
        [
            {"updates": "30", "set": side, "picture": f"{name}.png", "cycle_psnr": "25.5"}
            for side, name in (("a", "a"), ("b", "b"), ("b", "strip"))
        ],
    )
    code, out, err = sr("report", tmp_path / "runs", "-o", tmp_path / "page")
    assert (code, err) == (0, "")
    assert "gone" not in out
    return tmp_path / "page" / "index.html"


def test_the_way_back_is_beside_the_picture_and_its_translation(translated, visit):
    pictures = {one["set"]: one for one in report_of(translated.parent)["pictures"]}
    assert pictures["a"]["hr"] is pictures["a"]["bicubic"] is pictures["to_b"]["runs"]["0"]["back"] is None
    assert pictures["a"]["runs"]["0"]["back"]
    page = visit(translated, grid="0")
    assert page.locator("#side-a option").all_text_contents()[0] == "input"
    captions = page.locator("#grid figcaption").all_text_contents()
    assert sorted(captions) == sorted(["input", "translated"] * 4 + ["and back"] * 3 + ["counterpart"])
    page = visit(translated, pic=str(pictures["a"]["id"]), a="lr", b="k0")
    expect(page.locator("#side-b option:checked")).to_have_text("one, and back")
    page.wait_for_function("SR.sides.hashOf(SR.sides.picture(), 'k0', 'b') === SR.sides.picture().runs[0].back")


def test_a_strip_of_a_side_has_three_views(translated):
    pictures = {one["name"]: one for one in report_of(translated.parent)["pictures"]}
    strip = pictures["strip.png"]
    assert (strip["width"], strip["height"], strip["hr"], strip["bicubic"]) == (30, 24, None, None)
    assert strip["lr"]
    assert strip["runs"]["0"]["back"]


def test_a_run_of_super_resolution_on_the_page_keeps_its_words(translated, visit):
    page = visit(translated, grid="1")
    captions = page.locator("#grid figcaption").all_text_contents()
    assert captions == ["LR", "SR", "HR", "bicubic", "bicubic", "bicubic"]
    names = page.locator("#runs tbody tr").all_inner_texts()
    assert any("bicubic" in name for name in names)
    pictures = {one["set"]: one for one in report_of(translated.parent)["pictures"]}
    page = visit(translated, pic=str(pictures[""]["id"]))
    assert page.locator("#side-a option").all_text_contents()[:2] == ["LR (nearest neighbour)", "bicubic"]


def test_what_was_changed_on_the_way_is_told(translated, visit):
    page = visit(translated, run="0")
    expect(page.locator("#run-dialog")).to_contain_text("after 20 updates: loss.terms.cycle.weight from 20.0 to 24")
