"""What Hydra refuses to compose, in a sentence with the nearest valid name."""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sr.config.composer import composed_from
from sr.config.folder import config_groups
from sr.config.nearest import did_you_mean
from sr.config.schema import setting_names


def folder_names(folders: Sequence[Path]) -> list[str]:
    """What the folders are called in messages."""
    return ["conf", *(str(folder) for folder in folders[1:])]


def composed_or_fault(folders: Sequence[Path], overrides: list[str]) -> DictConfig | str:
    """The configuration, or what is wrong with it."""
    try:
        return composed_from(folders, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        return _sentence(folders, error)


def _sentence(folders: Sequence[Path], error: BaseException) -> str:
    """The innermost reason on one line, with the nearest valid name where one is missing."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    groups = config_groups(*folders)
    key = re.search(r"Key '([^']+)' not in '(\w+Config)'", text)
    if "Cannot convert" in text and "full_key: experiment " in text:
        file = text.split(":")[0]
        return f"{file}: an experiment file begins with the line `# @package _global_`"
    if key:
        prefix = {"TrainerConfig": "trainer.", "GuardConfig": "trainer.guard."}.get(key[2], "")
        return f"{prefix}{key[1]} is not a setting{did_you_mean(prefix + key[1], setting_names())}"
    choice = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if choice and choice[1] in groups:
        near = did_you_mean(choice[2], groups[choice[1]])
        return f"there is no {choice[1]}/{choice[2]}.yaml in {' or '.join(folder_names(folders))}{near}"
    group = re.search(r"Could not override '([^']+)'", text)
    if group and "@" in group[1]:
        place = group[1].split("@")[1]
        if place == "adversary.d.network":
            return f"{group[1]}=…: the discriminator of adversary.d is chosen by discriminator=…"
        return (
            f"{group[1]}=…: these choices have no {place} to be chosen by name; choose adversary=… too (its optimiser "
            "is optimizer@adversary.d.optimizer, its schedule schedule@adversary.d.schedule)"
        )
    if group:
        return f"an experiment cannot override {group[1]!r}: there is no such group{did_you_mean(group[1], groups)}"
    if "Cannot assign str to Dict" in text:
        return f"{text.split(' full_key')[0]}; a choice is made in the list `defaults`, as in `- override /model: rdn`"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {str(error).splitlines()[0]}"
    return text
