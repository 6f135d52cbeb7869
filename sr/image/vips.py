"""Pictures opened by libvips, which decodes them while they are read."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def vips_image(path: Path, in_order: bool = False) -> Any:
    """A picture file, its pixels not yet decoded: a ``pyvips.Image``.

    Args:
        path: the file.
        in_order: its rows are read from the top on, and need no room; else it is unpacked, into a file if it is large.

    Raises:
        pyvips.Error: it is no picture that libvips knows.
    """
    import pyvips  # here: few pictures need it

    logging.getLogger("pyvips").setLevel(logging.CRITICAL)  # what it warns of becomes an error or shows nothing
    access = "sequential" if in_order else "random"
    # Anew each time: libvips would give a file that it has read to its end.
    return pyvips.Image.new_from_file(str(path), access=access, fail_on="truncated", revalidate=True)


def region_of(image: Any) -> Any:
    """A ``pyvips.Region``, of which ``fetch(left, top, width, height)`` gives the bytes of a box."""
    import pyvips

    return pyvips.Region.new(image)


@contextmanager
def told() -> Iterator[None]:
    """Libvips says what it did not do, and in further lines why: which of them a user wants.

    Raises:
        OSError: with the first of these.
    """
    from pyvips.error import Error

    try:
        yield
    except Error as error:
        reasons = [line for line in str(error.detail).splitlines() if line.strip()]
        raise OSError(reasons[0] if reasons else error.message) from error
