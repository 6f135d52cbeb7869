"""Experiments: which one a run is, which ones ``init_from`` means, and what the file of one says."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sr.config.combinations import asked_for, register
from sr.config.composer import composed_from
from sr.config.folder import CONF, choice_file, config_groups, with_included
from sr.config.nearest import did_you_mean
from sr.config.parsed import choices_of, group_of, parsed_overrides
from sr.config.second_opponents import with_shared_parts
from sr.errors import UserError

EXPERIMENT = "experiment"
"""The group."""
_NUMBERED = re.compile(r"(?:.*/)?(\d+)")


def named_choices(overrides: Sequence[str], chosen: Mapping[str, Any]) -> dict[str, str]:
    """The choice of each group by its name, several joined by commas; groups without one are left out.

    Args:
        overrides: ``key=value`` of the run.
        chosen: the choice of each group as Hydra tells it, which leaves out where there are several.
    """
    groups = [str(group) for group in chosen if str(group).split("/")[0] not in ("hydra", "local")]
    named = {group: [chosen[group]] for group in groups}
    for override in parsed_overrides(overrides)[0]:
        if group_of(override) in named or override.key_or_group == EXPERIMENT:
            named[group_of(override)] = choices_of(override)
    found = {group: [str(n) for n in names if n not in (None, "None", "null")] for group, names in named.items()}
    return {group: ",".join(names) for group, names in found.items() if names}


def at_size(experiment: str, size: str) -> DictConfig:
    """What an experiment of conf/ says today, with interpolations; checked by the tests of conf/, not here.

    It is composed once for all sizes, as that takes long: the numbers of a size are all that it brings.

    Args:
        experiment: its whole name; there is one.
        size: full, mini or smoke.

    Raises:
        UserError: there is no such size.
    """
    sizes = config_groups(CONF)["size"]
    if size not in sizes:
        raise UserError(f"size={size}: there is no such size in conf/size{did_you_mean(size, sizes)}")
    config = _composed(experiment).copy()
    OmegaConf.update(config, "size", OmegaConf.load(choice_file([CONF], "size", size)), merge=False)
    return config


@cache
def _composed(experiment: str) -> DictConfig:
    groups = config_groups(CONF)
    for group, choice in asked_for(with_included([CONF], choice_file([CONF], EXPERIMENT, experiment))):
        register(group, [choice], groups.get(group, []))
    config = composed_from([CONF], [f"{EXPERIMENT}={experiment}"])
    OmegaConf.set_readonly(config, False)
    written: Any = OmegaConf.to_container(config, resolve=False)
    whole = with_shared_parts(written)
    config.adversary, config.loss = whole["adversary"], whole["loss"]  # as a run writes them out
    return config


def names_of(config: Any, experiments: Sequence[str]) -> list[str]:
    """Experiments whose runs a configuration starts from; those that do not exist are left out.

    Args:
        config: ``init_from`` as plain values.
        experiments: names of all experiments.
    """
    places = config.values() if isinstance(config, Mapping) else [config]
    return [name for place in places if isinstance(place, str) for name in matching(place, experiments)[:1]]


def files_named(config: Mapping[str, Any], experiments: Sequence[str]) -> dict[str, str]:
    """Settings of losses and degradations that take a network from an experiment's last run, with that experiment.

    Args:
        config: plain values; ``file`` is a place, ``files`` a list of them.
        experiments: names of all experiments.
    """
    found: dict[str, str] = {}

    def walk(node: Any, name: str) -> None:
        if isinstance(node, Mapping):
            for key, child in node.items():
                walk(child, f"{name}.{key}")
        elif isinstance(node, list):
            for index, child in enumerate(node):
                walk(child, f"{name}.{index}")
        elif isinstance(node, str) and re.search(r"\.file$|\.files\.\d+$", name) and _may_be(node, experiments):
            found[name] = node

    for group in ("loss", "degradation"):
        walk(config.get(group), group)
    return found


def _may_be(place: str, experiments: Sequence[str]) -> bool:
    """Whether a text is an experiment's name, or one mistyped: what exists, or ends as files do, is a place."""
    folder = place.rpartition("/")[0]
    mistyped = any(name.startswith(f"{folder}/") for name in experiments if folder) and not Path(place).suffix
    return place in experiments or (mistyped and not Path(place).exists())


def parents_of(config: Mapping[str, Any], experiments: Sequence[str]) -> list[str]:
    """Experiments whose runs a configuration needs: those that it starts from, and those of `files_named`.

    Args:
        config: plain values, resolved.
        experiments: names of all experiments.
    """
    started = [*names_of(config["init_from"], experiments), *names_of(config.get("grow_from"), experiments)]
    return [*started, *(name for name in files_named(config, experiments).values() if name in experiments)]


def matching(reference: str, experiments: Sequence[str]) -> list[str]:
    """Experiments that a reference may mean: the one of that name, else those whose name goes on after it.

    Args:
        reference: such as ``log/20`` or ``log/20_scale_hr``; ``log/07`` is not ``log/07_5_test_gan``.
        experiments: names of all experiments.
    """
    if reference in experiments:
        return [reference]
    return [name for name in experiments if re.fullmatch(rf"{re.escape(reference)}_(?!\d+_).+", name)]


def numbered(reference: str, experiments: Sequence[str]) -> list[str]:
    """As `matching`, and in every folder where the reference names none: ``31`` is ``log/31_alias``, ``log/9`` #09."""
    folder, _, number = reference.rpartition("/")
    folders = [folder] if "/" in reference else sorted({name.rpartition("/")[0] for name in experiments})
    padded = number.zfill(2) if number.isdecimal() else number
    places = [f"{folder}/{padded}".lstrip("/") for folder in folders]
    return [name for place in places for name in matching(place, experiments)]


def beside(reference: str, experiments: Sequence[str]) -> list[str]:
    """Experiments in the folder that the reference names, the nearest number first: of ``log/99`` the last.

    Args:
        reference: such as ``log/99`` or ``log/99*``.
        experiments: names of all experiments.
    """
    wanted, folder = _NUMBERED.match(reference), reference.rpartition("/")[0]
    if wanted is None:
        return []
    number = int(wanted[1])
    numbers = {name: int(found[1]) for name in sorted(experiments) if (found := _NUMBERED.match(name))}
    there = [name for name in numbers if name.rpartition("/")[0] == folder]
    return sorted(there, key=lambda name: abs(numbers[name] - number))
