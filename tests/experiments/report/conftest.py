"""A page to put a report around, and reports of the folder ``runs``."""

from datetime import date

import pytest

from sr.experiments.report.building import Wanted
from sr.experiments.report.writing import write_report
from sr.experiments.table import rows_of
from tests.experiments.report.made_runs import report_of

WANTED = Wanted("a title", "sr report runs", date(2026, 11, 30))


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "page.css").write_text("body {}")
    (folder / "parts" / "one.js").write_text("1;")
    (folder / ".hidden").write_text("")
    return folder


@pytest.fixture
def made(tmp_path, page):
    """Write the report of the folder ``runs``; gives the object and what was said."""

    def make(wanted: Wanted = WANTED):
        said: list[str] = []
        write_report(rows_of([tmp_path / "runs"]), tmp_path / "out", wanted, said.append, lambda *_: None, page)
        return report_of(tmp_path / "out"), said

    return make
