"""Regions exchanged between real and fake, and their labels."""

import math

import pytest
import torch
import torch.nn.functional as F

from sr.losses.weights import Linear
from sr.training.adversary.swap import Cells, RegionSwap, label_map, swapped
from sr.types import UserError
from tests.adversary_pieces import CPU, draws, rand
from tests.choices import refusal
from tests.close import assert_close


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


@pytest.mark.parametrize(("side", "starts", "sizes"), [(64, {0, 32}, {32}), (128, {0, 32, 64}, {32, 64})])
def test_one_box_on_a_grid_as_pix_gan_began(side, starts, sizes):
    """26a4a66: sides 32 U{1..m}, places 32 U{0..m}, m = side // 64; every cell of 8 pixels is of one kind."""
    swap = RegionSwap(boxes=1, fewest=1, smallest=32, largest=0.5, probability=0.75, grid=32)
    assert swap.smallest_side == 64
    mask = swap.mask(draws(400), side, side, CPU)
    touched = mask.flatten(1).any(dim=1)
    assert abs(touched.double().mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 400)
    rows = [one.any(dim=1).nonzero()[:, 0] for one in mask[touched, 0]]
    assert {found[0].item() for found in rows} == starts
    assert {len(found) for found in rows} == sizes
    share = label_map(mask, (side // 8, side // 8), Cells(8, 0))
    assert set(share.unique().tolist()) == {0.0, 1.0}
    assert_close(label_map(mask, (side // 8, side // 8), Cells(8, 0), "bilinear"), share)


def test_bilinear_labels_are_pytorchs_and_see_the_middle_of_a_cell():
    """At an eighth without antialiasing, the mean of the central 2x2 of each 8x8 pixels: quarters, and nothing else."""
    mask = RegionSwap(probability=1.0).mask(draws(40), 64, 64, CPU)
    found = label_map(mask, (8, 8), Cells(8, 0), "bilinear")
    assert_close(found, F.interpolate(mask, size=(8, 8), mode="bilinear", align_corners=False))
    assert set(found.unique().tolist()) == {0.0, 0.25, 0.5, 0.75, 1.0}
    middle = mask.unflatten(-1, (8, 8)).unflatten(-3, (8, 8))[..., 3:5, :, 3:5].mean(dim=(-1, -3))
    assert_close(found, middle)


def test_bilinear_labels_of_cells_over_the_border_take_the_outermost_pixels():
    """Cells of 4 from pixel -2 on: in the middle of the first are the pixels -1 and 0, of the second 3 and 4."""
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    found = label_map(mask, (2, 2), Cells(4, -2), "bilinear")
    assert_close(found, torch.tensor([1.0, 0.5]).expand(1, 1, 2, 2))


def test_the_share_of_mixed_pictures_may_follow_a_schedule():
    swap = RegionSwap(probability=Linear(0.0, 1.0, 100), fewest=1)
    touched = [swap.mask(draws(50), 64, 64, CPU, updates).flatten(1).any(dim=1).sum() for updates in (0, 50, 100)]
    assert touched[0] == 0
    assert 5 < touched[1] < 45
    assert touched[2] == 50


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fewest": 5}, "fewest=5 must be from 0 to boxes=4"),
        ({"grid": 32}, "smallest=16 must be a multiple of grid=32, from 1 on; take 32"),
        ({"grid": 0}, "smallest=16 must be a multiple of grid=0, from 1 on"),
    ],
)
def test_numbers_of_boxes_and_grids_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RegionSwap(**settings)


def test_labels_that_do_not_exist_are_refused():
    assert "labels" in refusal(RegionSwap, labels="nearest")
