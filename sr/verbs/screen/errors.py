"""What is wrong, on stderr."""

import os
import sys

from sr.printable import printable


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
