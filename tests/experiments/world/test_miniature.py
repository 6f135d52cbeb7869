"""data=miniature with degradation=realsr: pools by configuration, resumed from files alone, real frames instead."""

import numpy as np
import pytest
from PIL import Image as pil

from sr.errors import UserError
from sr.experiments.world.settings import WorldSettings
from sr.experiments.world.source import TargetFrames, Training, Validation, shown, validation
from tests.conftest import smooth_picture
from tests.stand_ins import TINY_WORLD, pool

SMALL = ("data=miniature", *(f"data.world.{name}={value}" for name, value in TINY_WORLD.items()))
LOG = (
    "degradation=realsr",
    "degradation.stages.geometry.height=0.8889",
    "degradation.stages.geometry.width=0.7417",
    "data.crop=16",
    "data.batch_size=2",
    "trainer.val_every=2",
)


def quiet(*_):
    """Nobody listens."""


@pytest.mark.slow
def test_realsr_gets_its_pool_from_the_world_and_goes_on_from_its_own_files(train, tmp_path):
    entry = ("data.release=aniboters", "data.noise=S3W5K5", "data.shows=anime_1000", "degradation.stages.noise.count=2")
    run = f"run_dir={tmp_path / 'run'}"
    code, out, err = train(*SMALL, *LOG, *entry, run, "trainer.max_updates=2", defaults=False)
    assert code == 0, err
    text = out.replace("\n", " ")
    assert "noise of aniboters: 3/3" in text
    assert "soultaker" not in text.replace("release=", "")
    columns = (tmp_path / "run" / "metrics.csv").read_text().split("\n")[0].split(",")
    assert {"val/target/psnr_y", "val/target_noise3/psnr_y", "val/clean/psnr_y"} <= {*columns}
    code, out, err = train(f"resume={tmp_path / 'run'}", "trainer.max_updates=3", defaults=False)
    assert code == 0, err
    assert "ended (max_updates) after 3 updates" in out


def test_a_pool_of_ones_own_is_taken_and_no_pool_is_made(train, tmp_path):
    target = pool(tmp_path / "pool")
    more = (f"data.target={target}", f"data.cache={tmp_path / 'cache'}", "trainer.max_updates=1")
    code, _, err = train(*SMALL, *LOG, *more, defaults=False)
    assert code == 0, err
    assert not [*(tmp_path / "cache" / "worlds").rglob("kernels")]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.noise=S3", "data.pools: noise=S3 is no code of an extraction; write S, the strength, K and the box"),
        ("data.release=bd", "data.release=bd is no release of the target; there is soultaker and aniboters"),
        ("data.shows=anime", "shows=anime does not fit: input should be 'anime_4000', 'anime_1000', "),
        ("data.sets=[]", "data.sets=[] names no validation set; take some of target, "),
        ("data.sets=[noisy]", "noisy is no validation set of the world; it has target, target_noise2"),
        ("data.world.height=101", "a frame of 160x101 cannot be halved; give even height and width"),
        ("data.target_video=/nowhere", "there is no folder '/nowhere'"),
    ],
)
def test_mistakes_are_one_sentence(train, override, message):
    code, _, err = train(*SMALL, *LOG, override, "trainer.max_updates=1", defaults=False)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def write(folder, count, height, width):
    folder.mkdir(parents=True)
    for i in range(count):
        pil.fromarray(smooth_picture(height, width, i)).save(folder / f"{i}.png")
    return str(folder)


def test_real_frames_instead_of_drawn_ones(tmp_path):
    for episode in range(3):
        write(tmp_path / f"film/{episode}", 2, 101, 120)
    video = write(tmp_path / "video", 2, 48, 71)
    settings = WorldSettings(
        **{**TINY_WORLD, "reference": str(tmp_path / "film"), "target_video": video, "height": 100, "width": 120}
    )
    cache = str(tmp_path / "cache")
    train_on = Training(settings, "anime_4000", cache)
    train_on.fetch(quiet, quiet)
    assert len(train_on) == 4
    sets = validation(settings, ["target", "clean"], "lr", cache)
    assert list(sets) == ["clean"]
    assert sets["clean"].read(0).pixels.shape == (50, 60, 3)
    hr = Validation(settings, "clean", "hr", cache)
    assert hr.read(0).pixels.shape == (100, 120, 3)
    assert not {train_on.name(i) for i in range(4)} & {hr.name(0)}
    frames = shown(settings, "aniboters", cache)
    assert isinstance(frames, TargetFrames)
    assert (len(frames), frames.read(0).pixels.shape) == (2, (50, 60, 3))
    with pytest.raises(
        UserError, match=r"truth of data.target_video, which the validation sets target need, is not known"
    ):
        validation(settings, ["target"], "hr", cache)
    before = settings.key
    pil.fromarray(np.zeros((48, 71, 3), np.uint8)).save(tmp_path / "video/9.png")
    assert settings.key != before


@pytest.mark.slow
def test_training_on_real_frames_alone(train, sr, tmp_path):
    film, video = write(tmp_path / "film", 4, 96, 160), tmp_path / "video"
    video.mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        noisy = smooth_picture(120, 160, 20 + i) + rng.normal(0, 6, (120, 160, 3))
        pil.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(video / f"{i}.png")
    real = [
        "data.world.kernels=estimated",
        "data.world.kernel_updates=2",
        f"data.target_video={video}",
        f"data.world.reference={film}",
    ]
    typed = [*(s for s in SMALL if "kernels=" not in s), *real]
    run = f"run_dir={tmp_path / 'run'}"
    code, out, err = train(*typed, *LOG, "data.sets=[clean]", run, "trainer.max_updates=2", defaults=False)
    assert code == 0, err
    assert "kernels of soultaker, KernelGAN updates: 2/2" in out.replace("\n", " ")
    table = (tmp_path / "run/metrics.csv").read_text().split("\n")[0].split(",")
    assert "val/psnr_y" in table or "val/clean/psnr_y" in table
    assert [*(tmp_path / "run").rglob("*shown*")]
    code, out, err = sr("world", *typed[1:], "-o", tmp_path / "sheet.png")
    assert code == 0, err
    with pil.open(tmp_path / "sheet.png") as made:
        assert made.width > 400
    code, _, err = train(*SMALL, f"data.target_video={video}", *LOG, "data.sets=[clean]", defaults=False)
    assert code == 2
    assert "the kernels of a real target are hidden; set data.world.kernels=estimated" in err


@pytest.mark.slow
def test_the_sheet_shows_the_world_once_drawn(sr, tmp_path):
    code, out, err = sr("world", *SMALL[1:], f"data.cache={tmp_path / 'cache'}", "-o", tmp_path / "sheet.png")
    assert code == 0, err
    assert out.count("drawing the miniature world, once") == 1
    assert "soultaker: 1 kernels, sigma 1.10 by 0.81 on average; 0% of their weight lies elsewhere" in out
    with pil.open(tmp_path / "sheet.png") as made:
        assert len(np.unique(np.asarray(made).reshape(-1, 3), axis=0)) > 1000
    code, out, err = sr("world", *SMALL[1:], f"data.cache={tmp_path / 'cache'}", "-o", tmp_path / "again.png")
    assert code == 0, err
    assert "drawing" not in out
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "sheet.png").read_bytes()
    code, _, err = sr("world", *SMALL[1:], f"data.cache={tmp_path / 'cache'}", "-o", tmp_path / "again.png")
    assert code == 0, err  # a sheet may take the place of a sheet


def test_a_sheet_is_a_png(sr):
    code, _, err = sr("world", *SMALL[1:], "-o", "sheet.jpg")
    assert code == 2
    assert "-o sheet.jpg: the sheet is a PNG file; take -o sheet.png" in err


def test_a_bench_makes_what_the_degradation_reads(sr, tmp_path):
    cache = f"data.cache={tmp_path / 'cache'}"
    code, out, err = sr("bench", "degradation", *SMALL, *LOG[:-1], cache, "--seconds", "0")
    assert code == 0, err
    assert "batch of 2" in out
    assert [*(tmp_path / "cache/worlds").rglob("pool.json")]
