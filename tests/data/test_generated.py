"""Generated pictures: determinism, the size law, anti-aliasing, natural spectra, messages."""

import itertools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from sr.data.generated import GeneratedPictures, dead_leaves, drawing
from sr.data.generated.camera import camera_kernel, defocus, develop, shrink
from sr.data.generated.drawings import draw_stroke, fill
from sr.data.generated.shapes import Pieces, label_map, mean_square_radius, power_law_radii
from sr.data.generated.textures import PATTERNS, TILE, noise_tile, pattern

KINDS = ("dead_leaves", "drawings", "mixed")


def one_disc(radius, x, y):
    return Pieces(
        owner=np.array([0]),
        centre=np.array([[x, y]]),
        frame=np.eye(2)[None] / radius,
        disc=np.array([1.0]),
        sides=np.zeros((1, 0, 3)),
    )


def log_power_slope(picture):
    """Slope of log power against log frequency, radial mean, windowed, from 1/64 to 1/8 cycles per pixel."""
    gray = picture.astype(np.float64).mean(-1)
    n = gray.shape[0]
    window = np.hanning(n)[:, None] * np.hanning(n)
    power = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None])
    edges = np.geomspace(1 / 64, 1 / 8, 10)
    bands = [(f >= a) & (f < b) for a, b in itertools.pairwise(edges)]
    return np.polyfit(np.log([f[band].mean() for band in bands]), np.log([power[band].mean() for band in bands]), 1)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_same_picture_in_any_order_and_any_process(kind):
    pictures = GeneratedPictures(kind, 48, 64, seed=3, drawings=0.5)
    forward = [pictures[i] for i in range(4)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        elsewhere = list(pool.map(pictures.__getitem__, [3, 1, 2, 0]))
    for i, other in zip([3, 1, 2, 0], elsewhere, strict=True):
        assert np.array_equal(forward[i], pictures[i])
        assert np.array_equal(forward[i], other)


@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_index_change_the_picture(kind):
    a, b = GeneratedPictures(kind, 32, 32, seed=0), GeneratedPictures(kind, 32, 32, seed=1)
    assert not np.array_equal(a[0], b[0])
    assert not np.array_equal(a[0], a[1])


@pytest.mark.parametrize("make", [dead_leaves, drawing])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 1), (1, 40), (37, 90), (131, 50)])
def test_any_size(make, height, width):
    picture = make(height, width, np.random.default_rng(0))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_mixed_holds_its_share_of_drawings_in_every_stretch(share):
    pictures = GeneratedPictures("mixed", 16, 16, drawings=share)
    flags = [pictures.is_drawing(i) for i in range(100)]
    assert sum(flags) == 100 * share
    assert sum(flags[:10]) == 10 * share
    assert all(GeneratedPictures("drawings").is_drawing(i) for i in range(5))
    assert not any(GeneratedPictures("dead_leaves").is_drawing(i) for i in range(5))


def test_identity_names_every_setting():
    base = {"kind": "mixed", "height": 32, "width": 48, "seed": 1, "drawings": 0.2, "lines": 30}
    others = {"kind": "drawings", "height": 33, "width": 49, "seed": 2, "drawings": 0.3, "lines": 31}
    seen = {GeneratedPictures(**base).identity}
    for name, value in others.items():
        seen.add(GeneratedPictures(**{**base, name: value}).identity)
    assert len(seen) == 7


def test_radii_follow_the_inverse_cube_law():
    # P(r <= R) = (a^-2 - R^-2) / (a^-2 - b^-2) for density proportional to r^-3 on [a, b].
    a, b, n = 2.0, 60.0, 200_000
    radii = np.sort(power_law_radii(n, a, b, np.random.default_rng(0)))
    for radius in (2.1, 2.5, 3.0, 5.0, 10.0, 30.0):
        expected = (a**-2 - radius**-2) / (a**-2 - b**-2)
        found = np.searchsorted(radii, radius) / n
        assert abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / n)
    assert radii[0] >= a
    assert radii[-1] <= b


def test_mean_square_radius_against_numerical_integration():
    r = np.geomspace(1.5, 80, 200_001)
    expected = np.trapezoid(r**2 * r**-3, r) / np.trapezoid(r**-3, r)
    assert mean_square_radius(1.5, 80) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("radius", "x", "y"), [(3.0, 20.3, 17.8), (11.4, 20.0, 20.5), (15.2, 21.7, 19.1)])
def test_disc_covers_pi_r_squared_and_has_soft_edges(radius, x, y):
    oversampling, size = 2, 40
    kernel = camera_kernel(oversampling, 0.4)
    extra = (len(kernel) - oversampling) // 2
    fine = size * oversampling + 2 * extra
    disc = one_disc(radius * oversampling, x * oversampling + extra, y * oversampling + extra)
    labels = label_map(disc, fine, fine)
    cover = shrink(labels[None].astype(np.float32), kernel, oversampling, size, size)[0]
    # The count of lattice points in a circle misses its area by about the square root of its perimeter.
    assert cover.sum() == pytest.approx(np.pi * radius**2, abs=0.5 * np.sqrt(2 * np.pi * radius))
    distance = np.hypot(np.arange(size) + 0.5 - x, (np.arange(size) + 0.5 - y)[:, None]) - radius
    edge = cover[np.abs(distance) < 0.2]
    assert ((edge > 0.05) & (edge < 0.95)).all()
    assert np.allclose(cover[distance < -2.5], 1, atol=1e-3)
    assert np.allclose(cover[distance > 2.5], 0, atol=1e-3)


def test_label_map_against_testing_every_sample():
    rng = np.random.default_rng(5)
    n, height, width = 40, 37, 53
    size, angle, stretch = rng.uniform(2, 12, n), rng.uniform(0, 6, n), rng.uniform(0.5, 2, n)
    frame = np.empty((n, 2, 2))
    frame[:, 0] = np.stack([np.cos(angle), np.sin(angle)], -1) / (size * stretch)[:, None]
    frame[:, 1] = np.stack([-np.sin(angle), np.cos(angle)], -1) / (size / stretch)[:, None]
    phi = rng.uniform(0, 6, (n, 3))
    sides = np.stack([np.cos(phi), np.sin(phi), rng.uniform(0.2, 1, (n, 3))], -1)
    pieces = Pieces(
        owner=rng.permutation(n),
        centre=rng.uniform(-5, 55, (n, 2)),
        frame=frame,
        disc=np.ones(n),
        sides=sides,
    )
    expected = np.zeros((height, width), int)
    x, y = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    for k in np.argsort(pieces.owner):
        dx, dy = x - pieces.centre[k, 0], y - pieces.centre[k, 1]
        u, v = frame[k, 0, 0] * dx + frame[k, 0, 1] * dy, frame[k, 1, 0] * dx + frame[k, 1, 1] * dy
        inside = u**2 + v**2 <= 1
        for a, b, c in sides[k]:
            inside &= a * u + b * v <= c
        expected[inside] = pieces.owner[k] + 1
    assert np.array_equal(label_map(pieces, height, width), expected)
    assert len(np.unique(expected)) > 20


@pytest.mark.parametrize("sigma", [0.0, 0.35, 0.8])
@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_camera_kernel_is_centred_and_keeps_the_mean(oversampling, sigma):
    kernel = camera_kernel(oversampling, sigma)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert np.allclose(kernel, kernel[::-1])
    assert (len(kernel) - oversampling) % 2 == 0


def test_develop_rounds_and_clips():
    picture = np.array([0.0, 0.5, 1.0, 1.7, -0.3], np.float32) * np.ones((3, 1, 1), np.float32)
    out = develop(picture, 1.0, 1.0, 0.0, np.random.default_rng(0))
    assert out[0, :, 0].tolist() == [0, 128, 255, 255, 0]


def test_defocus_keeps_what_is_in_focus_and_spreads_the_rest():
    picture = np.zeros((1, 21, 41), np.float32)
    picture[0, 10, [10, 30]] = 1
    share = (np.arange(41) >= 20).astype(np.float32) * np.ones((21, 1), np.float32)
    out = defocus(picture, share, 1.5)[0]
    assert np.array_equal(out[:, :20], picture[0, :, :20])
    # The peak of a two-dimensional Gaussian of standard deviation 1.5 that sums to 1 is 1 / (2 pi 1.5^2).
    assert out[10, 30] == pytest.approx(1 / (2 * np.pi * 1.5**2), rel=0.03)
    assert out[:, 20:].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_tile_has_the_slope_asked_for(slope):
    rng = np.random.default_rng(1)
    power = np.mean([np.abs(np.fft.fft2(noise_tile(slope, 1.0, 0.0, rng))) ** 2 for _ in range(8)], 0)
    f = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.fftfreq(TILE)[None])
    band = (f > 0.03) & (f < 0.45)
    assert np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0] == pytest.approx(-2 * slope, abs=0.1)


def test_patterns_repeat_and_stay_in_range():
    rng = np.random.default_rng(2)
    u, v = rng.uniform(0, 3, (2, 4000))
    for kind in range(len(PATTERNS)):
        index = np.full(4000, kind)
        values = pattern(index, u, v, np.full(4000, 0.5))
        assert values.min() < -0.9
        assert values.max() > 0.9
        assert np.abs(values).max() <= 1
        assert np.allclose(values, pattern(index, u + 2, v + 4, np.full(4000, 0.5)), atol=1e-5)


def test_dead_leaves_have_the_spectrum_of_photographs():
    # Photographs: power falls as f^-2, give or take (Field 1987; Ruderman and Bialek 1994), below the frequencies
    # that the camera's blur dims.
    slopes = [log_power_slope(GeneratedPictures("dead_leaves", 256, 256, seed=0)[i]) for i in range(12)]
    assert -2.6 < np.mean(slopes) < -1.4


def test_stroke_covers_its_length_times_width_with_soft_edges():
    picture = np.zeros((60, 100, 3), np.float32)
    path = np.array([[10, 20], [36.7, 26], [63.3, 32], [90, 38]], np.float64)  # straight
    draw_stroke(picture, path, 5.0, 1.0, np.full(3, 255, np.float32))
    expected = 5.0 * np.hypot(80, 18)
    assert picture[..., 0].sum() / 255 == pytest.approx(expected, rel=0.05)
    partial = (picture[..., 0] > 10) & (picture[..., 0] < 245)
    assert 100 < partial.sum() < 300


def test_fill_of_one_colour_is_that_colour():
    palette = np.tile([[10.0, 120.0, 240.0]], (3, 1))
    for seed in range(8):
        out = fill(24, 30, palette, np.random.default_rng(seed))
        assert np.allclose(out, palette[0], atol=0.01)


def test_drawing_takes_its_colours_from_the_palette():
    palette = np.array([[200, 30, 40], [20, 180, 60], [30, 40, 220]], np.float64)
    picture = drawing(40, 40, np.random.default_rng(1), lines=0, palette=palette)
    low, high = palette.min(0), palette.max(0)
    assert (picture >= low - 1).all()
    assert (picture <= high + 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "deadleaves"}, "'deadleaves'; did you mean 'dead_leaves'"),
        ({"kind": "drawing"}, "'drawing'; did you mean 'drawings'"),
        ({"height": 0}, "got 0x384"),
        ({"seed": -4}, "got -4; give 4"),
        ({"drawings": 1.5}, "got 1.5; nearest valid: 1"),
        ({"lines": -1}, "got -1; give 0"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        GeneratedPictures(**arguments)


def test_bad_calls_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(IndexError, match="got index -1; give 0 or more"):
        GeneratedPictures()[-1]
    with pytest.raises(ValueError, match="height=0 and width=8"):
        dead_leaves(0, 8, rng)
    with pytest.raises(ValueError, match="smallest=5 and largest=2"):
        power_law_radii(3, 5, 2, rng)
    with pytest.raises(ValueError, match=r"got shape \(4, 2\)"):
        drawing(8, 8, rng, palette=np.zeros((4, 2)))
    with pytest.raises(ValueError, match="height=8 and width=0"):
        drawing(8, 0, rng)
