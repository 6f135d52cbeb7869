"""What is printed is printed as it is: names of users hold brackets and colons, which rich takes for markup and emoji.

Every console and every bar comes from here (`tests/test_console.py` makes sure), so that no line needs to remember it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from sr.printable import printable

Item = TypeVar("Item")

_SPEED = 600.0
"""Seconds from which the time that remains is estimated; news may be a minute apart."""


def plain_console(
    width: int | None = None, soft_wrap: bool = False, quiet: bool = False, file: IO[str] | None = None
) -> Console:
    """A console that shows texts, also in tables and their titles, letter for letter.

    Args:
        width: in columns; None takes the terminal's.
        soft_wrap: lines are left to the terminal to wrap.
        quiet: nothing is shown.
        file: where to; None is the standard output.
    """
    return _Console(
        width=width, soft_wrap=soft_wrap, quiet=quiet, file=file, markup=False, emoji=False, highlight=False
    )


class _Console(Console):
    """Shows what a terminal would obey: texts hold names of files, and those hold anything."""

    def render_str(self, text: str, **how: Any) -> Text:
        """As rich does, on one line: what is printed, or a cell of a table, is no line of a stranger's."""
        return super().render_str(printable(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, each text by way of `sr.printable`; colours and moves of rich's own are no text."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text, keep="\n")
            yield segment if text is segment.text else Segment(text, segment.style, segment.control)


def text_column(form: str, rest: bool = False) -> TextColumn:
    """A column of a bar.

    Args:
        form: such as ``{task.description}``.
        rest: it has what the other columns leave of the line, and its end is cut off where that is too little.
    """
    column = Column(no_wrap=True, overflow="ellipsis", ratio=1) if rest else None
    return TextColumn(form, markup=False, table_column=column)


def plain_bar(console: Console, *columns: ProgressColumn, shown: bool = True) -> Progress:
    """A bar that goes away at its end; on an output that is no terminal there is none.

    Args:
        console: where to draw.
        columns: None for what is done, the bar, how many of how many, and the time that remains.
        shown: False for no bar.
    """
    usual = (text_column("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disable = not (shown and console.is_terminal)
    # A column with a ratio has the rest of the line only where the bar is as wide as that.
    rest = any(column.get_table_column().ratio for column in columns)
    return Progress(
        *(columns or usual),
        console=console,
        transient=True,
        disable=disable,
        expand=rest,
        speed_estimate_period=_SPEED,
    )


def tracked(items: Sequence[Item], what: str, console: Console) -> Iterator[Item]:
    """The items, with a bar where there are several.

    Args:
        items: to work on.
        what: is being done.
        console: where to draw.
    """
    with plain_bar(console, shown=len(items) > 1) as bar:
        yield from bar.track(items, description=what)


def shares(items: Sequence[Item], what: str, console: Console) -> Iterator[tuple[Item, Callable[[float], None]]]:
    """The items, each with a function that is told what share of it is finished; with a bar and pictures per second.

    Args:
        items: pictures to work on.
        what: is being done.
        console: where to draw.
    """
    columns = (text_column("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with plain_bar(console, *columns) as bar:
        task = bar.add_task(what, total=len(items))
        for number, item in enumerate(items):

            def tell(share: float, number: int = number) -> None:
                bar.update(task, completed=number + share)

            yield item, tell
            tell(1.0)


class _Rate(ProgressColumn):
    """Pictures per second."""

    def render(self, task: Task) -> Text:
        """Nothing, as long as nothing is known."""
        return Text(f"{task.speed:.2g} pictures/s" if task.speed else "")
