"""Tests of what a large package that few need is asked for."""

from importlib.util import find_spec

import pytest


def needs(package: str) -> pytest.MarkDecorator:
    """Skipped where a package of the group `services` is missing; .ci/run installs them."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is missing: uv sync --group services")
