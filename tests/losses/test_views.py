"""Views of a training step: derived once, with gradient, and refused by name."""

import pytest
import torch

from sr.errors import UserError
from sr.image.gradient_map import gradient_map
from sr.losses.views import Pair, Views, pair_of


class Counted:
    """A function that says how often it was called, and in which format."""

    def __init__(self):
        self.seen = []

    def __call__(self, picture):
        self.seen.append((picture.dtype, torch.is_autocast_enabled("cpu")))
        return picture * 2


def made(**given):
    twice = Counted()
    given = given or {"sr": torch.rand(1, 3, 4, 4), "hr": torch.rand(1, 3, 4, 4)}
    return Views(given, {"twice": twice, "grad": gradient_map}), twice


def test_what_is_derived_is_computed_once_and_as_late_as_can_be():
    views, twice = made()
    assert twice.seen == []
    assert torch.equal(views["twice(sr)"], 2 * views["sr"])
    assert views["twice(sr)"] is views["twice(sr)"]
    assert torch.equal(views["grad(twice(sr))"], gradient_map(2 * views["sr"]))
    assert len(twice.seen) == 1
    assert list(views) == ["sr", "hr"]
    assert len(views) == 2


def test_what_is_derived_is_float32_outside_autocast():
    views, twice = made(sr=torch.rand(1, 3, 4, 4).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert views["twice(sr)"].dtype is torch.float32
    assert twice.seen == [(torch.float32, False)]
    assert views["sr"].dtype is torch.bfloat16  # given ones are as they are


def test_gradient_flows_even_where_a_view_is_first_asked_for_without():
    """By a term without weight, say, before one that has a weight."""
    sr = torch.rand(1, 3, 4, 4, requires_grad=True)
    views, _ = made(sr=sr)
    with torch.no_grad():
        views["grad(sr)"].mean()
    (gradient,) = torch.autograd.grad(views["grad(sr)"].sum(), sr)
    assert gradient.abs().sum() > 0
    with torch.no_grad():
        views, _ = made(sr=sr)
    assert not views["grad(sr)"].requires_grad


def test_detached_views_keep_what_was_derived():
    sr = torch.rand(1, 3, 4, 4, requires_grad=True)
    views, twice = made(sr=sr, lr=torch.rand(1, 3, 2, 2))
    before = [views["twice(sr)"], views["twice(lr)"]]
    apart = views.detached()
    assert not any(view.requires_grad for view in (apart["sr"], apart["twice(sr)"], apart["grad(sr)"]))
    assert torch.equal(apart["twice(sr)"], before[0])
    replaced = apart.replaced({"sr": torch.zeros(1, 3, 4, 4)})
    assert len(twice.seen) == 2
    assert replaced["twice(sr)"].abs().sum() == 0
    assert replaced["twice(lr)"] is apart["twice(lr)"]
    assert len(twice.seen) == 3
    assert apart["sr"].abs().sum() > 0


def test_names():
    assert pair_of("sr,hr") == pair_of("sr, hr") == Pair("sr", "hr")
    assert pair_of("grad(lr(sr)),branch_2") == ("grad(lr(sr))", "branch_2")
    views, _ = made()
    for name in ("sr", "grad(hr)", "grad(twice(sr))"):
        assert name in views
    for name in ("lr", "grad(lr)", "lr(sr)", "grad", "sr(grad)"):
        assert name not in views
        with pytest.raises(UserError, match=r"^there is no view"):
            views[name]


@pytest.mark.parametrize(
    "text", ["", "sr", "sr,hr,lr", "sr;hr", "grad(sr,hr)", "sr),(hr", "grad(),hr", "sr,2(hr)", "s r,hr"]
)
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(ValueError, match="views="):
        pair_of(text)


@pytest.mark.parametrize(
    ("pair", "hint"),
    [("sr,hd", "there is no view hd; did you mean hr? "), ("gard(sr),hr", "no view gard(sr); did you mean grad(sr)? ")],
)
def test_an_unknown_view_is_refused_with_those_that_there_are(pair, hint):
    views, _ = made()
    with pytest.raises(UserError) as caught:
        views.check("loss.terms.l1.views", pair_of(pair))
    assert hint in str(caught.value)
    assert str(caught.value).startswith(f"loss.terms.l1.views={pair}: ")
    assert str(caught.value).endswith("There are sr, hr, and of each of them twice(…), grad(…)")
