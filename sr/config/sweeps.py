"""Sweeps on the command line: what patterns name, parents before their children, and what Hydra must not see yet."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.choice_faults import ADDED_UP
from sr.config.combinations import COMBINED
from sr.config.compose_faults import composed_or_fault
from sr.config.composer import composed_from
from sr.config.experiments import EXPERIMENT, beside, parents_of
from sr.config.folder import config_groups
from sr.config.kinds import is_one_text, takes_one
from sr.config.nearest import did_you_mean, neighbours
from sr.config.parsed import first_of, group_of, is_hydra, parsed_overrides, values_of
from sr.errors import UserError
from sr.pasted import pasted, setting


def check_values(arguments: Sequence[str]) -> None:
    """Refuse sweeps over nothing: ``seed=range(5,1)``.

    Args:
        arguments: of the command line; those that are no overrides are told elsewhere.

    Raises:
        UserError: a line for each.
    """
    swept = [
        o for o in parsed_overrides(arguments)[0] if o.is_sweep_override() and not isinstance(o.value(), IntervalSweep)
    ]
    faults = [f"{override.input_line} has no value" for override in swept if not values_of(override)]
    if faults:
        raise UserError(*faults)


def listed(folders: Sequence[Path], arguments: Sequence[str]) -> list[str]:
    """The arguments, with each ``group=glob(PATTERN)`` written out as the choices that it matches.

    Hydra's own looks at names without folders only, and takes files that are parts of others (``_base``). Here
    ``*`` stands for slashes too: ``glob(log/*)`` has log/control/… in it.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        arguments: of the command line; those that are no overrides stay as they are.

    Raises:
        UserError: a pattern matches nothing.
    """
    groups = config_groups(*folders)
    return [_written_out(argument, groups) for argument in arguments]


def _written_out(argument: str, groups: Mapping[str, list[str]]) -> str:
    override = next(iter(parsed_overrides([argument])[0]), None)
    pattern: Any = None if override is None else override.value()
    if override is None or not isinstance(pattern, Glob) or group_of(override) not in groups:
        return argument
    group = group_of(override)
    choices = sorted(groups[group])
    found = [name for name in choices if _any(name, pattern.include) and not _any(name, pattern.exclude)]
    if not found:
        shapes = {f"{name.rpartition('/')[0]}/*" for name in choices if "/" in name}
        hint = neighbours(beside(pattern.include[0], choices)[:1] if group == EXPERIMENT else [])
        hint = hint or did_you_mean(pattern.include[0], {*choices, *shapes})
        raise UserError(f"{argument} matches no {group}{hint}")
    return f"{argument.partition('=')[0]}={','.join(found)}"


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def sweep_faults(
    folders: Sequence[Path], arguments: Sequence[str], sweep: str = "for a run with each add -m"
) -> Iterator[str]:
    """A line for each setting with several values on a command line that asks for one run.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        arguments: overrides without faults.
        sweep: what else there is to do.
    """
    parsed = parsed_overrides(arguments)[0]
    swept = [override for override in parsed if override.is_sweep_override()]
    if not swept:
        return
    groups = config_groups(*folders)
    config = composed_or_fault(folders, [first_of(o) for o in parsed if not is_hydra(o)])
    for override in swept:
        yield f"{override.input_line} names several values; {_one(override, groups, config)}, {sweep}"


def _one(override: Override, groups: Collection[str], config: DictConfig | str) -> str:
    """How all values are said at once, where they can be."""
    key, _, values = str(override.input_line).partition("=")
    group, names = group_of(override), values_of(override)
    if group in groups:
        if group in COMBINED and all(isinstance(name, str) and name != "none" for name in names):
            return f"for all in one run write {key}={'_'.join(names)}"
        return f"for all in one run write '{key}=[{values}]'" if group in ADDED_UP else f"{group} takes one"
    if is_one_text(config, group):
        return f"for one text write {pasted(setting(key, values))}"
    return f"{group} takes one" if takes_one(config, group) else f"for a list write '{key}=[{values}]'"


def parents_first(folders: Sequence[Path], arguments: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """The arguments of a sweep, with experiments in an order in which each comes after those that it starts from.

    Otherwise the order stays.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        arguments: overrides without faults.

    Returns:
        The arguments, and the level of each experiment: one more than the highest of those that it starts from.

    Raises:
        UserError: experiments start from each other in a circle.
    """
    parsed = parsed_overrides(arguments)[0]
    swept = next((o for o in parsed if o.key_or_group == EXPERIMENT and o.is_sweep_override()), None)
    if swept is None:
        return list(arguments), {}
    names = [value for value in values_of(swept) if isinstance(value, str)]
    if len(names) < len(values_of(swept)) or len(names) < 2:  # lists of experiments have no order of their own
        return list(arguments), {}
    parents = {name: [p for p in _parents(folders, name, swept, parsed) if p in names and p != name] for name in names}
    ordered, levels = _ordered(parents), dict[str, int]()
    for name in ordered:
        levels[name] = max((levels[parent] + 1 for parent in parents[name]), default=0)
    line = f"{EXPERIMENT}={','.join(ordered)}"
    return [line if argument == swept.input_line else argument for argument in arguments], levels


def _parents(folders: Sequence[Path], name: str, swept: Override, parsed: Sequence[Override]) -> Iterator[str]:
    """Experiments that this one starts from, at any of the sizes of the sweep."""
    experiments = config_groups(*folders)[EXPERIMENT]
    others = [first_of(o) for o in parsed if o is not swept and o.key_or_group != "size" and not is_hydra(o)]
    sizes = next(([f"size={value}" for value in values_of(o)] for o in parsed if o.key_or_group == "size"), [None])
    for size in sizes:
        overrides = [*others, f"{EXPERIMENT}={name}", *([] if size is None else [size])]
        try:
            whole = composed_from(folders, overrides)
            plain = {key: OmegaConf.to_container(whole[key], resolve=False) for key in ("loss", "degradation")}
            start = whole.init_from
            plain["grow_from"] = whole.grow_from
            plain["init_from"] = OmegaConf.to_container(start, resolve=True) if OmegaConf.is_config(start) else start
        except (HydraException, OmegaConfBaseException):
            continue  # told when it is its turn
        yield from parents_of(plain, experiments)


def _ordered(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """The names, each after its parents and otherwise in the order given."""
    sorter = TopologicalSorter(parents)
    try:
        sorter.prepare()
    except CycleError as error:
        raise UserError(f"experiments start from each other: {' <- '.join(error.args[1])}") from error
    ordered: list[str] = []
    place = {name: index for index, name in enumerate(parents)}
    waiting: list[str] = []
    while sorter.is_active():
        waiting = sorted([*waiting, *sorter.get_ready()], key=place.__getitem__)
        ordered.append(waiting.pop(0))
        sorter.done(ordered[-1])
    return ordered


def deferred(folders: Sequence[Path], arguments: Sequence[str]) -> list[str]:
    """The arguments of a sweep, where those that fit only together with a swept choice are kept from Hydra till then.

    Before the first run Hydra composes without what is swept, and refuses ``data.root=DIR`` where ``data=anime`` comes
    with a swept experiment. A value written ``choice(value)`` is swept too.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        arguments: overrides without faults.
    """
    parsed = parsed_overrides(arguments)[0]
    fixed = [o for o in parsed if not o.is_sweep_override() and not is_hydra(o)]
    try:
        composed_from(folders, [str(o.input_line) for o in fixed])
    except (HydraException, OmegaConfBaseException):
        wanted = {o.input_line for o in fixed if not o.is_delete()}
        return [_as_choice(argument) if argument in wanted else argument for argument in arguments]
    return list(arguments)


def _as_choice(argument: str) -> str:
    key, _, value = argument.partition("=")
    return f"{key}=choice({value})"
