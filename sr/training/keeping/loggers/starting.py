"""Start the loggers of a run that are services."""

import importlib.util
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from lightning.pytorch.loggers import Logger

from sr.errors import UserError
from sr.pasted import extra_command
from sr.training.keeping.loggers.contract import Announced
from sr.training.keeping.loggers.guarded import Guarded

Factory = Callable[..., Logger]


def check_packages(factories: Mapping[str, Factory]) -> None:
    """Before anything long begins: are the packages there that these loggers need?

    A class says so by ``needs``: the module, and the extra of this package that brings it.

    Args:
        factories: of loggers by name.

    Raises:
        UserError: a line per package that is missing.
    """
    faults = []
    for name, factory in factories.items():
        made = factory.func if isinstance(factory, partial) else factory
        module, extra = getattr(made, "needs", ("", ""))
        if module and importlib.util.find_spec(module) is None:
            faults.append(
                f"logger={name} needs the package {module}, which is not installed: {extra_command(extra, module)}"
            )
    if faults:
        raise UserError(*faults)


def started(
    factories: Mapping[str, Factory], run_dir: str, config: Mapping[str, Any], say: Callable[[str], None]
) -> list[Guarded]:
    """The loggers, each guarded; what they say of themselves is passed on.

    Args:
        factories: of loggers by name; each is called with ``run_dir`` and ``config``.
        run_dir: the run's folder.
        config: of the run, resolved.
        say: told where a run can be seen, and later what has failed.

    Raises:
        UserError: a service cannot start; those that had are closed.
    """
    loggers: list[Guarded] = []
    try:
        for factory in factories.values():
            logger = factory(run_dir=run_dir, config=config)
            loggers.append(Guarded(logger, say))
            if isinstance(logger, Announced):
                say(logger.announcement)
    except BaseException:
        for begun in loggers:
            with suppress(Exception):
                begun.logger.finalize("failed")
        raise
    return loggers
