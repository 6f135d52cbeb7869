"""docs/LOG.md and docs/log.json follow from the records beside them: nobody writes a verdict by hand."""

import json

import pytest

from sr.verbs.log.asked import Question, all_claims
from sr.verbs.log.log import show_log
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PUBLISHED = json.loads((DOCS / "log.json").read_text())
OTHERS = sorted({one["entry"] for one in PUBLISHED if not one["entry"].startswith("log/")})
"""Entries of the other logs that have runs so far."""


@pytest.mark.slow
def test_the_page_is_made_again_from_its_records(tmp_path, capsys):
    question = Question(["log", *OTHERS], "mini", range(1, 4), [DOCS / "log"])
    assert show_log(question, tmp_path, False, False, 1, "cpu", []) == 0
    assert "does not count" not in capsys.readouterr().out
    for name in ("LOG.md", "log.json"):
        assert (tmp_path / name).read_text() == (DOCS / name).read_text()


def test_every_entry_of_the_log_has_a_verdict():
    published = [one for one in PUBLISHED if one["entry"] not in OTHERS]
    entries = {claim.entry for claim in all_claims() if claim.entry.startswith("log/")}
    assert {one["entry"] for one in published} == entries
    assert not [one["claim"] for one in published if one["verdict"] == "not run"]
    assert len({one["entry"] for one in published if one["value"] is not None}) >= 28


def test_other_entries_are_there_for_their_verdicts():
    assert {one["entry"] for one in PUBLISHED if one["verdict"] != "not run"} >= set(OTHERS)
