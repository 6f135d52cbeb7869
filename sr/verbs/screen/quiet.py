"""Keep what libraries in C write to the terminal away from it."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """What C writes to the standard error output, and Pillow's log, go nowhere; Python's own lines are shown as before.

    libtiff prints a line for each odd tag, several times per file, and cannot be told from Python to be silent. What is
    wrong with a file arrives as an exception too.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    pillow = logging.getLogger("PIL")
    before, level = sys.stderr, pillow.level
    pillow.setLevel(logging.CRITICAL)
    own = _own(before, kept)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 2)
    sys.stderr = own or before
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        pillow.setLevel(level)
        os.dup2(kept, 2)
        os.close(kept)


def _own(before: TextIO, kept: int) -> TextIO | None:
    """Python's stream on a copy of the file that it wrote to; None where it writes elsewhere, as in tests."""
    with suppress(OSError, ValueError, AttributeError):  # no file at all
        before.flush()
        if before.fileno() == 2:
            return os.fdopen(kept, "w", buffering=1, encoding=before.encoding, errors=before.errors, closefd=False)
    return None
