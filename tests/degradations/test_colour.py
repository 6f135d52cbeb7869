"""Colour stages against torchvision, scikit-image and numbers by hand; per sample."""

import numpy as np
import pytest
import skimage.color
import torch
from torchvision.transforms.v2 import functional as reference

from sr.degradations.colour import Contrast, Gamma, Hue, Saturation
from sr.degradations.pictures import Pictures
from sr.draws import Draws, Record
from sr.image import adjust
from tests.close import assert_close
from tests.conftest import smooth_picture


def batch(count, height=21, width=19):
    shown = [smooth_picture(height, width, seed) for seed in range(count)]
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in shown]).float() / 255


def whole(image):
    return Pictures.of(image, (image.shape[-2], image.shape[-1]))


def each(*values):
    return torch.tensor(values)[:, None, None, None]


def test_contrast_by_hand():
    # 0.5 * 1.2 - 0.15 = 0.45; 0.1 * 1.2 - 0.15 < 0; 0.5 * 0.83 + 0.12 = 0.535; 1 * 0.83 + 0.12 = 0.95.
    image = torch.tensor([[0.5, 0.1], [0.5, 1.0]])[:, None, None, :].expand(-1, 3, -1, -1)
    made = adjust.contrast(image, each(-0.15, 0.12), each(0.2, -0.17))
    assert_close(made[:, 0, 0], torch.tensor([[0.45, 0.0], [0.535, 0.95]]))


def test_saturation_equals_torchvision():
    image = batch(3)
    made = adjust.saturation(image, each(0.0, 0.6, 1.7))
    for i, factor in enumerate((0.0, 0.6, 1.7)):
        # torchvision rounds the weights to four digits.
        assert torch.allclose(made[i], reference.adjust_saturation(image[i], factor), atol=3e-4)
    assert_close(made[0, 0], made[0, 1])
    assert_close(adjust.saturation(image, each(1.0, 1.0, 1.0)), image)


def test_gamma_equals_torchvision():
    image = batch(2)
    made = adjust.gamma(image, each(0.7, 2.2))
    for i, exponent in enumerate((0.7, 2.2)):
        assert_close(made[i], reference.adjust_gamma(image[i], exponent))


def test_gamma_clips_first_so_that_nothing_is_undefined():
    assert torch.equal(
        adjust.gamma(torch.tensor([-0.5, 1.5]).expand(1, 3, 1, 2), each(0.5))[0, 0, 0], torch.tensor([0.0, 1.0])
    )


@pytest.mark.parametrize("degrees", [-170.0, -30.0, 0.0, 45.0, 120.0, 359.0])
def test_hue_equals_hsv_of_scikit_image(degrees):
    image = torch.rand(1, 3, 16, 16)
    hsv = skimage.color.rgb2hsv(image[0].permute(1, 2, 0).double().numpy())
    hsv[..., 0] = (hsv[..., 0] + degrees / 360) % 1
    expected = torch.from_numpy(skimage.color.hsv2rgb(hsv)).permute(2, 0, 1)
    assert torch.allclose(adjust.hue(image, each(degrees))[0].double(), expected, atol=1e-5)


def test_hue_turns_red_to_green_and_leaves_gray():
    red, gray = torch.tensor([1.0, 0.0, 0.0]), torch.full((3,), 0.3)
    image = torch.stack([red, gray])[:, :, None, None]
    made = adjust.hue(image, each(120.0, 120.0))[..., 0, 0]
    assert_close(made, torch.stack([torch.tensor([0.0, 1.0, 0.0]), gray]))


def test_contrast_draws_one_branch_per_sample():
    record = Record()
    stage = Contrast(
        [
            {"brightness": [-0.5, -0.35], "contrast": [0.35, 0.5]},
            {"brightness": [0.12, 0.12], "contrast": [-0.17, -0.17]},
        ],
        probability=0.66,
    )
    image = torch.full((4000, 3, 1, 1), 0.5)
    made = stage(whole(image), Draws(0, np.arange(4000), record)).pixels[:, 0, 0, 0].numpy()
    brightness, contrast = record.values["brightness"], record.values["contrast"]
    assert len(brightness) / 4000 == pytest.approx(0.66, abs=0.03)
    up = [i for i, value in contrast.items() if value > 0]
    assert len(up) / len(contrast) == pytest.approx(0.5, abs=0.03)
    assert {round(brightness[i], 6) for i in contrast if i not in set(up)} == {0.12}
    drawn = np.array([(brightness[i], contrast[i]) for i in up])
    assert drawn[:, 0].min() == pytest.approx(-0.5, abs=0.01)
    assert drawn[:, 1].max() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1, "brightness and contrast are drawn apart"
    for i in up[:20]:
        assert made[i] == pytest.approx(max(0, 0.5 * (1 + contrast[i]) + brightness[i]), abs=1e-6)
    untouched = [i for i in range(4000) if i not in contrast]
    assert (made[untouched] == 0.5).all()


def test_gamma_is_drawn_evenly_on_a_logarithmic_scale():
    record = Record()
    Gamma((0.5, 2.0))(whole(torch.rand(4000, 3, 1, 1)), Draws(0, np.arange(4000), record))
    drawn = np.array(list(record.values["exponent"].values()))
    assert (drawn < 1).mean() == pytest.approx(0.5, abs=0.03)
    assert drawn.min() >= 0.5
    assert drawn.max() <= 2


STAGES = [Contrast(probability=0.7), Saturation((0.0, 2.0), 0.7), Gamma((0.5, 2.0), 0.7), Hue((-180.0, 180.0), 0.7)]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
def test_a_sample_does_not_depend_on_its_batch(stage):
    image, draws = batch(9), Draws(1, np.arange(9))
    together = stage(whole(image), draws).pixels
    assert together.dtype == torch.float32
    assert together.min() >= 0
    assert together.max() <= 1
    for cut in ([0], [1, 2], [3, 4, 5, 6, 7], [8, 2]):
        part = np.array(cut)
        assert torch.equal(stage(whole(image[part]), draws.at(part)).pixels, together[part])
    again = stage(whole(image[:1].expand(9, -1, -1, -1)), draws).pixels
    assert len({picture.numpy().tobytes() for picture in again}) > 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Contrast([]), "branches is empty; give one such as"),
        (lambda: Contrast([{"contrast": [0.1, 0.2]}]), r"branches\[0\] has contrast; it needs brightness and contrast"),
        (
            lambda: Contrast([{"contrast": [2, 1], "brightness": [0, 0]}]),
            r"branches\[0\].contrast=\[2, 1\] must be two",
        ),
        (lambda: Saturation((-1.0, 1.0)), r"factor=\[-1.0, 1.0\] must lie between 0 and 100"),
        (lambda: Gamma((0.0, 1.0)), r"exponent=\[0.0, 1.0\] must lie between 0.01 and 100"),
        (lambda: Hue((0.0, 400.0)), r"degrees=\[0.0, 400.0\] must lie between -360 and 360"),
        (lambda: Hue(probability=-0.1), "probability=-0.1 must lie between 0 and 1"),
    ],
)
def test_wrong_settings_are_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
