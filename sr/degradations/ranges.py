"""Checks of settings that stages share."""

from collections.abc import Sequence

Number = float | int
"""A setting that may be written with or without a decimal point."""


def checked_range(name: str, values: Sequence[Number], least: Number, most: Number) -> tuple[float, float]:
    """A range (low, high) to draw from, as a tuple.

    Args:
        name: of the setting, for the message.
        values: low and high; equal ones fix the value.
        least: smallest value that makes sense.
        most: largest.

    Raises:
        ValueError: not two numbers, not in order, or beyond the limits.
    """
    if len(values) != 2 or not values[0] <= values[1]:
        raise ValueError(f"{name}={list(values)} must be two numbers [low, high] with low <= high")
    if not least <= values[0] <= values[1] <= most:
        raise ValueError(f"{name}={list(values)} must lie between {least:g} and {most:g}")
    return float(values[0]), float(values[1])


def check_probability(name: str, value: Number) -> None:
    """Refuse what is no probability.

    Raises:
        ValueError: the value is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value} must lie between 0 and 1")


def checked_whole(name: str, value: Sequence[int], low: int, high: int) -> tuple[int, int]:
    """As `checked_range`, for whole numbers."""
    first, last = checked_range(name, value, low, high)
    return int(first), int(last)


def checked_sizes(name: str, value: Sequence[int]) -> tuple[int, int]:
    """As `checked_whole`, for sizes of kernels, which are odd.

    Raises:
        ValueError: as there, or a number is even.
    """
    first, last = checked_whole(name, value, 1, 999)
    if first % 2 == 0 or last % 2 == 0:
        raise ValueError(f"{name}={list(value)} must be odd, such as [{first // 2 * 2 + 1}, {last // 2 * 2 + 1}]")
    return first, last


def checked_share(name: str, value: Number) -> float:
    """A probability as a float.

    Raises:
        ValueError: it is not in [0, 1].
    """
    check_probability(name, value)
    return float(value)


def settle(stage: object, name: str, value: object) -> None:
    """Keep a checked setting of a frozen stage: YAML gives lists and whole numbers, stages hold tuples and floats."""
    object.__setattr__(stage, name, value)
