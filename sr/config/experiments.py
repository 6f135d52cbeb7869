"""Names of experiments: which one a run is, and which ones ``init_from`` means."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sr.config.parsed import choices_of, parsed_overrides

EXPERIMENT = "experiment"
"""The group."""


def experiment_of(overrides: Sequence[str], chosen: Mapping[str, Any]) -> str | None:
    """Name of the experiment that a run is, several joined by commas; None without.

    Args:
        overrides: ``key=value`` of the run.
        chosen: the choice of each group as Hydra tells it, which leaves out where there are several.
    """
    typed = [override for override in parsed_overrides(overrides)[0] if override.key_or_group == EXPERIMENT]
    names = choices_of(typed[-1]) if typed else [chosen.get(EXPERIMENT)]
    return ",".join(str(name) for name in names if name not in (None, "None", "null")) or None


def names_of(config: Any, experiments: Sequence[str]) -> list[str]:
    """Experiments whose runs a configuration starts from; those that do not exist are left out.

    Args:
        config: ``init_from`` as plain values.
        experiments: names of all experiments.
    """
    places = config.values() if isinstance(config, Mapping) else [config]
    return [name for place in places if isinstance(place, str) for name in matching(place, experiments)[:1]]


def matching(reference: str, experiments: Sequence[str]) -> list[str]:
    """Experiments that a reference may mean: the one of that name, else those whose name goes on after it.

    Args:
        reference: such as ``log/20`` or ``log/20_scale_hr``; ``log/07`` is not ``log/07_5_test_gan``.
        experiments: names of all experiments.
    """
    if reference in experiments:
        return [reference]
    return [name for name in experiments if re.fullmatch(rf"{re.escape(reference)}_(?!\d+_).+", name)]
