"""The message about an argument that is none of the valid values."""

from typing import Literal

import pytest

from sr.choices import check_choice


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        ("vgg17", Literal["vgg16", "alexnet"], "net=vgg17 is not one of vgg16 or alexnet; did you mean vgg16?"),
        ("L1", Literal["l1", "l2"], "net=L1 is not one of l1 or l2; did you mean l1?"),
        ("mse", Literal["l1", "l2", "both"], "net=mse is not one of l1, l2 or both; choose one of them."),
        ("batc", Literal["batch", "none"], "net=batc is not one of batch or none; did you mean batch?"),
        (3, Literal[1, 2], "net=3 is not one of 1 or 2; choose one of them."),
        (None, Literal["only"], "net=None is not one of only; choose one of them."),
    ],
)
def test_refusals(value, hint, message):
    with pytest.raises(ValueError) as error:
        check_choice("net", value, hint)
    assert str(error.value) == message


@pytest.mark.parametrize(("value", "hint"), [("b", Literal["a", "b"]), (2, Literal[1, 2]), ("a", Literal["a"])])
def test_what_is_listed_is_taken(value, hint):
    check_choice("net", value, hint)
