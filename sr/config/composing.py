"""Configurations for other verbs than `train.py`: composed from the same overrides, or a run's own with changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.checks import checked
from sr.config.composer import composed_from
from sr.config.folder import conf_folders
from sr.config.overrides import as_hydra_takes
from sr.config.own import own_folder
from sr.config.schema import register_schema
from sr.config.stored import completed
from sr.config.sweeps import sweep_faults
from sr.errors import UserError
from sr.printable import first_line


def composed(overrides: Sequence[str], config_dir: Path | None = None) -> Any:
    """The checked configuration that `python train.py OVERRIDES` would train; prints what is left out of a choice.

    Args:
        overrides: as for train.py.
        config_dir: a folder of choices of the user's, beside conf/.

    Raises:
        UserError: one line per fault in the overrides.
    """
    own = own_folder(config_dir)
    folders = conf_folders(own)
    arguments, left_out = as_hydra_takes(folders, overrides)
    faults = [*sweep_faults(folders, arguments, "else give one")]
    if faults:
        raise UserError(*faults)
    for line in left_out:
        print(line, flush=True)
    return checked(composed_from(folders, arguments), own=own)


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain values, its interpolations resolved."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    return dict(values)


def configured(values: Mapping[str, Any]) -> Any:
    """The configuration of plain values, for what builds objects of it."""
    register_schema()
    return OmegaConf.create(dict(values))


def changed(stored: Any, overrides: Sequence[str]) -> Any:
    """A run's stored configuration with single values changed, checked.

    Args:
        stored: plain values, see `sr.config.stored.opened`.
        overrides: ``key=value`` for settings of that run.

    Raises:
        UserError: a line per fault.
    """
    register_schema()
    current: Any = OmegaConf.to_container(composed_from(conf_folders(None), []), resolve=False)
    config = OmegaConf.create(completed(stored, current))
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
            raise UserError(f"{override!r} is not an override; write name=value ({first_line(error)})") from error
    return checked(config)
