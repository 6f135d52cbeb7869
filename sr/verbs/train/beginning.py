"""What a new run starts from: nothing, files, or runs that are found by their experiment's name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sr.config.experiments import files_named
from sr.config.folder import conf_folders, config_groups
from sr.config.parents import Child, files_of_experiments, from_experiments
from sr.config.starting import Start, start_of
from sr.training.keeping.run_folder import RunFolder

_CARRIED = ("data=", "data.", "--config-dir")
"""Beginnings of what a parent needs as its child does: where the user's own pictures and choices are."""

_FILES = "files"
"""Of ``started_from``: the networks of losses and degradations, each with the setting that names its experiment."""


def beginning(
    config: Any,
    folder: RunFolder,
    overrides: Sequence[str],
    own: Path | None,
    say: Callable[[str], None],
) -> Start:
    """Read ``init_from`` and ``grow_from`` of a new run; its configuration remembers the runs that it starts from.

    Args:
        config: checked.
        folder: the run's.
        overrides: ``key=value`` of this command line.
        own: the user's folder of choices beside conf/, or None.
        say: told which runs were taken.

    Raises:
        UserError: there is no such experiment, or it has no finished run of this size.
    """
    experiments = config_groups(*conf_folders(own))["experiment"]
    typed = [*([] if own is None else ["--config-dir", str(own)]), *overrides]
    carried = [word for i, word in enumerate(typed) if word.startswith(_CARRIED) or typed[i - 1] == "--config-dir"]
    data: Any = OmegaConf.to_container(config.data, resolve=True)
    child = Child(str(config.size["name"]), int(config.seed), folder.path, experiments, carried, data)
    start, runs = from_experiments(start_of(config.init_from, config.grow_from), child, say)
    plain: Any = OmegaConf.to_container(config, resolve=False)
    told = files_of_experiments(files_named(plain, experiments), child, say)
    files = [{"setting": setting, **one} for setting, one in told.items()]  # no name of ours has a dot
    config.started_from = {**runs, _FILES: files} if files else runs
    return start


def with_files(config: Any) -> Any:
    """A copy of a configuration in which files stand where it names experiments, as a run began with them.

    Args:
        config: of the run, which remembers them.
    """
    whole = OmegaConf.create(OmegaConf.to_container(config, resolve=False))
    plain: Any = OmegaConf.to_container(config, resolve=False)
    told = plain["started_from"].get(_FILES)
    entries = [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
    files = {str(one.get("experiment")): str(one.get("file")) for one in entries}
    for setting, experiment in files_named(plain, list(files)).items():  # a stranger's entries reach no other setting
        OmegaConf.update(whole, setting, files[experiment])
    return whole


def remember(config: Any, grown: Mapping[str, Any]) -> None:
    """Keep beside the runs that a run starts from what grew out of them.

    Args:
        config: the run's, changed in place.
        grown: from `sr.config.growing.grow_from`.
    """
    for name, told in grown.items():
        config.started_from[name] = {**config.started_from.get(name, {}), **told}
