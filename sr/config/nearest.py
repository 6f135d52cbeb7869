"""Name the nearest valid names in error messages."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from sr.printable import printable

_FAR = 0.15
"""What is so much less like a value than the best is noise beside it."""


def nearest(value: str, choices: Iterable[str], how_many: int = 3) -> list[str]:
    """The choices most like ``value``, best first, whatever is in capitals.

    Those that share the last part of a dotted name count too.

    Args:
        value: what was given.
        choices: what would be valid.
        how_many: at most so many.
    """
    options = sorted(choices)
    value, wholes = value.lower(), {option: option.lower() for option in options}
    tail, tails = value.rsplit(".", 1)[-1], {option: whole.rsplit(".", 1)[-1] for option, whole in wholes.items()}
    near = get_close_matches(value, set(wholes.values()), how_many, 0.6)
    near_tails = get_close_matches(tail, set(tails.values()), how_many, 0.6)
    found = [option for one in near for option in options if wholes[option] == one]
    found += [option for one in near_tails for option in options if tails[option] == one and option not in found]
    likeness = {o: max(_likeness(value, wholes[o]), 0.9 * _likeness(tail, tails[o])) for o in found}
    best = max(likeness.values(), default=0.0)
    return [option for option in found if likeness[option] >= best - _FAR][:how_many]


def _likeness(value: str, option: str) -> float:
    return SequenceMatcher(None, option, value).ratio()


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """``; did you mean a, b?``, or all choices where there are few and none is near."""
    options = sorted(choices)
    found = nearest(value, options)
    if found:
        return f"; did you mean {' or '.join(found)}?"
    return f"; choose one of {', '.join(options)}" if 0 < len(options) <= 30 else ""


def near_files(path: Path) -> list[str]:
    """What lies beside a missing file under a similar name."""
    folder = path.parent
    beside = nearest(path.name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else []
    return [str(folder / name) for name in beside]


def neighbours(found: list[str]) -> str:
    """``; did you mean …?`` with what was found; empty where nothing was."""
    return f"; did you mean {' or '.join(map(printable, found))}?" if found else ""
