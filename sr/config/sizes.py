"""What ``size=`` is for: numbers that experiments read, in place of their own."""

import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from sr.config.compose_faults import composed_or_fault
from sr.config.parsed import choices_of, first_of, is_hydra, parsed_overrides

_READ = re.compile(r"\$\{\.*size[.}]")


def unread_size(folders: Sequence[Path], arguments: Sequence[str]) -> str | None:
    """What to say of a size that nothing on a command line reads; None where there is none.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        arguments: overrides without faults.
    """
    parsed = [override for override in parsed_overrides(arguments)[0] if not is_hydra(override)]
    chosen = [override for override in parsed if override.key_or_group == "size" and choices_of(override) != ["full"]]
    if not chosen or any(override.key_or_group == "resume" for override in parsed):
        return None
    config = composed_or_fault(folders, [first_of(override) for override in parsed])
    if isinstance(config, str):
        return None
    rest = [OmegaConf.to_yaml(config[key]) for key in config if key != "size" and OmegaConf.is_config(config[key])]
    if any(_READ.search(text) for text in rest):
        return None
    return (
        f"{chosen[0].input_line} changes nothing here: the numbers of a size are read by experiments (experiment=…); "
        "without one, trainer.max_updates=… and data.crop=… make a run small"
    )
