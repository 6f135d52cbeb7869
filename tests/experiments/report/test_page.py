"""The page of a report in a real browser, from file://: clicked, dragged, typed into, and its pixels compared."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.experiments.report.browser import (
    FLAGS,
    NONE,
    address,
    cells_of,
    colour_at,
    find_browser,
    names_in,
    picture_of,
    until,
)
from tests.experiments.report.pages import (
    BICUBIC,
    BLUE,
    EVIL,
    GREEN,
    HISTORY,
    PLANTED,
    QUOTED,
    bare_folder,
    pattern,
    small_folder,
)

pytestmark = pytest.mark.skipif(find_browser() is None, reason=NONE)
PSNR, LPIPS = "m:psnr_y", "m:lpips"
DARK = (20, 22, 26)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return small_folder().write(tmp_path_factory.mktemp("small") / "report")


@pytest.fixture(scope="module")
def tabs(browser):
    """One tab for each kind of window, opened when it is first asked for."""
    opened = {}

    def tab(width: int, height: int, ratio: float, scheme: str) -> Page:
        kind = (width, height, ratio, scheme)
        if kind not in opened:
            viewport = {"width": width, "height": height}
            context = browser.new_context(viewport=viewport, device_scale_factor=ratio, color_scheme=scheme)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            opened[kind] = Listened(context.new_page())
        return opened[kind]

    return tab


class Listened:
    """A tab with what it complained of and asked for."""

    def __init__(self, page: Page):
        self.page, self.complaints, self.requests = page, [], []
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(error.message))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def visit(tabs, small):
    """Open the page: ``visit(mode="side")`` with a state; nothing may be complained of or asked of a network."""
    used = []

    def open_page(
        index: Path = small, width: int = 1280, height: int = 640, ratio: float = 1, scheme="light", **chosen
    ):
        tab = tabs(width, height, ratio, scheme)
        used.append(tab)
        tab.page.goto("about:blank")
        tab.page.goto(address(index, **chosen))
        return tab.page

    def missed_a_file(page: Page) -> None:
        """The browser itself says once that it found no file; that may be late."""
        for _ in range(400):
            if any(tab.complaints for tab in used):
                break
            page.wait_for_timeout(25)
        (line,) = complained()
        assert "ERR_FILE_NOT_FOUND" in line

    def complained() -> list[str]:
        """What the browser has said since the last call."""
        said = [line for tab in used for line in tab.complaints]
        for tab in used:
            tab.complaints.clear()
        return said

    open_page.missed_a_file = missed_a_file
    yield open_page
    requests = [url for tab in used for url in tab.requests]
    assert [url for url in requests if not url.startswith(("file:", "data:", "about:"))] == []
    assert complained() == []


def shown(page: Page) -> Page:
    """The same page, when both pictures are drawn."""
    page.locator("#stage").scroll_into_view_if_needed()
    until(page, "SR.viewer.loaded().b && !document.querySelector('#stage[aria-busy]')")
    return page


def visit_pictures(visit, **chosen) -> Page:
    """Its viewer in the middle of the window."""
    page = visit(**chosen)
    page.locator("#picture-controls").evaluate("node => node.scrollIntoView()")
    return shown(page)


def between(low: tuple[int, ...], high: tuple[int, ...], share: float) -> list[float]:
    """A colour on the way from one to another."""
    return [one + share * (other - one) for one, other in zip(low, high, strict=True)]


class TestTable:
    def test_a_click_sorts_by_the_better_end_first_and_what_has_no_number_stays_last(self, visit):
        page = visit()
        assert names_in(page) == ["model=espcn", "model=rdn", EVIL, QUOTED]
        head = page.locator(f"[data-column='{PSNR}']")
        head.click()
        assert names_in(page) == [QUOTED, "model=rdn", "model=espcn", EVIL]
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("psnr_y")
        expect(head).to_be_focused()
        page.keyboard.press("Enter")
        assert names_in(page) == ["model=espcn", "model=rdn", QUOTED, EVIL]
        page.locator(f"[data-column='{LPIPS}']").click()  # less is better
        assert names_in(page)[0] == QUOTED

    def test_groups_are_mean_and_deviation_and_open_to_their_runs(self, visit):
        page = visit()
        assert cells_of(page, PSNR)[:4] == ["30.50 ±0.71", "32.50 ±0.71", "–", "35.00"]
        page.get_by_role("button", name="Single runs of model=espcn").click()
        assert names_in(page)[:3] == ["model=espcn", "0_model-espcn_seed-1", "1_model-espcn_seed-2"]
        assert cells_of(page, PSNR)[1:3] == ["30.00", "31.00"]
        page.get_by_label("Group seeds").uncheck()
        assert len(names_in(page)) == 6

    def test_a_filter_takes_words_and_columns(self, visit):
        page = visit()
        for typed, left in [
            ("rdn", ["model=rdn"]),
            ("model=rdn", ["model=rdn"]),
            ("lr=1e-4 seed=2", ["model=espcn", "model=rdn"]),
            ("state=failed", [EVIL]),
            ("psnr_y>31.5", ["model=rdn", QUOTED]),
            ("model!=rdn scale=4", [QUOTED]),
            ('"<script>window"', [EVIL]),
        ]:
            page.locator("#filter").fill("")
            page.locator("h1").click()
            page.keyboard.press("/")
            page.keyboard.type(typed)
            assert names_in(page) == left, typed

    def test_a_filter_names_a_column_that_is_not_there_and_one_without_runs_can_be_cleared(self, visit):
        page = visit(filter="modle=rdn")
        expect(page.locator("#table-note")).to_contain_text("No column is called “modle”. There are psnr_y,")
        page.locator("#filter").fill("nowhere")
        expect(page.locator("#table-box")).to_contain_text("No run passes this filter.")
        page.get_by_role("button", name="Clear it").click()
        assert len(names_in(page)) == 4

    def test_columns_that_do_not_differ_among_the_rows_are_left_out(self, visit):
        page = visit(filter="seed=1 scale=2 lr=0.0001")
        heads = page.locator(".runs thead .sort")
        assert "model" in heads.all_inner_texts()
        assert not {"optimizer.lr", "scale", "seed"} & set(heads.all_inner_texts())
        page.get_by_label("Only what differs").uncheck()
        assert {"optimizer.lr", "scale", "seed"} <= set(heads.all_inner_texts())

    def test_a_baseline_turns_numbers_into_differences_with_arrows_and_words_of_chance(self, visit):
        page = visit()
        page.get_by_role("button", name="Baseline: model=espcn").click()
        assert cells_of(page, PSNR) == ["30.50 ±0.71", "+2.00▲larger than chance", "–", "–", "−1.50▼", "–"]
        assert cells_of(page, LPIPS) == ["0.245 ±0.007", "−0.020▲", "–", "–", "+0.155▼", "–"]
        assert cells_of(page, "parameters")[1] == "+828\u2009804"
        better = page.locator("[data-key=g1] td.better").first
        expect(better).to_have_attribute("title", "32.50 against 30.50")
        assert better.locator(".words").get_attribute("title") == "difference +2.00, interval +1.50 to +2.50"
        assert better.evaluate("node => getComputedStyle(node).color") == "rgb(0, 104, 74)"
        title = page.locator("[data-key=g3] td.number.none").first.get_attribute("title")
        assert title == "Not compared: at scale 4, the baseline model=espcn at 2"

    def test_the_difference_turns_round_with_the_baseline_and_best_has_its_own_numbers(self, visit):
        page = visit()
        page.get_by_role("button", name="Baseline: model=rdn").press("Enter")
        assert cells_of(page, PSNR)[:2] == ["−2.00▼larger than chance", "32.50 ±0.71"]
        assert page.locator("[data-key=g0] .words").get_attribute("title") == (
            "difference −2.00, interval −2.50 to −1.50"
        )
        page.keyboard.press("b")
        assert cells_of(page, PSNR)[:2] == ["−2.00▼", "33.50 ±0.71"]
        page.get_by_role("button", name="Unpin the baseline").click()
        assert cells_of(page, PSNR)[:2] == ["31.50 ±0.71", "33.50 ±0.71"]
        page.get_by_role("button", name="Baseline: bicubic ×4").click()
        assert cells_of(page, PSNR)[3] == "+11.00▲"

    def test_states_have_their_sentences(self, visit):
        page = visit()
        states = cells_of(page, "state")
        assert states[:4] == [
            "✓ 2 finished",
            "✓ 2 finished",
            "✕ failedoptimizer.lr is 'fast': give a number <b>such as 1e-4</b>",
            "✷ exploded",
        ]

    def test_arrows_go_from_run_to_run(self, visit):
        page = visit(flat="1")
        page.get_by_role("button", name="0_model-espcn_seed-1", exact=True).focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("button", name="1_model-espcn_seed-2", exact=True)).to_be_focused()


class TestDetails:
    def test_a_run_has_its_command_and_its_configuration_with_what_differs(self, visit):
        page = visit(flat="1")
        page.get_by_role("button", name="2_model-rdn_seed-1", exact=True).click()
        dialog = page.locator("#run-dialog")
        command = "uv run python train.py model=espcn seed=1 note='a b'"
        expect(dialog).to_contain_text(command)
        dialog.get_by_role("button", name="Copy the command that repeats this run").click()
        expect(dialog.get_by_role("button", name="Copy the command")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == command
        assert [line.strip() for line in dialog.locator(".line.differs").all_text_contents()] == [
            "≠  - 2 (differs)",
            "≠seed: 1 (differs)",
        ]
        dialog.get_by_label("Search").fill("layers")
        expect(dialog).to_contain_text("3 of 7 lines")
        page.keyboard.press("Escape")  # empties the search
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        until(page, "!location.hash.includes('run=')")

    def test_lines_of_a_configuration_have_dotted_paths(self, visit):
        page = visit()
        text = "a:\n  b: 1\n  c:\n  - x\n  - d: 2\n    e: 'f: g'\nh: []\ni:\n- j\n"
        lines = page.evaluate("text => SR.details.lines(text).map(line => [line.path, line.value])", text)
        assert lines == [
            ["a", ""],
            ["a.b", "1"],
            ["a.c", ""],
            ["a.c.0", "x"],
            ["a.c.1.d", "2"],
            ["a.c.1.e", "'f: g'"],
            ["h", "[]"],
            ["i", ""],
            ["i.0", "j"],
        ]

    def test_what_exploded_has_its_time_and_its_replay(self, visit):
        page = visit()
        events = page.locator("#explosions")
        expect(events).to_contain_text("at 812 updates: exploded: loss 3e9 <b>")
        expect(events.locator("code")).to_have_text("uv run sr replay outputs/sweep/5/bugs/812.bug")
        events.get_by_role("button", name=QUOTED).click()
        expect(page.locator("#run-dialog")).to_contain_text("uv run sr replay")

    def test_a_run_without_a_command_says_so(self, visit):
        page = visit(run="4")
        expect(page.locator("#run-dialog")).to_contain_text("this run kept no command")
        expect(page.locator("#run-dialog")).to_contain_text("The configuration of this run is not known.")


def traces(page: Page) -> list[dict]:
    """What plotly draws, without bands."""
    page.locator("#plot").scroll_into_view_if_needed()
    until(page, "document.getElementById('plot').data")
    script = """() => document.getElementById('plot').data.filter(one => !one.fill)
        .map(one => ({name: one.name, x: [...one.x], y: [...one.y], dash: one.line?.dash, colour: one.line?.color}))"""
    return page.evaluate(script)


class TestCurves:
    def test_groups_are_a_mean_with_a_band_and_bicubic_is_dashed(self, visit):
        page = visit()
        first, second, third, explosion, *bicubic = traces(page)
        assert (explosion["x"], explosion["y"]) == ([812], [pytest.approx(33 + 0.2 * 7.12)])
        assert first["y"][0] == pytest.approx(28.5)
        assert second["y"][-1] == pytest.approx(32.3)
        assert [(one["dash"], one["y"]) for one in bicubic] == [("dash", [29, 29]), ("dash", [25, 25])]
        band = page.evaluate("document.getElementById('plot').data.find(one => one.fill)")
        assert band["y"][0] == pytest.approx(28.5 + 0.5**0.5)
        assert third["name"] == QUOTED.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        swatch = page.locator("[data-key=g1] .swatch line").evaluate("node => getComputedStyle(node).stroke")
        assert swatch == "rgb(208, 79, 0)"
        assert second["colour"] == "#d04f00"

    def test_the_column_the_axis_and_the_lines_are_chosen(self, visit):
        page = visit()
        traces(page)
        page.get_by_label("Column").select_option("train/g/total")
        page.get_by_role("button", name="Seconds").click()
        page.get_by_role("button", name="Runs", exact=True).click()
        page.get_by_label("Log axis").check()
        raw, smooth, *_ = traces(page)
        assert raw["x"][0] == pytest.approx(12)  # the first has no value
        assert raw["y"][1] == pytest.approx(1 / 300)
        assert smooth["y"][1] == pytest.approx((0.6 * 0.4 / 200 + 0.4 / 300) / (0.6 * 0.4 + 0.4))
        assert page.evaluate("document.getElementById('plot').layout.yaxis.type") == "log"
        page.locator("#smooth").fill("0")
        assert len(traces(page)) == 5  # every run that has it, once

    def test_the_legend_shows_and_hides(self, visit):
        page = visit()
        traces(page)
        entry = page.locator("[data-line=g0]")
        entry.click()
        assert next(one["name"] for one in traces(page)) == "model=rdn"
        expect(entry).to_have_attribute("aria-pressed", "false")
        entry.press("Enter")
        assert next(one["name"] for one in traces(page)) == "model=espcn"

    def test_hostile_names_are_text_in_plotly(self, visit):
        page = visit()
        traces(page)
        page.evaluate("Plotly.Fx.hover('plot', [{curveNumber: 4, pointNumber: 5}])")
        expect(page.locator("#plot .hoverlayer")).to_contain_text("onload=")
        assert page.evaluate("window.hacked") is None


class TestPictures:
    def test_the_slider_is_dragged_and_each_side_has_its_pixels(self, visit):
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
    def test_enlarged_pixels_are_blocks_of_the_exact_colours(self, visit, ratio):
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
        for x, y in ((30, 20), (31, 20), (33, 27)):
            left, top = corner["x"] + x * zoom, corner["y"] + y * zoom
            block = screen[top : top + zoom, left : left + zoom]
            assert block.shape[:2] == (zoom, zoom)
            assert np.abs(block - truth[y, x]).max() == 0

    def test_lr_is_enlarged_to_hr_by_nearest_neighbour(self, visit):
        page = visit_pictures(visit, a="lr", b="lr", mode="flicker", zoom="8")
        low = pattern(32, 24)
        for x, y in ((30, 20), (31, 21), (32, 22)):
            assert colour_at(page, x, y) == tuple(low[y // 2, x // 2])

    def test_f_flickers_when_tapped_and_returns_when_held(self, visit):
        page = visit_pictures(visit, a="bicubic", b="r0")
        page.keyboard.press("f")
        assert (colour_at(page, 10, 10), colour_at(page, 50, 10)) == (BLUE, BLUE)
        page.keyboard.press("f")
        assert colour_at(page, 50, 10) == BICUBIC
        page.keyboard.down("f")
        assert colour_at(page, 50, 10) == BLUE
        page.wait_for_timeout(350)  # what makes it held
        page.keyboard.up("f")
        assert colour_at(page, 50, 10) == BICUBIC

    def test_side_by_side_moves_and_zooms_together(self, visit):
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

    def test_two_fingers_zoom(self, visit):
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

    def test_where_they_differ_most_is_found_told_and_jumped_to(self, visit):
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

    def test_error_maps_have_known_colours_and_one_scale(self, visit):
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

    def test_metrics_of_the_picture_stand_beside_it(self, visit):
        page = visit_pictures(visit, a="bicubic", b="r2")
        rows = page.locator("#picture-metrics tbody tr")
        assert re.split(r"\s+", rows.first.inner_text().strip())[:5] == ["psnr_y", "29.00", "32.00", "29.00", "+3.00▲"]

    def test_the_readout_has_the_pictures_own_values(self, visit):
        page = visit_pictures(visit, a="bicubic", b="r0", mode="flicker")
        box, corner = page.locator("#stage canvas").bounding_box(), page.evaluate("SR.stage.corner()")
        page.mouse.move(box["x"] + corner["x"] + 7.5 * corner["zoom"], box["y"] + corner["y"] + 3.5 * corner["zoom"])
        expect(page.locator("#readout")).to_have_text("x 7, y 3  ·  A 200 30 30  ·  B 20 60 200  ·  |A − B| 126.7")

    def test_the_scrubber_and_play_go_through_the_updates(self, visit):
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

    def test_the_grid_shows_a_run_with_bicubic_below(self, visit):
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

    def test_a_file_that_vanished_is_told_and_the_other_side_stays(self, visit):
        page = visit_pictures(visit, pic="2", a="bicubic", b="r1")
        expect(page.locator("#stage .problem")).to_have_text(
            "The file pictures/0123456789abcdef.js is missing: copy the whole report folder, or make the report again."
        )
        assert colour_at(page, 60, 5) == BLUE
        visit.missed_a_file(page)

    def test_a_side_that_a_picture_has_not_is_told(self, visit):
        page = visit_pictures(visit, pic="3", a="lr", b="r0")
        expect(page.locator("#stage .problem")).to_have_text(
            "LR (nearest neighbour): there is none of other.png. 0_model-espcn_seed-1: there is none of other.png."
        )


class TestWhole:
    def test_names_are_text_wherever_they_stand(self, visit):
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
    def test_a_phone_scrolls_only_downwards(self, visit, mode):
        page = visit_pictures(visit, width=360, height=800, mode=mode, base="g0", grid="0", run="0")
        traces(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        box = page.locator("#table-box")
        assert box.evaluate("node => node.scrollWidth > node.clientWidth")
        assert page.locator("#run-dialog").bounding_box()["width"] <= 360

    def test_dark_is_the_systems_or_chosen(self, visit):
        page = visit(scheme="dark")
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == f"rgb{DARK}"
        page.get_by_role("button", name="Theme: system").click()
        assert page.evaluate(paper) == "rgb(251, 251, 250)"
        page.keyboard.press("t")
        expect(page.locator("#theme")).to_have_text("Theme: dark")
        assert page.evaluate(paper) == f"rgb{DARK}"

    def test_a_reload_shows_the_same(self, visit):
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

    def test_help_lists_the_keys(self, visit):
        page = visit()
        page.keyboard.press("?")
        dialog = page.locator("#key-dialog")
        expect(dialog).to_contain_text("where A and B differ most")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.keyboard.press("3")
        expect(page.locator("#pictures")).to_be_focused()

    def test_a_run_with_nothing_is_a_page_too(self, visit, tmp_path):
        page = visit(bare_folder().write(tmp_path / "report"))
        assert names_in(page) == ["lonely"]
        expect(page.locator("#curves")).to_contain_text("No run of this report has curves")
        expect(page.locator("#pictures")).to_contain_text("No run of this report has kept validation pictures.")
        page.keyboard.press("m")  # a key of pictures does nothing

    def test_no_picture_is_opened_before_it_is_looked_at(self, visit):
        page = visit()
        traces(page)
        loaded = "performance.getEntriesByType('resource').map(one => one.name).filter(one => /pictures.*js/.test(one))"
        assert [name for name in page.evaluate(loaded) if "/pictures/" in name] == []
        shown(page)
        assert page.evaluate("SR.viewer.loaded().a.width") == 64

    def test_without_plotly_the_rest_is_there(self, visit, tmp_path):
        index = small_folder().write(tmp_path / "report")
        (index.parent / "plotly.min.js").unlink()
        page = visit(index)
        page.locator("#curves").scroll_into_view_if_needed()
        expect(page.locator("#curve-note")).to_contain_text("plotly.min.js, which is missing")
        assert len(names_in(page)) == 4
        visit.missed_a_file(page)

    def test_without_data_the_page_says_so(self, visit, tmp_path):
        index = bare_folder().write(tmp_path / "report")
        (index.parent / "data.js").unlink()
        page = visit(index)
        expect(page.locator("#lead")).to_contain_text("data.js is missing beside this page, or damaged")
        visit.missed_a_file(page)
