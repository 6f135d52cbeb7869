"""Computed together, as on a GPU, every degradation gives what it gives one by one: the branches of a device are tested
on a machine without it.

Rounding to whole levels inside (JPEG, photon noise, 8 bits) may fall the other way where a value lies a hair from its
middle, and a JPEG coefficient that does changes its block: so few pixels may differ by more than the tolerance.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image

from sr.config.building import build
from sr.config.checks import checked
from sr.config.schema import register_schema
from sr.degradations.blur import Blur, Sinc
from sr.degradations.codecs import JpegFile
from sr.degradations.colour import Contrast, Gamma, Hue, Saturation
from sr.degradations.combine import Chain, Maybe, OneOf, Shuffled
from sr.degradations.jpeg import Jpeg
from sr.degradations.kernel_files import write_kernels
from sr.degradations.kernel_pool import PooledBlur
from sr.degradations.kornia import Kornia
from sr.degradations.noise import CameraNoise, GaussianNoise, Noise, PoissonNoise, SpeckleNoise
from sr.degradations.noise_pool import PooledNoise
from sr.degradations.pictures import Pictures
from sr.degradations.pipeline import Pipeline
from sr.degradations.resize import DownUp, Resize, ResizeAxes
from sr.degradations.sharpen import Sharpen, UnsharpMask
from sr.draws import Draws
from sr.errors import UserError
from tests.close import RTOL_ATOL
from tests.conftest import REPOSITORY, smooth_picture

RECIPES = sorted(file.stem for file in (REPOSITORY / "conf/degradation").glob("*.yaml"))
SCALES = [2, 3, *(pytest.param(scale, marks=pytest.mark.slow) for scale in (1, 4, 8))]
BATCH = 4
FEW = 0.01
"""Share of the pixels whose rounding may fall the other way."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Kernels and noise patches as `sr prepare` leaves them."""
    folder, random = tmp_path_factory.mktemp("pool"), np.random.default_rng(0)
    write_kernels(folder / "kernels", [random.random((11, 11)) ** 4 for _ in range(3)], ["a", "b", "c"])
    (folder / "noise/patches").mkdir(parents=True)
    for number, side in enumerate((40, 17, 64)):
        noise = np.clip(random.normal(128, 6, (side, side + 3, 3)).round(), 0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"noise/patches/{number}.png")
    return folder


def recipe(name, scale, pool):
    register_schema()
    overrides = [f"degradation={name}", f"scale={scale}"]
    if name == "realsr":
        overrides += ["data=folder", "data.train=/", "data.val=/", f"degradation.pool={pool}"]
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = compose("train", overrides=overrides)
    return build("degradation", checked(config).degradation)


def batch(height, width, count=BATCH):
    pictures = np.stack([smooth_picture(max(height, 24), width, seed)[:height] for seed in range(count)])
    # Off the levels of 8 bits, whose averages lie exactly between two.
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2) + torch.rand(count, 3, height, width)) / 256


def differing(one, other):
    """Share of the values that differ by more than the tolerance."""
    rtol, atol = RTOL_ATOL[torch.float32]
    return 1 - torch.isclose(one, other, rtol=rtol, atol=atol).float().mean()


def assert_alike(one, other):
    assert one.shape == other.shape
    assert one.isfinite().all()
    assert other.isfinite().all()
    assert differing(one, other) <= FEW


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("bicubic", "video_codec", "corrupted")])
def test_a_recipe_gives_the_same_both_ways_and_in_any_batch(name, scale, pool):
    degradation = recipe(name, scale, pool)
    height, width = (13, 11) if scale < 4 else (6, 5)
    hr, draws = batch(height * scale, width * scale), Draws(3, np.arange(BATCH))
    one_by_one, together = degradation(hr, draws, together=False), degradation(hr, draws, together=True)
    assert together.shape == (BATCH, 3, height, width)
    assert_alike(one_by_one, together)
    # One by one any split gives the same to the bit: tests/degradations/test_pipelines.py.
    parts = [degradation(hr[a:b], draws.at(np.arange(a, b)), together=True) for a, b in ((0, 2), (2, BATCH))]
    assert_alike(torch.cat(parts), together)


@pytest.mark.usefixtures("one_thread")
def test_encoders_give_the_same_both_ways(pool):
    degradation, hr, draws = recipe("video_codec", 2, pool), batch(34, 22, 2), Draws(3, np.arange(2))
    assert torch.equal(degradation(hr, draws, together=False), degradation(hr, draws, together=True))


def resize():
    return Resize(of="current", modes="area", factors={"any": (0.3, 1.6)}, weights={"any": 1.0})


STAGES = [
    Blur(kinds=dict.fromkeys(("iso", "aniso", "generalised_aniso", "plateau_iso", "box", "motion"), 1.0), sinc=0.2),
    Blur(kinds={"iso": 1.0}, sigma=(0.01, 0.1)),
    Sinc(probability=0.6),
    PooledBlur("kernels", stride=2),
    PooledBlur("kernels", stride=1),
    PooledNoise("noise/patches", flips="both", probability=0.7),
    GaussianNoise((1, 30), gray_probability=0.4, probability=0.8),
    PoissonNoise((0.05, 3), gray_probability=0.4),
    Noise((1, 30), (0.05, 3), gray_probability=0.4),
    SpeckleNoise((1, 30), gray_probability=0.4),
    CameraNoise((0.0001, 0.01), (0.001, 0.01)),
    Jpeg((30, 95), subsampling="random", probability=0.8),
    JpegFile((30, 95)),
    Contrast(),
    Saturation(),
    Gamma(),
    Hue(),
    Sharpen(),
    UnsharpMask((5, 9)),
    Kornia("ColorJitter", 0.8, {"brightness": 0.2, "hue": 0.1}),
    resize(),
    ResizeAxes(0.8889, 0.7417, "bicubic", "even"),
    DownUp((0.25, 0.6), probability=0.5),
    Maybe(0.5, resize()),
    OneOf({"small": 1.0, "blur": 1.0, "out": 1.0}, {"small": resize(), "blur": Blur(), "out": None}),
    Chain({"small": resize(), "blur": Blur(), "large": resize()}),
    Shuffled({"small": resize(), "jpeg": Jpeg((30, 95)), "maybe": Maybe(0.5, resize())}),
]


def with_pool(stage, pool):
    return replace(stage, pool=str(pool / stage.pool)) if isinstance(stage, PooledBlur | PooledNoise) else stage


def own(pictures, i):
    return pictures.pixels[i, :, : int(pictures.heights[i]), : int(pictures.widths[i])]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
@pytest.mark.parametrize("side", [44, pytest.param(101, marks=pytest.mark.slow)])
def test_a_stage_gives_the_same_both_ways_whatever_lies_beside_the_pictures(stage, side, pool):
    stage = with_pool(stage, pool)
    heights, widths = np.array([side, 30, 21, 9]), np.array([36, 29, 17, 36])
    image = batch(side, 36)
    for i, (height, width) in enumerate(zip(heights, widths, strict=True)):
        image[i, :, height:] = torch.nan
        image[i, :, :, width:] = torch.nan
    made = [stage(Pictures(image, heights, widths, (22, 18), way), Draws(2, np.arange(BATCH))) for way in (False, True)]
    assert made[0].together is False
    assert made[1].together is True
    for i in range(BATCH):
        assert_alike(own(made[0], i), own(made[1], i))


def test_every_stage_is_tried():
    """Stages are the frozen classes of the room that are called with pictures and draws."""
    import importlib
    import inspect
    import pkgutil

    import sr.degradations

    modules = [
        importlib.import_module(f"sr.degradations.{m.name}") for m in pkgutil.iter_modules(sr.degradations.__path__)
    ]
    stages = {
        found.__name__
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found) and found.__module__ == module.__name__ and callable(found)
        if list(inspect.signature(found.__call__).parameters)[1:] == ["pictures", "draws"]
    }
    assert stages - {"Stage", "WebP", "VideoCodec", "Corruptor"} == {type(stage).__name__ for stage in STAGES}


@pytest.mark.parametrize("together", [False, True])
def test_the_size_that_is_wrong_is_told(together):
    stages = {"small": Resize(factors={"any": (0.4, 0.6)}, weights={"any": 1.0}, of="current")}
    with pytest.raises(UserError, match=r"small end with (?!24x24)\d+x\d+ pixels instead of 24x24; end them"):
        Pipeline(2, stages)(batch(48, 48), Draws(0, np.arange(BATCH)), together)
