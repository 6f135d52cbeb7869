"""Check command-line overrides before Hydra composes: all faults at once, each with the nearest valid name."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from sr.config.choice_faults import choice_faults, clash_faults, twice_faults
from sr.config.combinations import COMBINED, asked_for, register
from sr.config.compose_faults import composed_or_fault, folder_names
from sr.config.folder import (
    choice_file,
    choice_files,
    config_groups,
    defaults_faults,
    dotted_names,
    owner,
    with_included,
)
from sr.config.hydra_faults import hydra_faults
from sr.config.kinds import kind_faults, lost_references, mapping_faults, size_faults
from sr.config.nearest import did_you_mean
from sr.config.own import open_places, with_own_targets
from sr.config.parsed import (
    choices_of,
    empty_paths,
    first_of,
    group_of,
    is_hydra,
    parsed_overrides,
    quoted_paths,
    values_of,
    with_sets_alone,
    with_whole_terms,
)
from sr.config.resumable import folder_fault
from sr.config.sizes import unread_size
from sr.config.stored import read_config
from sr.errors import UserError

OPEN_KEYS = (
    "model.arguments.",
    "loss.terms.",
    "adversary.",
    "degradation.stages.",
    "augmentation.steps.",
    "callbacks.",
    "logger.",
    "init_from.",
)
"""Dictionaries whose entries the user names."""

_OF_HYDRA = re.compile(r"^\s*['\"]?hydra['\"]?\s*:|\$\{hydra:|/?hydra/", re.MULTILINE)
"""A setting of Hydra's own in a file, a value of one, or a choice of its groups."""


def as_hydra_takes(folders: Sequence[Path], typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """What was typed as ``key=value``, checked and completed for Hydra; the same for every verb.

    Args:
        folders: the conf folder, and perhaps one of the user's (`sr.config.own`).
        typed: on the command line, without flags.

    Returns:
        The overrides, and lines for the user: what is left out of a choice, or changes nothing.

    Raises:
        UserError: a line per fault.
    """
    arguments = with_run_settings(folders, joint_start(with_sets_alone(with_whole_terms(quoted_paths(typed)))))
    overrides, left_out = with_targets(folders, arguments)
    faults = override_faults(folders, overrides)
    if faults:
        raise UserError(*faults)
    unread = unread_size(folders, overrides)
    return overrides, left_out if unread is None else [*left_out, unread]


def override_faults(folders: Sequence[Path], arguments: Sequence[str]) -> list[str]:
    """What is wrong with ``key=value`` arguments; empty where all is well.

    Args:
        folders: the conf folder, and perhaps one of the user's (`sr.config.own`).
        arguments: of the command line, without those that start with ``-``.
    """
    parsed, faults = parsed_overrides(arguments)
    files = config_groups(*folders)
    chosen = [o for o in parsed if group_of(o) in files]
    used = _used_files(folders, chosen)
    groups = _with_joint_names(files, chosen, used)
    faults += [fault for override in chosen for fault in choice_faults(override, groups, folder_names(folders))]
    faults += twice_faults([o for o in chosen if o.package is None])
    for override in chosen:
        group = group_of(override)
        faults += [f for value in values_of(override) for f in clash_faults(folders, group, value, files[group])]
    faults += defaults_faults(used)
    if faults:
        return faults
    config = composed_or_fault(folders, [first_of(o) for o in chosen])
    if isinstance(config, str):
        return [config]
    keys, own = set(_keys(config)), run_keys(parsed)
    values = [o for o in parsed if group_of(o) not in groups and not is_hydra(o)]
    opened = (*OPEN_KEYS, *open_places(folders, arguments))
    faults = [fault for override in values for fault in _key_faults(override, keys, own, folders, opened)]
    faults += [fault for override in values for fault in kind_faults(override, config)]
    faults += [fault for override in values for fault in size_faults(override, config, files["size"])]
    faults += _start_faults(parsed)
    faults += empty_paths(parsed)
    faults += hydra_faults(folders, parsed)
    if faults:
        return list(_resume_faults(parsed)) or faults
    whole = composed_or_fault(folders, [first_of(o) for o in parsed if not is_hydra(o)])
    if not isinstance(whole, str):
        return [fault for override in values for fault in lost_references(override, whole)]
    return [fault for override in values for fault in mapping_faults(override, config, opened)] or [whole]


def with_run_settings(folders: Sequence[Path], arguments: Sequence[str]) -> list[str]:
    """The arguments, where those that name what only the run of ``resume=DIR`` has are written ``++key=value``.

    So a single value of its adversary or its losses changes without all its choices on the command line.

    Args:
        folders: see `override_faults`.
        arguments: as for `override_faults`; those with faults stay as they are.
    """
    parsed, faults = parsed_overrides(arguments)
    own = run_keys(parsed)
    if faults or not own:
        return list(arguments)
    chosen, config = _of_choices(folders, parsed)
    if isinstance(config, str):
        return list(arguments)
    anew = tuple(f"{o.package or o.key_or_group}." for o in chosen)  # what is chosen here is no longer the run's
    wanted = {key for key in own - set(_keys(config)) if not key.startswith(anew)}
    plain = [not (o.is_add() or o.is_force_add() or o.is_delete()) for o in parsed]
    return [
        f"++{argument}" if bare and str(override.key_or_group) in wanted else argument
        for argument, override, bare in zip(arguments, parsed, plain, strict=True)
    ]


def with_targets(folders: Sequence[Path], arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments as `sr.config.own.with_own_targets` completes them, and what there is to say about it.

    Args:
        folders: see `override_faults`.
        arguments: as for `override_faults`; those with faults stay as they are.
    """
    parsed, faults = parsed_overrides(arguments)
    if faults or not any("_target_" in argument for argument in arguments):
        return list(arguments), []
    return with_own_targets(_of_choices(folders, parsed)[1], arguments)


def asks_hydra(folders: Sequence[Path], arguments: Sequence[str]) -> bool:
    """Whether something is asked of Hydra itself, by an override or in a file: one of its settings, or a value of them.

    Args:
        folders: see `override_faults`.
        arguments: overrides without faults.
    """
    parsed, _ = parsed_overrides(arguments)
    if any(is_hydra(override) for override in parsed) or any("${hydra:" in argument for argument in arguments):
        return True
    files = config_groups(*folders)
    used = _used_files(folders, [o for o in parsed if group_of(o) in files])
    own = [folder / name for folder in folders[1:] for name in choice_files(folder)]
    ours = folders[0] / "train.yaml"  # what stands there is the same in every run
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in {*used, *own} - {ours})
    return any(map(_OF_HYDRA.search, texts))


def first_run(folders: Sequence[Path], arguments: Sequence[str]) -> DictConfig:
    """The configuration of the first run of a sweep.

    Args:
        folders: see `override_faults`.
        arguments: overrides without faults.

    Raises:
        UserError: it cannot be composed.
    """
    parsed, _ = parsed_overrides(arguments)
    config = composed_or_fault(folders, [first_of(o) for o in parsed if not is_hydra(o)])
    if isinstance(config, str):
        raise UserError(config)
    return config


def run_keys(parsed: Sequence[Override]) -> set[str]:
    """Dotted names in the configuration of the run that ``resume=DIR`` goes on with; empty where there is none."""
    return {key for place in _resumed(parsed) for key in _names_of_run(Path(place) / "config.yaml")}


def _names_of_run(config: Path) -> list[str]:
    try:
        return list(dotted_names(read_config(config)))
    except UserError:
        return []  # told when it is resumed


def _resumed(parsed: Sequence[Override]) -> list[str]:
    """Places that ``resume=`` names."""
    named = [o.value() for o in parsed if str(o.key_or_group) == "resume" and not o.is_sweep_override()]
    return [str(place) for place in named if place not in (None, "", "auto")]


def _resume_faults(parsed: Sequence[Override]) -> Iterator[str]:
    """Where there is no such run, settings that only a run has are no settings: the first thing to say."""
    for place in _resumed(parsed):
        fault = folder_fault(place)
        if fault is not None:
            yield fault


def _start_faults(parsed: Sequence[Override]) -> Iterator[str]:
    """A run that goes on has its own weights."""
    starts = [o for o in parsed if str(o.key_or_group).split(".")[0] in ("init_from", "grow_from")]
    given = [o for o in starts if not o.is_delete() and o.value() not in (None, "")]
    places = _resumed(parsed)
    if given and places:
        yield (
            f"resume={places[0]} goes on with that run's own weights, and {given[0].input_line} starts a new run from "
            "others; leave one of the two out"
        )


def joint_start(arguments: Sequence[str]) -> list[str]:
    """The arguments, with ``init_from=RUN`` written ``init_from.g=RUN`` where ``init_from.NAME=`` stands beside it.

    Hydra would let the later of them replace the other.

    Args:
        arguments: overrides of the command line.
    """
    if not any(argument.lstrip("+").startswith("init_from.") for argument in arguments):
        return list(arguments)
    short = "init_from="
    return [f"init_from.g={a.removeprefix(short)}" if a.startswith(short) else a for a in arguments]


def _of_choices(folders: Sequence[Path], parsed: Sequence[Override]) -> tuple[list[Override], DictConfig | str]:
    """What is chosen, and the configuration of that alone or what is wrong with it."""
    files = config_groups(*folders)
    chosen = [o for o in parsed if group_of(o) in files]
    _with_joint_names(files, chosen, _used_files(folders, chosen))
    return chosen, composed_or_fault(folders, [first_of(o) for o in chosen])


def _used_files(folders: Sequence[Path], chosen: Sequence[Override]) -> list[Path]:
    """Configuration files whose lists of defaults count for this command line."""
    named = [choice_file(folders, group_of(o), choice) for o in chosen for choice in choices_of(o)]
    paths = [folders[0] / "train.yaml", choice_file(folders, "local", "default"), *named]
    return list(dict.fromkeys(file for path in paths for file in with_included(folders, path)))


def _with_joint_names(
    files: dict[str, list[str]], chosen: Sequence[Override], used: Sequence[Path]
) -> dict[str, list[str]]:
    """Choices of each group, and names put together from them that somebody asks for, made known to Hydra."""
    groups = dict(files)
    named = [(group_of(o), choice) for o in chosen for choice in choices_of(o)]
    for group, choice in [*named, *asked_for(used)]:
        groups[group] = [*groups.get(group, []), *register(group, [choice], groups.get(group, []))]
    return groups


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Dotted names of all values and branches."""
    for key in config:
        name = prefix + str(key)
        yield name
        child = config._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            yield from _keys(child, f"{name}.")


def _key_faults(
    override: Override, keys: Collection[str], own: Collection[str], folders: Sequence[Path], opened: tuple[str, ...]
) -> Iterator[str]:
    """A line where a single value has no place.

    Args:
        override: parsed.
        keys: dotted names that these choices have.
        own: those of the run that goes on.
        folders: the conf folder, and perhaps one of the user's.
        opened: beginnings of names below which there may be new ones.
    """
    key = str(override.key_or_group)
    open_ended, added = key.startswith(opened), override.is_add() or override.is_force_add()
    if key in keys or (added and (open_ended or key in own)):
        return
    whose = owner(folders, key) if key.split(".")[0] in COMBINED or not open_ended else None
    if whose is not None:
        yield f"{key} is not a setting of these choices; it is a setting of {whose}"
        return
    # A size's numbers have the names of parts of experiments, which nobody means who does not begin with size.
    hint = did_you_mean(key, {name for name in (*keys, *own) if not name.startswith("size.") or key.startswith("si")})
    likely = "did you mean" in hint and key.startswith(("loss.", "adversary."))
    add = f"; +{key}=… adds it" if open_ended and not likely else ""
    yield f"{key} is not a setting{hint}{add}"
