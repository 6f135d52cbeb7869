"""Plain YAML values as annotations want them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from sr.config.hinted import hinted


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ([1, 2], tuple[float, float], (1.0, 2.0)),
        ([1, 2], tuple[int, int] | None, (1, 2)),
        (None, tuple[int, int] | None, None),
        ([[0, 1], [2, 3]], Sequence[tuple[float, float]], [(0.0, 1.0), (2.0, 3.0)]),
        ([0, 1, 2], tuple[float, ...], (0.0, 1.0, 2.0)),
        ({"a": [1, 2]}, Mapping[str, tuple[float, float]], {"a": (1.0, 2.0)}),
        (3, float, 3.0),
        (3, int | float, 3),
        (3, float | None, 3.0),
        (True, float, True),
        ("a", str | Sequence[str], "a"),
        (["a"], str | Sequence[str], ["a"]),
        ([1, 2, 3], tuple[float, float], (1, 2, 3)),
        ("x", Literal["x"], "x"),
        ([1], None, [1]),
    ],
)
def test_values_become_what_the_annotation_says(value, hint, expected):
    made = hinted(value, hint)
    assert made == expected
    assert type(made) is type(expected)
    assert [type(v) for v in made] == [type(v) for v in expected] if isinstance(expected, (tuple, list)) else True
