"""The miniature world: drawn once, the same every time, its pools found by the project's own tools."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from sr.data.preparation.kernel_gan import widths
from sr.data.preparation.noise_patches import Extraction
from sr.degradations.kernel_files import write_kernels
from sr.degradations.kernel_pool import PooledBlur
from sr.degradations.pictures import Pictures
from sr.degradations.resize import ResizeAxes
from sr.draws import Draws
from sr.errors import UserError
from sr.experiments.world import folder, pools
from sr.experiments.world.drawing import reference_frame, target_original
from sr.experiments.world.filming import clean_frame, filmed, hidden_kernel
from sr.experiments.world.folder import World
from sr.experiments.world.pools import LOG_POOLS, Pool, extraction_of
from sr.experiments.world.settings import RELEASES, WorldSettings
from sr.experiments.world.source import Training, Validation, WorldPools
from sr.image.io import read_picture, to_image, write_picture
from sr.types import Picture
from tests.conftest import REPOSITORY
from tests.stand_ins import TINY_WORLD

TINY = WorldSettings(**TINY_WORLD)


def quiet(*_):
    """Nobody listens."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(TINY, str(tmp_path_factory.mktemp("cache")))
    made.draw(quiet, quiet)
    return made


def pixels(path):
    return read_picture(path).pixels


def test_hidden_kernels_are_the_settings():
    for release in RELEASES.values():
        kernel = hidden_kernel(release)
        assert kernel.shape == (13, 13)
        assert kernel.sum() == pytest.approx(1)
        assert center_of_mass(kernel) == pytest.approx((6.5, 6.5), abs=0.02)
        assert widths(kernel) == pytest.approx(release.sigmas, abs=0.03)


def test_a_frame_is_what_realsr_makes_of_the_original_with_the_hidden_kernel(tmp_path):
    original, release = target_original(TINY, 0), RELEASES["soultaker"]
    write_kernels(tmp_path, [hidden_kernel(release)], ["k"])
    image, draws = to_image(original), Draws(0, np.zeros(1))
    shaped = ResizeAxes(0.8889, 0.7417, rounding="even")(Pictures.of(image, (48, 80)), draws)  # as #25 says it
    expected = PooledBlur(str(tmp_path), stride=2)(shaped, draws).pixels[0].permute(1, 2, 0).clamp(0, 1)
    clean = clean_frame(original, release)
    assert clean.shape == (43, 59, 3)
    np.testing.assert_allclose(clean / 255, expected, atol=1e-5)


def test_noise_is_stronger_in_the_noisy_release_alike_in_neighbours_and_multiplied_as_asked():
    original = target_original(TINY, 0)
    for release in RELEASES.values():
        clean = clean_frame(original, release)
        one, three = (filmed(original, release, np.random.default_rng(0), times) - clean for times in (1, 3))
        inside = (clean > 80) & (clean < 180)
        assert three[inside].std() == pytest.approx(3 * one[inside].std(), rel=0.1)
        gray = one.mean(2)
        assert np.corrcoef(gray[:, 1:].ravel(), gray[:, :-1].ravel())[0, 1] > 0.2
    noisy, calm = (filmed(original, r, np.random.default_rng(0)) - clean_frame(original, r) for r in RELEASES.values())
    assert noisy.std() > 1.2 * calm.std()


def test_the_target_is_finer_and_has_more_contrast():
    settings = WorldSettings()
    reference, target = (np.stack([make(settings, i) for i in range(4)]) for make in (reference_frame, target_original))
    assert reference.min() >= 31
    assert target.min() == 0
    assert reference.shape == target.shape == (4, 270, 480, 3)


def test_a_world_is_drawn_once_and_again_to_the_same_bits(world, tmp_path):
    said = []
    world.draw(quiet, said.append)
    assert said == []
    again = World(TINY, str(tmp_path))
    again.draw(quiet, said.append)
    assert said == [f"drawing the miniature world, once: {again.folder}"]
    names = sorted(path.relative_to(world.folder) for path in world.folder.rglob("*.png") if "S2K3" not in path.parts)
    assert len(names) == 4 + 2 + 5 * 3 + 2 * 9
    for name in names:
        assert (world.folder / name).read_bytes() == (again.folder / name).read_bytes()


def test_a_killed_drawing_is_gone_on_with_and_never_used_half(tmp_path):
    world = World(TINY, str(tmp_path))

    def killed(_, done, total):
        if done == total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.draw(killed, quiet)
    assert not world.folder.exists()
    first = next(world.folder.with_suffix(".part").rglob("00000.png"))
    before = first.stat().st_mtime_ns
    world.draw(quiet, quiet)
    assert (world.folder / first.relative_to(world.folder.with_suffix(".part"))).stat().st_mtime_ns == before
    assert not world.folder.with_suffix(".part").exists()


def test_a_world_whose_record_is_gone_is_completed(tmp_path):
    world = World(TINY, str(tmp_path))
    world.draw(quiet, quiet)
    pool = Pool(world, "soultaker", "S2K0")
    pool.make(quiet, quiet)
    (world.folder / "world.json").unlink()
    lost = world.frames("soultaker") / "00002.png"
    before = lost.read_bytes()
    lost.unlink()
    (pool.folder / "pool.json").write_text("garbage")
    said = []
    pool.make(quiet, said.append)
    assert lost.read_bytes() == before
    assert said == [
        f"drawing the miniature world, once: {world.folder}",
        f"{pool.folder} is damaged and is made anew",
    ]
    assert len([*(pool.folder / "noise/patches").iterdir()]) == 3


def test_damaged_files_are_drawn_again(tmp_path):
    made = World(TINY, str(tmp_path))
    made.draw(quiet, quiet)
    pool = Pool(made, "soultaker", "S2K0")
    pool.make(quiet, quiet)
    flipped, gone = made.validation("clean", "lr") / "00000.png", made.frames("soultaker") / "00001.png"
    patch = pool.folder / "noise/patches/00001_noise.png"
    before = [path.read_bytes() for path in (flipped, gone, patch)]
    for path in (flipped, patch):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 8
        path.write_bytes(data)
    gone.unlink()
    folder._broken.cache_clear()  # each process looks once
    said = []
    pool.make(quiet, said.append)
    assert said == [
        "2 damaged files of the world are drawn again: releases/soultaker/frames/00001.png, val/clean/lr/00000.png",
        f"{pool.folder} is damaged and is made anew",
    ]
    assert [path.read_bytes() for path in (flipped, gone, patch)] == before


@pytest.mark.parametrize("text", ["[]", "garbage", "[" * 100_000])
def test_a_record_that_is_none_beside_a_new_world(tmp_path, text):
    other = tmp_path / "worlds" / "other"
    other.mkdir(parents=True)
    (other / "world.json").write_text(text)
    said = []
    World(TINY, str(tmp_path)).draw(quiet, said.append)
    assert said[0].startswith("drawing the miniature world, once")


DRAW = """
import sys
from sr.experiments.world.folder import World
from sr.experiments.world.pools import Pool
from sr.experiments.world.settings import WorldSettings
from tests.conftest import REPOSITORY
from tests.stand_ins import TINY_WORLD
said = []
Pool(World(WorldSettings(**TINY_WORLD), sys.argv[1]), "soultaker", "S2K3").make(lambda *_: None, said.append)
print([text.split(":")[0].split(" /")[0] for text in said if not text.startswith("another")])
"""


@pytest.mark.slow
def test_of_two_processes_one_draws_and_both_have_the_same_world(world, tmp_path):
    start = [sys.executable, "-c", DRAW, str(tmp_path)]
    both = [subprocess.Popen(start, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == ["['drawing the miniature world, once']", "[]"]
    made = World(TINY, str(tmp_path))
    assert sorted(path.name for path in made.folder.parent.iterdir()) == sorted(
        [made.folder.name, f"{made.folder.name}.lock"]
    )
    for path in world.folder.glob("val/*/lr/*.png"):
        assert (made.folder / path.relative_to(world.folder)).read_bytes() == path.read_bytes()


def test_other_settings_are_another_world_and_the_difference_is_said(world):
    other = World(replace(TINY, texture=3.0), str(world.folder.parents[1]))
    said = []
    other.draw(quiet, said.append)
    assert other.folder != world.folder
    assert "settings differ from the last one's (texture 12.0 -> 3.0)" in said[0]


def test_codes_of_the_log():
    codes = ("S2K0", "S2K3", "S2K5", "S4K3", "S3K3", "S3W5K5")
    assert {code for codes in LOG_POOLS.values() for code in codes} == {*codes}
    assert [extraction_of(code) for code in codes] == [
        Extraction(2, 7, 0),
        Extraction(2, 7, 3),
        Extraction(2, 7, 5),
        Extraction(4, 7, 3),
        Extraction(3, 7, 3),
        Extraction(3, 5, 5),
    ]
    with pytest.raises(ValueError, match="noise=S3 is no code of an extraction; write S, the strength, K"):
        extraction_of("S3")
    with pytest.raises(ValueError, match="kernel=4 must be 0"):
        extraction_of("S3K4")


def test_a_pool_is_made_by_the_projects_tools_and_anew_when_the_frames_change(world):
    pool, said = Pool(world, "soultaker", "S2K3"), []
    pool.make(quiet, said.append)
    frame, patch = world.frames("soultaker") / "00001.png", pool.folder / "noise/patches/00001_noise.png"
    noise = Extraction(2, 7, 3).split(pixels(frame))[1]
    np.testing.assert_array_equal(pixels(patch), np.clip(np.rint(noise + 128), 0, 255))
    np.testing.assert_allclose(
        np.loadtxt(pool.folder / "kernels/hidden.txt"), hidden_kernel(RELEASES["soultaker"]), atol=1e-6
    )
    pool.make(quiet, said.append)
    assert said == []
    before = pixels(frame)
    write_picture(frame, Picture(before // 2))
    pool.make(quiet, said.append)
    write_picture(frame, Picture(before))
    assert said == [f"{pool.folder} came from other frames or settings (frames) and is made anew"]


def test_a_target_without_noise_is_refused(tmp_path):
    world = World(TINY, str(tmp_path))
    world.draw(quiet, quiet)
    for path in world.frames("aniboters").glob("*.png"):
        write_picture(path, Picture(np.full((43, 59, 3), 90, np.uint8)))
    with pytest.raises(
        UserError, match=r"hold no noise: what strength 2 takes out deviates by 0.00 levels; they are too"
    ):
        Pool(world, "aniboters", "S2K3").make(quiet, quiet)
    assert not Pool(world, "aniboters", "S2K3").folder.exists()


def test_a_target_too_small_for_kernels_is_refused(tmp_path):
    world = World(replace(TINY, kernels="estimated"), str(tmp_path))
    with pytest.raises(UserError, match=r"none of 1 frames of .* gave a kernel .*58x42 pixels are too few"):
        Pool(world, "soultaker", "S2K3").make(quiet, quiet)


@pytest.mark.slow
def test_a_killed_estimation_of_kernels_is_gone_on_with(tmp_path, monkeypatch):
    settings = replace(TINY, kernels="estimated", kernel_frames=3)
    world, names = World(settings, str(tmp_path)), []
    world.draw(quiet, quiet)
    code = f"""
import time
from sr.experiments.world import pools
from sr.experiments.world.folder import World
from sr.experiments.world.settings import WorldSettings
def estimated(pixels, name, *_):
    if (world.kernels("soultaker").with_name("kernels.part") / "kernels.npz").exists():
        print("second", flush=True)
        time.sleep(120)
    return pools.hidden_kernel(pools.RELEASES["soultaker"])
pools.estimated, pools.is_background = estimated, lambda *_: True
world = World({settings!r}, {str(tmp_path)!r})
pools.estimate_kernels(world, "soultaker", lambda *_: None, lambda _: None)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "second\n"
        process.kill()
    assert not world.kernels("soultaker").exists()

    def estimated(pixels, name, *_):
        names.append(name)
        return hidden_kernel(RELEASES["soultaker"])

    monkeypatch.setattr(pools, "estimated", estimated)
    monkeypatch.setattr(pools, "is_background", lambda *_: True)
    pools.estimate_kernels(world, "soultaker", quiet, quiet)
    kernels = {path.stem for path in world.kernels("soultaker").glob("*.txt")}
    assert (len(kernels), len(names)) == (3, 2)
    assert set(names) < kernels


def test_validation_sets_have_twins_of_half_the_size(world):
    for name in ("target", "target_noise3", "clean", "blurred", "shrunk", "foreign"):
        hr, lr = (Validation(TINY, name, side, str(world.folder.parents[1])) for side in ("hr", "lr"))
        assert (len(hr), len(lr)) == (1, 1)
        assert hr.read(0).pixels.shape == (96, 160, 3)
        assert lr.read(0).pixels.shape == (48, 80, 3)
    with pytest.raises(ValueError, match="noisy is no validation set of the world; it has target, target_noise2"):
        Validation(TINY, "noisy", "hr")


def test_what_is_trained_on_holds_no_validation_picture(world):
    cache = str(world.folder.parents[1])
    whole, few, foreign = (Training(TINY, part, cache) for part in ("anime_4000", "anime_1000", "foreign"))
    assert (len(whole), len(few), len(foreign)) == (4, 2, 2)
    assert [few.name(i) for i in range(2)] == [whole.name(i) for i in range(2)]
    half = Training(TINY, "foreign_half", cache)
    assert (len(half), half.name(0)) == (1, foreign.name(0)), "as data.real=half takes them"
    val = [pixels(path) for path in world.folder.glob("val/*/hr/*.png")]
    trained = [source.read(i).pixels for source in (whole, foreign) for i in range(len(source))]
    trained += [pixels(path) for path in world.folder.glob("originals/*.png")]
    assert not any(np.array_equal(a, b) for a in val for b in trained)


def test_pools_are_made_only_for_who_reads_them(tmp_path):
    pools = WorldPools(TINY, "soultaker", "S2K0", str(tmp_path))
    pools.make([], quiet, quiet)
    assert not pools.pool.world.folder.exists()
    pools.make([f"{pools.pool.folder}/kernels"], quiet, quiet)
    assert (pools.pool.folder / "noise/patches/00000_noise.png").is_file()
    with pytest.raises(
        UserError, match=r"data.release=soul is no release of the target; there is soultaker and aniboters"
    ):
        WorldPools(TINY, "soul", "S2K0")


def test_settings_that_make_no_sense_are_refused():
    for name, value, message in (
        ("kernels", "true", "kernels=true is not one of estimated or hidden"),
        ("height", 20, "height=20 must be at least 96"),
        ("few_frames", 97, "few_frames=97 is how many of the reference_frames=96"),
        ("width", 481, "a frame of 481x270 cannot be halved"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(WorldSettings(), **{name: value})
