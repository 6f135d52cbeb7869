"""What is wrong with choices (``group=choice``): they do not exist, are named twice, or exclude each other."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Glob, Override

from sr.config.combinations import COMBINED, joint_names_near, parts, repeated
from sr.config.experiments import EXPERIMENT, beside, numbered
from sr.config.folder import names_with_parts
from sr.config.nearest import did_you_mean, nearest, neighbours
from sr.config.parsed import group_of, values_of

OPTIONAL = ("experiment", "local")
"""Groups that may be null."""
ADDED_UP = (*COMBINED, "callbacks", "experiment")
"""Groups that take several choices."""


def choice_faults(override: Override, groups: Mapping[str, list[str]], places: Sequence[str]) -> Iterator[str]:
    """A line for each fault of an override that makes a choice.

    Args:
        override: parsed.
        groups: choices that exist, joint names included.
        places: names of the folders that they are in.
    """
    group = str(override.key_or_group)
    if "." in group or override.is_delete():
        return
    if override.is_add() and group != "experiment":
        yield f"+{group}=… : {group} already has a choice; write {group}=… without the plus sign"
        return
    if isinstance(override.value(), Glob):  # with -m there is none left
        yield f"{override.input_line} names several choices; give one, or add -m to train.py for a run with each"
        return
    if override.package is not None:
        if group == "discriminator" and "none" in values_of(override):
            name = override.package.removesuffix(".network").rpartition(".")[2]
            yield f"{override.input_line}: without a discriminator there is no adversary; leave {name} out of it"
        return  # whether it fits is for Hydra to say
    for choice in values_of(override):
        yield from _one_choice_faults(group, choice, groups[group_of(override)], places)


def _one_choice_faults(group: str, choice: Any, choices: list[str], places: Sequence[str]) -> Iterator[str]:
    where = " or ".join(f"{place}/{group}" for place in places)
    if choice in (None, "null"):
        if group not in OPTIONAL:
            way_out = "none" if "none" in choices else "…"
            yield f"{group}=null is no choice; write {group}={way_out}"
        return
    if isinstance(choice, Mapping):
        shown = ",".join(f"{key}:{value}" for key, value in choice.items())
        example = next(iter(choice), "NAME")
        yield f"{group}={{{shown}}} is no choice; choose by name, and set single values one by one: {group}.{example}=…"
        return
    several = [str(one) for one in choice] if isinstance(choice, list) else None
    if several is not None and group not in ADDED_UP:
        yield f"{group} takes one choice, not {', '.join(several) or '[]'}"
        return
    for name in several or [str(choice)]:
        again = repeated(name, choices)
        if again:
            yield f"{group}={name} names {again} twice; once is enough"
        elif name not in choices:
            yield f"{group}={name}: there is no such {group} in {where}{_meant(group, name, choices)}"
    twice = [name for name in several or [] if (several or []).count(name) > 1]
    if twice:
        yield f"{group}=[{','.join(several or [])}] names {twice[0]} twice; once is enough"


def _meant(group: str, name: str, choices: Sequence[str]) -> str:
    found: list[str] = []
    if group in COMBINED:
        joined = "_".join(re.split(r"[^\w]+", name.strip()))  # l1+vgg
        found = (
            [joined] if joined != name and parts(joined, choices) else nearest(name, joint_names_near(name, choices))
        )
    elif group == EXPERIMENT:
        found = numbered(name, choices)
        if not found and name.rpartition("/")[2].isdecimal():  # another number is nearer than another name with a 9
            found = beside(name, choices)[:1]
    near = neighbours(found) or did_you_mean(name, choices)
    return near or (neighbours(beside(name, choices)[:1]) if group == EXPERIMENT else "")


def twice_faults(chosen: Sequence[Override]) -> Iterator[str]:
    """A line for each group that is chosen more than once: Hydra would take the last without a word.

    Args:
        chosen: the overrides that make choices.
    """
    typed: dict[str, list[str]] = {}
    for override in chosen:
        typed.setdefault(str(override.key_or_group), []).append(str(override.input_line))
    for group, lines in typed.items():
        if len(lines) > 1 and "." not in group:
            both = ",".join(line.partition("=")[2].strip("[]") for line in lines)
            more = f", or write {group}=[{both}] for all" if group in ADDED_UP else ""
            yield f"{group} is chosen {len(lines)} times: {' '.join(lines)}; keep one{more}"


def clash_faults(folders: Sequence[Path], group: str, choice: Any, choices: Sequence[str]) -> Iterator[str]:
    """A line where two choices want to be the same: two objectives of one adversary, two replays.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        group: of the choice.
        choice: a name, a joint name, or a list of names.
        choices: that have a file.
    """
    names = choice if isinstance(choice, list) else parts(str(choice), choices) or []
    if group != "adversary" or len(names) < 2:
        return
    roles: dict[str, list[str]] = {}
    for name in dict.fromkeys(str(name) for name in names):
        for key in names_with_parts(folders, group, name):
            if key.endswith("._target_"):
                roles.setdefault(f"{group}.{key.removesuffix('._target_')}", []).append(name)
    for role, claimants in roles.items():
        if len(claimants) > 1:
            asked = ",".join(dict.fromkeys(map(str, names)))
            yield f"{group}={asked}: {' and '.join(claimants)} both set {role}; keep one of them"
            return
