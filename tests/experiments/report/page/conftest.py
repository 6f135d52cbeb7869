"""One browser for all tests of the page, and a report to visit in it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.experiments.report.browser import FLAGS, NONE, address, find_browser
from tests.experiments.report.pages import small_folder


@pytest.fixture(scope="package")
def browser():
    if find_browser() is None:
        pytest.skip(NONE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def small(tmp_path_factory) -> Path:
    return small_folder().write(tmp_path_factory.mktemp("small") / "report")


@pytest.fixture(scope="package")
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
