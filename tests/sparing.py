"""Large families of cases: a few run with the fast tests, the others with the slow ones."""

from collections.abc import Collection, Sequence
from typing import Any

import pytest


def few_now(cases: Sequence[Any], now: int | Collection[Any] = 3) -> list[Any]:
    """The cases, most of them marked slow.

    Args:
        cases: as for ``parametrize``: a value each, or a tuple of several.
        now: how many of the first are not slow, or which.
    """
    first = cases[:now] if isinstance(now, int) else now
    return [case if case in first else _slow(case) for case in cases]


def _slow(case: Any) -> Any:
    if hasattr(case, "marks"):  # of pytest.param
        return pytest.param(*case.values, marks=[*case.marks, pytest.mark.slow], id=case.id)
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
