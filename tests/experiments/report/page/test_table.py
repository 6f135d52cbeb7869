"""The table of runs, clicked and typed into in a real browser."""

from playwright.sync_api import expect

from tests.experiments.report.browser import cells_of, names_in
from tests.experiments.report.pages import EVIL, QUOTED

PSNR, LPIPS = "m:psnr_y", "m:lpips"


def test_a_click_sorts_by_the_better_end_first_and_what_has_no_number_stays_last(visit):
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


def test_groups_are_mean_and_deviation_and_open_to_their_runs(visit):
    page = visit()
    assert cells_of(page, PSNR)[:4] == ["30.50 ±0.71", "32.50 ±0.71", "–", "35.00"]
    page.get_by_role("button", name="Single runs of model=espcn").click()
    assert names_in(page)[:3] == ["model=espcn", "0_model-espcn_seed-1", "1_model-espcn_seed-2"]
    assert cells_of(page, PSNR)[1:3] == ["30.00", "31.00"]
    page.get_by_label("Group seeds").uncheck()
    assert len(names_in(page)) == 6


def test_a_filter_takes_words_and_columns(visit):
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


def test_a_filter_names_a_column_that_is_not_there_and_one_without_runs_can_be_cleared(visit):
    page = visit(filter="modle=rdn")
    expect(page.locator("#table-note")).to_contain_text("No column is called “modle”. There are psnr_y,")
    page.locator("#filter").fill("nowhere")
    expect(page.locator("#table-box")).to_contain_text("No run passes this filter.")
    page.get_by_role("button", name="Clear it").click()
    assert len(names_in(page)) == 4


def test_columns_that_do_not_differ_among_the_rows_are_left_out(visit):
    page = visit(filter="seed=1 scale=2 lr=0.0001")
    heads = page.locator(".runs thead .sort")
    assert "model" in heads.all_inner_texts()
    assert not {"optimizer.lr", "scale", "seed"} & set(heads.all_inner_texts())
    page.get_by_label("Only what differs").uncheck()
    assert {"optimizer.lr", "scale", "seed"} <= set(heads.all_inner_texts())


def test_a_baseline_turns_numbers_into_differences_with_arrows_and_words_of_chance(visit):
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


def test_the_difference_turns_round_with_the_baseline_and_best_has_its_own_numbers(visit):
    page = visit()
    page.get_by_role("button", name="Baseline: model=rdn").press("Enter")
    assert cells_of(page, PSNR)[:2] == ["−2.00▼larger than chance", "32.50 ±0.71"]
    assert page.locator("[data-key=g0] .words").get_attribute("title") == ("difference −2.00, interval −2.50 to −1.50")
    page.keyboard.press("b")
    assert cells_of(page, PSNR)[:2] == ["−2.00▼", "33.50 ±0.71"]
    page.get_by_role("button", name="Unpin the baseline").click()
    assert cells_of(page, PSNR)[:2] == ["31.50 ±0.71", "33.50 ±0.71"]
    page.get_by_role("button", name="Baseline: bicubic ×4").click()
    assert cells_of(page, PSNR)[3] == "+11.00▲"


def test_states_have_their_sentences(visit):
    page = visit()
    states = cells_of(page, "state")
    assert states[:4] == [
        "✓ 2 finished",
        "✓ 2 finished",
        "✕ failedoptimizer.lr is 'fast': give a number <b>such as 1e-4</b>",
        "✷ exploded",
    ]


def test_arrows_go_from_run_to_run(visit):
    page = visit(flat="1")
    page.get_by_role("button", name="0_model-espcn_seed-1", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="1_model-espcn_seed-2", exact=True)).to_be_focused()
