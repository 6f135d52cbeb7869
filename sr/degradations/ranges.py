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
