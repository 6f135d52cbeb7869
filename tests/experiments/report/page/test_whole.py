"""The page as a whole in a real browser: names, narrow windows, the dark, reloads, keys, and what is missing."""

import pytest
from playwright.sync_api import expect

from tests.experiments.report.browser import cells_of, colour_at, names_in, shown, traces, until, visit_pictures
from tests.experiments.report.pages import EVIL, bare_folder, small_folder

PSNR = "m:psnr_y"
DARK = (20, 22, 26)


def test_names_are_text_wherever_they_stand(visit):
    page = visit_pictures(visit, pic="1", filter=EVIL, a=EVIL, column=EVIL, base=EVIL, mode=EVIL, sort=EVIL)
    traces(page)
    page.locator("#grid-run").select_option("0")
    page.evaluate("location.hash = 'run=4&mode=errors'")
    expect(page.locator("#run-title")).to_have_text(EVIL)
    until(page, "!document.querySelector('#stage[aria-busy]')")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, main script, main i, main b, dialog img").count() == 0
    expect(page.locator("#title")).to_have_text("sweep <i>one</i>")


@pytest.mark.parametrize("mode", ["slider", "side", "errors"])
def test_a_phone_scrolls_only_downwards(visit, mode):
    page = visit_pictures(visit, width=360, height=800, mode=mode, base="g0", grid="0", run="0")
    traces(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    box = page.locator("#table-box")
    assert box.evaluate("node => node.scrollWidth > node.clientWidth")
    assert page.locator("#run-dialog").bounding_box()["width"] <= 360


def test_dark_is_the_systems_or_chosen(visit):
    page = visit(scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == f"rgb{DARK}"
    page.get_by_role("button", name="Theme: system").click()
    assert page.evaluate(paper) == "rgb(251, 251, 250)"
    page.keyboard.press("t")
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert page.evaluate(paper) == f"rgb{DARK}"


def test_a_reload_shows_the_same(visit):
    page = visit_pictures(visit)
    page.locator(f"[data-column='{PSNR}']").click()
    page.get_by_role("button", name="Baseline: model=rdn").click()
    page.locator("#filter").fill("model=rdn,espcn")
    page.locator("#picture").select_option("1")
    page.locator("#side-a").select_option("hr")
    page.locator("#stage").focus()
    page.keyboard.press("d")
    page.keyboard.press("+")
    until(page, "location.hash.includes('zoom=')")
    rows, view = cells_of(page, PSNR), page.evaluate("SR.stage.view()")
    page.reload()
    shown(page)
    assert cells_of(page, PSNR) == rows
    assert rows == ["–", "32.50 ±0.71", "−2.00▼larger than chance", "−3.50▼", "–"]
    assert page.evaluate("SR.stage.view()") == view
    expect(page.locator("#filter")).to_have_value("model=rdn,espcn")
    expect(page.locator("#side-a")).to_have_value("hr")
    assert colour_at(page, 32, 24, pane=0) == (100, 100, 100)


def test_help_lists_the_keys(visit):
    page = visit()
    page.keyboard.press("?")
    dialog = page.locator("#key-dialog")
    expect(dialog).to_contain_text("where A and B differ most")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("3")
    expect(page.locator("#pictures")).to_be_focused()


def test_a_run_with_nothing_is_a_page_too(visit, tmp_path):
    page = visit(bare_folder().write(tmp_path / "report"))
    assert names_in(page) == ["lonely"]
    expect(page.locator("#curves")).to_contain_text("No run of this report has curves")
    expect(page.locator("#pictures")).to_contain_text("No run of this report has kept validation pictures.")
    page.keyboard.press("m")  # a key of pictures does nothing


def test_no_picture_is_opened_before_it_is_looked_at(visit):
    page = visit()
    traces(page)
    loaded = "performance.getEntriesByType('resource').map(one => one.name).filter(one => /pictures.*js/.test(one))"
    assert [name for name in page.evaluate(loaded) if "/pictures/" in name] == []
    shown(page)
    assert page.evaluate("SR.viewer.loaded().a.width") == 64


def test_without_plotly_the_rest_is_there(visit, tmp_path):
    index = small_folder().write(tmp_path / "report")
    (index.parent / "plotly.min.js").unlink()
    page = visit(index)
    page.locator("#curves").scroll_into_view_if_needed()
    expect(page.locator("#curve-note")).to_contain_text("plotly.min.js, which is missing")
    assert len(names_in(page)) == 4
    visit.missed_a_file(page)


def test_without_data_the_page_says_so(visit, tmp_path):
    index = bare_folder().write(tmp_path / "report")
    (index.parent / "data.js").unlink()
    page = visit(index)
    expect(page.locator("#lead")).to_contain_text("data.js is missing beside this page, or damaged")
    visit.missed_a_file(page)
