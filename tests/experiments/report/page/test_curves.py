"""The curves, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.experiments.report.browser import traces, until
from tests.experiments.report.pages import QUOTED


def test_groups_are_a_mean_with_a_band_and_bicubic_is_dashed(visit):
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


def test_the_column_the_axis_and_the_lines_are_chosen(visit):
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


def test_the_legend_shows_and_hides(visit):
    page = visit()
    traces(page)
    entry = page.locator("[data-line=g0]")
    entry.click()
    assert next(one["name"] for one in traces(page)) == "model=rdn"
    expect(entry).to_have_attribute("aria-pressed", "false")
    entry.press("Enter")
    assert next(one["name"] for one in traces(page)) == "model=espcn"


def test_hostile_names_are_text_in_plotly(visit):
    page = visit()
    traces(page)
    page.evaluate("Plotly.Fx.hover('plot', [{curveNumber: 4, pointNumber: 5}])")
    expect(page.locator("#plot .hoverlayer")).to_contain_text("onload=")
    assert page.evaluate("window.hacked") is None


def test_the_tables_filter_counts_for_the_curves(visit):
    page = visit()
    every = traces(page)
    page.locator("#filter").fill("model=rdn")
    expect(page.locator("#curve-note")).to_contain_text("The table's filter leaves")
    kept = [one for one in traces(page) if one["name"] != "bicubic"]
    assert {one["name"] for one in kept if one["dash"] != "dash"} == {"model=rdn"}
    page.locator("#filter").fill("")
    until(page, "!document.getElementById('curve-note').textContent.includes('leaves')")
    assert traces(page) == every
