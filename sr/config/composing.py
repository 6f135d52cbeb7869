"""Configurations for other verbs than `train.py`: composed from the same overrides, or a run's own with changes."""

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.checks import checked
from sr.config.folder import CONF
from sr.config.overrides import joint_start, override_faults
from sr.config.schema import register_schema
from sr.errors import UserError


def composed(overrides: Sequence[str]) -> Any:
    """The checked configuration that `python train.py OVERRIDES` would train.

    Raises:
        UserError: one line per fault in the overrides.
    """
    overrides = joint_start(overrides)
    faults = override_faults(CONF, overrides)
    if faults:
        raise UserError("\n".join(faults))
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return checked(compose("train", overrides=list(overrides)))


def changed(stored: Any, overrides: Sequence[str]) -> Any:
    """A run's stored configuration with single values changed, checked.

    Args:
        stored: plain values.
        overrides: ``key=value`` for settings of that run.

    Raises:
        UserError: a line per fault.
    """
    register_schema()
    config = OmegaConf.create(stored)
    for override in overrides:
        try:
            parsed = OverridesParser.create().parse_override(override)
            key = str(parsed.key_or_group)
            if isinstance(config.get(key.split(".")[0]), DictConfig) and "." not in key:
                raise UserError(
                    f"{override}: a replay keeps the run's choices; change single values, as in trainer.clip=1.0"
                )
            OmegaConf.update(config, key, parsed.value(), merge=False, force_add=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(f"{override!r} is not an override; write name=value ({_first_line(error)})") from error
    return checked(config)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
