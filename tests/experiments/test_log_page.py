"""The page and its data: from judged claims, the same each time."""

import json

from sr.experiments.claims import Claim, Term
from sr.experiments.judging import Judged
from sr.experiments.log_page import Entry, as_json, as_markdown, grouped, header_of, made_of
from sr.experiments.verdicts import spread

CLAIM = Claim(
    "log/31_alias",
    "psnr",
    "PSNR jumps | by much",
    (Term(1, "log/31_alias", "target.psnr_rgb"), Term(-1, "log/29_edge", "target.psnr_rgb")),
    ">",
    1.0,
    why="a quarter of the log's",
    text="log/31.target.psnr_rgb > log/29.target.psnr_rgb",
)
HOLDS = Judged(CLAIM, "holds", {1: 1.98, 2: 2.08}, spread([1.98, 2.08]), (1, 2))
GPU = Judged(
    Claim("log/01_rdn", "paper", "the paper's number", untestable="needs a GPU day"),
    "cannot be tested at this size",
    {},
    None,
    (),
    "needs a GPU day",
)
SEEN = Judged(
    Claim("log/09_bad", "explodes", "explodes", explodes="log/09_bad", text="explodes log/09_bad"),
    "seen in 1 of 2 seeds within 1000 updates",
    {1: 0.0, 2: 1.0},
    None,
    (1, 2),
)
SUMMARIES = [
    {"ended": "2026-11-30", "machine": "chip, torch 2", "seconds": 1800},
    {"ended": "2026-11-29", "machine": "chip, torch 2", "seconds": 1800},
]


def entries():
    by_entry = grouped([HOLDS, SEEN, GPU])
    return [Entry(name, "words\nmore", f"train {name}", judged) for name, judged in by_entry.items()]


def test_data_has_an_object_per_claim():
    paper, bad, alias = json.loads(as_json(entries(), "mini"))
    assert (alias["entry"], alias["claim"], alias["verdict"]) == ("log/31_alias", "psnr", "holds")
    assert (alias["value"], alias["seeds"], alias["differences"]) == (2.03, [1, 2], {"1": 1.98, "2": 2.08})
    assert alias["spread"] == 0.070711  # of 1.98 and 2.08: 0.1 / sqrt(2)
    assert (paper["value"], paper["spread"], paper["seeds"], paper["reason"]) == (None, None, [], "needs a GPU day")
    assert bad["verdict"] == "seen in 1 of 2 seeds within 1000 updates"


def test_the_page_tells_how_it_was_made_and_counts():
    page = as_markdown(entries(), made_of(SUMMARIES, "mini", "uv run sr log --run"), "log.json")
    assert "from 2 runs at `size=mini` (1.0 hours of training, 2026-11-29 to 2026-11-30; chip, torch 2)" in page
    assert "3 claims of 3 entries: 1 holds, 1 seen, 1 cannot be tested at this size." in page
    assert "say nothing about any claim" not in page
    trial = as_markdown(entries(), made_of(SUMMARIES, "smoke", "uv run sr log --run"), "log.json")
    assert (
        "1 cannot be tested at this size. size=smoke is three updates of the smallest networks, for tests: its" in trial
    )
    row = "| [log/31_alias](#log31_alias) | PSNR jumps \\| by much | holds | +2.03 ± 0.071 | seeds 1, 2 |"
    assert row in page.splitlines()
    assert "> words\n> more" in page
    assert "margin 1 (a quarter of the log's)" in page
    assert page == as_markdown(entries(), made_of(SUMMARIES[::-1], "mini", "uv run sr log --run"), "log.json")


def test_words_come_from_the_file_of_the_entry(tmp_path):
    (tmp_path / "x.yaml").write_text("# @package _global_\n# #31: the words\n#  [F] a fact\ndefaults:\n  - a # no\n")
    assert header_of(tmp_path / "x.yaml") == "#31: the words\n[F] a fact"
