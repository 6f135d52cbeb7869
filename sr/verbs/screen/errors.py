"""What is wrong, on stderr."""

import os
import sys
import traceback

from sr.printable import first_line, printable


def print_error(told: object, where: str = "") -> None:
    """A line for each line that is told.

    Args:
        told: what is wrong, which may quote what strangers wrote.
        where: put in front of each line.
    """
    for line in str(told).split("\n"):
        print(f"error: {where}{printable(line)}", file=sys.stderr, flush=True)


def print_own_error(told: object) -> None:
    """Likewise, saying which of the processes that train together it is; the first needs no name."""
    process = os.environ.get("LOCAL_RANK", "0")
    print_error(told, "" if process == "0" else f"process {process}: ")


TRACEBACK = "SR_TRACEBACK"
"""Variable that, set to anything, has the way to errors printed that nobody foresaw."""


def unforeseen_of(name: object, what: str, error: Exception) -> str:
    """The line about the one picture that such an error is about.

    Args:
        name: of the picture.
        what: went wrong.
        error: as it was caught.
    """
    from sr.devices import out_of_memory  # here: PyTorch takes seconds

    if out_of_memory(error):
        return f"{printable(name)} is too large for the memory that is free"
    return f"{printable(name)}: {what} ({unforeseen(error)}); {TRACEBACK}=1 shows where"


def unforeseen(error: Exception) -> str:
    """The kind of such an error and what it says.

    Args:
        error: as it was caught.
    """
    if os.environ.get(TRACEBACK):
        print(printable("".join(traceback.format_exception(error)), keep="\n"), file=sys.stderr)
    said, kind = first_line(error), type(error).__name__
    return kind if said == kind else f"{kind}: {said}"
