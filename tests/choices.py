"""What a class says to an argument that its annotation forbids."""

import inspect

import pytest


def refusal(made: type, *arguments: object, **settings: object) -> str:
    """The message of the ValueError of a constructor.

    The tests check annotations, and would refuse the argument before the constructor sees it; users have no such
    check. So the constructor is called without it.
    """
    constructor = inspect.unwrap(made.__init__)
    with pytest.raises(ValueError) as error:
        constructor(made.__new__(made), *arguments, **settings)
    return str(error.value)
