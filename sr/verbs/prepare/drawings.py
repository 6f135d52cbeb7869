"""`sr prepare drawings`: generated line art as PNG files."""

from pathlib import Path
from typing import Any

from sr.console import plain_console
from sr.data.kinds.drawings import Drawings
from sr.data.preparation.sharding import shard_path
from sr.errors import UserError
from sr.image.io import write_picture
from sr.verbs.options import size_of
from sr.verbs.prepare.output import Steps, journal
from sr.verbs.screen.tables import say


def prepare_drawings(output: Path, count: int, size: str, settings: dict[str, Any]) -> None:
    """Write drawings to ``output/0/0.png``, ``output/0/1.png`` and so on; with a larger count later, more of the same.

    Args:
        output: folder; drawings that are there are not made again.
        count: how many.
        size: ``WIDTHxHEIGHT`` in pixels.
        settings: other arguments of `sr.data.kinds.drawings.Drawings`.

    Raises:
        UserError: a setting out of range, a palette picture that cannot be read, or the folder is not ours.
    """
    width, height = size_of(size, "960x540")
    if count < 1:
        raise UserError(f"--count is how many drawings to make, at least 1, got {count}; give 100")
    console = plain_console(soft_wrap=True)
    try:
        source = Drawings(pictures=count, width=width, height=height, **settings)
    except ValueError as error:
        raise UserError(str(error)) from error
    made = 0
    all_settings = {"size": f"{width}x{height}", "pictures": source.sequence.identity, **settings}
    with journal(output, "drawings", all_settings), Steps(console, "drawing", count) as steps:
        for index in range(count):
            path = output / shard_path(index)
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                write_picture(path, source.read(index))
                made += 1
            steps.done(index + 1)
    there = f", {count - made} were there already" if made < count else ""
    say(console, f"{made} drawings of {width}x{height} made{there}: {output}")
