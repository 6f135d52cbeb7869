"""Run folders of strangers among one's own: what lists them passes by what it cannot read, and computes nothing."""

import json
import os
import signal
from pathlib import Path

import pytest

from sr.errors import UserError
from sr.experiments.runs import columns, find_runs, read_json
from sr.plain_yaml import read_plain_yaml
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.log.asked import Question
from sr.verbs.log.counting import counting
from tests.strangers.mark import MARK

ENTRY = "log/31_alias"
HEAD = f"experiment: {ENTRY}\nsize:\n  name: smoke\n"
SUMMARY = {
    "exit_reason": "max_updates",
    "updates": 3,
    "parameters": 5,
    "seconds": 1.0,
    "updates_per_second": 1.0,
    "bicubic": {},
    "final": {},
    "best": {},
}
UNREADABLE = {
    "a date that is none": "when: 2024-13-45\n",
    "a date": "when: 2024-01-01\n",
    "6000 digits": f"n: {'9' * 6000}\n",
    "65 bits": f"n: {2**65}\n",
    "keys of other kinds": "1: {2: 3, null: 4}\n",
    "binary": "d: !!binary aGk=\n",
    "a set": "d: !!set {a, b}\n",
    "a call": f"d: !!python/object/apply:os.system ['touch {MARK}']\n",
    "sexagesimal": "a: 1" + ":59" * 4000 + "\n",
    "depth": "a: " + "{a: " * 300 + "1" + "}" * 300 + "\n",
    "laughs": "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}1]\n" for i in range(1, 10)),
    "no text": "\x00\x01",
    "two documents": "---\na: 1\n---\nb: 2\n",
}
ASKING = ["${oc.env:SECRET}", "${nosuch:1}", "${nope.x}", "${data.crop}", "${", "${world_target:}", "\x1b[31mred"]


@pytest.fixture(autouse=True)
def no_waiting_and_nothing_runs(monkeypatch):
    """Whoever waits for a pipe is ended; a text that is run as code leaves its mark."""

    def late(*_):
        raise AssertionError("waited for a pipe")

    Path(MARK).unlink(missing_ok=True)
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    monkeypatch.setenv("SECRET", "s3cr3t")
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not Path(MARK).exists()


def folder(path: Path, config: str, summary: object = SUMMARY) -> Path:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config)
    (path / "summary.json").write_text(json.dumps(summary))
    return path


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_no_run_has_written_is_passed_by(tmp_path, case):
    folder(tmp_path / "bad", HEAD + "seed: 1\n" + UNREADABLE[case])
    good = folder(tmp_path / "good", HEAD + "seed: 1\n")
    assert [run.folder.path for run in find_runs([tmp_path])] == [good]
    with pytest.raises(UserError, match="no configuration"):
        read_plain_yaml(tmp_path / "bad" / "config.yaml")


@pytest.mark.parametrize("text", ASKING)
def test_a_text_that_asks_is_compared_as_it_stands(tmp_path, text):
    folder(tmp_path / "run", f"{HEAD}seed: 1\nmodel: {{features: {json.dumps(text)}}}\n")
    told: list[str] = []
    assert counting({ENTRY}, Question([], "smoke", [1], [tmp_path]), told.append) == {}
    assert len(told) == 1
    assert "does not count: its settings are others than those of log/31_alias: " in told[0]
    assert "s3cr3t" not in told[0]
    assert "\x1b" not in told[0]


def test_true_is_no_seed(tmp_path):
    folder(tmp_path / "run", HEAD + "seed: true\n")
    assert [run.seed for run in find_runs([tmp_path])] == [-1]


def test_pipes_folders_and_depths(tmp_path):
    piped = folder(tmp_path / "piped", HEAD)
    for name in ("summary.json", "metrics.csv", "measures.json"):
        (piped / name).unlink(missing_ok=True)
        os.mkfifo(piped / name)
    assert RunFolder(piped).read_summary() is None
    assert read_json(piped / "measures.json") is None
    (run,) = find_runs([tmp_path])
    with pytest.raises(UserError, match="there is no such file"):
        columns(run)
    (piped / "config.yaml").unlink()
    os.mkfifo(piped / "config.yaml")
    deep, here = tmp_path / "deep", Path.cwd()
    deep.mkdir()
    os.chdir(deep)
    try:
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        assert find_runs([tmp_path]) == []
    finally:
        for _ in range(1200):  # what tidies up after tests is recursive
            os.chdir("..")
            Path("d").rmdir()
        os.chdir(here)


@pytest.mark.parametrize("summary", [[], "text", {"exit_reason": 1}, {**SUMMARY, "best": [1]}])
def test_a_summary_that_is_none(tmp_path, summary):
    folder(tmp_path / "run", HEAD, summary)
    (run,) = find_runs([tmp_path])
    assert run.summary is None


@pytest.mark.parametrize("table", ["updates,a\n3,1,5\n", "updates,a\n3,x\n"])
def test_a_table_that_is_none(tmp_path, table):
    path = folder(tmp_path / "run", HEAD)
    (path / "metrics.csv").write_text(table)
    (run,) = find_runs([tmp_path])
    with pytest.raises(UserError, match=r"metrics.csv cannot be read \(.*\); train the run anew"):
        columns(run)


def test_a_new_run_passes_them_by_when_it_looks_for_its_parent(train, tmp_path):
    for number, text in enumerate(UNREADABLE.values()):
        folder(tmp_path / f"outputs/bad/{number}", HEAD + text)
    code, _, err = train("init_from=log/20", "size=smoke")
    assert code == 2
    assert "init_from=log/20: there is no finished run of log/20" in err
    assert "Traceback" not in err
