import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data

from sr.image.io import read_picture
from sr.image.resize import bicubic, cubic, imresize, output_size, taps
from tests.benchmarks import benchmark_folder, benchmark_pictures
from tests.close import assert_close


def keys(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def line(values, out, scale, edge, antialias=True):
    """The definition, one output pixel and one input position after the other."""
    stretch = min(1.0, scale) if antialias else 1.0
    result = []
    for j in range(out):
        centre = (j + 0.5) / scale - 0.5
        weights, seen = [], []
        for i in range(math.floor(centre - 2 / stretch) - 1, math.ceil(centre + 2 / stretch) + 2):
            inside = i
            if edge == "replicate":
                inside = min(max(i, 0), len(values) - 1)
            while not 0 <= inside < len(values):
                inside = -1 - inside if inside < 0 else 2 * len(values) - 1 - inside
            weights.append(keys((centre - i) * stretch))
            seen.append(values[inside])
        result.append(sum(w * v for w, v in zip(weights, seen, strict=True)) / sum(weights))
    return np.array(result)


def reference(pixels, out, scales, edge):
    columns = [line(pixels[:, x].astype(float), out[0], scales[0], edge) for x in range(pixels.shape[1])]
    half = np.floor(np.stack(columns, axis=1) + 0.5).clip(0, 255)
    rows = [line(half[y], out[1], scales[1], edge) for y in range(out[0])]
    return np.floor(np.stack(rows) + 0.5).clip(0, 255).astype(np.uint8)


@pytest.fixture
def gray():
    return np.random.default_rng(0).integers(0, 256, (13, 11), dtype=np.uint8)


@pytest.fixture
def photo():
    return data.astronaut()[100:260, 150:310].copy()


def as_image(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def as_pixels(image):
    return image[0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def test_weights_of_halving_are_the_known_eighths():
    # Keys' kernel at 1/4, 3/4, 5/4, 7/4, halved: 111, 29, -9, -3 of 256
    index, weight = taps(100, 50, 0.5, "mirror")
    assert (weight[20] * 256).tolist() == [-3, -9, 29, 111, 111, 29, -9, -3]
    assert index[20].tolist() == [37, 38, 39, 40, 41, 42, 43, 44]


def test_weights_sum_to_one_and_kernel_interpolates():
    _, weight = taps(31, 11, 11 / 31, "replicate")
    np.testing.assert_allclose(weight.sum(axis=1), 1)
    assert cubic(np.array([0.0, 1, 2, 3, 0.5])).tolist() == [1, 0, 0, 0, 0.5625]


def test_what_lies_beyond_the_border():
    assert taps(6, 3, 0.5, "mirror")[0][0].tolist() == [2, 1, 0, 0, 1, 2, 3, 4]
    assert taps(6, 3, 0.5, "replicate")[0][0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("edge", ["mirror", "replicate"])
@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), 2, 3, 1.3, 0.7])
def test_imresize_equals_the_definition(gray, scale, edge):
    out = (math.ceil(13 * scale), math.ceil(11 * scale))
    expected = reference(gray, out, (float(scale), float(scale)), edge)
    assert np.array_equal(imresize(gray, scale, edge=edge), expected)


def test_imresize_to_a_size_shrinks_the_stronger_axis_first(gray):
    expected = reference(gray.T, (4, 9), (4 / 11, 9 / 13), "mirror").T
    assert np.array_equal(imresize(gray, size=(9, 4)), expected)


def test_imresize_treats_channels_alike(photo):
    channels = [imresize(photo[..., c], Fraction(1, 3)) for c in range(3)]
    assert np.array_equal(imresize(photo, Fraction(1, 3)), np.stack(channels, axis=-1))


def test_a_picture_smaller_than_the_kernel():
    pixels = np.array([[0, 200], [100, 50]], np.uint8)
    expected = reference(pixels, (1, 1), (0.25, 0.25), "mirror")
    assert np.array_equal(imresize(pixels, Fraction(1, 4)), expected)


def test_sizes_round_up_and_fractions_are_exact():
    assert output_size(10, 11, Fraction(1, 3)) == (4, 4)
    assert output_size(10, 10, Fraction(11, 10)) == (11, 11)
    assert output_size(50, 50, Fraction(11, 10)) == (55, 55)
    assert output_size(50, 50, 1.1) == (56, 56)  # as MATLAB: 1.1 * 50 is a little more than 55


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), 2, 3, 4])
@pytest.mark.parametrize("edge", ["mirror", "replicate"])
def test_bicubic_is_within_one_gray_level_of_imresize(photo, scale, edge):
    exact = imresize(photo, scale, edge=edge).astype(int)
    fast = as_pixels(bicubic(as_image(photo), scale, edge=edge, clip=True)).astype(int)
    assert np.abs(exact - fast).max() == 1  # the rounding between the passes is missing, no more


@pytest.mark.parametrize(("scale", "out"), [(0.5, 150), (0.75, 225), (2.0, 600)])
def test_bicubic_equals_torch_away_from_the_border(scale, out):
    image = torch.rand(1, 2, 20, 300)  # more outputs than one block of the product
    theirs = F.interpolate(image, size=(int(20 * scale), out), mode="bicubic", antialias=True)
    ours = bicubic(image, scale)
    assert_close(ours[..., 5:-5, 5:-5], theirs[..., 5:-5, 5:-5])


def test_bicubic_without_antialiasing_keeps_the_narrow_kernel():
    values = torch.rand(16, dtype=torch.float64)
    image = values.expand(1, 1, 16, 16)
    expected = torch.from_numpy(line(values.numpy(), 8, 0.5, "mirror", antialias=False))
    assert_close(bicubic(image, Fraction(1, 2), antialias=False)[0, 0, 3], expected)


def test_bicubic_is_differentiable():
    image = torch.rand(2, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bicubic(x, size=(3, 9)), (image,))


def test_bicubic_trains_after_validating():
    # weights cached under inference mode could not be saved for a backward pass
    with torch.inference_mode():
        bicubic(torch.rand(1, 3, 17, 19), 3)
    image = torch.rand(1, 3, 17, 19, requires_grad=True)
    bicubic(image, 3).sum().backward()
    assert_close(image.grad.sum(), torch.tensor(17.0 * 19 * 9 * 3))


def test_bicubic_does_not_depend_on_the_batch():
    image = torch.rand(5, 3, 64, 48)
    parts = torch.cat([bicubic(one[None], Fraction(1, 3)) for one in image])
    assert torch.equal(bicubic(image, Fraction(1, 3)), parts)


def test_bicubic_ignores_autocast_and_keeps_the_dtype():
    image = torch.rand(1, 3, 24, 24)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = bicubic(image, 2)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, bicubic(image, 2))
    assert bicubic(image.bfloat16(), 2).dtype == torch.bfloat16


def test_bicubic_inside_a_compiled_function():
    image = torch.rand(1, 3, 10, 12)
    compiled = torch.compile(lambda x: bicubic(x * 0.5, 2) + 1, backend="eager")
    assert torch.equal(compiled(image), bicubic(image * 0.5, 2) + 1)


def test_mistakes_are_named(gray):
    with pytest.raises(ValueError, match="either scale or size, got scale=None and size=None"):
        imresize(gray)
    with pytest.raises(ValueError, match="either scale or size, got scale=2"):
        bicubic(torch.rand(1, 3, 8, 8), 2, size=(3, 3))
    with pytest.raises(ValueError, match="scale must be positive, got -2"):
        imresize(gray, -2)
    with pytest.raises(ValueError, match=r"at least 1x1 \(height, width\), got \(0, 3\)"):
        imresize(gray, size=(0, 3))


@pytest.mark.parametrize(
    ("scale", "edge"), [(2, "mirror"), (3, "mirror"), (4, "mirror"), (8, "replicate")]
)  # the files at x8 come from an older MATLAB than the others
def test_imresize_reproduces_matlabs_files(scale, edge):
    pictures = benchmark_pictures("Set14")
    assert len(pictures) == 14
    for path in pictures:
        high = read_picture(path).pixels
        height, width = (side - side % scale for side in high.shape[:2])
        low = imresize(high[:height, :width], Fraction(1, scale), edge=edge)
        theirs = benchmark_folder() / f"Set14/LR_bicubic/X{scale}/{path.stem}x{scale}.png"
        assert np.array_equal(low, read_picture(theirs).pixels), path.stem
