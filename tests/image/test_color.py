import torch

from sr.image.color import luma, rgb_to_ycbcr
from tests.close import assert_close


def colours(*rgb):
    return torch.tensor(rgb, dtype=torch.float64).view(len(rgb), 3, 1, 1)


def test_luma_of_the_primaries_is_the_standards():
    # BT.601: Y = 16 + 65.481 R + 128.553 G + 24.966 B, the constants also in MATLAB's rgb2ycbcr
    image = colours((0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    expected = torch.tensor([16, 235, 81.481, 144.553, 40.966], dtype=torch.float64) / 255
    assert_close(luma(image).flatten(), expected)


def test_ycbcr_matches_the_published_matrix():
    matrix = torch.tensor(  # rows of MATLAB's rgb2ycbcr documentation, for RGB in [0, 1]
        [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]], dtype=torch.float64
    )
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    offset = torch.tensor([16.0, 128, 128], dtype=torch.float64).view(3, 1, 1)
    expected = (torch.einsum("yc,bchw->byhw", matrix, image) + offset) / 255
    assert (rgb_to_ycbcr(image) - expected).abs().max() < 1e-5  # the published rows have three decimals


def test_chroma_spans_16_to_240():
    yellow, blue = rgb_to_ycbcr(colours((1, 1, 0), (0, 0, 1)))[:, 1].flatten() * 255
    assert_close(torch.stack((yellow, blue)), torch.tensor([16.0, 240.0]))


def test_luma_is_the_first_channel_of_ycbcr():
    image = torch.rand(2, 3, 5, 7)
    assert torch.equal(luma(image), rgb_to_ycbcr(image)[:, :1])
