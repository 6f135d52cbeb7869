"""The system's Chromium, and what tests ask of a page in it."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

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


def picture_of(place: Locator) -> np.ndarray:
    """What the screen shows there: (height, width, 3), uint8."""
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB"))


def colour_at(page: Page, x: float, y: float, pane: int = 0) -> tuple[int, ...]:
    """Colour of the screen where a pane shows the middle of a picture's pixel (x, y); it must be in sight."""
    box = page.locator("#stage .pane").nth(pane).bounding_box()
    assert box
    corner = page.evaluate("SR.viewer.corner()")
    ratio = page.evaluate("devicePixelRatio")
    left, top = ((corner[key] + (at + 0.5) * corner["zoom"]) / ratio for key, at in (("x", x), ("y", y)))
    shot = picture_of(page.locator("#stage .pane").nth(pane))
    return tuple(int(value) for value in shot[int(top * ratio), int(left * ratio)])


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
    from urllib.parse import urlencode

    return f"{index.as_uri()}#{urlencode(chosen)}"
