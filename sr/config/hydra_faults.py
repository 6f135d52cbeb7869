"""What is wrong with settings of Hydra's own on a command line, in a sentence each."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from sr.config.compose_faults import composed_or_fault
from sr.config.composer import hydra_names
from sr.config.nearest import did_you_mean
from sr.config.parsed import first_of, is_hydra

_ROOT, _MODE, _CHDIR = "hydra", "hydra.mode", "hydra.job.chdir"
_MISSING = re.compile(r"Could not find '(.+)/([^/']+)' Available options in '[^']+': (.*?) Config search path")
"""What Hydra says of a choice that there is not, on one line."""


def hydra_faults(folders: Sequence[Path], parsed: Sequence[Override]) -> Iterator[str]:
    """A line for each setting that Hydra does not have, or that means nothing here.

    Args:
        folders: the conf folder, and perhaps one of the user's.
        parsed: overrides; those that are not of Hydra have no faults.
    """
    own = [override for override in parsed if is_hydra(override)]
    if not own:
        return
    faults = [fault for override in own if (fault := _fault(override, folders, own)) is not None]
    yield from faults
    composed = None if faults else composed_or_fault(folders, [first_of(o) for o in parsed])
    if isinstance(composed, str):
        lines = " ".join(str(override.input_line) for override in own)
        missing = _MISSING.search(composed)
        near = missing and f"there is no {missing[1]}/{missing[2]}{did_you_mean(missing[2], missing[3].split())}"
        yield f"{lines}: {near or composed}"


def _fault(override: Override, folders: Sequence[Path], own: Sequence[Override]) -> str | None:
    key = str(override.key_or_group)
    if key == _ROOT:
        return f"{override.input_line} replaces all settings of Hydra; name one of them, such as hydra.verbose=true"
    if key == _MODE:
        return f"{override.input_line}: one run is made unless -m asks for one per combination; leave it out"
    if key == _CHDIR and override.value() is True:
        return f"{override.input_line} would look for this command's files in another folder; run_dir=… names the run's"
    if "/" in key or "@" in key or override.is_add() or override.is_force_add():
        return None
    groups = [first_of(o) for o in own if "/" in str(o.key_or_group)]  # launchers and sweepers have own settings
    names = hydra_names(folders, groups)
    if key not in names:
        return f"{key} is not a setting of Hydra{did_you_mean(key, names)}"
    needed = key.endswith(".dir") or any(name.startswith(f"{key}.") for name in names)
    if needed and (override.is_delete() or override.value() is None):
        return f"{override.input_line} takes away what Hydra works with; leave it out"
    return None
