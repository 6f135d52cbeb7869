"""The progress bars of downloads and store builds."""

from time import monotonic
from types import TracebackType

from rich.console import Console

from sr.console import plain_bar

_SECONDS_BETWEEN_LINES = 10.0
_IN_BYTES = ("downloading", "checking", "unpacking")


class StoreProgress:
    """A bar per download and per store that is built; on an output that is no terminal, a line now and then.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tasks: dict[str, object] = {}
        self._told: dict[str, int] = {}
        self._bar = plain_bar(console)
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
        """``done`` of ``total`` are finished of what is named, such as "preparing training pictures"."""
        unit = ""
        if what.split()[0] in _IN_BYTES:
            done, total, unit = done // 2**20, -(-total // 2**20), " MiB"
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what + unit, total=total)
        self._bar.update(self._tasks[what], completed=done)  # type: ignore[arg-type]
        due = monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if not self.console.is_terminal and (due or done == total) and self._told.get(what) != done:
            self._last_line, self._told[what] = monotonic(), done
            self.console.print(f"{what}: {done}/{total}{unit}")
