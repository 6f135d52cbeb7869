"""Compose the training configuration outside `train.py`, for verbs that take the same overrides."""

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir

from sr.config.checks import checked
from sr.config.overrides import override_faults
from sr.config.schema import register_schema
from sr.errors import UserError
from sr.verbs.train.session import CONF


def composed(overrides: Sequence[str]) -> Any:
    """The checked configuration that `python train.py OVERRIDES` would train.

    Raises:
        UserError: one line per fault in the overrides.
    """
    faults = override_faults(CONF, overrides)
    if faults:
        raise UserError("\n".join(faults))
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return checked(compose("train", overrides=list(overrides)))
