"""Names of files, compared as people and other machines see them."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from pathlib import PurePath


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): macOS takes umlauts apart where Linux and Windows do not."""
    return unicodedata.normalize("NFC", name)


def as_one(name: str) -> str:
    """What is equal for names that some file system takes for one: case and normal form do not count."""
    return composed(composed(name).casefold())


def told_apart(name: str, other: str) -> str:
    """A name for a message beside another one; with escapes where the two would look the same."""
    return ascii(name) if name != other and composed(name) == composed(other) else name


def order(path: PurePath) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sorts paths in the same way on every machine: by their composed parts, then by the parts as they are."""
    return tuple(composed(part) for part in path.parts), path.parts


def names_as(places: Sequence[PurePath], suffix: str = ".png") -> list[PurePath]:
    """What pictures are called once they are files of one format: one name each, on every file system.

    A picture keeps its name but for the suffix. Where several would get one name, the file of that format among them
    keeps its own, and the suffix of the others becomes part of theirs: a.png and a.jpg give a.png and a.jpg.png. What
    some file system would still take for one (A.png and a.png) is numbered.

    Args:
        places: relative paths of the pictures.
        suffix: of the format, in small letters.

    Returns:
        One for each, in the same order.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        groups[as_one(place.with_suffix("").as_posix())].append(number)
    names = list(places)
    taken: set[str] = set()
    for group in sorted(groups.values(), key=len):  # those without a rival come first
        short = len(group) == 1
        for number in sorted(group, key=lambda i: (places[i].suffix.lower() != suffix, order(places[i]))):
            names[number] = _free(places[number], short or places[number].suffix.lower() == suffix, suffix, taken)
            taken.add(as_one(names[number].as_posix()))
    return names


def _free(place: PurePath, short: bool, suffix: str, taken: set[str]) -> PurePath:
    name = place.with_suffix(suffix) if short else place.with_name(f"{place.name}{suffix}")
    numbered = (name.with_stem(f"{name.stem}_{number}") for number in count(2))
    return next(name for name in chain([name], numbered) if as_one(name.as_posix()) not in taken)


def distinct(stems: Sequence[str], suffix: str = "") -> list[str]:
    """Names for stems that may be equal: what some file system takes for one is numbered until it is free.

    Args:
        stems: in order; the first of several keeps its own, as do all that are alone.
        suffix: put behind each.
    """
    taken = set(map(as_one, stems))  # a number must not make a name that another one has
    names, seen = [], set[str]()
    for stem in stems:
        name = stem
        if as_one(stem) in seen:
            name = next(other for number in count(2) if as_one(other := f"{stem}_{number}") not in taken)
        taken.add(as_one(name))
        seen.add(as_one(stem))
        names.append(f"{name}{suffix}")
    return names
