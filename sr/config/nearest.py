"""Name the nearest valid names in error messages."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from sr.printable import printable


def nearest(value: str, choices: Iterable[str], how_many: int = 3) -> list[str]:
    """The choices most like ``value``, best first; those that share the last part of a dotted name count too.

    Args:
        value: what was given.
        choices: what would be valid.
        how_many: at most so many.
    """
    options = sorted(choices)
    found = get_close_matches(value, options, how_many, 0.6)
    tail = value.rsplit(".", 1)[-1]
    tails = get_close_matches(tail, [option.rsplit(".", 1)[-1] for option in options], how_many, 0.6)
    found += [o for t in tails for o in options if o.rsplit(".", 1)[-1] == t and o not in found]
    return found[:how_many]


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """``; did you mean a, b?``, or all choices where there are few and none is near."""
    options = sorted(choices)
    found = nearest(value, options)
    if found:
        return f"; did you mean {' or '.join(found)}?"
    return f"; choose one of {', '.join(options)}" if 0 < len(options) <= 20 else ""


def near_files(path: Path) -> list[str]:
    """What lies beside a missing file under a similar name."""
    folder = path.parent
    beside = nearest(path.name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else []
    return [str(folder / name) for name in beside]


def neighbours(found: list[str]) -> str:
    """``; did you mean …?`` with what was found; empty where nothing was."""
    return f"; did you mean {' or '.join(map(printable, found))}?" if found else ""
