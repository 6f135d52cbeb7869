"""What a discriminator is shown of a picture."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sr.image.gradient_map import gradient_map
from sr.models.bicubic import Bicubic
from sr.training.adversary.shows import Shows
from sr.types import UserError
from tests.adversary_pieces import draws, pictures, rand, views_of
from tests.close import assert_close


@pytest.mark.parametrize(("condition", "channels"), [("none", 3), ("bicubic", 6), ("bicubic_aligned", 6)])
@pytest.mark.parametrize("gradients", [False, True])
def test_shown_channels(condition, channels, gradients):
    shows, views = Shows(2, condition, gradients=gradients), views_of(*pictures())
    assert shows.channels == channels
    assert shows.fakes(views)[0].shape == shows.real(views).shape == (2, channels, 16, 16)


def test_a_second_fake_is_judged_against_the_same_real_pictures():
    shows, (sr, hr, lr), branch = Shows(2, gradients=True, also="branch"), pictures(), rand(2, 3, 16, 16, seed=9)
    first, second = shows.fakes(views_of(sr, hr, lr, branch=branch))
    assert torch.equal(first, gradient_map(sr))
    assert torch.equal(second, branch)
    assert shows.pairs == [("grad(sr)", "grad(real)"), ("branch", "grad(real)")]
    with pytest.raises(ValueError, match=r"'br anch' is no name of a view"):
        Shows(2, also="br anch")


def test_shown_alone_is_the_picture():
    shows, (sr, hr, lr) = Shows(2), pictures()
    assert torch.equal(shows.fakes(views_of(sr, hr, lr))[0], sr)
    assert torch.equal(shows.real(views_of(sr, hr, lr)), hr)
    coarse = sr.to(torch.bfloat16)
    assert shows.fakes(views_of(coarse, hr, lr))[0].dtype is torch.float32
    assert torch.equal(shows.fakes(views_of(coarse, hr, lr))[0], coarse.float())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_condition_is_the_enlarged_input(scale):
    lr, picture = rand(2, 3, 5, 6), rand(2, 3, 5 * scale, 6 * scale, seed=2)
    views = views_of(picture, picture + 1, lr, scale=scale)
    plain, aligned = Shows(scale, "bicubic"), Shows(scale, "bicubic_aligned")
    theirs = F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=True)
    for shows, enlarged in ((plain, Bicubic(scale)(lr)), (aligned, theirs)):
        for shown, whole in ((shows.fakes(views)[0], picture), (shows.real(views), picture + 1)):
            assert torch.equal(shown[:, :3], whole)
            assert torch.equal(shown[:, 3:], enlarged)
    # Corners meet corners, which is what aligned means.
    assert_close(theirs[:, :, [0, -1]][..., [0, -1]], lr[:, :, [0, -1]][..., [0, -1]])


@pytest.mark.parametrize("condition", ["bicubic", "bicubic_aligned"])
def test_condition_is_float32_under_autocast_and_draws_no_gradient(condition):
    picture, lr = rand(1, 3, 8, 8), rand(1, 3, 4, 4).to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        made = Shows(2, condition).fakes(views_of(picture, picture, lr))[0]
    assert made.dtype is torch.float32
    assert not made.requires_grad
    assert_close(made, Shows(2, condition).fakes(views_of(picture, picture, lr.detach().float()))[0])


def test_gradient_maps_are_shown_in_place_of_pictures():
    """NumPy: differences of the neighbours on both sides, the border repeated, sqrt(v^2 + h^2 + 1e-6)."""
    picture = rand(2, 3, 6, 7)
    wide = np.pad(picture.double().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    v, h = wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1], wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]
    expected = torch.from_numpy(np.sqrt(v**2 + h**2 + 1e-6))
    lr = rand(2, 3, 3, 4, seed=3)
    views = views_of(picture, picture.flip(0), lr)
    for shows in (Shows(2, gradients=True), Shows(2, views="grad(sr),grad(hr)")):
        assert_close(shows.fakes(views)[0], expected)
        assert_close(shows.real(views), expected.flip(0))
    wide = views_of(rand(2, 3, 6, 8), rand(2, 3, 6, 8), lr)
    both = Shows(2, "bicubic", gradients=True).fakes(wide)[0]
    assert torch.equal(both[:, :3], wide["grad(sr)"])
    assert torch.equal(both[:, 3:], Bicubic(2)(lr))


@pytest.mark.parametrize("gradients", [False, True])
def test_gradient_flows_through_what_is_shown(gradients):
    picture = rand(1, 3, 6, 6).requires_grad_()
    shows = Shows(2, "bicubic", gradients=gradients, shift=2)
    shown = shows.fakes(views_of(picture, rand(1, 3, 6, 6), rand(1, 3, 3, 3)))[0]
    (out,) = shows.shifted(draws(1), shown)
    (gradient,) = torch.autograd.grad(out.square().sum(), picture)
    assert gradient.abs().sum() > 0


def test_a_side_output_and_unpaired_pictures_may_be_shown():
    sr, hr, lr = pictures()
    views = views_of(sr, hr, lr, real=hr + 2, branch=sr + 1)
    shows = Shows(2, views="branch,grad(real)")
    assert torch.equal(shows.fakes(views)[0], sr + 1)
    assert_close(shows.real(views), views["grad(hr)"])
    assert torch.equal(Shows(2).real(views), hr + 2)
    assert torch.equal(Shows(2, views="sr,hr").real(views), hr)


def test_gradients_and_other_views_are_refused():
    assert Shows(2, gradients=True, views="grad(sr),grad(real)").pair == Shows(2, gradients=True).pair
    message = r"gradients=true means views=grad\(sr\),grad\(real\), not views=branch,hr; set one of the two"
    with pytest.raises(ValueError, match=message):
        Shows(2, gradients=True, views="branch,hr")


def places(batch, side=12):
    """Pictures whose channels say the row and the column of each pixel."""
    rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    return torch.stack([rows, columns, rows + 100]).expand(batch, 3, side, side)


def test_shifted_windows_lose_so_many_rows_and_columns():
    (shown,) = Shows(2, shift=4).shifted(draws(200), places(200))
    assert shown.shape == (200, 3, 8, 8)
    tops, lefts = shown[:, 0, 0, 0].tolist(), shown[:, 1, 0, 0].tolist()
    # 16 pairs in 200 samples: a given one is missing with a chance of (15/16)^200 = 2e-6.
    assert set(zip(tops, lefts, strict=True)) == {(t, w) for t in range(4) for w in range(4)}
    for one, top, left in zip(shown, tops, lefts, strict=True):
        top, left = int(top), int(left)
        assert torch.equal(one, places(1)[0, :, top : top + 8, left : left + 8])


def test_all_that_is_shown_has_the_same_window():
    real, fake, old = places(6), places(6) + 0.5, places(6) + 0.25
    shown = Shows(2, shift=5).shifted(draws(6), real, fake, old)
    assert torch.equal(shown[1], shown[0] + 0.5)
    assert torch.equal(shown[2], shown[0] + 0.25)


def test_windows_belong_to_samples():
    shows, whole = Shows(2, shift=4), places(6)
    (together,) = shows.shifted(draws(6), whole)
    apart = [shows.shifted(draws(2, first), whole[first : first + 2])[0] for first in (0, 2, 4)]
    assert torch.equal(together, torch.cat(apart))
    assert not torch.equal(together, shows.shifted(draws(6).within("step 1"), whole)[0])
    assert not torch.equal(together, shows.shifted(draws(6, seed=1), whole)[0])


def test_no_shift_gives_the_same_objects():
    real, fake = places(2), places(2)
    shown = Shows(2).shifted(draws(2), real, fake)
    assert shown[0] is real
    assert shown[1] is fake


def test_a_shift_that_leaves_nothing_is_refused():
    with pytest.raises(UserError, match="shift=12 leaves nothing of pictures of 12x12; take larger crops, or shift=11"):
        Shows(2, shift=12).shifted(draws(2), places(2))


def test_negative_shift_is_refused():
    with pytest.raises(ValueError, match="shift=-1 counts pixels; use 0 for none"):
        Shows(2, shift=-1)


def test_unknown_condition_is_refused():
    with pytest.raises(ValueError, match=r"condition=lanczos.*bicubic"):
        Shows(2, "lanczos")
