"""The progress bar of store builds."""

from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0


class StoreProgress:
    """A bar per store that is built; on an output that is no terminal, a line now and then.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tasks: dict[str, object] = {}
        self._bar = Progress(
            TextColumn("preparing {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._last_line = monotonic()

    def __enter__(self) -> "StoreProgress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` pictures of the store ``what`` are in."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(f"{what} pictures", total=total)
        self._bar.update(self._tasks[what], completed=done)  # type: ignore[arg-type]
        due = monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if not self.console.is_terminal and (due or done == total):
            self._last_line = monotonic()
            self.console.print(f"preparing {what} pictures: {done}/{total}", highlight=False)
