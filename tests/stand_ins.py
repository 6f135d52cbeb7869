"""Small generated stand-ins for data sets and pools, in the layouts in which the real ones come."""

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from sr.image.resize import imresize
from sr.models.espcn import Espcn
from sr.models.files import save_network
from tests.conftest import REPOSITORY, smooth_picture


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _div2k(folder: Path) -> list[str]:
    for number in (1, 2, 3, 801, 802):
        part = "train" if number < 800 else "valid"
        _write(folder / f"DIV2K/DIV2K_{part}_HR/{number:04d}.png", smooth_picture(60, 80, number))
    return [f"data.root={folder / 'DIV2K'}"]


def _flickr2k(folder: Path) -> list[str]:
    for number in (1, 2, 3):
        _write(folder / f"Flickr2K/Flickr2K_HR/{number:06d}.png", smooth_picture(60, 80, number))
    return [*_div2k(folder), f"data.flickr2k_root={folder / 'Flickr2K'}"]


def _flowers(folder: Path) -> list[str]:
    for number in range(10):
        _write(folder / f"jpg/image_{number:04d}.jpg", smooth_picture(70, 80 + number, number))
    return [f"data.root={folder}", "data.size=64"]


def _anime(folder: Path) -> list[str]:
    for episode in (1, 2):
        for number in range(3):
            frame = np.zeros((80, 96, 3), np.uint8)
            frame[8:-8] = smooth_picture(64, 96, 10 * episode + number)
            _write(folder / f"ep{episode:02d}/{number:05d}.png", frame)
    return [f"data.root={folder}"]


def _photos(folder: Path) -> list[str]:
    for number in range(6):
        _write(folder / f"2019/holiday_{number}.jpg", smooth_picture(150, 200, number))
    return [f"data.root={folder}", "data.train.source.side=48"]


def _paired(folder: Path) -> list[str]:
    for number in range(4):
        hr = smooth_picture(60, 80, number)
        _write(folder / f"HR/{number:04d}.png", hr)
        _write(folder / f"LR/{number:04d}x2.png", imresize(hr, 0.5))
    return [f"data.hr={folder / 'HR'}", f"data.lr={folder / 'LR'}"]


def _unpaired(folder: Path) -> list[str]:
    for number in range(4):
        _write(folder / f"HR/{number:04d}.png", smooth_picture(60, 80, number))
        _write(folder / f"LR/{number:04d}.png", smooth_picture(40, 50, 10 + number))
    pairless = ["loss=lr_consistency", "adversary=bce", "discriminator=conv", "data.crop=17"]
    return [f"data.hr={folder / 'HR'}", f"data.lr={folder / 'LR'}", *pairless]


def _cyclegan(folder: Path) -> list[str]:
    for number, part in enumerate(("trainA", "trainB", "testA", "testB")):
        _write(folder / f"horse2zebra/{part}/0.png", smooth_picture(40, 50, number))
    return [f"data.root={folder}"]


def _corruptor(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    network = Espcn(scale=1, features=8, dilations=[1])
    config = {"_target_": "sr.models.espcn.Espcn", "scale": 1, "features": 8, "dilations": [1]}
    save_network(folder / "one.safetensors", network, config, {})
    return [f"degradation.stages.corruptor.files=[{folder / 'one.safetensors'}]"]


def _benchmark(folder: Path) -> list[str]:
    for number in range(2):
        _write(folder / f"Set14/HR/{number}.png", smooth_picture(60, 80, number))
    return [f"data.root={folder}", "data.train.pictures=2", "data.train.size=48"]


def pool(folder: Path) -> Path:
    """Kernels and noise as `sr prepare kernels` and `sr prepare noise` leave them."""
    rng = np.random.default_rng(0)
    for number in range(3):
        kernel = np.outer(np.hanning(9 + 2), np.hanning(9 + 2))[1:-1, 1:-1] ** (number + 1)
        (folder / "kernels").mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"kernels/{number}.txt", kernel / kernel.sum())
        _write(folder / f"noise/patches/{number}_noise.png", rng.normal(128, 3, (40, 40, 3)).round().astype(np.uint8))
    return folder


TINY_WORLD = {
    "height": 96,
    "width": 160,
    "reference_frames": 4,
    "few_frames": 2,
    "target_frames": 3,
    "foreign_frames": 2,
    "val_pictures": 1,
    "kernels": "hidden",
    "kernel_frames": 1,
}
"""A miniature world that is drawn in a second."""


def _untrained(*losses: str):
    """The feature networks of these losses have no weights on this machine, and random ones only by name."""
    return {("loss", loss): lambda _, loss=loss: [f"loss.terms.{loss}.loss.weights=random"] for loss in losses}


SMALL_STYLES = ["data.pictures=3", "data.val_scenes=1", "data.size=48", "data.train=null", "data.val=null"]
SMALL_STYLES += ["data.val_lr=null"]
TRANSLATED = ["model=cyclegan", "scale=1", "model.features=4", "loss=[cycle,identity]", "adversary=[lsgan,cycle]"]
TRANSLATED += ["discriminator=conv", "data.crop=16"]
"""A translation between two sides, which their data is for."""

SMALL_SPSR = ["model.features=8", "model.growth=4", "model.blocks=4", "model.spacing=1"]
"""The smallest that has the four taps of its branch."""

FEATURE_NET = [
    *("model.net=vgg16", "model.layer=conv1_2", "loss.terms.features.loss.weights=random"),
    *("loss.terms.features.loss.net=vgg16", "loss.terms.features.loss.layer=conv1_2"),
]

STAND_INS = {
    ("loss", "branch"): lambda _: ["model=spsr", *SMALL_SPSR],
    ("loss", "features"): lambda _: ["model=feature_net", *FEATURE_NET],
    ("model", "feature_net"): lambda _: ["loss=features", *FEATURE_NET],
    ("data", "unpaired"): _unpaired,
    ("data", "cyclegan"): lambda folder: [*_cyclegan(folder), *TRANSLATED],
    ("data", "styles"): lambda _: ["data.pictures=3", "data.val_scenes=1", "data.size=48", *TRANSLATED],
    ("model", "cyclegan"): lambda _: ["data=styles", *SMALL_STYLES, *TRANSLATED[1:]],
    **{
        ("loss", name): lambda _: ["data=styles", *SMALL_STYLES, *TRANSLATED[:3], *TRANSLATED[4:]]
        for name in ("cycle", "identity")
    },
    ("adversary", "cycle"): lambda _: ["data=styles", *SMALL_STYLES, *TRANSLATED[:4], "discriminator=conv"],
    ("degradation", "corrupted"): _corruptor,
    **_untrained("vgg", "vgg_five", "vgg_conv4_3", "vgg_mask", "vgg_notes", "lpips", "dists"),
    ("loss", "vgg_full"): lambda _: ["loss.terms.vgg_full.loss.weights=random", "data.crop=16"],
    ("data", "div2k"): _div2k,
    ("data", "flickr2k"): _flickr2k,
    ("data", "df2k"): _flickr2k,
    ("data", "flowers"): _flowers,
    ("data", "anime"): _anime,
    ("data", "photos"): _photos,
    ("data", "paired"): _paired,
    ("data", "benchmark"): _benchmark,
    ("data", "miniature"): lambda _: [f"data.world.{name}={value}" for name, value in TINY_WORLD.items()],
    ("data", "drawings"): lambda _: ["data.train.pictures=2", "data.train.width=64", "data.train.height=48"],
    ("data", "generated"): lambda _: ["data.train.pictures=2", "data.train.size=48"],
    ("degradation", "realsr"): lambda folder: [f"degradation.pool={pool(folder)}"],
    ("trainer", "ddp"): lambda _: ["trainer.devices=1"],  # two processes: tests/training/test_ddp.py
    ("experiment", "gan_phases"): lambda _: ["loss.terms.vgg.loss.weights=random"],
    ("loss", "ms_ssim"): lambda _: ["loss.terms.ms_ssim.loss.levels=2"],
    ("augmentation", "down_hr"): lambda _: ["degradation.in_advance=false"],
    ("augmentation", "february"): lambda _: ["degradation.in_advance=false"],
    **{
        ("augmentation", f"kornia_{name}"): lambda _: ["degradation.in_advance=false"]
        for name in ("affine", "clahe", "elastic", "illumination", "plasma_shadow")
    },
}
"""What a choice needs to run: makes the files and gives the overrides."""


def _whole(path: Path) -> bool:
    """An adversary's file begins with what all share, itself or through those that it is put together from."""
    names = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    files = [path.with_name(f"{name}.yaml") for name in names if isinstance(name, str) and name != "_self_"]
    return path.stem == "_base" or any(_whole(file) for file in files)


ADDITIONS = tuple(
    path.stem
    for path in sorted((REPOSITORY / "conf" / "adversary").glob("*.yaml"))
    if path.stem != "none" and not _whole(path)
)
"""Choices of the group adversary that add to another one."""


def needed(group: str, choice: str, folder: Path) -> list[str]:
    """Overrides with which a choice trains on generated files below ``folder``."""
    make = STAND_INS.get((group, choice))
    if make is not None:
        return make(folder)
    if group == "discriminator" and choice != "none":
        return ["adversary=lsgan", "data.crop=32"]
    if group == "adversary" and choice != "none":
        return ["discriminator=conv", "data.crop=34"]
    return []


def chosen(group: str, choice: str) -> str:
    """The override that makes the choice."""
    return f"adversary=[lsgan,{choice}]" if group == "adversary" and choice in ADDITIONS else f"{group}={choice}"
