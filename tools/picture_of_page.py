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
WIDTH, HEIGHT = 1280, 1010
COLOURS = 64
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
    """What the window shows: the table with a baseline, and below it two pictures under the slider."""
    page.goto(f"{(report / 'index.html').resolve().as_uri()}")
    page.wait_for_timeout(3000)
    return page.screenshot()


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
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    write_atomically(asked.output, small.getvalue())


if __name__ == "__main__":
    main()
