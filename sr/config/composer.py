"""Hydra composes: the choices of conf/, of a user's folder beside it, and the values of a command line."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sr.config.schema import register_schema
from sr.pasted import setting


def composed_from(folders: Sequence[Path], overrides: Sequence[str]) -> DictConfig:
    """The configuration, not checked.

    Args:
        folders: the conf folder, and perhaps one of the user's, whose names are others (`sr.config.own`).
        overrides: ``key=value`` as for train.py.

    Raises:
        HydraException, OmegaConfBaseException: it cannot be composed.
    """
    register_schema()
    places = [setting("", f"file://{folder}").removeprefix("=") for folder in folders[1:]]
    beside = [f"hydra.searchpath=[{','.join(places)}]"] if places else []
    with initialize_config_dir(str(folders[0]), version_base="1.3"):
        return compose("train", overrides=[*overrides, *beside])
