"""Functions that `torch.compile` leaves as they are, without the price of the compiler where nobody compiles."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Made = TypeVar("Made")


def uncompiled(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """As ``torch.compiler.disable``, which imports the whole compiler (seconds) as soon as it decorates anything.

    Args:
        function: whose code the compiler cannot read.
    """

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        if torch.compiler.is_compiling():  # the compiler reads this branch, and what runs is the other one
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call
