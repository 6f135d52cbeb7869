"""One run's command and configuration, and what exploded, in a real browser."""

from playwright.sync_api import expect

from tests.experiments.report.browser import until
from tests.experiments.report.pages import QUOTED


def test_a_run_has_its_command_and_its_configuration_with_what_differs(visit):
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


def test_lines_of_a_configuration_have_dotted_paths(visit):
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


def test_what_exploded_has_its_time_and_its_replay(visit):
    page = visit()
    events = page.locator("#explosions")
    expect(events).to_contain_text("at 812 updates: exploded: loss 3e9 <b>")
    expect(events.locator("code")).to_have_text("uv run sr replay outputs/sweep/5/bugs/812.bug")
    events.get_by_role("button", name=QUOTED).click()
    expect(page.locator("#run-dialog")).to_contain_text("uv run sr replay")


def test_a_run_without_a_command_says_so(visit):
    page = visit(run="4")
    expect(page.locator("#run-dialog")).to_contain_text("this run kept no command")
    expect(page.locator("#run-dialog")).to_contain_text("The configuration of this run is not known.")
