"""The parts of an adversary: what it is shown, noise, swaps, old fakes, when it learns, how it judges, what watches."""

import io
import math
import re
from functools import partial

import lightning
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.augmentations.sequence import Sequence
from sr.data.crops import Batch
from sr.discriminators.patch import Patch
from sr.draws import Draws
from sr.losses.gan import (
    CrossEntropy,
    Hinge,
    LeastSquares,
    RelativisticAverage,
    RelativisticClipped,
    Wasserstein,
)
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.losses.weights import Constant as ConstantWeight
from sr.losses.weights import Linear, Phases, RaiseWhileImproving
from sr.models.bicubic import Bicubic
from sr.models.espcn import Espcn
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.noise import InstanceNoise
from sr.training.adversary.policy import Stepper, UpdatePolicy, hysteresis
from sr.training.adversary.replay import BatchStore, ImagePool
from sr.training.adversary.shows import Shows
from sr.training.adversary.swap import Cells, RegionSwap, cells_of, label_map, swapped
from sr.training.clock import Clock
from sr.training.module import SuperResolution
from sr.training.optimisers import make_optimizer
from sr.training.precision import choose_compute
from sr.training.schedules import Constant, Plateau
from sr.training.watch import QUIET, Alarm, checkerboard, colour_error
from sr.types import UserError
from tests.close import assert_close
from tests.loops import fit

CPU = torch.device("cpu")


def draws(count, first=0, seed=0):
    return Draws(seed, np.arange(first, first + count))


def exact():
    return torch.autocast("cpu", torch.bfloat16, enabled=False)


def rand(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def numbered(*values):
    """Pictures of one pixel that can be told apart."""
    return torch.tensor([float(v) for v in values]).view(-1, 1, 1, 1)


def numbers(pictures):
    return pictures.flatten().tolist()


def saved(state):
    """As a checkpoint keeps it: written, and read without running code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# What is shown


@pytest.mark.parametrize(("condition", "channels"), [("none", 3), ("bicubic", 6), ("bicubic_aligned", 6)])
@pytest.mark.parametrize("gradients", [False, True])
def test_shown_channels(condition, channels, gradients):
    shows = Shows(2, condition, gradients=gradients)
    shown = shows.whole(rand(2, 3, 8, 8), shows.enlarged(rand(2, 3, 4, 4)))
    assert shows.channels == channels
    assert shown.shape == (2, channels, 8, 8)


def test_shown_alone_is_the_picture():
    shows, picture = Shows(2), rand(2, 3, 8, 8)
    assert shows.enlarged(rand(2, 3, 4, 4)) is None
    assert torch.equal(shows.whole(picture, None), picture)
    coarse = picture.to(torch.bfloat16)
    assert shows.whole(coarse, None).dtype is torch.float32
    assert torch.equal(shows.whole(coarse, None), coarse.float())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_condition_is_the_enlarged_input(scale):
    lr, picture = rand(2, 3, 5, 6), rand(2, 3, 5 * scale, 6 * scale, seed=2)
    plain, aligned = Shows(scale, "bicubic"), Shows(scale, "bicubic_aligned")
    assert torch.equal(plain.enlarged(lr), Bicubic(scale)(lr))
    theirs = F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=True)
    assert torch.equal(aligned.enlarged(lr), theirs)
    # Corners meet corners, which is what aligned means.
    assert_close(aligned.enlarged(lr)[:, :, [0, -1]][..., [0, -1]], lr[:, :, [0, -1]][..., [0, -1]])
    shown = aligned.whole(picture, theirs)
    assert torch.equal(shown[:, :3], picture)
    assert torch.equal(shown[:, 3:], theirs)


@pytest.mark.parametrize("condition", ["bicubic", "bicubic_aligned"])
def test_condition_is_float32_under_autocast_and_draws_no_gradient(condition):
    lr = rand(1, 3, 4, 4).to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        made = Shows(2, condition).enlarged(lr)
    assert made.dtype is torch.float32
    assert not made.requires_grad
    assert_close(made, Shows(2, condition).enlarged(lr.detach().float()))


def test_gradient_maps_are_shown_in_place_of_pictures():
    """NumPy: differences of the neighbours on both sides, the border repeated, sqrt(v^2 + h^2 + 1e-6)."""
    picture = rand(2, 3, 6, 7)
    wide = np.pad(picture.double().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    v, h = wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1], wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]
    expected = torch.from_numpy(np.sqrt(v**2 + h**2 + 1e-6))
    assert_close(Shows(2, gradients=True).whole(picture, None), expected)
    condition = rand(2, 3, 6, 7, seed=3)
    both = Shows(2, "bicubic", gradients=True).whole(picture, condition)
    assert_close(both[:, :3], expected)
    assert torch.equal(both[:, 3:], condition)


@pytest.mark.parametrize("gradients", [False, True])
def test_gradient_flows_through_what_is_shown(gradients):
    picture = rand(1, 3, 6, 6).requires_grad_()
    shows = Shows(2, "bicubic", gradients=gradients, shift=2)
    shown = shows.whole(picture, shows.enlarged(rand(1, 3, 3, 3)))
    (out,) = shows.shifted(draws(1), shown)
    (gradient,) = torch.autograd.grad(out.square().sum(), picture)
    assert gradient.abs().sum() > 0


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


# Instance noise


def test_noise_has_its_standard_deviation():
    """The deviation of 55,296 normal numbers is known to 1 / sqrt(2 n) = 0.3 %; 1.5 % is five times that."""
    zero = torch.zeros(2, 3, 96, 96)
    real, (fake,) = InstanceNoise(0.1)(draws(2), 0, zero, [zero])
    for noise in (real, fake):
        assert abs(noise.std().item() / 0.1 - 1) < 0.015
        assert abs(noise.mean().item()) < 5 * 0.1 / math.sqrt(noise.numel())


def test_noise_is_independent_or_shared():
    zero = torch.zeros(1, 3, 96, 96)
    real, fakes = InstanceNoise(0.1)(draws(1), 0, zero, [zero, zero])
    pairs = [(real, fakes[0]), (real, fakes[1]), (fakes[0], fakes[1])]
    for a, b in pairs:
        # Correlation of 27,648 pairs: 0 within 5 / sqrt(n).
        assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()) < 5 / math.sqrt(a.numel())
    picture = rand(1, 3, 8, 8)
    real, fakes = InstanceNoise(0.1, shared=True)(draws(1), 0, picture, [picture + 1, picture])
    assert not torch.equal(real, picture)
    assert torch.equal(real, fakes[1])
    assert_close(fakes[0] - picture - 1, real - picture)


def test_noise_leaves_the_condition_alone():
    shown = rand(2, 6, 8, 8)
    real, (fake,) = InstanceNoise(0.2)(draws(2), 0, shown, [shown])
    for noisy in (real, fake):
        assert torch.equal(noisy[:, 3:], shown[:, 3:])
        assert (noisy[:, :3] != shown[:, :3]).all()


def test_noise_follows_its_schedule():
    """The same numbers at every update, times 0.2, then 0.1 half-way, then none at all."""
    noise, zero = InstanceNoise(Linear(0.2, 0.0, 100)), torch.zeros(1, 3, 8, 8)
    first, half = (noise(draws(1), updates, zero, [])[0] for updates in (0, 50))
    assert_close(first, InstanceNoise(0.2)(draws(1), 7, zero, [])[0])
    assert_close(half, first / 2)
    fakes = [rand(1, 3, 8, 8)]
    same, same_fakes = noise(draws(1), 100, zero, fakes)
    assert same is zero
    assert same_fakes[0] is fakes[0]


def test_noise_belongs_to_samples():
    shown, noise = rand(4, 3, 8, 8), InstanceNoise(0.1)
    real, (fake,) = noise(draws(4), 0, shown, [shown])
    parts = [noise(draws(2, first), 0, shown[first : first + 2], [shown[first : first + 2]]) for first in (0, 2)]
    assert torch.equal(real, torch.cat([part[0] for part in parts]))
    assert torch.equal(fake, torch.cat([part[1][0] for part in parts]))
    assert not torch.equal(real, noise(draws(4).within("step 1"), 0, shown, [])[0])


def test_noise_changes_nothing_in_place():
    shown = rand(1, 3, 8, 8)
    before = shown.clone()
    InstanceNoise(0.1)(draws(1), 0, shown, [shown])
    assert torch.equal(shown, before)


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"sigma=-0.1 is a standard deviation: a number from 0 on"):
        InstanceNoise(-0.1)


@pytest.mark.parametrize("sigma", [math.inf, math.nan])
def test_infinite_noise_is_refused_by_its_name(sigma):
    with pytest.raises(ValueError, match=rf"sigma.*{sigma}"):
        InstanceNoise(sigma)


# Swapped regions


def test_label_map_is_the_share_of_area():
    """A box of rows 1 to 2, columns 0 to 4 over cells of 4x4: half of the first cell, an eighth of the second."""
    mask = torch.zeros(1, 1, 8, 8)
    mask[0, 0, 1:3, 0:5] = 1
    assert torch.equal(label_map(mask, (2, 2), Cells(4, 0)), torch.tensor([[[[0.5, 0.125], [0.0, 0.0]]]]))
    assert torch.equal(label_map(mask, (8, 8), Cells(1, 0)), mask)
    assert_close(label_map(mask, (1, 1), Cells(None, 0)), torch.full((1, 1, 1, 1), 10 / 64))


def test_label_map_of_a_patchgan_has_cells_in_their_places():
    """11 cells around the columns 8, 16, ... 88 of 96: the first judges columns 4 to 11, the last columns 84 to 91."""
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 84:92] = 1
    mask[..., :6] = 1
    expected = torch.zeros(11)
    expected[[0, 10]] = torch.tensor([0.25, 1.0])
    assert torch.equal(label_map(mask, (11, 11), Cells(8, 4)), expected.expand(1, 1, 11, 11))


def test_label_map_after_pools_on_an_odd_side():
    """Two pools make 9 cells of 37 pixels, and the last pixel is nobody's: a box on cell 1 touches no other."""
    mask = torch.zeros(1, 1, 37, 37)
    mask[..., 4:8, 4:8] = 1
    mask[..., 36] = 1
    expected = torch.zeros(1, 1, 9, 9)
    expected[..., 1, 1] = 1
    assert torch.equal(label_map(mask, (9, 9), Cells(4, 0)), expected)


def test_label_map_at_the_border_counts_what_is_inside():
    """Cells of 16 from pixel -8 on in 20 pixels: the first has 8 of them inside, the second the other 12."""
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 6:11] = 1  # 2 of 8 and 3 of 12
    assert_close(label_map(mask, (2, 2), Cells(16, -8)), torch.full((1, 1, 2, 2), 0.25))


@pytest.mark.parametrize(
    ("size", "cells"),
    [((5, 6), (4, 0)), ((3, 4), (4, 5)), ((2, 2), (16, -8)), ((3, 4), (8, -4)), ((2, 3), (7, 2)), ((21, 26), (1, 0))],
)
def test_label_map_cell_by_cell(size, cells):
    mask = (rand(2, 1, 21, 26) > 0.6).float()
    (rows, columns), (cell, margin) = size, cells
    expected = torch.empty(2, 1, rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, left = margin + row * cell, margin + column * cell
            pixels = mask[..., max(0, top) : top + cell, max(0, left) : left + cell]
            expected[..., row, column] = pixels.mean(dim=(-2, -1))
    assert_close(label_map(mask, size, Cells(*cells)), expected)


@pytest.mark.parametrize("cells", [(4, 13), (8, 9), (4, -4)])
def test_label_map_of_cells_outside_the_picture_is_refused(cells):
    message = (
        rf"map of 2x2 cells does not lie within 17x40 pixels with cell={cells[0]} and margin={cells[1]}; correct these"
    )
    with pytest.raises(UserError, match=message):
        label_map(torch.zeros(1, 1, 17, 40), (2, 2), Cells(*cells))


def test_swapped_pictures_are_complementary():
    mask = torch.zeros(1, 1, 4, 4)
    mask[0, 0, :2, 1:3] = 1
    real, fake = torch.ones(1, 6, 4, 4), torch.full((1, 6, 4, 4), 0.25)
    mixed_real, mixed_fake = swapped(mask, real, fake)
    assert torch.equal(mixed_real, torch.where(mask.bool(), 0.25, 1.0).expand(1, 6, 4, 4))
    assert torch.equal(mixed_fake, torch.where(mask.bool(), 1.0, 0.25).expand(1, 6, 4, 4))
    real, fake = rand(1, 3, 4, 4, seed=4), rand(1, 3, 4, 4, seed=5)
    mixed_real, mixed_fake = swapped(mask, real, fake)
    assert_close(mixed_real + mixed_fake, real + fake)
    again = swapped(mask, mixed_real, mixed_fake)
    assert torch.equal(again[0], real)
    assert torch.equal(again[1], fake)


def test_overlapping_boxes_count_once():
    """Four boxes over almost all of a picture overlap: the mask still holds nothing but 0 and 1."""
    swap = RegionSwap(boxes=4, smallest=6, largest=1.0, probability=1.0)
    mask = swap.mask(draws(300), 8, 8, CPU)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    share = label_map(mask, (2, 2), Cells(4, 0))
    assert share.max() == 1.0
    # What the labels call swapped is what is swapped, overlap or not.
    mixed, _ = swapped(mask, torch.zeros(300, 3, 8, 8), torch.ones(300, 3, 8, 8))
    assert_close(F.avg_pool2d(mixed, 4)[:, :1], share)


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0.0), (0.5, 0.4), (1.0, 0.8)])
def test_how_often_pictures_are_swapped(probability, share):
    """With 0 to 4 boxes as likely, 4 in 5 of the drawn ones have some; 5 deviations of 4000 draws are 0.04 at most."""
    swap = RegionSwap(boxes=4, smallest=2, largest=0.5, probability=probability)
    touched = swap.mask(draws(4000), 8, 8, CPU).flatten(1).any(dim=1).double().mean().item()
    if probability == 0:
        assert touched == 0
    else:
        assert abs(touched - share) < 5 * math.sqrt(share * (1 - share) / 4000)


def test_every_number_of_boxes_is_as_likely():
    """Boxes of one pixel in 40x40: their number is the number of pixels, apart from the 0.4 % that meet."""
    swap = RegionSwap(boxes=4, smallest=1, largest=0.025, probability=1.0)
    counts = swap.mask(draws(4000), 40, 40, CPU).flatten(1).sum(dim=1)
    shares = [(counts == n).double().mean().item() for n in range(6)]
    assert shares[5] == 0
    for share in shares[:5]:
        assert abs(share - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 4000) + 0.004


def test_boxes_lie_inside_their_limits():
    """One box: from 3 to 6 pixels (a quarter of 24, or of 27 rounded down), less only where the border cuts it off."""
    swap = RegionSwap(boxes=1, smallest=3, largest=0.25, probability=1.0)
    mask = swap.mask(draws(3000), 24, 27, CPU)[:, 0]
    tops, heights, lefts, widths = [], [], [], []
    for one in mask[mask.flatten(1).any(dim=1)]:
        rows, columns = one.any(dim=1).nonzero()[:, 0], one.any(dim=0).nonzero()[:, 0]
        top, left, height, width = rows[0].item(), columns[0].item(), len(rows), len(columns)
        assert one.sum() == height * width  # a box, without holes
        tops, heights, lefts, widths = [*tops, top], [*heights, height], [*lefts, left], [*widths, width]
    assert set(tops) == set(range(24 - 3 + 1))
    assert set(lefts) == set(range(27 - 3 + 1))
    assert set(heights) == set(widths) == {3, 4, 5, 6}
    assert max(t + h for t, h in zip(tops, heights, strict=True)) == 24
    uncut = [h for t, h in zip(tops, heights, strict=True) if t <= 24 - 6]
    for size in (3, 4, 5, 6):  # as likely
        assert abs(uncut.count(size) / len(uncut) - 0.25) < 5 * math.sqrt(0.25 * 0.75 / len(uncut))


def test_boxes_belong_to_samples():
    swap = RegionSwap(boxes=3, smallest=2, largest=0.5, probability=1.0)
    together = swap.mask(draws(6), 16, 16, CPU)
    apart = [swap.mask(draws(2, first), 16, 16, CPU) for first in (0, 2, 4)]
    assert torch.equal(together, torch.cat(apart))
    assert not torch.equal(together, swap.mask(draws(6).within("step 1"), 16, 16, CPU))


@pytest.mark.parametrize(
    ("smallest", "largest", "side"),
    [(16, 0.25, 64), (16, 1.0, 16), (3, 0.5, 6), (16, 0.3, 54), (1, 0.1, 10)],
)
def test_smallest_side_has_room_for_the_smallest_box(smallest, largest, side):
    """The first side whose share, rounded down, reaches the smallest box: 54 * 0.3 = 16.2, and 53 * 0.3 = 15.9."""
    assert RegionSwap(smallest=smallest, largest=largest).smallest_side == side


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"boxes": 0}, "boxes=0 and smallest=16 must be at least 1"),
        ({"smallest": 0}, "boxes=4 and smallest=0 must be at least 1"),
        ({"largest": 0.0}, r"largest=0\.0 and probability=0\.5 are shares between 0 and 1"),
        ({"largest": 1.5}, r"largest=1\.5 and probability=0\.5 are shares between 0 and 1"),
        ({"probability": -0.1}, r"largest=0\.25 and probability=-0\.1 are shares between 0 and 1"),
        ({"probability": math.nan}, r"largest=0\.25 and probability=nan are shares between 0 and 1"),
    ],
)
def test_boxes_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RegionSwap(**settings)


# Old fakes


def test_pool_fills_with_what_it_uses():
    pool = ImagePool(capacity=3, probability=1.0)
    assert numbers(pool.exchange(numbered(1, 2), draws(2))[0]) == [1, 2]
    assert [k.item() for k in pool.kept] == [1, 2]
    used = pool.exchange(numbered(3), draws(1, 2))
    assert len(used) == 1
    assert numbers(used[0]) == [3]
    assert [k.item() for k in pool.kept] == [1, 2, 3]


def test_pool_never_exchanges_with_probability_0():
    pool = ImagePool(capacity=2, probability=0.0)
    pool.exchange(numbered(1, 2), draws(2))
    for start in range(2, 40, 2):
        assert numbers(pool.exchange(numbered(start, start + 1), draws(2, start))[0]) == [start, start + 1]
    assert [k.item() for k in pool.kept] == [1, 2]


def test_pool_always_exchanges_with_probability_1():
    """What comes out was in; what goes in takes its place; nothing is lost or doubled."""
    pool = ImagePool(capacity=4, probability=1.0)
    pool.exchange(numbered(0, 1, 2, 3), draws(4))
    out, inside = [], {0.0, 1.0, 2.0, 3.0}
    for new in range(4, 100):
        (old,) = numbers(pool.exchange(numbered(new), draws(1, new))[0])
        assert old in inside
        inside = inside - {old} | {float(new)}
        assert {k.item() for k in pool.kept} == inside
        assert len(pool.kept) == 4
        out.append(old)
    assert len(set(out)) == 96


def test_pool_exchanges_as_often_as_it_should_and_from_every_slot():
    pool = ImagePool(capacity=5, probability=0.5)
    pool.exchange(numbered(*range(5)), draws(5))
    count = 2000
    new = [first + i for first in range(5, 5 + count, 10) for i in range(10)]
    used = []
    for first in range(5, 5 + count, 10):
        before = [k.item() for k in pool.kept]
        batch = numbers(pool.exchange(numbered(*range(first, first + 10)), draws(10, first))[0])
        assert set(batch) <= {*before, *range(first, first + 10)}
        used += batch
    exchanged = sum(a != b for a, b in zip(new, used, strict=True)) / count
    assert abs(exchanged - 0.5) < 5 * math.sqrt(0.25 / count)
    assert len(pool.kept) == 5
    assert min(k.item() for k in pool.kept) >= 1000  # every slot has been exchanged lately


def test_pool_keeps_copies_and_gives_copies():
    pool = ImagePool(capacity=2, probability=1.0)
    first = numbered(1, 2)
    (used,) = pool.exchange(first, draws(2))
    first.fill_(-1)
    used.fill_(-2)
    assert [k.item() for k in pool.kept] == [1, 2]
    second = numbered(3)
    (old,) = pool.exchange(second, draws(1, 2))
    before = [k.item() for k in pool.kept]
    assert 3 in before
    old.fill_(-3)
    second.fill_(-4)
    assert [k.item() for k in pool.kept] == before


def test_pool_lets_no_gradient_through():
    pool = ImagePool(capacity=1, probability=1.0)
    fakes = numbered(1, 2).requires_grad_()
    (used,) = pool.exchange(fakes, draws(2))
    assert not used.requires_grad
    assert not any(kept.requires_grad for kept in pool.kept)


def test_pool_state_round_trip():
    pool, again = ImagePool(capacity=3, probability=0.7), ImagePool(capacity=3, probability=0.7)
    pool.exchange(rand(5, 3, 2, 2), draws(5))
    again.load_state_dict(saved(pool.state_dict()))
    for first in (5, 9, 13):
        batch = rand(4, 3, 2, 2, seed=first)
        a, b = (p.exchange(batch, draws(4, first)) for p in (pool, again))
        assert torch.equal(a[0], b[0])
    assert len(again.kept) == 3


def test_pool_state_is_not_changed_by_what_follows():
    pool = ImagePool(capacity=2, probability=1.0)
    pool.exchange(numbered(1, 2), draws(2))
    state = pool.state_dict()
    pool.exchange(numbered(3, 4), draws(2, 2))
    assert [k.item() for k in state["kept"]] == [1, 2]


@pytest.mark.parametrize(("stored", "sample"), [(0, 0), (99, 0), (100, 1), (199, 1), (700, 7), (999, 9), (1000, 10)])
def test_store_samples_1_percent(stored, sample):
    """int(0.01 * stored): nothing until 100 are stored, ten at most."""
    store = BatchStore()
    store.kept = [numbered(n).half() for n in range(stored)]
    assert store.sample_size == sample
    new, *old = store.exchange(numbered(5000), draws(1))
    assert numbers(new) == [5000]
    assert len(old) == sample
    values = [v for batch in old for v in numbers(batch)]
    assert len(set(values)) == sample  # without repetition
    assert set(values) <= set(range(stored))  # the new one is not among them
    assert len(store.kept) == min(stored + 1, 1000)
    assert 5000.0 in [k.item() for k in store.kept]


def test_store_rounds_shares_down_but_not_below_what_they_are():
    """0.29 * 100 is 28.999999999999996 in binary."""
    store = BatchStore(share=0.29)
    store.kept = [numbered(0)] * 100
    assert store.sample_size == 29


def test_store_with_everything_gives_each_old_batch_once():
    store = BatchStore(capacity=10, share=1.0)
    for n in range(10):
        new, *old = store.exchange(numbered(n, n + 0.5), draws(2, 2 * n))
        assert numbers(new) == [n, n + 0.5]
        assert sorted(numbers(torch.cat(old))) == [v / 2 for v in range(2 * n)] if n else old == []


def test_store_overwrites_a_random_batch_when_full():
    store = BatchStore(capacity=8, share=0.0)
    for n in range(8):
        store.exchange(numbered(n), draws(1, n))
    slots = set()
    for n in range(8, 200):
        before = [k.item() for k in store.kept]
        assert len(store.exchange(numbered(n), draws(1, n))) == 1
        changed = [i for i, (a, b) in enumerate(zip(before, store.kept, strict=True)) if a != b.item()]
        assert len(changed) == 1
        assert store.kept[changed[0]].item() == n
        slots.add(changed[0])
    assert slots == set(range(8))


def test_store_samples_every_batch_sooner_or_later():
    store = BatchStore(capacity=10, share=0.1)
    store.kept = [numbered(n).half() for n in range(10)]
    seen = set()
    for n in range(300):
        kept = list(store.kept)
        seen |= set(numbers(store.exchange(numbered(n + 100), draws(1, n))[1]))
        store.kept = kept
    assert seen == set(range(10))


def test_store_keeps_half_precision_copies_without_gradient():
    store = BatchStore(capacity=4, share=1.0)
    fakes = rand(2, 3, 4, 4).requires_grad_()
    (new,) = store.exchange(fakes, draws(2))
    assert not new.requires_grad
    assert torch.equal(new, fakes.detach())
    (kept,) = store.kept
    assert kept.dtype is torch.float16
    before = fakes.detach().clone()
    with torch.no_grad():
        fakes.fill_(0)
    _, old = store.exchange(rand(2, 3, 4, 4, seed=9), draws(2, 2))
    assert old.dtype is torch.float32
    assert_close(old, before.half())
    old.fill_(0)
    assert_close(kept, before.half())


def test_store_state_round_trip():
    store, again = (BatchStore(capacity=5, share=0.5) for _ in range(2))
    for n in range(7):
        store.exchange(rand(2, 3, 2, 2, seed=n), draws(2, 2 * n))
    again.load_state_dict(saved(store.state_dict()))
    for n in range(7, 10):
        a, b = (s.exchange(rand(2, 3, 2, 2, seed=n), draws(2, 2 * n)) for s in (store, again))
        assert len(a) == len(b) == 3
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", [ImagePool, BatchStore])
def test_a_smaller_capacity_holds_after_loading(kind):
    large, small = kind(capacity=6), kind(capacity=2)
    for n in range(6):
        large.exchange(numbered(n), draws(1, n))
    small.load_state_dict(large.state_dict())
    small.exchange(numbered(9), draws(1, 9))
    assert len(small.kept) <= 2


@pytest.mark.parametrize("kind", [ImagePool, BatchStore])
def test_replay_out_of_range_is_refused(kind):
    name = "probability" if kind is ImagePool else "share"
    with pytest.raises(ValueError, match=rf"capacity=0 must be at least 1, {name}=0\.\d+ between 0 and 1"):
        kind(capacity=0)
    for value in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"capacity=\d+ must be at least 1, {name}={value} between 0 and 1"):
            kind(**{name: value})


# When it learns

SEQUENCES = [
    # As the experiment log has them. Between the two thresholds nothing changes, nor exactly at one of them.
    (0.3, 0.4, [0.5, 0.35, 0.29, 0.35, 0.4, 0.41, 0.35, 0.3, 0.2], [0, 0, 1, 1, 1, 0, 0, 0, 1]),
    (0.3, 0.35, [0.29, 0.34, 0.35, 0.36, 0.31, 0.3, 0.29, 0.4], [1, 1, 1, 0, 0, 0, 1, 0]),
    (0.2, 0.3, [0.25, 0.19, 0.25, 0.3, 0.31, 0.25, 0.2, 0.1], [0, 1, 1, 1, 0, 0, 0, 1]),
    (0.2, 0.2, [0.3, 0.2, 0.1, 0.2, 0.3], [0, 0, 1, 1, 0]),
]
sequences = pytest.mark.parametrize(("off", "on", "losses", "rests"), SEQUENCES)


@sequences
def test_hysteresis_by_hand(off, on, losses, rests):
    state, states = False, []
    for loss in losses:
        state = hysteresis(state, loss, off, on)
        states.append(state)
    assert states == [bool(r) for r in rests]


@sequences
def test_stepper_follows_the_loss_of_the_step_before(off, on, losses, rests):
    stepper = Stepper(off, on)
    assert stepper.throttled() is False  # nothing known yet
    for loss, rest in zip(losses, rests, strict=True):
        stepper.note(torch.tensor(loss, dtype=torch.float64))
        assert stepper.throttled() is bool(rest)
        assert stepper.throttled() is bool(rest)  # asking twice changes nothing


def test_stepper_keeps_no_graph():
    stepper = Stepper(0.3, 0.4)
    loss = torch.tensor(0.1, requires_grad=True) * 1
    stepper.note(loss)
    assert stepper.throttled()


def test_stepper_is_not_moved_by_nan():
    stepper = Stepper(0.3, 0.4)
    for before in (0.5, 0.1):
        stepper.note(torch.tensor(before))
        state = stepper.throttled()
        stepper.note(torch.tensor(math.nan))
        assert stepper.throttled() is state


@pytest.mark.parametrize("loss", [0.1, 0.9])
def test_stepper_state_round_trip(loss):
    """A loss that was noted but not yet asked for is in the state as well."""
    stepper, again = Stepper(0.3, 0.4), Stepper(0.3, 0.4)
    stepper.note(torch.tensor(loss))
    again.note(torch.tensor(1.0 - loss))  # forgotten
    again.load_state_dict(saved(stepper.state_dict()))
    assert again.throttled() is (loss < 0.3)
    for stepped in (stepper, again):
        stepped.note(torch.tensor(0.35))
    assert stepper.throttled() is again.throttled() is (loss < 0.3)


@pytest.mark.parametrize(
    ("given", "advised"),
    [((0.4, 0.3), (0.3, 0.4)), ((-0.1, 0.3), (0.1, 0.3))],
    ids=["crossed", "negative"],
)
def test_stepper_out_of_order_is_refused_with_a_way_out(given, advised):
    with pytest.raises(ValueError, match=rf"rest_below={given[0]} .*learn_above={given[1]}") as caught:
        Stepper(*given)
    assert f"write rest_below={advised[0]} and learn_above={advised[1]}" in str(caught.value)
    Stepper(*advised)


def learning(policy, *updates):
    return [u for u in updates if policy.learns(u)]


def test_policy_learns_from_the_start_by_default():
    policy = UpdatePolicy()
    assert learning(policy, 0, 1, 10**9) == [0, 1, 10**9]
    assert policy.counts(0)
    assert not policy.throttled()
    policy.note(torch.tensor(0.0))
    assert not policy.throttled()
    assert policy.state_dict() == {}


def test_policy_start_and_stop():
    policy = UpdatePolicy(start=10, stop=20)
    assert learning(policy, 0, 9, 10, 11, 19, 20, 30) == [10, 11, 19]
    assert [policy.counts(u) for u in (0, 9, 10, 19, 20, 99)] == [False, False, True, True, True, True]


def test_policy_learns_in_the_first_of_so_many_epochs():
    policy = UpdatePolicy(every_epochs=3, epoch=4)
    assert learning(policy, *range(30)) == [0, 1, 2, 3, 12, 13, 14, 15, 24, 25, 26, 27]
    assert learning(UpdatePolicy(every_epochs=1, epoch=4), *range(9)) == list(range(9))
    assert learning(UpdatePolicy(every_epochs=3, epoch=4, start=2, stop=14), *range(30)) == [2, 3, 4, 5]
    assert all(policy.counts(u) for u in range(30))


def test_policy_counts_only_once_it_has_begun_to_learn():
    """Epochs count from start: otherwise start=5 would lie in the second of three epochs of 4 updates."""
    policy = UpdatePolicy(every_epochs=3, epoch=4, start=5)
    first = next(u for u in range(100) if policy.learns(u))
    assert not any(policy.counts(u) for u in range(first))


def test_policy_with_a_stepper():
    policy = UpdatePolicy(stepper=Stepper(0.3, 0.4))
    policy.note(torch.tensor(0.1))
    assert policy.throttled()
    assert policy.learns(0)  # the stepper apart
    again = UpdatePolicy(stepper=Stepper(0.3, 0.4))
    again.load_state_dict(saved(policy.state_dict()))
    assert again.throttled()
    UpdatePolicy().load_state_dict(policy.state_dict())  # a run without stepper forgets it
    again.load_state_dict({})  # a stepper that the saved run did not have
    assert again.throttled()


@pytest.mark.parametrize("name", ["d_steps", "g_every", "every_epochs", "epoch"])
def test_counts_below_1_are_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}=0 must be at least 1"):
        UpdatePolicy(**{name: 0})


@pytest.mark.parametrize("stop", [5, 10])
def test_stop_not_after_start_is_refused(stop):
    with pytest.raises(ValueError, match=rf"start=10 to stop={stop}; stop must be the larger"):
        UpdatePolicy(start=10, stop=stop)


def test_negative_start_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="start=-1") as caught:
        UpdatePolicy(start=-1)
    assert "stop must be the larger" not in str(caught.value)


# An adversary


def small(channels=3, norm=True):
    torch.manual_seed(5)
    middle = nn.BatchNorm2d(4) if norm else nn.Identity()
    made = nn.Sequential(nn.Conv2d(channels, 4, 3, stride=2, padding=1), middle, nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    made.cell, made.margin = 2, -1
    return made


def adversary(network=None, objective=None, shows=None, policy=None, schedule=None, weight=0.1, **more):
    return Adversary(
        network=small() if network is None else network,
        objective=LeastSquares() if objective is None else objective,
        shows=Shows(2) if shows is None else shows,
        policy=UpdatePolicy() if policy is None else policy,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        schedule=Constant() if schedule is None else schedule,
        weight=weight,
        **more,
    )


def pictures(batch=2, side=16, seed=7):
    """(sr, hr, lr)"""
    return (
        rand(batch, 3, side, side, seed=seed),
        rand(batch, 3, side, side, seed=seed + 100),
        rand(batch, 3, side // 2, side // 2, seed=seed + 200),
    )


def judged(opponent, batch=2, side=16, step=0, updates=0, learns=True, first=0, seed=7):
    sr, hr, lr = pictures(batch, side, seed)
    exhibits = opponent.exhibits(sr, hr, lr, draws(batch, first))
    return opponent.verdict(exhibits, step, updates, exact(), learns)


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same_state(network, before):
    return all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def statistics_move(network, before):
    return not torch.equal(network[1].running_mean, before["1.running_mean"])


@pytest.mark.parametrize(
    "objective", [LeastSquares(), CrossEntropy(), Hinge(), RelativisticAverage(), RelativisticClipped(clip=False)]
)
def test_generator_loss_reaches_the_generator_alone(objective):
    opponent = adversary(objective=objective)
    opponent.network.requires_grad_(False)
    sr, hr, lr = pictures()
    sr.requires_grad_()
    hr.requires_grad_()
    loss = opponent.generator_loss(sr, hr, lr, draws(2), exact(), resting=False)
    loss.backward()
    assert loss.shape == ()
    assert sr.grad.abs().sum() > 0
    assert hr.grad is None
    assert all(p.grad is None for p in opponent.network.parameters())


@pytest.mark.parametrize("judge", ["train", "eval"])
def test_generator_loss_against_a_plain_computation(judge):
    """Least squares by PyTorch on the network's answer in the same mode, with its gradient."""
    opponent, plain = adversary(judge=judge), small()
    plain.train(judge == "train")
    sr, hr, lr = pictures()
    ours, theirs = sr.clone().requires_grad_(), sr.clone().requires_grad_()
    loss = opponent.generator_loss(ours, hr, lr, draws(2), exact(), resting=False)
    output = plain(theirs)
    expected = F.mse_loss(output, torch.ones_like(output))
    loss.backward()
    expected.backward()
    assert_close(loss, expected)
    assert_close(ours.grad, theirs.grad)


def test_generator_loss_compares_the_same_windows():
    """SR equal to HR has d = 0 everywhere, whatever the shift: softplus(0) = ln 2."""
    opponent = adversary(small(6), RelativisticClipped(), Shows(2, "bicubic", shift=4))
    _, hr, lr = pictures()
    loss = opponent.generator_loss(hr, hr, lr, draws(2), exact(), resting=False)
    assert_close(loss, torch.tensor(math.log(2)))


def test_generator_is_judged_without_noise_and_swap():
    noisy = Shows(2, noise=InstanceNoise(0.5), swap=RegionSwap(4, 2, 0.5, 1.0))
    sr, hr, lr = pictures()
    losses = [adversary(shows=s).generator_loss(sr, hr, lr, draws(2), exact(), False) for s in (noisy, Shows(2))]
    assert torch.equal(*losses)


@pytest.mark.parametrize("objective", [LeastSquares(), RelativisticAverage()])
@pytest.mark.parametrize(
    ("judge", "throttled", "moves"), [("train", 0, 1), ("train", 1, 0), ("eval", 0, 0), ("eval", 1, 0)]
)
def test_statistics_move_where_it_judges_as_it_learns(judge, throttled, moves, objective):
    opponent = adversary(objective=objective, judge=judge)
    before = state_of(opponent.network)
    opponent.generator_loss(*pictures(), draws(2), exact(), resting=bool(throttled))
    assert statistics_move(opponent.network, before) is bool(moves)
    forwards = (2 if objective.compares else 1) if moves else 0
    assert opponent.network[1].num_batches_tracked == forwards


@pytest.mark.parametrize("objective", [LeastSquares(), CrossEntropy(), Wasserstein(), RelativisticClipped()])
def test_a_verdict_that_only_measures_moves_nothing(objective):
    opponent = adversary(objective=objective, r1_gamma=1.0)
    before = state_of(opponent.network)
    verdict = judged(opponent, learns=False)
    assert same_state(opponent.network, before)
    assert not verdict.total.requires_grad
    assert verdict.penalty is None
    assert all(p.grad is None for p in opponent.network.parameters())
    assert torch.is_grad_enabled()


def test_a_verdict_that_only_measures_is_in_evaluation_mode():
    opponent, plain = adversary(), small().eval()
    sr, hr, _ = pictures()
    verdict = judged(opponent, learns=False)
    assert_close(verdict.real, (plain(hr) - 1).square().mean())
    assert_close(verdict.fake, plain(sr).square().mean())


def test_verdict_against_a_plain_computation():
    opponent, plain = adversary(), small()
    sr, hr, _ = pictures()
    verdict = judged(opponent)
    of_real, of_fake = plain(hr), plain(sr)
    assert_close(verdict.real, F.mse_loss(of_real, torch.ones_like(of_real)))
    assert_close(verdict.fake, F.mse_loss(of_fake, torch.zeros_like(of_fake)))
    assert_close(verdict.output_real, of_real.mean())
    assert_close(verdict.output_fake, of_fake.mean())
    assert verdict.penalty is None
    assert_close(verdict.total, verdict.real + verdict.fake)
    verdict.total.backward()
    (F.mse_loss(of_real, torch.ones_like(of_real)) + of_fake.square().mean()).backward()
    for ours, theirs in zip(opponent.network.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad)
    # Real and fake are two batches with statistics of their own.
    assert opponent.network[1].num_batches_tracked == 2
    assert_close(opponent.network[1].running_mean, plain[1].running_mean)
    assert_close(opponent.network[1].running_var, plain[1].running_var)


def test_values_of_a_verdict_are_detached():
    verdict = judged(adversary(objective=Wasserstein(), network=small(norm=False)))
    values = verdict.values()
    assert set(values) == {"real", "fake", "total", "output_real", "output_fake", "penalty"}
    assert not any(v.requires_grad for v in values.values())
    assert_close(values["total"], values["real"] + values["fake"] + values["penalty"])
    assert "penalty" not in judged(adversary()).values()


def test_steps_of_a_batch_have_windows_and_noise_of_their_own():
    plain, shifted = adversary(), adversary(shows=Shows(2, shift=4))
    noisy = adversary(shows=Shows(2, noise=InstanceNoise(0.1)))
    for opponent, differ in ((plain, False), (shifted, True), (noisy, True)):
        exhibits = opponent.exhibits(*pictures(), draws(2))
        first, again, second = (opponent.verdict(exhibits, s, 0, exact(), False).real.item() for s in (0, 0, 1))
        assert first == again
        assert (first != second) is differ


def pointwise(weight):
    """A critic that answers each pixel with a weighted sum of its channels."""
    network = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor(weight).view(1, 3, 1, 1))
    return network


def test_penalties_of_a_pointwise_critic():
    """The mean over 8x8 pixels of w x has the slope w / 64 at each: the norm is |w| / 8, 0.375 for w = (1, 2, 2).

    Gradient penalty 10 (0.375 - 1)^2 = 3.90625; R1 with gamma 6 is 3 * 0.375^2 = 0.421875.
    """
    weight = [1.0, 2.0, 2.0]
    gp = judged(adversary(pointwise(weight), Wasserstein(10.0)), side=8)
    assert_close(gp.penalty, torch.tensor(3.90625))
    regular = judged(adversary(pointwise(weight), r1_gamma=6.0), side=8)
    assert_close(regular.penalty, torch.tensor(0.421875))
    both = judged(adversary(pointwise(weight), Wasserstein(10.0), r1_gamma=6.0), side=8)
    assert_close(both.penalty, torch.tensor(3.90625 + 0.421875))
    assert_close(both.total, both.real + both.fake + both.penalty)


def test_penalties_reach_the_weights_of_the_network():
    """Norms as above: d/dw 10 (|w|/8 - 1)^2 = 20 (|w|/8 - 1) w / (8 |w|), and d/dw gamma/2 |w|^2/64 = gamma w / 64."""
    weight = torch.tensor([1.0, 2.0, 2.0])
    opponent = adversary(pointwise(weight.tolist()), Wasserstein(10.0))
    (gradient,) = torch.autograd.grad(judged(opponent, side=8).penalty, opponent.network.weight)
    assert_close(gradient.flatten(), 20 * (0.375 - 1) * weight / 24)
    opponent = adversary(pointwise(weight.tolist()), r1_gamma=6.0)
    (gradient,) = torch.autograd.grad(judged(opponent, side=8).penalty, opponent.network.weight)
    assert_close(gradient.flatten(), 6 * weight / 64)


def test_gradient_penalty_is_taken_between_real_and_fake():
    """A critic that answers x^2 has the slope 2 x / n, so the penalty tells where between 0.2 and 0.8 it was taken."""

    class Square(nn.Module):
        def forward(self, shown):
            return shown.square().mean(dim=1, keepdim=True)

    opponent = adversary(Square(), Wasserstein(1.0))
    real, fake, lr = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 0.8), torch.zeros(1, 3, 2, 2)

    def penalty(sample):
        exhibits = opponent.exhibits(fake, real, lr, draws(1, sample))
        return opponent.verdict(exhibits, 0, 0, exact(), True).penalty

    # Of n = 48 places with 2 x / 48 each the norm is 2 x / sqrt(48), which is below 1.
    points = torch.stack([(1 - penalty(sample).sqrt()) * math.sqrt(48) / 2 for sample in range(64)])
    assert points.min() > 0.2
    assert points.max() < 0.8
    assert points.max() - points.min() > 0.5  # 64 uniform numbers leave out a sixth with a chance of 1e-4
    assert penalty(0) == penalty(0) != penalty(1)


def test_r1_every_so_many_of_its_updates_is_so_many_times_as_strong():
    """Its own updates count: with the run's a discriminator that rests at the wrong times would never meet it."""
    opponent = adversary(pointwise([1.0, 2.0, 2.0]), r1_gamma=6.0, r1_every=4)
    penalties = []
    for learned in range(9):
        opponent.learned = learned
        penalties.append(judged(opponent, side=8, updates=2 * learned + 1).penalty)
    assert [u for u, p in enumerate(penalties) if p is not None] == [0, 4, 8]
    assert_close(penalties[4], torch.tensor(4 * 0.421875))


@pytest.mark.parametrize("kind", ["r1", "between"])
def test_penalties_look_at_the_pictures_and_not_at_their_condition(kind):
    """A map w x + v c of pictures x and conditions c has the gradient w everywhere, whatever v is."""
    options = {"r1_gamma": 2.0} if kind == "r1" else {"objective": Wasserstein(1.0)}
    found = []
    for condition in (0.0, 100.0):
        network = nn.Conv2d(6, 1, 1)
        with torch.no_grad():
            network.weight.copy_(torch.tensor([3.0, 0.0, 4.0, *(condition,) * 3]).view(1, 6, 1, 1))
        found.append(judged(adversary(network, shows=Shows(2, "bicubic"), **options), side=8).penalty)
        # Each of n = 64 cells has the slope 5 / 64 along its pixel, so the norm is 5 / 8.
        assert_close(found[-1].detach(), torch.tensor(25 / 64 if kind == "r1" else (1 - 5 / 8) ** 2))
        found[-1].backward()
        assert network.weight.grad[0, 3:].abs().max() == 0 < network.weight.grad[0, 0].abs().max()
    assert torch.equal(*found)


def test_r1_leaves_the_pictures_alone():
    opponent = adversary(r1_gamma=1.0)
    sr, hr, lr = pictures()
    verdict = opponent.verdict(opponent.exhibits(sr, hr, lr, draws(2)), 0, 0, exact(), True)
    verdict.total.backward()
    assert not hr.requires_grad
    assert hr.grad is None
    assert all(p.grad is not None for p in opponent.network.parameters())


def test_old_batches_add_to_the_fake_term():
    """Least squares with every batch kept: the mean square of each, summed, and gradient from all of them."""
    opponent, plain = adversary(small(norm=False), replay=BatchStore(10, share=1.0)), small(norm=False)
    expected = torch.zeros(())
    for number in range(3):
        sr = pictures(seed=number)[0]
        verdict = judged(opponent, first=2 * number, seed=number)
        # The store rounds to half precision: compared with the newest as it is and the old ones rounded.
        newest = plain(sr).square().mean()
        assert_close(verdict.fake, expected + newest)
        assert_close(verdict.output_fake, plain(sr).mean())
        expected = expected + plain(sr.half().float()).square().mean()
    verdict.fake.backward()
    (newest + expected - plain(pictures(seed=2)[0].half().float()).square().mean()).backward()
    for ours, theirs in zip(opponent.network.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad)


def test_a_pool_takes_the_place_of_new_fakes():
    """A pool of one that always exchanges gives back the fake before."""
    opponent, plain = adversary(small(norm=False), replay=ImagePool(1, probability=1.0)), small(norm=False)
    for number in range(4):
        verdict = judged(opponent, batch=1, first=number, seed=number)
        before = pictures(1, seed=max(0, number - 1))[0]
        assert_close(verdict.fake, plain(before).square().mean())


def test_swapped_regions_come_with_their_labels():
    """A critic that answers 60 (x - 0.5) is right at each pixel of real 1 and fake 0, so right labels cost nothing."""

    class Sure(nn.Module):
        cell, margin = 1, 0

        def forward(self, shown):
            return 60 * (shown[:, :1] - 0.5)

    shows = Shows(2, swap=RegionSwap(boxes=4, smallest=4, largest=0.5, probability=1.0))
    opponent = adversary(Sure(), CrossEntropy(), shows)
    one, zero, lr = torch.ones(8, 3, 16, 16), torch.zeros(8, 3, 16, 16), torch.zeros(8, 3, 8, 8)
    verdict = opponent.verdict(opponent.exhibits(zero, one, lr, draws(8)), 0, 0, exact(), False)
    assert_close(verdict.total, torch.tensor(0.0))
    assert -30 < verdict.output_fake < 30  # there were swaps
    assert_close(verdict.output_fake, -verdict.output_real)


@pytest.mark.parametrize("trim", [0, 2])
def test_swapped_regions_come_with_their_labels_in_a_trimmed_map(trim):
    network = Patch(3, ["1x1", "pool"], norm="none", negative_slope=1.0, trim=trim)
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        network.layers[0].weight[0, 0] = 1.0
        network.layers[-1].weight.fill_(60.0)
        network.layers[-1].bias.fill_(-30.0)
    # Boxes of 8x8 pixels; those at even places are whole cells, where right labels cost nothing.
    shows = Shows(2, swap=RegionSwap(boxes=1, smallest=8, largest=0.25, probability=1.0))
    opponent = adversary(network, CrossEntropy(), shows)
    one, zero, lr = torch.ones(1, 3, 32, 32), torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 16, 16)
    some = 0
    for sample in range(60):
        mask = shows.swap.mask(draws(1, sample).within("step 0"), 32, 32, CPU)
        cells = label_map(mask, (16, 16), Cells(2, 0))
        if cells.max() == 0 or (cells % 1).any():
            continue  # no box, or one that does not fall on whole cells
        some += 1
        verdict = opponent.verdict(opponent.exhibits(zero, one, lr, draws(1, sample)), 0, 0, exact(), False)
        assert_close(verdict.total, torch.tensor(0.0))
    assert some >= 3


def test_exhibits_carry_no_graph():
    """All that makes them runs without gradient, so they must not lead back to the generator."""
    opponent = adversary()
    sr, hr, lr = pictures()
    exhibits = opponent.exhibits(sr.requires_grad_(), hr, lr, draws(2))
    assert not any(fake.requires_grad for fake in exhibits.fakes)


def test_a_critic_gains_nothing_from_a_constant_with_old_fakes():
    """A Wasserstein critic is defined up to a constant: adding it must not change its loss, old fakes or not."""
    totals = []
    for constant in (0.0, -5.0):
        network = small(norm=False)
        with torch.no_grad():
            network[-1].bias += constant
        opponent = adversary(network, Wasserstein(), replay=ImagePool(10, probability=1.0))
        totals.append([judged(opponent, first=2 * n, seed=n).total for n in range(8)])
    assert_close(torch.stack(totals[1]), torch.stack(totals[0]))


@pytest.mark.parametrize("shows", [Shows(2, shift=4), Shows(2, noise=InstanceNoise(0.1))], ids=["shift", "noise"])
def test_old_batches_of_another_size(shows):
    """As after a resume with another data.batch_size."""
    opponent = adversary(shows=shows, replay=BatchStore(10, share=1.0))
    judged(opponent, batch=3)
    verdict = judged(opponent, batch=2, first=3)
    assert verdict.fake.isfinite()


def test_draws_of_a_verdict_belong_to_samples():
    """Without batch statistics a batch of four is the mean of its halves, with shift, noise, swap and penalties."""
    shows = Shows(2, shift=4, noise=InstanceNoise(0.1), swap=RegionSwap(4, 2, 0.5, 1.0))
    opponent = adversary(small(norm=False), LeastSquares(), shows, r1_gamma=1.0)
    sr, hr, lr = pictures(4)

    def of(part):
        numbers = Draws(0, np.arange(4)[part])
        return opponent.verdict(opponent.exhibits(sr[part], hr[part], lr[part], numbers), 0, 0, exact(), True)

    whole, halves = of(slice(0, 4)), [of(slice(0, 2)), of(slice(2, 4))]
    for key, value in whole.values().items():
        assert_close(value, (halves[0].values()[key] + halves[1].values()[key]) / 2)


@pytest.mark.parametrize("learns", [True, False])
def test_under_autocast_networks_are_coarse_and_losses_fine(learns):
    opponent, plain = adversary(), adversary()
    sr, hr, lr = pictures()
    coarse = torch.autocast("cpu", torch.bfloat16)
    verdict = opponent.verdict(opponent.exhibits(sr, hr, lr, draws(2)), 0, 0, coarse, learns)
    assert all(value.dtype is torch.float32 for value in verdict.values().values())
    expected = judged(plain, learns=learns).values()
    for key, value in verdict.values().items():
        assert_close(value.to(torch.bfloat16), expected[key])
        assert value != expected[key]


def test_weight_waits_for_the_start():
    opponent = adversary(policy=UpdatePolicy(start=3, stop=6), weight=Phases([(0, 0.5), (5, 0.2)]))
    assert [opponent.weight(u) for u in range(8)] == [0, 0, 0, 0.5, 0.5, 0.2, 0.2, 0.2]
    assert adversary(weight=ConstantWeight(0.3)).weight(0) == 0.3


def test_optimizer_takes_what_can_be_trained():
    opponent = adversary()
    opponent.network[0].requires_grad_(False)
    (group,) = make_optimizer(opponent.optimizer, opponent.network, "adversary.d.optimizer").param_groups
    wanted = [*opponent.network[1].parameters(), *opponent.network[3].parameters()]
    assert len(group["params"]) == len(wanted)
    assert all(a is b for a, b in zip(group["params"], wanted, strict=True))
    assert group["lr"] == 0.1


def test_observe_tells_rates_the_value_and_weights_the_gain():
    schedule = Plateau(factor=0.5, patience=1, mode="min")
    opponent = adversary(schedule=schedule, weight=RaiseWhileImproving(0.1, 2.0, 1.0))
    for error in (0.5, 0.4):  # less is better: the gain is its negative
        opponent.observe(error, -error)
    assert opponent.weight(0) == pytest.approx(0.2)
    assert schedule.factor(0, 0.0) == 1
    opponent.observe(0.6, -0.6)
    assert opponent.weight(0) == pytest.approx(0.1)
    assert schedule.factor(0, 0.0) == 0.5


@pytest.mark.parametrize(
    ("objective", "more", "reason"),
    [
        (LeastSquares(), {}, None),
        (Wasserstein(), {}, "objective.penalty=10"),
        (Wasserstein(penalty=0.0), {}, None),
        (Hinge(), {"r1_gamma": 0.5}, "r1_gamma=0.5"),
    ],
)
def test_which_setting_needs_float32(objective, more, reason):
    assert adversary(objective=objective, **more).needs_float32 == reason


def complete(smallest=0.3):
    return adversary(
        policy=UpdatePolicy(stepper=Stepper(smallest, 0.4)),
        schedule=Plateau(factor=0.5, patience=1),
        weight=RaiseWhileImproving(0.1, 2.0, 1.0),
        replay=ImagePool(2, 0.5),
    )


def test_adversary_state_round_trip():
    opponent, again = complete(), complete()
    judged(opponent).total.backward()
    make_optimizer(opponent.optimizer, opponent.network, "adversary.d.optimizer").step()
    opponent.learned = 5
    for value in (1.0, 2.0, 0.5):
        opponent.observe(value, value)
    opponent.policy.note(torch.tensor(0.1))
    again.load_state_dict(saved(opponent.state_dict()), CPU)
    assert same_state(again.network, opponent.network.state_dict())
    assert again.policy.throttled()
    assert again.learned == 5
    assert again.weight(0) == opponent.weight(0)
    assert again.schedule.factor(0, 0.0) == opponent.schedule.factor(0, 0.0) == 0.5
    assert all(torch.equal(a, b) for a, b in zip(again.replay.kept, opponent.replay.kept, strict=True))
    assert len(again.replay.kept) == 2
    for number in (1, 2):
        a, b = (judged(o, first=2 * number, seed=number).total for o in (opponent, again))
        assert torch.equal(a, b)


def test_what_the_saved_run_did_not_have_begins_afresh():
    full, plain = complete(), adversary()
    full.load_state_dict(saved(plain.state_dict()), CPU)
    assert full.weight(0) == 0.1
    assert full.replay.kept == []
    assert not full.policy.throttled()
    judged(full)
    plain.load_state_dict(saved(full.state_dict()), CPU)
    assert same_state(plain.network, full.network.state_dict())


@pytest.mark.parametrize("other", [small(6), nn.Conv2d(3, 1, 1)])
def test_state_of_another_discriminator_is_refused(other):
    message = (
        r"checkpoint holds another discriminator than this (Sequential: size mismatch for 0\.weight.*"
        r"|Conv2d: Missing key\(s\) in state_dict: .*); leave discriminator as it was"
    )
    with pytest.raises(UserError, match=message):
        adversary(other).load_state_dict(adversary().state_dict(), CPU)


SWAP = Shows(2, swap=RegionSwap())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"objective": Hinge(), "shows": SWAP},
            r"shows\.swap gives labels between 0 and 1, which Hinge cannot use; take CrossEntropy or LeastSquares .*"
            r"shows\.swap=null",
        ),
        ({"objective": Wasserstein(), "shows": SWAP}, "which Wasserstein cannot use"),
        ({"objective": RelativisticAverage(), "shows": SWAP}, "which RelativisticAverage cannot use"),
        (
            {"objective": RelativisticClipped(), "replay": BatchStore()},
            "RelativisticClipped compares fakes with the real pictures of the same batch.*set replay=null",
        ),
        ({"objective": RelativisticAverage(), "replay": ImagePool()}, "RelativisticAverage compares .*set replay=null"),
        (
            {"objective": LeastSquares(), "shows": SWAP, "replay": ImagePool()},
            r"shows\.swap exchanges regions of a fake and its own truth.*set replay=null or shows\.swap=null",
        ),
        ({"r1_gamma": -1.0}, r"r1_gamma=-1\.0 must be a number from 0 on"),
        ({"r1_every": 0}, "r1_every=0 at least 1"),
        ({"clip": 0.0}, r"clip=0\.0 must be positive, or null for no clipping"),
        ({"weight": -0.1}, r"weight=-0\.1 is no loss weight; give a finite number of at least 0"),
        ({"weight": math.nan}, "weight=nan is no loss weight"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        adversary(**settings)


@pytest.mark.parametrize(
    "stated", [{}, {"cell": 8}, {"margin": 0}, {"cell": 0, "margin": 0}, {"cell": 8.0, "margin": 0}]
)
def test_a_discriminator_that_does_not_say_where_its_cells_lie_is_refused_for_swaps_alone(stated):
    network = nn.Conv2d(3, 1, 1)
    for key, value in stated.items():
        setattr(network, key, value)
    adversary(network)
    message = (
        "shows.swap labels every cell of the discriminator's map, and Conv2d does not say where its cells lie; give it "
        "the attributes cell (pixels per cell, None for one verdict on the whole picture) and margin (pixels before "
        "the first cell), or set shows.swap=null."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        adversary(network, shows=SWAP)


def test_what_a_discriminator_says_of_its_cells():
    network = Patch(3, ["3x8", "pool", "3x8", "pool"], trim=2)
    assert cells_of(network) == Cells(cell=4, margin=8)
    network.cell = None
    assert cells_of(network).cell is None


# In the training step


class Statistics(lightning.Callback):
    """Those of the discriminator after each update."""

    def __init__(self, network):
        self.network, self.seen = network, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(self.network[1].running_mean.clone())


def trained(opponent, updates):
    """Train against it; gives its statistics after each update."""
    data = []
    for number in range(updates):
        sr, _, lr = pictures(seed=number)
        hr, lr = ((255 * picture).to(torch.uint8) for picture in (sr, lr))
        data.append(Batch(lr, hr, torch.arange(2 * number, 2 * number + 2)))
    module = SuperResolution(
        network=Espcn(scale=2, features=4, dilations=[1]),
        objective=Objective({"l1": Term(1.0, L1())}),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        schedule=Constant(),
        degradation=None,
        augmentation=Sequence({}),
        clock=Clock(updates, None),
        compute=choose_compute(CPU, "32", "off"),
        ema=None,
        adversaries={"d": opponent},
    )
    statistics = Statistics(opponent.network)
    fit(module, data, [statistics])
    return statistics.seen


class Resting(Stepper):
    """One whose discriminator is always too good."""

    def throttled(self):
        return True


@pytest.mark.parametrize(
    ("policy", "moves"),
    [
        (UpdatePolicy(), [True, True]),
        (UpdatePolicy(stepper=Resting(0.3, 0.4)), [False, False]),
        (UpdatePolicy(stop=1), [False, False]),
        (UpdatePolicy(every_epochs=9, epoch=1), [False, False]),
    ],
    ids=["learns", "throttled", "stopped", "epochs"],
)
def test_statistics_of_a_resting_discriminator_rest(policy, moves):
    first, second, third = trained(adversary(policy=policy, judge="train"), updates=3)
    assert [not torch.equal(first, second), not torch.equal(second, third)] == moves


# What watches


def board(side=8, channels=3, batch=1):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    signs = 1 - 2.0 * ((rows + columns) % 2)
    return signs.expand(batch, channels, side, side)


@pytest.mark.parametrize("amplitude", [0.0, 0.01, 0.25])
def test_checkerboard_has_its_amplitude(amplitude):
    assert_close(checkerboard(0.5 + amplitude * board(), 2), torch.tensor(amplitude))
    assert_close(checkerboard(0.5 + amplitude * board(), 4), torch.tensor(amplitude))  # a harmonic of 4


def test_checkerboard_of_a_bright_place_in_blocks_of_3():
    """Ones at one of nine places: 1/9 of (8/9)^2 and 8/9 of (1/9)^2 is 8/81, the root 0.314270."""
    picture = torch.zeros(2, 3, 9, 12)
    picture[:, :, 1::3, 2::3] = 0.3
    assert_close(checkerboard(picture, 3), torch.tensor(0.3 * math.sqrt(8) / 9))


def test_checkerboard_of_a_smooth_ramp_is_nearly_nothing():
    """A ramp of slope s keeps its differences within a block of 2: s / 2, a 128th for one from black to white."""
    ramp = torch.linspace(0, 1, 65)[:64].expand(1, 3, 64, 64)
    assert_close(checkerboard(ramp, 2), torch.tensor(1 / 128))
    assert_close(checkerboard(ramp.mT, 2), torch.tensor(1 / 128))
    assert_close(checkerboard(torch.full((1, 3, 8, 8), 0.7), 2), torch.tensor(0.0))


def test_checkerboard_does_not_cancel_between_pictures_and_channels():
    """Opposite patterns in two pictures, and a third of the energy where one channel of three has it."""
    opposite = torch.cat([board(), -board()]) * 0.1 + 0.5
    assert_close(checkerboard(opposite, 2), torch.tensor(0.1))
    one = 0.5 + 0.1 * board() * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert_close(checkerboard(one, 2), torch.tensor(0.1 / math.sqrt(3)))


def test_checkerboard_ignores_odd_rows_and_what_has_another_period():
    odd = torch.full((1, 3, 9, 9), 100.0)
    odd[..., :8, :8] = 0.5 + 0.1 * board()
    assert_close(checkerboard(odd, 2), torch.tensor(0.1))
    wide = board(8).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # period 4
    assert_close(checkerboard(wide, 2), torch.tensor(0.0))
    assert_close(checkerboard(rand(1, 3, 8, 8), 1), torch.tensor(0.0))


def test_checkerboard_of_half_precision_is_computed_in_float32():
    picture = (0.5 + 0.125 * board()).to(torch.bfloat16).requires_grad_()
    value = checkerboard(picture, 2)
    assert value.dtype is torch.float32
    assert not value.requires_grad
    assert value.item() == 0.125


def test_colour_error_of_a_known_shift():
    """Red up by 0.1, green down by 0.2, blue as it was: (0.1 + 0.2 + 0) / 3."""
    lr = rand(2, 3, 4, 5)
    sr = lr.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert_close(colour_error(sr, lr), torch.tensor(0.0))
    shift = torch.tensor([0.1, -0.2, 0.0]).view(1, 3, 1, 1)
    assert_close(colour_error(sr + shift, lr), torch.tensor(0.1))
    # Shifts of two pictures do not cancel.
    apart = torch.tensor([0.3, -0.3]).view(2, 1, 1, 1)
    assert_close(colour_error(sr + apart, lr), torch.tensor(0.3))
    assert not colour_error(sr.requires_grad_(), lr).requires_grad


def alarmed(*steps, threshold=50.0):
    alarm = Alarm()
    for update, (total, values) in enumerate(steps, start=1):
        alarm.note_total(update, torch.tensor(total), threshold)
        alarm.note(update, "g", "gradient", [torch.tensor(v) for v in values])
    return alarm


def test_alarm_remembers_the_first_of_each():
    fine, high, bad = (1.0, [1.0, 2.0]), (60.0, [60.0]), (1.0, [1.0, math.nan])
    assert Alarm().read() == QUIET == (None, None, None)
    assert alarmed(fine, fine).read() == QUIET
    assert alarmed(fine, high, fine, high).read() == (None, None, 2)
    assert alarmed(fine, bad, fine, bad, high).read() == (2, "g", 5)
    assert alarmed((1.0, [math.inf])).read() == (1, "g", None)
    assert alarmed((1.0, [-math.inf])).read() == (1, "g", None)


def test_alarm_tells_who_went_wrong_first():
    fine, bad = [torch.tensor([1.0, 2.0]), torch.tensor(3.0)], [torch.tensor([1.0, math.nan])]
    for steps, expected in (
        ([(1, "g", "output", fine), (1, "d", "opinion", bad), (1, "g", "gradient", bad)], (1, "d", None)),
        ([(1, "g", "output", bad), (1, "d", "opinion", bad)], (1, "g", None)),  # what D was given came from G
        ([(1, "g", "output", fine), (1, "d", "gradient", bad), (2, "g", "output", bad)], (1, "d", None)),
        ([(1, "d", "losses", fine), (2, "d", "losses", bad)], (2, "d", None)),
    ):
        alarm = Alarm()
        for step in steps:
            alarm.note(*step)
        assert alarm.read() == expected


def test_alarm_reads_without_forgetting_and_forgets_when_cleared():
    alarm = alarmed((60.0, [math.nan]))
    assert alarm.read() == alarm.read() == (1, "g", 1)
    alarm.clear()
    assert alarm.read() == QUIET
    alarm.note_total(7, torch.tensor(51.0), 50.0)
    assert alarm.read() == (None, None, 7)


def test_alarm_threshold_is_exceeded_only_above():
    assert alarmed((50.0, [1.0])).read() == QUIET
    assert alarmed((1e30, [1.0]), threshold=math.inf).read() == QUIET
    assert alarmed((math.nan, [math.nan])).read() == (1, "g", None)  # no number is above nothing


def test_alarm_takes_mixed_numbers_and_keeps_no_graph():
    alarm = Alarm()
    values = [torch.ones(2, requires_grad=True).sum(), torch.tensor(2.0, dtype=torch.bfloat16)]
    alarm.note(3, "g", "gradient", values)
    alarm.note_total(3, values[0], 1.0)
    assert alarm.read() == (None, None, 3)
    alarm.note(4, "g", "gradient", [values[0] * math.nan])
    assert alarm.read() == (4, "g", 3)


def test_a_stepper_compares_the_newest_pictures_only():
    """Penalties and old batches come and go; the loss that is held against the thresholds must not."""
    opponent = adversary(small(norm=False), replay=BatchStore(10, share=1.0), r1_gamma=10.0)
    alone = adversary(small(norm=False))
    for n in range(3):
        verdict, plain = judged(opponent, first=2 * n, seed=n), judged(alone, first=2 * n, seed=n)
        assert_close(verdict.newest, plain.total)
    assert verdict.total > verdict.newest + 0.5


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"policy": UpdatePolicy(stepper=Stepper(0.3, 0.4))},
            "Wasserstein has a loss without a floor, which no threshold",
        ),
        ({"replay": BatchStore()}, "Wasserstein gains without end when fakes outnumber real pictures"),
    ],
)
def test_an_unbounded_loss_has_no_use_for(parts, message):
    with pytest.raises(ValueError, match=message):
        adversary(objective=Wasserstein(), **parts)
