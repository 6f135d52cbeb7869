"""The pictures: dragged and zoomed in a real browser, and its pixels compared."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.experiments.report.browser import colour_at, picture_of, shown, until, visit_pictures
from tests.experiments.report.pages import BICUBIC, BLUE, GREEN, HISTORY, PLANTED, pattern


def between(low: tuple[int, ...], high: tuple[int, ...], share: float) -> list[float]:
    """A colour on the way from one to another."""
    return [one + share * (other - one) for one, other in zip(low, high, strict=True)]


def test_the_slider_is_dragged_and_each_side_has_its_pixels(visit):
    page = visit_pictures(visit, a="bicubic", b="r0")
    assert (colour_at(page, 10, 10), colour_at(page, 50, 10)) == (BICUBIC, BLUE)
    box = page.locator("#stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=3)
    page.mouse.up()
    assert colour_at(page, 50, 10) == BICUBIC
    handle = page.get_by_role("slider", name="Border between A and B")
    expect(handle).to_have_attribute("aria-valuenow", "90")
    handle.press("Home")
    assert colour_at(page, 10, 10) == BLUE
    handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "2")


@pytest.mark.parametrize("ratio", [1, 1.1])
def test_enlarged_pixels_are_blocks_of_the_exact_colours(visit, ratio):
    page = visit_pictures(visit, a="hr", b="hr", mode="flicker", ratio=ratio)
    page.locator("#stage").focus()
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    while page.evaluate("SR.stage.view().zoom") < 24:
        page.mouse.wheel(0, -120)
    screen = picture_of(page.locator("#stage canvas")).astype(int)
    corner = page.evaluate("SR.stage.corner()")
    zoom, truth = corner["zoom"], pattern().astype(int)
    assert zoom >= 24
    for x, y in ((31, 22), (32, 22), (33, 25)):
        left, top = corner["x"] + x * zoom, corner["y"] + y * zoom
        block = screen[top : top + zoom, left : left + zoom]
        assert block.shape[:2] == (zoom, zoom)
        assert np.abs(block - truth[y, x]).max() == 0


def test_lr_is_enlarged_to_hr_by_nearest_neighbour(visit):
    page = visit_pictures(visit, a="lr", b="lr", mode="flicker", zoom="8")
    low = pattern(32, 24)
    for x, y in ((30, 20), (31, 21), (32, 22)):
        assert colour_at(page, x, y) == tuple(low[y // 2, x // 2])


def test_f_flickers_when_tapped_and_returns_when_held(visit):
    page = visit_pictures(visit, a="bicubic", b="r0")
    page.keyboard.press("f")
    assert (colour_at(page, 10, 10), colour_at(page, 50, 10)) == (BLUE, BLUE)
    page.keyboard.press("f")
    assert colour_at(page, 50, 10) == BICUBIC
    page.keyboard.down("f")
    assert colour_at(page, 50, 10) == BLUE
    page.wait_for_timeout(450)  # what makes it held
    page.keyboard.up("f")
    assert colour_at(page, 50, 10) == BICUBIC


def test_side_by_side_moves_and_zooms_together(visit):
    page = visit_pictures(visit, a="bicubic", b="r2")
    page.keyboard.press("d")
    assert colour_at(page, 5, 5, pane=0) == BICUBIC
    assert colour_at(page, 5, 5, pane=1) == BLUE
    page.locator("#stage").focus()
    for key in ("+", "+", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    x, y = (int(page.evaluate(f"SR.stage.view().{axis}")) for axis in ("cx", "cy"))
    assert (x, y) > (32, 24)
    assert (colour_at(page, x, y, pane=0), colour_at(page, x, y, pane=1)) == (BICUBIC, GREEN)
    before = page.evaluate("SR.stage.view().cx")
    box = page.locator("#stage canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 100)
    page.mouse.up()
    zoom = page.evaluate("SR.stage.view().zoom")
    assert page.evaluate("SR.stage.view().cx") == pytest.approx(before - 60 / zoom, abs=0.02)


def test_two_fingers_zoom(visit):
    page = visit_pictures(visit, a="bicubic", b="r0", mode="flicker", zoom="4")
    script = """zooms => {
        const stage = document.getElementById('stage'), box = stage.getBoundingClientRect();
        stage.setPointerCapture = () => {};
        const send = (kind, id, x) => stage.firstElementChild.dispatchEvent(new PointerEvent(kind, {bubbles: true,
            pointerId: id, pointerType: 'touch', clientX: box.left + x, clientY: box.top + 100}));
        send('pointerdown', 1, 100); send('pointerdown', 2, 200); send('pointermove', 2, 300);
        send('pointerup', 1, 100); send('pointerup', 2, 300);
        return SR.stage.view().zoom;
    }"""
    assert page.evaluate(script) == 8


def test_where_they_differ_most_is_found_told_and_jumped_to(visit):
    page = visit_pictures(visit, a="r0", b="r2", mode="flicker")
    page.get_by_role("button", name="Where do these two differ most?").click()
    x, y, width, height = PLANTED
    result = page.locator("#differ-result")
    expect(result).to_have_text(f"x {x} to {x + width - 1}, y {y} to {y + height - 1}: RMSE 57.74 of 255.")
    view = page.evaluate("SR.stage.view()")
    assert (view["cx"], view["cy"]) == (x + width / 2, y + height / 2)
    assert view["zoom"] >= 12
    page.keyboard.press("f")
    assert (colour_at(page, x, y), colour_at(page, x - 2, y)) == (GREEN, BLUE)
    page.locator("#side-b").select_option("r1")
    shown(page)
    page.keyboard.press("m")
    expect(result).to_have_text("A and B are equal in every pixel.")


def test_error_maps_have_known_colours_and_one_scale(visit):
    page = visit_pictures(visit, pic="1", a="r0", b="bicubic")
    page.keyboard.press("e")
    expect(page.locator("#stage .label.left")).to_have_text(
        ["|A − HR|  RMSE 10.00", "|B − HR|  RMSE 40.00", "|A − B|  RMSE 30.00"]
    )
    # 10 levels at gain 8 are 0.314 of the scale: a quarter of the way from its second stop to its third
    mixed = between((87, 16, 110), (188, 55, 84), 10 * 8 / 255 * 4 - 1)
    assert colour_at(page, 20, 20, pane=0) == pytest.approx(mixed, abs=1)
    assert colour_at(page, 20, 20, pane=1) == (252, 255, 164)
    expect(page.locator("#error-legend")).to_contain_text("32 of 255 and more")
    page.get_by_label("Gain").select_option("1")
    expect(page.locator("#error-legend")).to_contain_text("255 of 255")
    assert colour_at(page, 20, 20, pane=0) == pytest.approx(between((0, 0, 4), (87, 16, 110), 10 * 4 / 255), abs=1)
    page.keyboard.press(",")
    expect(page.get_by_label("Gain")).to_have_value("1")


def test_metrics_of_the_picture_stand_beside_it(visit):
    page = visit_pictures(visit, a="bicubic", b="r2")
    rows = page.locator("#picture-metrics tbody tr")
    assert re.split(r"\s+", rows.first.inner_text().strip())[:4] == ["psnr_y", "29.00", "32.00", "+3.00▲"]
    heads = page.locator("#picture-metrics thead th")
    assert heads.all_inner_texts() == ["", "A", "B", "B − A"]
    page = visit_pictures(visit, a="r0", b="r2")
    assert page.locator("#picture-metrics thead th").all_inner_texts() == ["", "A", "B", "B − A", "bicubic"]


def test_the_readout_has_the_pictures_own_values(visit):
    page = visit_pictures(visit, a="bicubic", b="r0", mode="flicker")
    box, corner = page.locator("#stage canvas").bounding_box(), page.evaluate("SR.stage.corner()")
    page.mouse.move(box["x"] + corner["x"] + 7.5 * corner["zoom"], box["y"] + corner["y"] + 3.5 * corner["zoom"])
    expect(page.locator("#readout")).to_have_text("x 7, y 3  ·  A 200 30 30  ·  B 20 60 200  ·  |A − B| 126.7")


def test_the_scrubber_and_play_go_through_the_updates(visit):
    page = visit_pictures(visit, a="bicubic", b="r0", mode="flicker")
    page.keyboard.press("f")
    scrubber = page.get_by_role("slider", name="Updates of B")
    scrubber.fill("1")
    shown(page)
    assert colour_at(page, 10, 10) == HISTORY[1]
    expect(page.locator("#stage .label.left")).to_have_text("B: 0_model-espcn_seed-1 at 200 updates")
    scrubber.press("ArrowLeft")
    shown(page)
    assert colour_at(page, 10, 10) == HISTORY[0]
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it has stopped
    expect(scrubber).to_have_attribute("aria-valuetext", "1000 updates")
    shown(page)
    assert colour_at(page, 10, 10) == BLUE
    links = page.locator("#history a")
    assert links.evaluate_all("all => all.map(one => one.getAttribute('href'))") == [
        "films/0%20first.mp4",
        "films/0%20first.gif",
    ]


def test_the_grid_shows_a_run_with_bicubic_below(visit):
    page = visit_pictures(visit)
    page.locator("#grid-run").select_option("0")
    grid = page.locator("#grid article").first
    grid.scroll_into_view_if_needed()
    assert grid.locator("figcaption").all_inner_texts() == ["LR", "SR", "HR", "bicubic", "bicubic", "bicubic"]
    script = """node => [...node.querySelectorAll("canvas")].map(one =>
        [...one.getContext("2d").getImageData(one.width / 2, one.height / 2, 1, 1).data].slice(0, 3))"""
    until(page, "document.querySelectorAll('#grid canvas')[5].width !== 300")
    colours = grid.evaluate(script)
    assert [tuple(colours[index]) for index in (1, 3, 4, 5)] == [BLUE, BICUBIC, BICUBIC, BICUBIC]
    grid.get_by_role("button", name="first.png").click()
    expect(page.locator("#side-b")).to_have_value("r0")


def test_a_file_that_vanished_is_told_and_the_other_side_stays(visit):
    page = visit_pictures(visit, pic="2", a="bicubic", b="r1")
    expect(page.locator("#stage .problem")).to_have_text(
        "The file pictures/0123456789abcdef.js is missing: copy the whole report folder, or make the report again."
    )
    assert colour_at(page, 60, 5) == BLUE
    visit.missed_a_file(page)


def test_a_side_that_a_picture_has_not_is_told(visit):
    page = visit_pictures(visit, pic="3", a="lr", b="r0")
    expect(page.locator("#stage .problem")).to_have_text(
        "LR (nearest neighbour): there is none of other.png. 0_model-espcn_seed-1: there is none of other.png."
    )
