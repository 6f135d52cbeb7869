"""Hydra composes: the choices of conf/, of a user's folder beside it, and the values of a command line."""

import os
import pickle
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict, read_write

from sr.config.folder import choice_files
from sr.config.schema import register_schema
from sr.pasted import setting

_State = tuple[tuple[str, int, int, int, int], ...]
_ENVIRONMENT = re.compile(r"\$\{oc\.env:([^,}\s]+)")


def composed_from(folders: Sequence[Path], overrides: Sequence[str]) -> DictConfig:
    """The configuration, not checked.

    Hydra takes 0.15 s for one, and a command asks for the same ones several times: for the kinds of their values, for
    references that are lost, for what it does. They are kept as long as neither a file of the folders changes nor a
    variable of the environment that one of them names.

    Args:
        folders: the conf folder, and perhaps one of the user's, whose names are others (`sr.config.own`).
        overrides: ``key=value`` as for train.py.

    Raises:
        HydraException, OmegaConfBaseException: it cannot be composed.
    """
    return composed_with_choices(folders, overrides)[0]


def composed_with_choices(folders: Sequence[Path], overrides: Sequence[str]) -> tuple[DictConfig, dict[str, Any]]:
    """As `composed_from`, and the choice of each group as Hydra tells it."""
    state = _state(folders)
    environment = tuple((name, os.environ.get(name)) for name in _variables(state))
    kept = _composed(tuple(folders), tuple(overrides), state, environment)
    found: tuple[DictConfig, dict[str, Any]] = pickle.loads(kept)
    return found


def hydra_names(folders: Sequence[Path], overrides: Sequence[str]) -> set[str]:
    """Dotted names of Hydra's own settings.

    Args:
        folders: see `composed_from`.
        overrides: choices of its groups.

    Raises:
        HydraException, OmegaConfBaseException: they cannot be composed.
    """
    return set(_names("hydra", _with_hydra(folders, overrides).hydra))


def _names(prefix: str, config: DictConfig) -> Iterator[str]:
    yield prefix
    for key in map(str, config):
        child = config._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            yield from _names(f"{prefix}.{key}", child)
        else:
            yield f"{prefix}.{key}"


@lru_cache(maxsize=512)  # of 50 KiB each
def _composed(
    folders: tuple[Path, ...],
    overrides: tuple[str, ...],
    state: _State,
    environment: tuple[tuple[str, str | None], ...],
) -> bytes:
    """Pickled, which makes a copy five times faster and takes an eighth of the memory."""
    config = _with_hydra(folders, overrides)
    choices = {str(group): choice for group, choice in config.hydra.runtime.choices.items()}
    with read_write(config), open_dict(config):
        del config["hydra"]
    return pickle.dumps((config, choices))


def _with_hydra(folders: Sequence[Path], overrides: Sequence[str]) -> DictConfig:
    register_schema()
    places = [setting("", f"file://{folder}").removeprefix("=") for folder in folders[1:]]
    beside = [f"hydra.searchpath=[{','.join(places)}]"] if places else []
    with initialize_config_dir(str(folders[0]), version_base="1.3"):
        return compose("train", overrides=[*overrides, *beside], return_hydra_config=True)


def _state(folders: Sequence[Path]) -> _State:
    """Names, times, sizes and identities of all files that may count: a copy may keep the time of writing."""
    files = [path for f in folders for path in (*f.glob("*.yaml"), *(f / name for name in choice_files(f)))]
    found = [(path, path.stat()) for path in sorted(files) if path.exists()]
    return tuple((str(path), s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for path, s in found)


@lru_cache(maxsize=8)
def _variables(state: _State) -> tuple[str, ...]:
    """Of the environment, that a file names: a list of defaults may, and is read when Hydra composes."""
    texts = [Path(name).read_text(encoding="utf-8", errors="replace") for name, *_ in state]
    return tuple(sorted({name for text in texts for name in _ENVIRONMENT.findall(text)}))
