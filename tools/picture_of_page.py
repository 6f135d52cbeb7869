"""The picture of `sr report`'s page in README: a sweep on drawings that this program makes itself, and a screenshot.

    uv run python tools/picture_of_page.py SCRATCH docs/images/report.png

trains four runs in SCRATCH (minutes; the same command goes on with them) and writes the picture. It needs Chromium.
"""

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from sr.files import write_atomically

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WIDTH, HEIGHT = 1120, 900
SHOWN = 860  # pixels of the picture's width
WAIT = 2500  # milliseconds for curves and pictures to be drawn
COLOURS = 128
SWEEP = (
    *("-m", "model=espcn", "loss=l1,l2", "seed=1,2", "data=drawings", "degradation=aug_12", "scale=2"),
    *("trainer.max_updates=600", "trainer.val_every=60", "optimizer.lr=2e-3"),
)


def trained(scratch: Path) -> Path:
    """The report of the sweep, which is made where it is missing."""
    drawn, sweep = scratch / "drawn", scratch / "sweep"
    if not drawn.exists():
        make = [
            "prepare",
            "drawings",
            "-o",
            str(drawn),
            "--count",
            "8",
            "--size",
            "256x256",
            "--lines",
            "30",
            "--seed",
            "7",
        ]
        subprocess.run([sys.executable, "-c", "from sr.verbs.cli import main; main()", *make], check=True)
    place = [f"data.val={drawn}", f"run_dir={sweep}"]
    subprocess.run([sys.executable, "-m", "sr.verbs.train", *SWEEP, *place], check=True)
    return sweep / "report"


def shown(page: Page, report: Path) -> bytes:
    """The whole page: a baseline is pinned, and a network is beside bicubic under the slider, enlarged."""
    chosen = "base=g0&a=bicubic&b=r0&pic=0&zoom=3"
    page.goto(f"{(report / 'index.html').resolve().as_uri()}#{chosen}")
    page.locator("#pictures").scroll_into_view_if_needed()
    page.wait_for_timeout(WAIT)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(WAIT)
    end = page.locator(".workbench").bounding_box()
    assert end is not None, "the page shows pictures"
    height = end["y"] + end["height"] + 16  # without the foot, which names folders of this machine
    return page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})


def main() -> None:
    """Read the command line, train, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        sys.exit("no Chromium on PATH: install one, on Debian by `apt-get install chromium`")
    report = trained(asked.scratch)
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=[*FLAGS])
        taken = shown(window.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"), report)
        window.close()
    small = io.BytesIO()
    whole = Image.open(io.BytesIO(taken)).convert("RGB")
    size = (SHOWN, round(whole.height * SHOWN / whole.width))
    whole.resize(size, Image.Resampling.LANCZOS).quantize(COLOURS).save(small, "PNG", optimize=True)
    write_atomically(asked.output, small.getvalue())


if __name__ == "__main__":
    main()
