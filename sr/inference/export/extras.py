"""Packages that only some exports need."""

import importlib.util

from sr.errors import UserError


def need(extra: str, *packages: str) -> None:
    """Make sure that packages are installed.

    Args:
        extra: of this package, which brings them.
        packages: names to import.

    Raises:
        UserError: one is missing; with the command that installs it.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"this needs {' and '.join(missing)}; install with `uv sync --extra {extra}`")
