"""Names of users are shown letter for letter, wherever they come: rich must not read them as markup or emoji."""

import ast
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.progress import BarColumn, TimeRemainingColumn
from rich.table import Table

from sr.console import plain_bar, plain_console, text_column, tracked
from sr.data.doctor.verdict import Judgement, Report
from sr.draws import Record
from sr.training.keeping.run_folder import RunFolder
from sr.verbs import degrade, doctor, replay
from sr.verbs.bench import degradation
from sr.verbs.prepare.output import Steps
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.tables import print_numbers, print_result, say
from tests.conftest import REPOSITORY
from tests.verbs.test_tables import SUMMARY

HOSTILE = ["[red]", "[/A/b]", "[/]", "[bold]x[/bold]", ":smile:", "[link=x]y[/link]", r"\[x]", "[@click=f()]z"]


def shown(show, terminal=False) -> str:
    """What a function prints on a wide console."""
    file = io.StringIO()
    console = plain_console(width=250, file=file)
    console._force_terminal = console.is_interactive = terminal
    show(console)
    return file.getvalue()


def in_table(console, name):
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    console.print(table)


def in_steps(console, name):
    with Steps(console, name, 2) as steps:
        steps.done(2)


def in_store_progress(console, name):
    with StoreProgress(console) as progress:
        progress.update(f"preparing {name}", 1, 1)


def in_bar(console, name):
    with plain_bar(console, shown=True) as bar:
        bar.add_task(name, total=1)


class Watched:
    """What `sr degrade` has looked at."""

    given = stored = False
    crops, data = 2, SimpleNamespace(paired=True)

    def __init__(self, name: str) -> None:
        self.record = Record()
        self.record.values = {f"{name}/kind": {0: name, 1: f"{name}{name}"}, f"{name}/sigma": {0: 1.0, 1: 1.0}}


def in_doctor(console, name):
    report = Report(Path(name), "train", None, (("small", name),))
    doctor._print([report], Judgement({}, [name]), console, True, Path(name))


def in_result(console, name):
    summary = SUMMARY | {"exit_reason": name, "best_by": {name: SUMMARY["best"] | {name: 1.0, "file": name}}}
    print_result(console, summary, RunFolder(Path(name)), {"model": {"_target_": "sr.models.espcn.Espcn"}})


def in_bench(console, name):
    rates = {name: [1.0, 2.0]}
    degradation._print(console, rates, type("Config", (), {"data": type("Data", (), {"crop": 2}), "scale": 2}))


SHOWS = {
    "print": lambda console, name: console.print(name),
    "say": lambda console, name: say(console, name),
    "table": in_table,
    "numbers": lambda console, name: print_numbers(console, name, [name], [(name, [name])], name),
    "narrow numbers": lambda console, name: print_numbers(console, name, [name] * 60, [(name, [name] * 60)], name),
    "result": in_result,
    "replay": lambda console, name: replay._print(console, [(1, {name: 1.0})]),
    "degrade": lambda console, name: degrade._report(console, Watched(name)),
    "doctor": in_doctor,
    "bench": in_bench,
    "store": in_store_progress,
}
BARS = {
    "steps": in_steps,
    "store": in_store_progress,
    "bar": in_bar,
    "tracked": lambda console, name: list(tracked([1, 2], name, console)),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("show", SHOWS)
def test_names_are_shown_as_they_are(show, name):
    assert name in shown(lambda console: SHOWS[show](console, name))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("bar", BARS)
def test_bars_show_names_as_they_are(monkeypatch, bar, name):
    monkeypatch.setenv("TERM", "xterm")
    assert name in shown(lambda console: BARS[bar](console, name), terminal=True)


@pytest.mark.parametrize("name", [*HOSTILE, "--[red][/A/b]"])
def test_mistakes_on_the_command_line_are_told_as_they_were_typed(sr, name):
    # typer shows some of them in a box of rich's
    for arguments in (
        (name,),
        ("upscale", name, "-o", "x.png"),
        ("evaluate", "bicubic", "--set", name, "--scale", "2"),
    ):
        code, _, err = sr(*arguments)
        assert code == 2
        assert name in err


def calls(tree: ast.AST) -> list[str]:
    """Names of what a file calls, the last part of dotted ones."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f.id if isinstance(f, ast.Name) else f.attr for f in called if isinstance(f, ast.Name | ast.Attribute)]


def names_of_rich(tree: ast.AST) -> set[str]:
    """What a file imports from rich, with its module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "rich":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            assert not any(alias.asname for alias in node.names)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "rich"}
    return found


MADE_HERE = REPOSITORY / "sr" / "console.py"
HARMLESS = {
    "rich.console.Console",
    "rich.progress.Progress",
    "rich.progress.BarColumn",
    "rich.progress.TimeRemainingColumn",
    "rich.table.Table",
}
HARMLESS |= {"rich.box.SIMPLE_HEAD", "rich.progress.TimeRemainingColumn"}
FILES = sorted((REPOSITORY / "sr").rglob("*.py"))


def test_consoles_and_bars_are_made_in_one_place():
    # A console from there has no markup that could be read; so no line of any verb can forget it.
    for path in FILES:
        tree = ast.parse(path.read_text())
        if path != MADE_HERE:
            assert names_of_rich(tree) <= HARMLESS, path
            assert not {"Console", "Progress"} & set(calls(tree)), path
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg in ("markup", "emoji"):
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path


def test_the_test_sees_other_ways():
    tree = ast.parse("from rich.text import Text\nimport rich\nrich.print(a)\nconsole = x.Console()")
    assert names_of_rich(tree) - HARMLESS == {"rich.text.Text", "rich"}
    assert "Console" in calls(tree)


def test_a_narrow_terminal_cuts_the_end_of_the_rest_alone():
    file = io.StringIO()
    console = plain_console(width=60, file=file)
    console._force_terminal = console.is_interactive = True
    columns = BarColumn(bar_width=12), text_column("{task.percentage:>3.0f}%"), TimeRemainingColumn()
    with plain_bar(console, *columns, text_column("{task.description}", rest=True)) as bar:
        bar.add_task("100/3000 updates · 2.0/s · " + "g/total 0.041 " * 9, total=1.0, completed=0.25)
        bar.refresh()
    assert " 25% -:--:-- 100/3000 updates · 2.0/s" in file.getvalue()
    assert "…" in file.getvalue()
