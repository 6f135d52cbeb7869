"""JPEG on the device against Pillow's libjpeg, kornia and numbers of the standard."""

import io
import itertools
from dataclasses import replace

import kornia
import numpy as np
import pytest
import scipy.fft
import torch
from PIL import Image

from sr.degradations.jpeg import Jpeg, _each, _enlarged, _transform, jpeg, quantisation
from sr.degradations.pictures import Pictures
from sr.draws import Draws, Record
from tests.conftest import smooth_picture

SUBSAMPLINGS = ["4:4:4", "4:2:2", "4:2:0"]


def textured(height, width, seed=0):
    """A picture with edges, gradients and grain in all colours."""
    grain = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return np.clip(smooth_picture(height, width, seed) + grain, 0, 255).round().astype(np.uint8)


def batch_of(*pictures):
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pictures]).float() / 255


def levels(image):
    return (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def pillow(picture, quality, subsampling):
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "JPEG", quality=quality, subsampling=subsampling)
    return np.array(Image.open(memory))


def psnr(a, b):
    return 10 * np.log10(255**2 / max(((a.astype(float) - b) ** 2).mean(), 1e-10))


def apply(stage, image, record=None, samples=None):
    samples = np.arange(len(image)) if samples is None else samples
    return stage(Pictures.of(image, (1, 1)), Draws(0, samples, record)).pixels


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [5, 25, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("size", [(64, 96), (37, 51)])
def test_as_libjpeg_in_pillow(subsampling, quality, size):
    """The same loss, and nearly the same picture: a few coefficients on the edge of two steps fall to the other."""
    picture = textured(*size)
    ours = levels(jpeg(batch_of(picture), np.array([quality]), subsampling))[0]
    theirs = pillow(picture, quality, subsampling)
    assert abs(psnr(ours, picture) - psnr(theirs, picture)) < 0.3
    assert psnr(ours, theirs) > 44


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_flat_colours_equal_libjpeg(subsampling):
    for colour in itertools.product((0, 99, 254, 255), repeat=3):
        picture = np.full((16, 16, 3), colour, dtype=np.uint8)
        ours = levels(jpeg(batch_of(picture), np.array([100]), subsampling))[0]
        assert np.array_equal(ours, pillow(picture, 100, subsampling)), colour


def test_tables_equal_those_in_the_files_that_pillow_writes():
    zigzag = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))
    for quality in range(1, 101):
        memory = io.BytesIO()
        Image.new("RGB", (8, 8)).save(memory, "JPEG", quality=quality)
        theirs = Image.open(memory).quantization
        ours = quantisation(np.array([quality]))[0]
        for kind in (0, 1):
            in_file = np.array(theirs[kind])
            # Pillow hands tables out row by row in some versions and in zigzag order in others.
            assert np.array_equal(ours[kind], in_file) or np.array_equal(ours[kind][zigzag], in_file), quality


@pytest.mark.parametrize(("quality", "factor"), [(25, 2.0), (50, 1.0), (80, 0.4), (95, 0.1), (99, 0.02)])
def test_factors_of_the_quality(quality, factor):
    """The corner entries of tables K.1 and K.2 are 99."""
    assert quantisation(np.array([quality]))[0, :, -1].tolist() == [np.floor(99 * factor + 0.5)] * 2


def test_the_transform_equals_scipy():
    block = np.random.default_rng(0).normal(size=(8, 8))
    ours = block.ravel() @ _transform(torch.device("cpu")).numpy()
    np.testing.assert_allclose(ours.reshape(8, 8), scipy.fft.dctn(block, norm="ortho"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_near_kornia(quality):
    """Kornia rounds softly and enlarges chroma otherwise: the same loss within half a decibel."""
    picture = textured(64, 96)
    ours = levels(jpeg(batch_of(picture), np.array([quality])))[0]
    theirs = levels(kornia.enhance.jpeg_codec_differentiable(batch_of(picture), torch.tensor([float(quality)])))[0]
    assert abs(psnr(ours, picture) - psnr(theirs, picture)) < 1
    assert psnr(ours, theirs) > psnr(ours, picture)


def test_values_beyond_the_range_and_between_levels_count_as_8_bits():
    image = batch_of(textured(32, 32)) * 1.4 - 0.2
    expected = jpeg(image.clamp(0, 1).mul(255).round().div(255), np.array([70]))
    assert torch.equal(jpeg(image, np.array([70])), expected)
    assert torch.allclose(expected * 255, (expected * 255).round(), atol=1e-4)


def test_each_picture_has_its_own_quality_and_notes_it():
    record = Record()
    picture = textured(48, 48)
    made = levels(apply(Jpeg((30, 95)), batch_of(*[picture] * 12), record))
    qualities = [int(record.of(i)["quality"]) for i in range(12)]
    assert len(set(qualities)) > 6
    for one, quality in zip(made, qualities, strict=True):
        assert 30 <= quality <= 95
        assert np.array_equal(one, levels(jpeg(batch_of(picture), np.array([quality])))[0])


def test_choices_and_both_ends_of_a_range_occur():
    record = Record()
    image = torch.zeros(100, 3, 8, 8)
    apply(Jpeg(choices=[50, 70, 99]), image, record)
    assert {record.of(i)["quality"] for i in range(100)} == {50, 70, 99}
    record = Record()
    apply(Jpeg(quality=[60, 62]), image, record)
    assert {record.of(i)["quality"] for i in range(100)} == {60, 61, 62}


def test_random_subsampling_is_one_of_the_three():
    record = Record()
    picture = textured(32, 32)
    made = apply(Jpeg((80, 80), subsampling="random"), batch_of(*[picture] * 30), record)
    kinds = [record.of(i)["subsampling"] for i in range(30)]
    assert set(kinds) == set(SUBSAMPLINGS)
    for one, kind in zip(made, kinds, strict=True):
        assert torch.equal(one, jpeg(batch_of(picture), np.array([80]), kind)[0])


def test_compression_belongs_to_samples():
    stage = Jpeg((30, 95), subsampling="random", probability=0.7)
    image = batch_of(*[textured(41, 52, seed) for seed in range(9)])
    whole = apply(stage, image)
    parts = [apply(stage, image[:4]), apply(stage, image[4:], samples=np.arange(4, 9))]
    assert torch.equal(whole, torch.cat(parts))
    untouched = sum(torch.equal(a, b) for a, b in zip(whole, image, strict=True))
    assert 0 < untouched < 9


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_pictures_smaller_than_their_canvas(subsampling):
    """Alone, on a canvas full of rubbish, and all together as on a GPU: the same to the last level."""
    sizes = [(33, 20), (16, 48), (40, 47)]
    image = torch.full((3, 3, 40, 48), float("nan"))
    for i, (height, width) in enumerate(sizes):
        image[i, :, :height, :width] = batch_of(textured(height, width, i))[0]
    heights, widths = np.array(sizes).T
    pictures = Pictures(image, heights, widths, (1, 1))
    quality = np.array([40, 70, 95])
    stage, draws = Jpeg((70, 70), subsampling=subsampling), Draws(0, np.arange(3))
    one_by_one = stage(pictures, draws).pixels
    together = stage(replace(pictures, together=True), draws).pixels
    mixed = _each(replace(pictures, together=True), quality, np.array([subsampling] * 3))
    for i, (height, width) in enumerate(sizes):
        picture = image[i : i + 1, :, :height, :width]
        alone = jpeg(picture, np.array([70]), subsampling)
        assert torch.equal(one_by_one[i : i + 1, :, :height, :width], alone)
        torch.testing.assert_close(together[i : i + 1, :, :height, :width], alone, rtol=0, atol=1e-6)
        expected = jpeg(picture, quality[i : i + 1], subsampling)
        torch.testing.assert_close(mixed[i : i + 1, :, :height, :width], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quality": (0, 50)}, r"quality=\[0, 50\] must lie between 1 and 100"),
        ({"quality": (90, 50)}, r"quality=\[90, 50\] must be two numbers \[low, high\] with low <= high"),
        ({"quality": (50,)}, r"quality=\[50\] must be two numbers"),
        ({}, r"set either quality=\[lowest, highest\] or choices="),
        ({"quality": (50, 60), "choices": [50]}, "set either quality="),
        ({"choices": []}, r"choices=\[\] must hold at least one"),
        ({"choices": [50, 101]}, r"choices=\[50, 101\]: 101 must be a whole number from 1 to 100"),
        ({"quality": (50, 60), "probability": 2}, "probability=2 must lie between 0 and 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Jpeg(**settings)


@pytest.mark.parametrize("rows", [1, 2])
def test_chroma_is_enlarged_by_libjpegs_whole_numbers(rows):
    # jdsample.c, h2v1_fancy_upsample and h2v2_fancy_upsample: ties go up in one column and down in the next.
    samples = np.random.default_rng(0).integers(0, 256, (6, 9))
    sums = samples
    if rows == 2:
        tall = np.pad(samples, ((1, 1), (0, 0)), mode="edge")
        sums = np.stack([3 * samples + tall[:-2], 3 * samples + tall[2:]], axis=1).reshape(12, 9)
    wide = np.pad(sums, ((0, 0), (1, 1)), mode="edge")
    shift, even, odd = (4, 8, 7) if rows == 2 else (2, 1, 2)
    columns = [(3 * sums + wide[:, :-2] + even) >> shift, (3 * sums + wide[:, 2:] + odd) >> shift]
    expected = np.stack(columns, axis=2).reshape(6 * rows, 18)
    centred = torch.from_numpy(samples - 128).float()[None, None]
    made = _enlarged(Pictures.of(centred, (6, 9)), rows)
    assert np.array_equal(made[0, 0].numpy() + 128, expected)
