"""How long `sr report`'s page takes to be of use: 35 runs with 14 pictures each, opened from disk.

    uv run python tools/page_speed.py

prints the milliseconds from opening the file to the table being there, of seven starts of Chromium.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is made as the tests make theirs

from tests.experiments.report.browser import FLAGS, find_browser, until
from tests.experiments.report.pages import large_folder

STARTS = 7


def milliseconds(playwright: Playwright, browser: str, index: Path) -> float:
    """From the beginning of the navigation to the table, in a browser of its own."""
    started = playwright.chromium.launch(executable_path=browser, args=[*FLAGS])
    page = started.new_page(viewport={"width": 1280, "height": 900})
    page.goto(index.as_uri())
    until(page, "performance.getEntriesByName('table').length")
    taken = float(page.evaluate("performance.getEntriesByName('table')[0].startTime"))
    started.close()
    return taken


def main() -> None:
    """Make the folder, open it, print."""
    browser = find_browser()
    if browser is None:
        sys.exit("no Chromium on PATH: install one, on Debian by `apt-get install chromium`")
    folder = Path(tempfile.mkdtemp())
    try:
        index = large_folder().write(folder / "report")
        with sync_playwright() as playwright:
            taken = [milliseconds(playwright, browser, index) for _ in range(STARTS)]
    finally:
        shutil.rmtree(folder)
    print(f"35 runs with 14 pictures each: table after {statistics.median(taken):.0f} ms (median of {STARTS})")
    print(f"least {min(taken):.0f} ms, most {max(taken):.0f} ms")


if __name__ == "__main__":
    main()
