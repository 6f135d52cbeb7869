"""The photograph of each crop: shrunk by area, and where the crop lies in it."""

import numpy as np
import torch

from sr.data.references import References
from tests.choices import refusal


class Photographs:
    """One of 32x64 pixels, dark on the left and bright on the right."""

    heights, widths = np.array([32]), np.array([64])

    def picture(self, number):
        pixels = np.zeros((32, 64, 3), dtype=np.uint8)
        pixels[:, 32:] = 200
        return pixels


def made(top, left, size=16, side=8):
    return References(side)(Photographs(), np.array([0]), np.array([top]), np.array([left]), size)[0]


def test_photograph_is_shrunk_to_a_square():
    reference = made(0, 0)
    assert reference.dtype == torch.uint8
    assert reference.shape == (4, 8, 8)
    assert torch.equal(reference[0], torch.tensor([0] * 4 + [200] * 4, dtype=torch.uint8).expand(8, 8))


def test_mask_is_where_the_crop_lies():
    """A pixel of the square is 4 rows and 8 columns: rows 8 to 24 are 2 to 6, columns 32 to 48 are 4 and 5."""
    mask = made(8, 32)[3]
    expected = torch.zeros(8, 8, dtype=torch.uint8)
    expected[2:6, 4:6] = 255
    assert torch.equal(mask, expected)


def test_a_crop_smaller_than_a_pixel_still_has_one():
    assert made(31, 63, size=1)[3].nonzero().tolist() == [[7, 7]]
    assert made(0, 0, size=1)[3].nonzero().tolist() == [[0, 0]]


def test_a_crop_beyond_the_border_covers_what_there_is():
    assert made(24, 48, size=64)[3].nonzero().tolist() == [[row, column] for row in (6, 7) for column in (6, 7)]


def test_too_small_a_square_is_refused():
    assert "model.reference=4 is the side of a photograph, and must be at least 8" in refusal(References, 4)
