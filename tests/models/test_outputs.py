"""What a generator may return."""

from typing import NamedTuple

import pytest
import torch

from sr.models.outputs import outputs_of, picture_of


class Good(NamedTuple):
    sr: object
    branch: object


class Swapped(NamedTuple):
    branch: object
    sr: object


class Taken(NamedTuple):
    sr: object
    hr: object


ONE, TWO = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)


def test_a_picture_and_side_outputs():
    assert outputs_of(ONE) == {"sr": ONE}
    assert picture_of(ONE) is ONE
    assert picture_of(Good(ONE, TWO)) is ONE
    assert list(outputs_of(Good(ONE, TWO))) == ["sr", "branch"]
    assert outputs_of(Good(ONE, TWO))["branch"] is TWO


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ((ONE, TWO), "whose first field is sr; this one returned a tuple$"),
        (Swapped(ONE, TWO), "this one returned a Swapped with the fields branch, sr$"),
        (Good(ONE, None), "NamedTuple of tensors.* returned a Good"),
        (None, "returned a NoneType"),
        (Taken(ONE, TWO), "a generator's side output cannot be called hr; a training step has another such view"),
    ],
)
def test_anything_else_is_refused(output, message):
    with pytest.raises(TypeError, match=message):
        outputs_of(output)
