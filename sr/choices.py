"""The check of an argument that has a few valid values, by its own type hint."""

import difflib
from typing import get_args


def check_choice(name: str, value: object, hint: object) -> None:
    """Refuse a value that is not among those of a ``Literal``.

    Args:
        name: of the argument, as users set it.
        value: what was given.
        hint: the argument's type, such as ``Literal["l1", "l2"]``.

    Raises:
        ValueError: it is none of them; the message quotes it, lists them and names the nearest.
    """
    choices = get_args(hint)
    if value in choices:
        return
    shown = [str(choice) for choice in choices]
    by_lower_case = {choice.lower(): choice for choice in shown}
    near = difflib.get_close_matches(str(value).lower(), by_lower_case, 1)
    way_out = f"did you mean {by_lower_case[near[0]]}?" if near else "choose one of them."
    listed = " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    raise ValueError(f"{name}={value if str(value).strip() else repr(value)} is not one of {listed}; {way_out}")
