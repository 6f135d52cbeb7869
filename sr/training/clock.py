"""The run's clock: generator updates, and the wall-clock limit beside it."""

import re
from time import monotonic
from typing import Literal

from sr.types import UserError

Limit = Literal["max_updates", "max_time"]


def parse_duration(text: str, name: str = "trainer.max_time") -> float:
    """Seconds in ``HH:MM:SS`` (hours may exceed 24) or ``DD:HH:MM:SS``.

    Args:
        text: the duration.
        name: of the setting, for the message.

    Raises:
        UserError: the text has another form.
    """
    if not re.fullmatch(r"(\d+:)?\d+:\d{1,2}:\d{1,2}", text):
        # YAML reads 1:30:00 without quotes as the number 5400.
        quotes = " (in a file, in quotes)" if text.isdigit() else ""
        raise UserError(f"{name}={text} is not HH:MM:SS; five minutes are {name}=00:05:00{quotes}")
    parts = [int(part) for part in text.split(":")]
    days = parts.pop(0) if len(parts) == 4 else 0
    hours, minutes, seconds = parts
    if minutes > 59 or seconds > 59:
        raise UserError(f"{name}={text} has {minutes} minutes and {seconds} seconds; both must be below 60")
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


class Clock:
    """Counts generator updates and the seconds of the run, over all its sittings.

    Args:
        max_updates: stop after so many generator updates; None sets no such limit.
        max_seconds: stop after so many seconds; None sets no such limit.

    Raises:
        UserError: there is no limit at all, or one is not positive.
    """

    def __init__(self, max_updates: int | None, max_seconds: float | None) -> None:
        if max_updates is None and max_seconds is None:
            raise UserError("a run needs an end: set trainer.max_updates=N, trainer.max_time=HH:MM:SS, or both")
        if max_updates is not None and max_updates < 1:
            raise UserError(f"trainer.max_updates={max_updates} must be at least 1")
        if max_seconds is not None and max_seconds <= 0:
            raise UserError("trainer.max_time must be longer than 00:00:00")
        self.max_updates, self.max_seconds = max_updates, max_seconds
        self.updates = 0
        self._before = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """Let the seconds run."""
        self._started = monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self._before + (0.0 if self._started is None else monotonic() - self._started)

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0..1, by the limit that comes first. Schedules follow it."""
        by_updates = 0.0 if self.max_updates is None else self.updates / self.max_updates
        by_time = 0.0 if self.max_seconds is None else self.elapsed / self.max_seconds
        return min(1.0, max(by_updates, by_time))

    def reached(self) -> Limit | None:
        """The limit that ends the run now, if any."""
        if self.max_updates is not None and self.updates >= self.max_updates:
            return "max_updates"
        if self.max_seconds is not None and self.elapsed >= self.max_seconds:
            return "max_time"
        return None

    def state_dict(self) -> dict[str, float]:
        """For checkpoints."""
        return {"updates": self.updates, "elapsed": self.elapsed}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on where the saved run was."""
        self.updates, self._before = int(state["updates"]), float(state["elapsed"])
        if self._started is not None:
            self.start()
