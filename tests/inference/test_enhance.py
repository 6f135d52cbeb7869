"""Denoise, contrast and dither: the log's formulas by its own numbers, its fault, and what replaces it."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from sr.errors import UserError
from sr.inference.enhance.contrast import (
    MOST,
    Limits,
    limits,
    log_amounts,
    log_contrast,
    slope,
    steadied,
    stretched,
)
from sr.inference.enhance.denoise import gentle_denoise, margin
from sr.inference.enhance.dither import dithered, frame_noise
from sr.inference.enhance.enhancer import Enhancer, FilmEnhancer, Settings
from sr.inference.rows import TensorRows
from tests.conftest import smooth_picture


def image(height=40, width=56, seed=0, noise=0.0):
    picture = torch.from_numpy(smooth_picture(height, width, seed)).permute(2, 0, 1)[None].float() / 255
    return (picture + noise * torch.randn(picture.shape)).clamp(0, 1)


def levels(low, high):
    return Limits(low / 255, high / 255)


# ------------------------------------------------------------------------------------- denoise


def test_gentle_denoise_is_the_logs_formula():
    lr = image(noise=0.03).mul(255).round() / 255
    x = lr[0].permute(1, 2, 0).mul(255).numpy().round().astype(np.uint8)
    bgr = cv2.fastNlMeansDenoisingColored(np.ascontiguousarray(x[..., ::-1]), None, 4, 4, 5, 15)
    residual = x.astype(np.float64) - bgr[..., ::-1]
    expected = x - (residual - cv2.blur(residual, (5, 5)))
    made = gentle_denoise(lr, 4)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(made - expected.clip(0, 255)).max() < 1e-3
    assert np.abs(residual).mean() > 1  # there was something to take


def test_it_is_gentler_to_lines_than_non_local_means_alone():
    clean = torch.full((1, 3, 48, 48), 0.6)
    clean[..., 20:22] = 0.45  # a faint line
    noisy = (clean + 0.03 * torch.randn(clean.shape)).clamp(0, 1)
    pixels = np.ascontiguousarray(noisy[0].permute(1, 2, 0).mul(255).round().numpy().astype(np.uint8)[..., ::-1])
    alone = torch.from_numpy(cv2.fastNlMeansDenoisingColored(pixels, None, 14, 14, 5, 15)[..., ::-1].copy())
    two = gentle_denoise(noisy, 14)

    def depth(made):
        return float(made[..., 2:18].mean() - made[..., 20:22].mean())

    lost = [float(depth(clean) - depth(made)) for made in (alone.permute(2, 0, 1)[None].float() / 255, two)]
    assert lost[0] > 0.5 * depth(clean)
    assert 0 < lost[1] < 0.75 * lost[0]
    flat = (..., slice(4, 44), slice(26, 44))
    assert two[flat].std() < 0.7 * noisy[flat].std()


def test_denoising_keeps_what_lies_between_the_levels():
    ramp = torch.linspace(0.2, 0.3, 64).expand(1, 3, 32, 64).contiguous()
    made = gentle_denoise(ramp, 3)
    assert len(made[0, 0, 16].unique()) > 55  # 26 levels of 8 bits lie there
    assert torch.equal(gentle_denoise(ramp, 0), ramp)


# ------------------------------------------------------------------------------------- the log's contrast


@pytest.mark.parametrize(
    ("low", "high", "contrast", "brightness"), [(5, 15, 55, 55), (150, 200, 21, -17), (0, 255, 5, 0)]
)
def test_the_logs_amounts(low, high, contrast, brightness):
    assert log_amounts(levels(low, high)) == (contrast, brightness)


def test_the_logs_fault_a_dark_picture_becomes_black():
    dark = torch.linspace(5, 15, 100).expand(1, 3, 4, 100) / 255
    assert log_contrast(dark, levels(5, 15)).max() == 0
    assert stretched(dark, levels(5, 15)).mean() == pytest.approx(float(dark.mean()), abs=1e-6)


def test_the_logs_fault_a_dark_film_blinks_and_ours_does_not():
    """Frames of a dark scene that flickers by four levels."""
    highs = [34, 42] * 5
    frames = [torch.linspace(20, high, 64).expand(1, 3, 64, 64) / 255 for high in highs]
    log, ours = (FilmEnhancer(Settings(contrast=1, contrast_kind=kind)) for kind in ("log", "steady"))
    before, of_log, of_ours = (
        torch.tensor([255 * float(change(frame).mean()) for frame in frames])
        for change in (torch.Tensor.clone, log.frame, ours.frame)
    )
    assert before.diff().abs().max() == pytest.approx(4, abs=0.01)
    assert of_log.diff().abs().min() > 12
    assert (of_log < before - 10).all()  # darkened
    assert (of_ours - before).abs().max() < 0.3


# ------------------------------------------------------------------------------------- ours


def test_limits_leave_out_half_a_percent_at_each_end():
    ramp = torch.arange(1001.0).div(1000).expand(1, 3, 1, 1001)
    assert limits(ramp, 1) == Limits(pytest.approx(0.005, abs=1e-6), pytest.approx(0.995, abs=1e-6))
    assert limits(ramp, 0) == Limits(0, pytest.approx(1))


def test_limits_of_a_large_picture_look_at_a_part_of_it():
    large = torch.rand(1, 1, 2500, 2500).expand(1, 3, 2500, 2500)
    found = limits(large, 10)
    assert found.low == pytest.approx(0.05, abs=0.005)
    assert found.high == pytest.approx(0.95, abs=0.005)


def test_a_hazy_picture_gets_the_whole_room_about_its_own_middle():
    haze = torch.linspace(0.3, 0.8, 11).expand(1, 3, 1, 11)
    made = stretched(haze, Limits(0.3, 0.8))
    assert made[0, 0, 0, 5] == pytest.approx(0.55, abs=1e-6)
    assert made.max() == pytest.approx(1, abs=1e-6)
    assert made.min() == pytest.approx(0.1, abs=1e-6)


def test_the_slope_is_between_one_and_the_most_and_makes_no_jump():
    lows = torch.linspace(0, 1, 401).tolist()
    for width in (0.0, 0.01, 0.05, 0.2, 0.25, 0.4, 0.8):
        slopes = [slope(Limits(low, low + width)) for low in lows if low + width <= 1]
        assert all(1 <= one <= MOST for one in slopes)
        steps = [abs(a - b) for a, b in pairwise(slopes)]
        assert max(steps, default=0) < 0.03
    assert slope(Limits(0.5, 0.5)) == slope(Limits(0.49, 0.51)) == 1
    assert slope(Limits(0, 1)) == 1
    assert slope(Limits(0.35, 0.65)) == MOST


def test_a_film_is_steady_within_a_scene_and_follows_a_cut():
    first = steadied(Limits(0.3, 0.7), None)
    assert first == Limits(0.3, 0.7)
    assert steadied(Limits(0.35, 0.7), first).low == pytest.approx(0.305)
    assert steadied(Limits(0.1, 0.7), first) == Limits(0.1, 0.7)


# ------------------------------------------------------------------------------------- dither


def test_dither_keeps_the_mean_that_rounding_loses():
    flat = torch.full((1, 3, 64, 64), 100.3 / 255)
    made = dithered(flat) * 255
    assert set(made.round().unique().tolist()) == {100, 101}
    assert made.mean() == pytest.approx(100.3, abs=0.03)
    assert (dithered(flat, 0) * 255).unique().round().tolist() == [100]


def test_dither_belongs_to_the_place_and_the_frame():
    flat = torch.full((1, 3, 16, 16), 0.5)
    assert torch.equal(dithered(flat)[..., 5:9, :], dithered(flat[..., 5:9, :], top=5))
    assert torch.equal(frame_noise(-7, 1, 8, 9), frame_noise(-7, 1, 8, 9))
    assert frame_noise(7, 0, 40, 50).abs().max() <= 0.5
    for other in ((8, 0, 8, 9), (7, 1, 8, 9)):
        assert not torch.equal(frame_noise(7, 0, 8, 9), frame_noise(*other))


def test_dither_of_16_bits_is_a_level_of_16_bits():
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert (dithered(flat, levels=65535) - flat).abs().max() < 2 / 65535


# ------------------------------------------------------------------------------------- together

ALL = Settings(denoise=4, contrast=2, dither=1)


def test_rows_equal_the_whole_picture():
    whole = image(90, 40, noise=0.03)
    enhancer = Enhancer(ALL)
    rows = enhancer.rows(TensorRows(whole), enhancer.limits(whole))
    strips = [rows.read(top, min(top + 13, 90)) for top in range(0, 90, 13)]
    assert (rows.height, rows.width) == (90, 40)
    assert torch.equal(torch.cat(strips, dim=-2), enhancer.image(whole))


def test_the_margin_is_what_a_piece_needs():
    whole = image(80, 32, noise=0.05)
    need = margin()
    cut = gentle_denoise(whole[..., 30 - need : 50 + need, :], 6)[..., need:-need, :]
    assert torch.equal(cut, gentle_denoise(whole, 6)[..., 30:50, :])


def test_each_picture_of_a_batch_by_itself():
    a, b = image(seed=1), image(seed=2) * 0.5 + 0.2
    made = Enhancer(ALL).image(torch.cat((a, b)))
    assert torch.equal(made, torch.cat((Enhancer(ALL).image(a), Enhancer(ALL).image(b))))


def test_a_film_goes_on_from_the_range_of_its_last_frame():
    frames = [0.2 + 0.5 * torch.rand(1, 3, 12, 16) + 0.01 * number for number in range(6)]
    whole = FilmEnhancer(ALL)
    made = [whole.frame(frame) for frame in frames]
    first = FilmEnhancer(ALL)
    assert all(torch.equal(first.frame(frame), one) for frame, one in zip(frames[:3], made[:3], strict=True))
    again = FilmEnhancer(ALL, first.last)
    assert torch.equal(again.frame(frames[3]), made[3])
    assert not torch.equal(FilmEnhancer(ALL).frame(frames[3]), made[3])


def test_nothing_changes_nothing():
    lr = image()
    assert Settings().nothing
    assert torch.equal(Enhancer(Settings()).image(lr), lr)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"denoise": -1}, "--denoise -1 is not within 0 and 100; nearest is 0"),
        ({"denoise": float("nan")}, "--denoise nan is not within 0 and 100; nearest is 0"),
        ({"contrast": 60}, "--contrast 60 is not within 0 and 50; nearest is 50"),
        ({"dither": 11}, "--dither 11 is not within 0 and 10; nearest is 10"),
        ({"window": 4}, "--window 4 is not an odd number of pixels from 1 to 31; nearest is 5"),
        ({"kernel": 1}, "--kernel 1 is not an odd number of pixels from 3 to 31; nearest is 3"),
        ({"kernel": 99}, "--kernel 99 is not an odd number of pixels from 3 to 31; nearest is 31"),
        ({"contrast_kind": "lgo"}, "--contrast-kind=lgo is not one of steady or log; did you mean log?"),
    ],
)
def test_values_out_of_range_are_one_sentence_each(wrong, message):
    with pytest.raises(UserError) as caught:
        Settings(**wrong)
    assert caught.value.args == (message,)


def test_all_faults_at_once():
    with pytest.raises(UserError) as caught:
        Settings(denoise=-1, kernel=2, contrast_kind="none")
    assert len(caught.value.args) == 3
