"""Noise taken out of pictures is the noise that was put in."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image as pil
from scipy.ndimage import gaussian_filter, uniform_filter

from sr.data.preparation.noise_patches import (
    Extraction,
    Patch,
    Selection,
    denoised,
    from_file,
    high_passed,
    noise_level,
    select,
    to_file,
)
from sr.errors import UserError
from sr.verbs.prepare.noise import prepare_noise

SIGMA = 8.0
SIDE = 32


def scene(height=192, width=256):
    """A clean picture: smooth ground, some soft discs, and texture in the right half. Range 40..215."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width]
    ground = 120 + 30 * np.sin(columns / 90)[..., None] * [1, 0.8, 0.6] + 0.15 * (rows - height / 2)[..., None]
    for _ in range(6):
        y, x, radius = rng.integers(height), rng.integers(width), rng.integers(10, 30)
        inside = 1 / (1 + np.exp(np.hypot(rows - y, columns - x) - radius))
        ground += inside[..., None] * rng.uniform(-30, 30, 3)
    texture = 8 * rng.normal(size=(height, width, 1))
    texture = gaussian_filter(texture, (1, 1, 0)) * 4
    return np.clip(ground + texture * (columns > width * 0.7)[..., None], 40, 215)


def grain(shape, correlation):
    """Gaussian noise of SIGMA levels; neighbours are alike where ``correlation`` (pixels) is not 0."""
    noise = np.random.default_rng(5).normal(size=shape)
    if correlation:
        noise = gaussian_filter(noise, (correlation, correlation, 0))
    return noise * SIGMA / noise.std()


def noisy(correlation):
    clean = scene()
    pixels = np.clip(np.rint(clean + grain(clean.shape, correlation)), 0, 255).astype(np.uint8)
    return clean, pixels


def read(path):
    with pil.open(path) as file:
        return np.asarray(file)


def autocorrelation(patches):
    """Mean products of neighbours 0 to 3 apart along both axes: the spectrum in another form."""
    stack = np.stack([patch - patch.mean((0, 1)) for patch in patches])
    along_x = [(stack[:, :, : SIDE - k] * stack[:, :, k:]).mean() for k in range(4)]
    along_y = [(stack[:, : SIDE - k] * stack[:, k:]).mean() for k in range(4)]
    return (np.array(along_x) + np.array(along_y)) / 2


def power(patches):
    """Mean power in three bands of spatial frequency: coarse, middle, fine."""
    radius = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    spectra = [np.abs(np.fft.fft2(patch - patch.mean((0, 1)), axes=(0, 1))) ** 2 for patch in patches]
    mean = np.mean(spectra, axis=(0, 3))
    bands = [(0.06, 0.15), (0.15, 0.25), (0.25, 0.5)]
    return np.array([mean[(radius >= low) & (radius < high)].sum() for low, high in bands])


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_patches_are_the_noise_that_was_added(correlation, capsys):
    clean, pixels = noisy(correlation)
    content, noise = Extraction(strength=None).split(pixels)
    patches, dropped = select(pixels, content, noise, Selection(SIDE))
    assert len(patches) >= 10
    cuts = [np.s_[p.top : p.top + SIDE, p.left : p.left + SIDE] for p in patches]
    true = [pixels[cut] - clean[cut] for cut in cuts]
    stds = np.array([patch.noise.std() / there.std() for patch, there in zip(patches, true, strict=True)])
    bands = np.sqrt(power([p.noise for p in patches]) / power(true))
    neighbours = autocorrelation([p.noise for p in patches]), autocorrelation(true)
    related = [
        np.corrcoef(patch.noise.ravel(), (clean[cut] - clean[cut].mean((0, 1))).ravel())[0, 1]
        for patch, cut in zip(patches, cuts, strict=True)
    ]
    with capsys.disabled():
        print(
            f"\ncorrelation {correlation}: {len(patches)} patches ({dropped}), std ratio {stds.min():.3f} to "
            f"{stds.max():.3f}, amplitude by band {np.round(bands, 3)}, "
            f"autocorrelation {np.round(neighbours[0] / neighbours[0][0], 3)} for "
            f"{np.round(neighbours[1] / neighbours[1][0], 3)}, with content {np.mean(related):.3f}"
        )
    assert np.abs(stds - 1).max() < 0.15
    assert np.abs(bands - 1).max() < 0.15
    assert np.abs(neighbours[0] - neighbours[1]).max() < 0.15 * neighbours[1][0]
    assert abs(np.mean(related)) < 0.1
    # No patch lies in the texture of the right part, which is as strong as the noise.
    assert max(patch.left for patch in patches) + SIDE <= 0.7 * clean.shape[1] + SIDE / 2
    assert dropped["content"] > 0


def test_too_weak_a_strength_leaves_the_noise_in_the_picture():
    _, pixels = noisy(0.0)
    _, weak = Extraction(strength=2).split(pixels)
    _, auto = Extraction(strength=None).split(pixels)
    flat = np.s_[:, :160]
    assert weak[flat].std() < 0.7 * SIGMA
    assert auto[flat].std() == pytest.approx(SIGMA, rel=0.15)
    assert not select(pixels, pixels, weak, Selection(SIDE, std=(0.9 * SIGMA, 40)))[0]


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_noise_level(correlation):
    _, pixels = noisy(correlation)
    assert noise_level(pixels) == pytest.approx(SIGMA, rel=0.1)
    assert noise_level(np.full((64, 64, 3), 255, np.uint8)) == 0
    assert noise_level(np.full((64, 64, 3), 90, np.uint8)) == 0


def test_residual_is_opencvs():
    _, pixels = noisy(0.0)
    bgr = cv2.cvtColor(pixels[:40, :50], cv2.COLOR_RGB2BGR)
    expected = cv2.cvtColor(cv2.fastNlMeansDenoisingColored(bgr, None, 3, 3, 5, 15), cv2.COLOR_BGR2RGB)
    content, noise = Extraction(strength=3, window=5).split(pixels[:40, :50])
    assert np.array_equal(content, expected)
    assert np.array_equal(denoised(pixels[:40, :50], 3, 5), expected)
    assert noise.dtype == np.float32  # 8 bits would wrap around
    assert np.array_equal(noise, pixels[:40, :50].astype(np.float32) - expected)


def test_second_stage_takes_the_box_average_and_the_mean():
    noise = np.random.default_rng(0).normal(3, 5, (30, 40, 3)).astype(np.float32)
    rough = noise - uniform_filter(noise.astype(np.float64), (5, 5, 1), mode="mirror")
    assert np.allclose(high_passed(noise, 5), rough - rough.mean(), atol=1e-4)
    two_stages = Extraction(strength=3, kernel=3).split(noisy(0.0)[1])[1]
    assert abs(float(two_stages.mean())) < 1e-4


def test_files_hold_noise_plus_128():
    noise = np.array([[[-200.0, -128, -1.4], [0, 0.6, 300]]], np.float32)
    assert to_file(noise).tolist() == [[[0, 0, 127], [128, 129, 255]]]
    assert from_file(to_file(noise)).tolist() == [[[-128, -128, -1], [0, 1, 127]]]


def test_clipped_and_uneven_patches_are_dropped():
    noise = np.random.default_rng(1).normal(0, 5, (4 * SIDE, 4 * SIDE, 3)).astype(np.float32)
    noise[:SIDE, SIDE : SIDE + 8] *= 0.2
    content = np.full(noise.shape, 120, np.uint8)
    content[:SIDE, 3 * SIDE :] = 250
    pixels = np.clip(np.rint(content + noise), 0, 255).astype(np.uint8)
    wide = Selection(SIDE, excess=2)
    patches, dropped = select(pixels, content, noise, wide)
    expected = [(top, left) for top in range(0, 128, SIDE) for left in range(0, 128, SIDE)]
    expected.remove((0, SIDE))
    expected.remove((0, 3 * SIDE))
    assert [(patch.top, patch.left) for patch in patches] == expected
    assert dropped == {"uneven": 1, "clipped": 1}
    assert isinstance(patches[1], Patch)
    assert np.array_equal(patches[1].noise, noise[:SIDE, 2 * SIDE : 3 * SIDE])
    _, dropped = select(pixels, content, noise, Selection(SIDE, std=(6, 9), excess=2))
    assert dropped == {"noise outside 6 to 9": 15, "clipped": 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Extraction(strength=0), "strength=0 must be above 0 and at most 100; 2 is usual, or auto"),
        (lambda: Extraction(window=6), "window=6 must be odd and at least 3; the nearest is 7"),
        (lambda: Extraction(kernel=4), "kernel=4 must be 0 (one stage) or odd and at least 3; 3 and 5 are usual"),
        (lambda: Selection(8), "patch=8 is too small to tell noise from content; 16 is the least, 64 usual"),
        (lambda: Selection(32, std=(5, 2)), "std=5,2 must be a lowest and a higher value, for instance 0.5,40"),
    ],
)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    (folder / "ep01").mkdir(parents=True)
    pil.fromarray(noisy(0.0)[1][:96, :128]).save(folder / "ep01" / "00001.png")
    pil.fromarray(noisy(0.8)[1][:96, :128]).save(folder / "00002.png")
    return folder


def test_verb_writes_patches_once(frames, tmp_path, capsys):
    output = tmp_path / "noise"
    prepare_noise([frames], output, strength="auto", patch=SIDE)
    files = sorted((output / "patches").iterdir())
    assert len(files) >= 4
    assert {file.name[:5] for file in files} == {"00002", "ep01_"}
    values = read(files[0]).astype(float) - 128
    assert values.shape == (SIDE, SIDE, 3)
    assert values.std() == pytest.approx(SIGMA, rel=0.2)
    assert read(output / "sheet.png").shape[1] > SIDE
    assert f"{len(files)} files of noise from 2 pictures" in capsys.readouterr().out
    before = [file.stat().st_mtime_ns for file in files]
    prepare_noise([frames], output, strength="auto", patch=SIDE)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_verb_whole_frames_and_a_list_of_chosen_ones(frames, tmp_path, capsys):
    output = tmp_path / "noise"
    prepare_noise([frames], output, strength=2, kernel=3)
    names = sorted(file.name for file in (output / "patches").iterdir())
    assert names == ["00002_noise.png", "ep01_00001_noise.png"]
    _, pixels = noisy(0.0)
    expected = to_file(Extraction(2, 7, 3).split(pixels[:96, :128])[1])
    assert np.array_equal(read(output / "patches" / names[1]), expected)
    out = capsys.readouterr().out
    assert "strength 2 takes" in out
    assert "--strength auto would take" in out
    (tmp_path / "list.txt").write_text("ep01_00001_noise.png\n\n")
    prepare_noise([frames], output, strength=2, kernel=3, chosen=tmp_path / "list.txt")
    assert [file.name for file in (output / "select").iterdir()] == [names[1]]
    assert [file.name for file in (output / "patches").iterdir()] == [names[0]]
    (tmp_path / "list.txt").write_text("ep09\n")
    with pytest.raises(UserError, match="the list names 1 that are not there, for instance ep09; mend the list"):
        prepare_noise([frames], output, strength=2, kernel=3, chosen=tmp_path / "list.txt")


def test_verb_refuses_other_settings_and_goes_on_after_damage(frames, tmp_path):
    output = tmp_path / "noise"
    (frames / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read '.*broken\.png'"):
        prepare_noise([frames], output)
    assert len(list((output / "patches").iterdir())) == 2
    lines = [json.loads(line) for line in (output / "prepared.jsonl").read_text().splitlines()]
    assert {line.get("name") for line in lines[1:]} == {"00002.png", "ep01/00001.png"}
    with pytest.raises(UserError, match=r"strength 2.* \(now 3"):
        prepare_noise([frames], output, strength=3)
    with pytest.raises(UserError, match="--strength soft is no number; give levels such as 2, or auto"):
        prepare_noise([frames], tmp_path / "other", strength="soft")
    with pytest.raises(UserError, match="--window=8 must be odd and at least 3; the nearest is 9"):
        prepare_noise([frames], tmp_path / "other", window=8)
    pil.fromarray(np.zeros((20, 20, 3), np.uint8)).save(frames / "ep01_00001.png")
    with pytest.raises(UserError, match=r"two inputs would both become ep01_00001_noise\.png"):
        prepare_noise([frames], tmp_path / "other")


def test_noise_of_which_nothing_is_kept_is_no_success(sr, pictures, tmp_path):
    code, _, err = sr("prepare", "noise", pictures, "-o", tmp_path / "noise", "--patch", "16", "--std", "39", "40")
    assert code == 2
    assert err == (
        "error: no patch of noise was kept; allow more with --variance, --std or --excess, or a smaller --patch\n"
    )
