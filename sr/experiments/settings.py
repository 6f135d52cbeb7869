"""What tells runs apart: settings by dotted key, choices by their names, and which runs differ in their seed alone."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sr.experiments.places import without_places
from sr.experiments.table import Row
from sr.printable import printable

SEED, TARGET = "seed", "_target_"
_LEFT_OUT = ("run_dir", "resume", "trust", "report", "started_from", "logger", "local")
"""Where a run lies and how it is watched makes no other run."""
_PLACES = ("cache", "workers")
"""Likewise, at any depth."""
_SIZE = "size"
"""Of it the name alone is told: its numbers are told where they are used."""
_TRIAL = "pruning"
_LONGEST = 80

Flat = dict[str, str]
"""Values as text by dotted key."""


def flat(config: Mapping[str, Any]) -> Flat:
    """A configuration by dotted key, ``optimizer.lr: 0.001``, without what makes no other run.

    Args:
        config: plain values.
    """
    kept = {key: value for key, value in config.items() if key not in _LEFT_OUT}
    callbacks = kept.get("callbacks")
    if isinstance(callbacks, Mapping):  # which trial of its search a run is makes no other run
        kept["callbacks"] = {name: node for name, node in callbacks.items() if name != _TRIAL}
    size = kept.get(_SIZE)
    if isinstance(size, Mapping):
        kept[_SIZE] = size.get("name")
    return dict(_leaves(without_places(kept, _PLACES), ""))


def differing(rows: Sequence[Row]) -> list[Flat]:
    """What each row has that others have not, in the order of the configurations; the seed is among it.

    Where the rows have different choices of a group (``model=espcn`` and ``model=rdn``), the choice is told; rows whose
    choices are not known have the class, ``model._target_``. Of what lies below a choice or a class only that is told
    in which rows of the same one differ. What repeats another key (``model.scale`` is ``scale``) is left out.

    Args:
        rows: to tell apart.
    """
    flats = [flat(row.run.config) for row in rows]
    chosen = [_choices(row, one) for row, one in zip(rows, flats, strict=True)]
    swept = {group for one in chosen for group in one if len({other.get(group) for other in chosen} - {None}) > 1}
    repeated = _repeated(flats)
    told: list[Flat] = [{} for _ in rows]
    known = [number for number, one in enumerate(flats) if one]  # what is not known of a failed run is no difference
    for key in _keys(flats, swept):
        for one, choices in zip(told, chosen, strict=True):
            one |= {key: choices[key]} if key in swept and key in choices else {}
        if key in repeated:
            continue
        above = [_above(key, one, choices, swept) for one, choices in zip(flats, chosen, strict=True)]
        values: dict[Above, set[str | None]] = {}
        for number in known:
            values.setdefault(above[number], set()).add(flats[number].get(key))
        for number, (one, own) in enumerate(zip(flats, above, strict=True)):
            if key in one and len(values[own]) > 1:
                told[number][key] = _short(one[key])
    return told


Above = tuple[str | None, ...]


def _above(key: str, one: Flat, choices: Flat, swept: Collection[str]) -> Above:
    """The choice and the classes that a key lies below: they decide which values it has by itself."""
    parts = key.split(".")
    classes = [".".join([*parts[:end], TARGET]) for end in range(1, len(parts))]
    choice = choices.get(parts[0]) if parts[0] in swept else None
    return (choice, *(one.get(name) for name in classes if name != key))


def seed_groups(rows: Sequence[Row]) -> list[list[int]]:
    """Numbers of the rows that are equal in everything but the seed, in their order.

    Args:
        rows: those without a configuration are each alone.
    """
    flats = [flat(row.run.config) for row in rows]
    repeated = _repeated(flats)
    groups: dict[object, list[int]] = {}
    for number, one in enumerate(flats):
        own = tuple((key, value) for key, value in one.items() if key != SEED and key not in repeated)
        groups.setdefault(frozenset(own) if own else number, []).append(number)
    return list(groups.values())


def named(settings: Mapping[str, str]) -> str:
    """Settings as one name, the seed left out: ``model=espcn, optimizer.lr=0.01``.

    Args:
        settings: of one row, see `differing`.
    """
    return ", ".join(f"{key}={value}" for key, value in settings.items() if key != SEED)


def _choices(row: Row, own: Flat) -> Flat:
    """The choices of groups that the configuration has; one that is a plain value there is told as such."""
    groups = {key.partition(".")[0] for key in (*own, *row.run.config)} - own.keys()
    return {
        group: printable(name)
        for group, name in row.command.choices.items()
        if group in groups and group not in (*_LEFT_OUT, _SIZE)
    }


def _keys(flats: Sequence[Flat], swept: Collection[str]) -> list[str]:
    """Groups whose choices differ, then all dotted keys, in the order of the configurations."""
    keys = dict.fromkeys(key for one in flats for key in one)
    order = {group: number for number, group in enumerate(dict.fromkeys(key.partition(".")[0] for key in keys))}
    groups = sorted(swept, key=lambda group: (order.get(group, len(order)), group))
    return [*groups, *(key for key in keys if key not in swept)]


def _repeated(flats: Sequence[Flat]) -> set[str]:
    """Keys whose end is a key itself, with the same value in every row: interpolations, resolved."""
    found = set()
    for key in {key for one in flats for key in one if "." in key}:
        having = [one for one in flats if key in one]
        parts = key.split(".")
        ends = (".".join(parts[start:]) for start in range(1, len(parts)))
        if any(all(one.get(end) == one[key] for one in having) for end in ends):
            found.add(key)
    return found


def _leaves(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping) and (node or not key):
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{printable(name)}" if key else printable(name))
    elif isinstance(node, list) and any(isinstance(child, Mapping | list) for child in node):
        for number, child in enumerate(node):
            yield from _leaves(child, f"{key}.{number}")
    elif not isinstance(node, Mapping):
        yield key, _text(node)


def _text(value: Any) -> str:
    """A value as it is typed, short enough for a cell."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return printable(value)


def _short(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[: half - 1]}…{text[-half:]}"
