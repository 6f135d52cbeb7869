"""Noise: random fields, Gaussian, photon, speckle, camera noise, and noise from files."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

from sr.degradations.fields import bit_field, normal_field, uniform_field
from sr.degradations.noise import CameraNoise, GaussianNoise, Noise, PoissonNoise, SpeckleNoise
from sr.degradations.noise_pool import NoisePool, PooledNoise
from sr.degradations.pictures import Pictures
from sr.degradations.poisson import alias, photon_exponents, poisson_noise, poisson_table
from sr.draws import Draws, Record
from sr.errors import UserError
from tests.conftest import smooth_picture

CPU = torch.device("cpu")
UNLIKELY = 4.9
"""Standard deviations: a sound generator is further off once in a million."""


def keys(count, seed=0):
    return Draws(seed, np.arange(count)).bits("field")


def gray_batch(levels, size=64):
    return torch.stack([torch.full((3, size, size), level / 255) for level in levels])


def photos(count, height=40, width=56):
    return (
        torch.stack([torch.from_numpy(smooth_picture(height, width, i)).permute(2, 0, 1) for i in range(count)]) / 255
    )


def apply(stage, image, seed=0, record=None, samples=None):
    samples = np.arange(len(image)) if samples is None else samples
    return stage(Pictures.of(image, (1, 1)), Draws(seed, samples, record)).pixels


def distance(mean, expected, spread, count):
    """How many standard errors a mean is off."""
    return abs(float(mean) - expected) / (spread / count**0.5)


# Fields


def test_uniform_field_is_uniform():
    field = uniform_field(keys(8), 3, 96, 128, CPU)
    assert field.min() >= 0
    assert field.max() < 1
    counts = torch.bincount((field.flatten() * 1024).long(), minlength=1024).numpy()
    assert 1e-6 < scipy.stats.chisquare(counts).pvalue < 1 - 1e-6


def test_normal_field_is_normal():
    field = normal_field(keys(8), 3, 97, 128, CPU).double()
    count = field.numel()
    assert distance(field.mean(), 0, 1, count) < UNLIKELY
    assert distance((field**2).mean(), 1, 2**0.5, count) < UNLIKELY
    assert distance((field**3).mean(), 0, 15**0.5, count) < UNLIKELY
    assert distance((field**4).mean(), 3, 96**0.5, count) < UNLIKELY
    assert scipy.stats.kstest(field.flatten().numpy()[::3], "norm").pvalue > 1e-6
    assert field.isfinite().all()
    assert 4 < field.abs().max() < 5.78


@pytest.mark.parametrize("make", [uniform_field, normal_field])
def test_neighbours_channels_and_samples_are_not_correlated(make):
    field = make(keys(8), 3, 96, 128, CPU).double()
    field = (field - field.mean()) / field.std()
    pairs = {
        "columns": (field[..., 1:], field[..., :-1]),
        "rows": (field[..., 1:, :], field[..., :-1, :]),
        "pairs of rows": (field[..., 2:, :], field[..., :-2, :]),
        "diagonal": (field[..., 1:, 1:], field[..., :-1, :-1]),
        "channels": (field[:, 1:], field[:, :-1]),
        "samples": (field[1:], field[:-1]),
        "squares of rows": (field[..., 0::2, :] ** 2 - 1, field[..., 1::2, :] ** 2 - 1),
    }
    for name, (a, b) in pairs.items():
        product = a * b
        assert distance(product.mean(), 0, float(product.std()), product.numel()) < UNLIKELY, name
    corners = field[..., 1:, 1:] * field[..., :-1, 1:] * field[..., 1:, :-1] * field[..., :-1, :-1]
    assert distance(corners.mean(), 0, float(corners.std()), corners.numel()) < UNLIKELY


def test_every_bit_of_the_hash_is_fair_and_numbers_rarely_repeat():
    bits = bit_field(keys(8), 3, 96, 128, CPU)
    for shift in range(32):
        share = ((bits >> shift) & 1).double().mean()
        assert distance(share, 0.5, 0.5, bits.numel()) < UNLIKELY, shift
    expected = bits.numel() ** 2 / 2**33
    assert bits.numel() - bits.unique().numel() < expected + UNLIKELY * expected**0.5
    assert not torch.equal(bits, bit_field(keys(8), 3, 96, 128, CPU, word=1))


def test_the_hash_equals_one_written_with_plain_integers():
    """SplitMix64 and lowbias32 worked out in Python's unlimited integers, without NumPy or PyTorch."""

    def mix64(x):
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    key, golden = int(keys(1)[0]), 0x9E3779B97F4A7C15
    field = bit_field(keys(1), 3, 5, 7, CPU, word=1)
    for channel, row, column in [(0, 0, 0), (1, 4, 6), (2, 3, 0)]:
        place = channel * 2**32 + row + 2**56 + 1
        words = mix64(mix64(place * golden % 2**64) ^ key)
        x = (words ^ mix64((column + 1) * golden % 2**64)) % 2**32
        x = ((x ^ (x >> 16)) * 0x21F0AAAD + (words >> 32)) % 2**32
        x = (x ^ (x >> 15)) * 0xD35A2D97 % 2**32
        assert int(field[0, channel, row, column]) % 2**32 == x


@pytest.mark.parametrize("make", [bit_field, uniform_field, normal_field])
def test_a_pixel_has_the_same_number_on_any_canvas_and_in_any_batch(make):
    whole = make(keys(6), 3, 41, 50, CPU)
    assert torch.equal(make(keys(6)[2:5], 3, 41, 50, CPU), whole[2:5])
    small = make(keys(6), 1, 20, 33, CPU)
    torch.testing.assert_close(small, whole[:, :1, :20, :33], rtol=1e-6, atol=1e-6)


# Gaussian, speckle, camera


def test_gaussian_noise_has_the_sigma_that_it_notes():
    record = Record()
    image = gray_batch([128] * 6, 96)
    noise = (apply(GaussianNoise((2, 30)), image, record=record) - image) * 255
    for i in range(6):
        sigma = record.of(i)["sigma"]
        assert 2 <= sigma <= 30
        assert distance(noise[i].std() / sigma, 1, 0.5**0.5, noise[i].numel()) < UNLIKELY
    assert len({record.of(i)["sigma"] for i in range(6)}) == 6


def test_gray_noise_is_equal_in_all_channels_and_as_often_as_asked():
    image = gray_batch([128] * 400, 4)
    noise = apply(GaussianNoise((10, 10), gray_probability=0.3), image) - image
    gray = (noise.std(dim=1).amax(dim=(1, 2)) < 1e-6).double()
    assert distance(gray.mean(), 0.3, 0.21**0.5, 400) < UNLIKELY
    untouched = apply(GaussianNoise((10, 10), probability=0.25), image) == image
    assert distance(untouched.all(dim=3).all(dim=2).all(dim=1).double().mean(), 0.75, 0.1875**0.5, 400) < UNLIKELY


def test_the_result_is_clamped_unless_asked_otherwise():
    image = gray_batch([0, 255])
    clamped = apply(GaussianNoise((30, 30)), image)
    assert clamped.min() == 0
    assert clamped.max() == 1
    free = apply(GaussianNoise((30, 30), clamp=False), image)
    assert free.min() < -0.1
    assert free.max() > 1.1
    assert torch.equal(free.clamp(0, 1), clamped)


def test_speckle_grows_with_the_brightness():
    image = gray_batch([0, 60, 120], 96)
    noise = (apply(SpeckleNoise((25, 25)), image) - image) * 255
    assert noise[0].abs().max() == 0
    for i, level in ((1, 60), (2, 120)):
        assert distance(noise[i].std() / (25 * level / 255), 1, 0.5**0.5, noise[i].numel()) < UNLIKELY


def test_camera_noise_is_shot_and_read_noise_in_linear_light():
    image = gray_batch([0, 100, 160], 96)
    linear = apply(CameraNoise((0.002, 0.002), (0.01, 0.01), gamma=2.2), image).double() ** 2.2
    for i, level in ((1, 100), (2, 160)):
        light = (level / 255) ** 2.2
        spread = (0.002 * light + 0.01**2) ** 0.5
        assert distance(linear[i].mean(), light, spread, linear[i].numel()) < UNLIKELY
        assert distance(linear[i].std() / spread, 1, 0.5**0.5, linear[i].numel()) < UNLIKELY
    assert distance((linear[0] > 0).double().mean(), 0.5, 0.5, linear[0].numel()) < UNLIKELY


# Photon noise


def test_alias_tables_hold_the_distribution():
    weights = np.random.default_rng(0).exponential(size=(20, 64)) ** 3
    shares, others = alias(weights)
    held = shares.copy()
    for row in range(20):
        np.add.at(held[row], others[row], 1 - shares[row])
    np.testing.assert_allclose(held / 64, weights / weights.sum(1, keepdims=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("exponent", "level"), [(0, 255), (3, 7), (5, 90), (8, 1), (8, 128), (8, 255)])
def test_the_table_holds_the_poisson_distribution_with_its_tails(exponent, level):
    entries = poisson_table().reshape(9, 256, 512)[exponent, level]
    shares, others = (entries >> 9) / 2**22, entries & 511
    held = shares.copy()
    np.add.at(held, others, 1 - shares)
    expected = scipy.stats.poisson(level / 255 * 2**exponent).pmf(np.arange(512))
    np.testing.assert_allclose(held / 512, expected, rtol=0, atol=2.0**-31 * 20)


@pytest.mark.parametrize(("exponent", "level"), [(0, 200), (4, 100), (8, 30), (8, 250)])
def test_variates_follow_the_poisson_distribution(exponent, level):
    levels = torch.full((4, 3, 64, 64), level, dtype=torch.int32)
    noise = poisson_noise(levels, torch.full((4,), exponent, dtype=torch.int32), keys(4))
    counts = ((noise.double() + level / 255) * 2**exponent).round().long().flatten().numpy()
    assert np.abs((noise.double().flatten().numpy() + level / 255) * 2**exponent - counts).max() < 1e-3
    law = scipy.stats.poisson(level / 255 * 2**exponent)
    low, high = law.ppf(1e-3), law.ppf(1 - 1e-3)
    bins = np.clip(counts, low, high).astype(int)
    expected = np.diff(np.concatenate([[0], law.cdf(np.arange(low, high)), [1]])) * len(bins)
    found = np.bincount(bins - int(low), minlength=len(expected))
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-6
    theirs = np.random.default_rng(0).poisson(level / 255 * 2**exponent, counts.size)
    assert abs(counts.mean() - theirs.mean()) < UNLIKELY * (2 * law.var() / counts.size) ** 0.5


def test_photons_are_counted_from_different_levels_of_the_own_picture():
    levels = torch.zeros(5, 3, 16, 16, dtype=torch.int32)
    levels[1, 0, 0, :2] = 9  # 2 levels
    levels[2, :, 0, 0] = torch.tensor([1, 2, 3], dtype=torch.int32)  # 4 levels
    levels[3, 0, 0, :5] = torch.arange(5, dtype=torch.int32)  # 5 levels
    levels[4, 0] = torch.arange(256, dtype=torch.int32).view(16, 16)
    exponents = photon_exponents(levels)
    assert exponents.tolist() == [0, 1, 2, 3, 8]
    for i in range(5):
        assert 2 ** int(exponents[i]) == 2 ** np.ceil(np.log2(len(np.unique(levels[i].numpy()))))
    own = torch.zeros(5, 1, 16, 16, dtype=torch.bool)
    own[:, :, 1:] = True
    assert photon_exponents(levels, own).tolist() == [0, 0, 0, 0, 8]


def test_photon_noise_has_the_variance_of_the_formula():
    image = photos(6, 96, 96)
    record = Record()
    noise = apply(PoissonNoise((0.5, 3), clamp=False), image, record=record) - image
    for i in range(6):
        levels = (image[i] * 255).round()
        photons = 2 ** np.ceil(np.log2(len(levels.unique())))
        scaled = noise[i].double() / record.of(i)["scale"]
        expected = levels.double() / 255 / photons
        ratio = (scaled**2 / expected)[expected > 0.2 / photons]
        assert distance(ratio.mean(), 1, float(ratio.std()), ratio.numel()) < UNLIKELY
        assert distance((scaled.mean() / expected.mean() ** 0.5), 0, 1, scaled.numel()) < UNLIKELY


def test_gray_photon_noise_uses_the_luma():
    image = gray_batch([100, 100], 64) * torch.tensor([1.0, 0.5, 2.0]).view(1, 3, 1, 1)
    image[..., 0, 0] = 0  # a second level: 2 photons
    noise = apply(PoissonNoise((1, 1), gray_probability=1, clamp=False), image) - image
    assert (noise - noise[:, :1]).abs().max() < 1e-6
    luma = round(0.299 * 100 + 0.587 * 50 + 0.114 * 200) / 255
    counts = (noise[:, 0, 1:].double() + luma) * 2
    assert (counts - counts.round()).abs().max() < 1e-4
    assert distance(counts.mean(), 2 * luma, (2 * luma) ** 0.5, counts.numel()) < UNLIKELY


def test_mixed_noise_is_either_of_the_two():
    image = gray_batch([128] * 40, 8)
    record = Record()
    apply(Noise((1, 30), (0.05, 3), gaussian_probability=0.5, gray_probability=0.4), image, record=record)
    kinds = [tuple(record.of(i)) for i in range(40)]
    assert set(kinds) == {("sigma",), ("scale",)}
    assert distance(kinds.count(("sigma",)) / 40, 0.5, 0.5, 40) < UNLIKELY


# All of them


@pytest.fixture
def patches(tmp_path):
    """Five patches of noise, sigma 6, one of them smaller than the others."""
    folder = tmp_path / "patches"
    folder.mkdir()
    for i in range(5):
        size = (24, 30, 3) if i == 4 else (80, 90, 3)
        noise = np.random.default_rng(i).normal(0, 6, size)
        Image.fromarray(np.clip((noise + 128).round(), 0, 255).astype(np.uint8)).save(folder / f"{i}_noise.png")
    return folder


STAGES = [
    GaussianNoise((1, 30), gray_probability=0.4, probability=0.8),
    PoissonNoise((0.05, 3), gray_probability=0.4),
    Noise((1, 30), (0.05, 3), gray_probability=0.4),
    SpeckleNoise((2, 25), gray_probability=0.5),
    CameraNoise((0, 0.01), (0, 0.01), probability=0.7),
    "pool",
]


def stage_of(stage, patches):
    return PooledNoise(str(patches), flips="both", probability=0.8) if stage == "pool" else stage


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage).split("(")[0])
def test_noise_belongs_to_samples(stage, patches):
    stage = stage_of(stage, patches)
    image = photos(1).repeat(9, 1, 1, 1)
    whole = apply(stage, image)
    parts = [apply(stage, image[:4]), apply(stage, image[:5], samples=np.arange(4, 9))]
    assert torch.equal(whole, torch.cat(parts))
    assert len({picture.numpy().tobytes() for picture in whole}) > 5
    assert not torch.equal(whole, apply(stage, image, seed=1))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage).split("(")[0])
def test_noise_of_a_smaller_picture_on_a_larger_canvas(stage, patches):
    """What lies beyond the picture is anything, and must not matter."""
    stage = stage_of(stage, patches)
    image = photos(6, 32, 40)
    canvas = torch.full((6, 3, 48, 64), float("nan"))
    canvas[..., :32, :40] = image
    canvas[:3, :, 32:] = torch.rand(3, 3, 16, 64)
    ragged = Pictures(canvas, np.full(6, 32), np.full(6, 40), (1, 1))
    made = stage(ragged, Draws(0, np.arange(6))).pixels[..., :32, :40]
    torch.testing.assert_close(made, apply(stage, image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage).split("(")[0])
def test_stages_pickle_and_tell_their_settings(stage, patches):
    stage = stage_of(stage, patches)
    copy = pickle.loads(pickle.dumps(stage))
    assert repr(copy) == repr(stage)
    assert torch.equal(apply(copy, photos(3)), apply(stage, photos(3)))
    name = "amplitude" if isinstance(stage, PooledNoise) else "probability"
    assert repr(replace(stage, **{name: 0.125})) != repr(stage)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianNoise((5, 1)), r"sigma=\[5, 1\] must be two numbers \[low, high\] with low <= high"),
        (lambda: GaussianNoise((1,)), r"sigma=\[1\] must be two numbers"),
        (lambda: GaussianNoise((-1, 5)), r"sigma=\[-1, 5\] must lie between 0 and 255"),
        (lambda: GaussianNoise((1, 5), probability=1.5), "probability=1.5 must lie between 0 and 1"),
        (lambda: PoissonNoise((0, 200)), r"scale=\[0, 200\] must lie between 0 and 100"),
        (lambda: PoissonNoise((0, 2), gray_probability=-1), "gray_probability=-1 must lie between 0 and 1"),
        (lambda: Noise((1, 2), (1, 2), gaussian_probability=2), "gaussian_probability=2 must lie between 0 and 1"),
        (lambda: SpeckleNoise((1, 300)), r"sigma=\[1, 300\] must lie"),
        (lambda: CameraNoise((0, 2), (0, 1)), r"shot=\[0, 2\] must lie between 0 and 1"),
        (lambda: CameraNoise((0, 1), (0, 1), gamma=0), "gamma=0 must lie between 0.1 and 10"),
        (lambda: PooledNoise("x", clamp=-1), "clamp=-1 must lie between 0 and 255, or be null"),
        (lambda: PooledNoise("x", amplitude=-1), "amplitude=-1 must lie between 0 and 100"),
        (lambda: PooledNoise("x", count=0), "count=0 must be at least 1, or null"),
        (lambda: PooledNoise("x", mean=300), "mean=300 must lie between 0 and 255"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Noise from files


def one_patch(folder, pixels):
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / "a_noise.png")
    return str(folder)


def test_pooled_noise_is_a_crop_of_its_patch(patches):
    record = Record()
    image = gray_batch([128] * 8, 20)
    made = apply(PooledNoise(str(patches), amplitude=0.5, flips="none"), image, record=record)
    for i in range(8):
        noise = ((made[i] - image[i]) * 510).round().permute(1, 2, 0).numpy().astype(int) + 128
        patch = np.array(Image.open(patches / record.of(i)["patch"])).astype(int)
        places = [
            (top, left)
            for top in range(patch.shape[0] - 19)
            for left in range(patch.shape[1] - 19)
            if patch[top, left, 0] == noise[0, 0, 0] and np.array_equal(patch[top : top + 20, left : left + 20], noise)
        ]
        assert len(places) == 1


def test_flips_turn_the_crop(tmp_path):
    ramp = np.add.outer(10 * np.arange(4), np.arange(4)).astype(np.uint8) + 110
    pool = one_patch(tmp_path / "ramp", np.repeat(ramp[..., None], 3, 2))
    image = gray_batch([128] * 60, 4)
    for flips, count in (("none", 1), ("horizontal", 2), ("both", 4)):
        made = apply(PooledNoise(pool, flips=flips), image) - image
        seen = {tuple((one[0] * 255 + 128).round().int().flatten().tolist()) for one in made}
        turned = [ramp, ramp[:, ::-1], ramp[::-1], ramp[::-1, ::-1]][:count]
        assert seen == {tuple(t.astype(int).flatten().tolist()) for t in turned}


def test_clamp_and_amplitude(tmp_path):
    noise = np.full((8, 8, 3), 128, dtype=np.uint8)
    noise[0], noise[1] = 108, 148
    pool = one_patch(tmp_path / "strong", noise)
    image = gray_batch([128], 8)
    for amplitude, clamp, largest in ((1, None, 20), (1, 10, 10), (1.2, None, 24), (2, 30, 30)):
        made = (apply(PooledNoise(pool, amplitude=amplitude, clamp=clamp), image) - image) * 255
        assert float(made.max()) == pytest.approx(largest, abs=1e-3)
        assert float(made.min()) == pytest.approx(-largest, abs=1e-3)
    dark = apply(PooledNoise(pool), gray_batch([0], 8))
    assert dark.min() == 0


def test_a_small_patch_goes_on_mirrored(tmp_path):
    ramp = np.repeat((np.arange(5) + 126).astype(np.uint8)[None, :, None], 5, 0)
    pool = one_patch(tmp_path / "small", np.repeat(ramp, 3, 2))
    image = gray_batch([128] * 20, 30)
    row = ((apply(PooledNoise(pool, flips="none"), image) - image)[:, 0, 0] * 255).round().int() + 128
    steps = row[:, 1:] - row[:, :-1]
    assert (steps.abs() == 1).all(), "no seam"
    assert row.min() == 126
    assert row.max() == 130
    assert len({tuple(r.tolist()) for r in row}) > 3


def test_the_look_up_of_a_device_equals_the_slices_of_a_processor(patches):
    stage = PooledNoise(str(patches))
    rng = np.random.default_rng(0)
    chosen = np.array([0, 4, 2])
    rows, columns = rng.integers(0, 24, (3, 17)), rng.integers(0, 30, (3, 19))
    assert torch.equal(stage._gathered(CPU, chosen, rows, columns), stage._one_by_one(CPU, chosen, rows, columns))


def test_count_keeps_the_same_patches_everywhere(patches):
    three = [file.name for file in NoisePool(str(patches), 3).files]
    assert three == [file.name for file in NoisePool(str(patches), 4).files][:3]
    assert len(set(three)) == 3
    assert repr(NoisePool(str(patches), 3)) != repr(NoisePool(str(patches)))


def test_the_key_of_a_pool_changes_with_its_files(patches):
    before = repr(NoisePool(str(patches)))
    assert before == repr(NoisePool(str(patches)))
    Image.fromarray(np.full((30, 30, 3), 128, dtype=np.uint8)).save(patches / "5_noise.png")
    assert before != repr(NoisePool(str(patches)))


def test_patches_that_cannot_be_used_are_named(patches, tmp_path):
    with pytest.raises(UserError, match=r"count=9 noise patches are asked for, but .* has 5; set count=5, or null"):
        _ = NoisePool(str(patches), 9).files
    with pytest.raises(UserError, match=r"there is no folder '.*nowhere'"):
        _ = NoisePool(str(tmp_path / "nowhere")).patches
    Image.fromarray(np.full((30, 30, 3), 30, dtype=np.uint8)).save(patches / "photo.png")
    with pytest.raises(UserError, match=r"photo\.png has the mean 30 instead of about 128: it is no noise patch"):
        _ = NoisePool(str(patches)).patches
    (patches / "photo.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"photo\.png"):
        _ = NoisePool(str(patches)).patches
    Image.fromarray(np.full((30, 30), 32896, dtype=np.uint16)).save(patches / "photo.png")
    with pytest.raises(UserError, match=r"photo\.png has 16 bits per channel"):
        _ = NoisePool(str(patches)).patches
