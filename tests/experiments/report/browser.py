"""The system's Chromium, and what tests ask of a page in it."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)
NONE = "no Chromium on PATH: install one, on Debian by `apt-get install chromium`"


def find_browser() -> str | None:
    """Path of the system's Chromium or Chrome; None where there is none."""
    return next((found for found in map(shutil.which, NAMES) if found), None)


def until(page: Page, expression: str) -> None:
    """Wait until JavaScript says yes. Playwright's own way is forbidden by the page, as it forbids all evaluation."""
    for _ in range(400):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"not within 10 s: {expression}")


def picture_of(place: Locator) -> np.ndarray:
    """What the screen shows there: (height, width, 3), uint8; the place must be in sight.

    Cut out of a picture of the window, as a place may begin between two pixels of the screen, which rounds that.
    """
    box, page = place.bounding_box(), place.page
    assert box
    ratio = page.evaluate("devicePixelRatio")
    left, top, right, bottom = (
        round(edge * ratio) for edge in (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
    )
    window = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    return window[top:bottom, left:right]


def colour_at(page: Page, x: float, y: float, pane: int = 0) -> tuple[int, ...]:
    """Colour of the screen where a pane shows the middle of a picture's pixel (x, y); it must be in sight."""
    corner = page.evaluate("SR.stage.corner()")
    left, top = (int(corner[key] + (at + 0.5) * corner["zoom"]) for key, at in (("x", x), ("y", y)))
    return tuple(int(value) for value in picture_of(page.locator("#stage canvas").nth(pane))[top, left])


def names_in(page: Page) -> Sequence[str]:
    """Names of the table's rows from top to bottom, without bicubic."""
    return page.locator("tbody tr:not(.bicubic) .namebox .clip").all_inner_texts()


def cells_of(page: Page, column: str) -> Sequence[str]:
    """Texts of a column of the table as a reader sees them, from top to bottom."""
    script = """column => {
        const heads = [...document.querySelectorAll(".runs thead th")];
        const index = heads.findIndex(head => head.querySelector("[data-column]").dataset.column === column);
        return [...document.querySelectorAll(".runs tbody tr")].map(row => {
            const copy = row.children[index].cloneNode(true);
            copy.querySelectorAll(".unseen").forEach(each => each.remove());
            return copy.textContent;
        });
    }"""
    return page.evaluate(script, column)


def address(index: Path, **chosen: str) -> str:
    """The page's address with a state."""
    return f"{index.as_uri()}#{urlencode(chosen)}"


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


def traces(page: Page) -> list[dict]:
    """What plotly draws, without bands."""
    page.locator("#plot").scroll_into_view_if_needed()
    until(page, "document.getElementById('plot').data")
    script = """() => document.getElementById('plot').data.filter(one => !one.fill)
        .map(one => ({name: one.name, x: [...one.x], y: [...one.y], dash: one.line?.dash, colour: one.line?.color}))"""
    return page.evaluate(script)
