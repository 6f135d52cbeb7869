"""kornia's augmentations as stages: each of them per sample, in range, and without a trace in global generators."""

from types import SimpleNamespace

import kornia.augmentation
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from sr.config.building import build
from sr.config.checks import target_faults
from sr.degradations.kornia import Kornia, applied, drawn
from sr.degradations.kornia_classes import built, check_name, usable
from sr.degradations.pictures import Pictures
from sr.draws import Draws, Record
from sr.errors import UserError
from tests.close import RTOL_ATOL, assert_close
from tests.conftest import smooth_picture
from tests.degradations.kornia_settings import SETTINGS, UNDRAWN
from tests.fake_gpu import GPU, watched

BATCH, HEIGHT, WIDTH = 6, 40, 48
TARGET = "sr.degradations.kornia.Kornia"
STAGES = usable(geometry=False)


def stage(name, probability=1.0):
    return Kornia(name, probability, SETTINGS.get(name, {}))


def batch(height=HEIGHT, width=WIDTH):
    """Four pictures, then black, white."""
    some = [smooth_picture(height, width, seed) for seed in range(BATCH - 2)]
    flat = [np.zeros_like(some[0]), np.full_like(some[0], 255)]
    return torch.from_numpy(np.stack(some + flat)).permute(0, 3, 1, 2).float() / 255


def changed(stage, pixels, seed=0, first=0, record=None):
    draws = Draws(seed, np.arange(first, first + len(pixels)), record)
    return stage(Pictures.of(pixels, (HEIGHT // 2, WIDTH // 2)), draws).pixels


def generators():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.parametrize("name", STAGES)
def test_each_class_belongs_to_samples(name):
    pixels, before = batch(), generators()
    whole = changed(stage(name), pixels)
    assert generators() == before
    torch.rand(3)  # other numbers in the global generator change nothing
    parts = [changed(stage(name), pixels[i : i + 2], first=i) for i in (0, 2, 4)]
    assert torch.equal(torch.cat(parts), whole)
    assert whole.dtype == torch.float32
    assert whole.shape == pixels.shape
    assert whole.min() >= 0
    assert whole.max() <= 1  # false for NaN too
    assert not torch.equal(whole, pixels)
    assert torch.equal(changed(stage(name), pixels, seed=1), whole) == (name in UNDRAWN)


@pytest.mark.parametrize("name", STAGES)
def test_together_is_the_same_as_one_by_one(name):
    pixels, module = batch(), built(name, SETTINGS.get(name, {}))
    parameters = drawn(module, [(HEIGHT, WIDTH)] * BATCH, Draws(3, np.arange(BATCH)))
    together, alone = (applied(module, pixels, parameters, way) for way in (True, False))
    if name == "RandomJPEG":  # a coefficient a hair from its middle may be rounded the other way
        rtol, atol = RTOL_ATOL[torch.float32]
        assert torch.isclose(together, alone, rtol=rtol, atol=atol).float().mean() > 0.99
    else:
        assert_close(together, alone)


@pytest.mark.parametrize("name", STAGES)
def test_a_picture_on_a_larger_canvas_is_treated_as_if_alone(name):
    pixels, sizes = batch(), [(HEIGHT, WIDTH), (32, 33)]
    canvases = torch.full((2, 3, HEIGHT, WIDTH), 7.0)
    for canvas, picture, (height, width) in zip(canvases, pixels[:2], sizes, strict=True):
        canvas[:, :height, :width] = picture[:, :height, :width]
    heights, widths = (np.array(sides) for sides in zip(*sizes, strict=True))
    both = stage(name)(Pictures(canvases, heights, widths, (20, 24)), Draws(0, np.arange(2))).pixels
    for i, (height, width) in enumerate(sizes):
        alone = changed(stage(name), pixels[i : i + 1, :, :height, :width], first=i)
        assert torch.equal(both[i, :, :height, :width], alone[0])


@pytest.fixture(scope="module")
def gpu():
    """One that is not there: kornia keeps constants for each device, so it is the same in all tests."""

    def sampled(picture, grid, **_):  # PyTorch asks a real GPU which of its programs to take
        assert picture.device == grid.device
        return picture.new_empty(*picture.shape[:2], *grid.shape[1:3])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(synchronize=lambda: None))
        patch.setattr(torch.nn.functional, "grid_sample", sampled)
        yield FakeTensorMode(allow_non_fake_inputs=True)


@pytest.mark.parametrize("name", usable(geometry=True))
def test_each_class_runs_on_a_gpu_that_is_not_there(name, gpu):
    """Numbers are drawn on the CPU and are real; kornia carries them over, and nothing else waits for the GPU."""
    module, count = built(name, SETTINGS.get(name, {})), 2
    parameters = drawn(module, [(24, 24)] * count, Draws(0, np.arange(count)))
    if name == "RandomMotionBlur":  # looks a kernel size up in a list, at the place 3 that every fake number has
        count, parameters = 4, [parameters[0]] * 4
    with watched(gpu):
        assert applied(module, torch.empty(count, 3, 24, 24, device=GPU), parameters, True).device == GPU
    if name == "RandomMotionBlur":
        return
    with watched(gpu) as watch:
        applied(module, torch.empty(count, 3, 24, 24, device=GPU), parameters, False)
    with watched(gpu) as kornias:
        for one in parameters:
            module(torch.empty(1, 3, 24, 24, device=GPU), params=dict(one))
    assert watch.counts["pageable"] == kornias.counts["pageable"]


def test_a_fault_on_a_device_is_no_picture_too_small(gpu):
    module = built("RandomInvert", {})
    parameters = drawn(module, [(24, 24)], Draws(0, np.arange(1)))
    module.apply_transform = lambda picture, *_, **__: picture + torch.zeros(3, 24, 24)
    with watched(gpu), pytest.raises(RuntimeError, match="same device"):
        applied(module, torch.empty(1, 3, 24, 24, device=GPU), parameters, True)


def test_autocast_changes_nothing():
    pixels = batch()
    for name in ("RandomGaussianBlur", "ColorJitter", "RandomJPEG"):
        with torch.autocast("cpu", torch.bfloat16):
            inside = changed(stage(name), pixels.bfloat16().float())
        assert torch.equal(inside, changed(stage(name), pixels.bfloat16().float()))


def test_values_beyond_the_range_are_cut_before_and_after():
    pixels = batch() * 3 - 1
    assert torch.equal(
        changed(stage("RandomMedianBlur"), pixels), changed(stage("RandomMedianBlur"), pixels.clamp(0, 1))
    )


def test_probability_is_the_share_of_changed_samples():
    pixels = torch.full((1, 3, 8, 8), 0.25).expand(600, 3, 8, 8)
    inverted = changed(stage("RandomInvert", 0.3), pixels)[:, 0, 0, 0]
    assert abs(int((inverted == 0.75).sum()) - 180) < 5 * np.sqrt(600 * 0.3 * 0.7)
    assert torch.equal(changed(stage("RandomInvert", 0), pixels), pixels)


def test_numbers_stay_the_same_across_releases():
    """Golden values of torch 2.15 and kornia 0.9: whoever repeats a run with its seed wants its pictures."""
    module = built("RandomSaltAndPepperNoise", {"amount": [0.1, 0.5]})
    found = drawn(module, [(9, 7)] * 2, Draws(5, np.array([3, 4])))
    assert [round(float(one["amount_factor"]), 6) for one in found] == [0.271624, 0.199082]
    assert [int(one["mask_salt"].sum()) for one in found] == [33, 18]
    found = drawn(built("ColorJitter", {"hue": 0.1}), [(9, 7)] * 2, Draws(5, np.array([3, 4])))
    assert [one["order"].tolist() for one in found] == [[2, 0, 3, 1], [2, 3, 1, 0]]


def test_what_was_drawn_is_told():
    record = Record()
    changed(stage("RandomSaltAndPepperNoise"), batch(), record=record)
    told = record.of(0)
    assert set(told) == {"amount", "salt_and_pepper", "mask_salt_share", "mask_pepper_share"}
    assert 0.01 <= told["amount"] <= 0.06
    for name, expected in {
        "ColorJitter": {"brightness", "contrast", "saturation", "hue", "order"},
        "RandomGaussianNoise": {"gaussian_noise_std"},
        "RandomEqualize": {"applied"},
    }.items():
        record = Record()
        changed(stage(name), batch(), record=record)
        assert set(record.of(2)) == expected


def test_every_name_is_usable_or_refused_with_a_way_out():
    for name in kornia.augmentation.__all__:
        if name in STAGES:
            check_name(name, geometry=False)
            continue
        with pytest.raises(ValueError, match=f"name={name} .*(;|take)") as refused:
            check_name(name, geometry=False)
        assert "did you mean" not in str(refused.value) or name in ("auto", "container")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RandomAffine", "moves pixels, and the low resolution would no longer .* sr.augmentations.kornia.Kornia"),
        ("RandomElasticTransform", "moves pixels"),
        ("RandomMixUpV2", "mixes places or pictures of a batch"),
        ("RandomTransplantation3D", "mixes places"),
        ("RandomMotionBlur3D", "is for volumes; take RandomMotionBlur"),
        ("VideoSequential", "holds other augmentations; write them as .* stages of their own"),
        ("CenterCrop", "changes the size of the picture; data.crop"),
        ("Normalize", "leaves the range from 0 to 1"),
        ("RandomDissolving", "downloads Stable Diffusion"),
        ("AugmentationBase2D", "is no augmentation itself"),
        ("RandomSalt", "is no augmentation of kornia; did you mean RandomSaltAndPepperNoise?"),
        ("jpeg", "is no augmentation of kornia; did you mean RandomJPEG?"),
        ("xyzzy", "is no augmentation of kornia; there are ColorJiggle, "),
    ],
)
def test_names_that_cannot_be_used(name, message):
    with pytest.raises(ValueError, match=f"name={name} {message}"):
        Kornia(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"xyzzy": 3}, "xyzzy is not an argument of kornia's RandomJPEG; it has jpeg_quality"),
        ({"jpeg_qualty": 3}, "jpeg_qualty is not an argument of kornia's RandomJPEG; did you mean jpeg_quality?"),
        ({"p": 0.5}, "p is not an argument of kornia's RandomJPEG; write probability="),
        ({"same_on_batch": True}, "every sample has draws of its own; leave it out"),
        ({"jpeg_quality": "high"}, "kornia's RandomJPEG refuses jpeg_quality=high: "),
        ({"jpeg_quality": [30, 20]}, r"kornia's RandomJPEG refuses jpeg_quality=\[30, 20\]: "),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Kornia("RandomJPEG", 1.0, arguments)


def test_a_missing_argument_is_told():
    with pytest.raises(ValueError, match="kernel_size is not set, and kornia's RandomMotionBlur needs it"):
        Kornia("RandomMotionBlur")


def test_probability_is_one():
    with pytest.raises(ValueError, match=r"probability=1\.5 must lie between 0 and 1"):
        Kornia("RandomInvert", 1.5)


def test_a_picture_too_small_for_the_settings_is_told_with_its_size():
    with pytest.raises(UserError, match=r"kornia's RandomRain cannot change a picture of 12x12 pixels: .*data.crop"):
        changed(Kornia("RandomRain", 1.0, {"drop_height": [15, 16]}), torch.zeros(1, 3, 12, 12))


def test_arguments_stand_beside_the_name_and_typos_are_told_before_anything_is_built():
    node = {"_target_": TARGET, "name": "RandomSaltAndPepperNoise", "probability": 0.5, "amount": [0.1, 0.2]}
    assert not list(target_faults(node, "stages.salt"))
    made_of = build("stages.salt", node)
    assert made_of == Kornia("RandomSaltAndPepperNoise", 0.5, {"amount": (0.1, 0.2)})
    assert repr(made_of) == (
        "Kornia(name='RandomSaltAndPepperNoise', probability=0.5, arguments={'amount': (0.1, 0.2)})"
    )
    faults = "\n".join(target_faults({**node, "amonut": 1, "salt_vs_pepper": "much", "arguments": {}}, "stages.salt"))
    assert "stages.salt.amonut is not an argument of RandomSaltAndPepperNoise, which " in faults
    assert "did you mean amount?" in faults
    assert "stages.salt.salt_vs_pepper=much does not fit: " in faults
    assert "stages.salt.arguments is not an argument of RandomSaltAndPepperNoise" in faults
    faults = "\n".join(target_faults({"_target_": TARGET, "name": "RandomMotionBlur", "angle": 3}, "stages.blur"))
    assert f"stages.blur.kernel_size and stages.blur.direction are not set, and {TARGET} needs them" in faults
    assert list(target_faults({"_target_": TARGET, "nam": "RandomJPEG"}, "s")) == [
        f"s.nam is not an argument of {TARGET}; did you mean name?",
        f"s.name is not set, and {TARGET} needs it",
    ]
    (fault,) = target_faults({"_target_": TARGET, "name": "RandomSalt"}, "s")
    assert fault == "s.name=RandomSalt is no augmentation of kornia; did you mean RandomSaltAndPepperNoise?"


@pytest.mark.parametrize("name", STAGES)
def test_settings_of_each_class_pass_the_check_of_types(name):
    assert not list(target_faults({"_target_": TARGET, "name": name, **SETTINGS.get(name, {})}, "stage"))
