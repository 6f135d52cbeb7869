"""The log's entries at full size against `log_facts`, which was written before they were looked at."""

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from sr.config.building import build
from sr.config.experiments import at_size
from sr.degradations.pictures import Pictures
from sr.draws import Draws
from tests.config.test_experiments import EXPERIMENTS
from tests.experiments import log_facts as facts

pytestmark = pytest.mark.slow

NUMBERED = {
    m[1].replace("_", "."): m[0] for m in (re.match(r"log/(\d\d(?:_5)?)_\w+", name) for name in EXPERIMENTS) if m
}
ENTRIES = list(facts.table(facts.NETWORKS))
IMAGES = {"anime_1000": 1000, "anime_4000": 4000, "foreign": 800}
"""Pictures of the log's sets, by what stands for them."""
FACTOR = {"step": "gamma", "exp": "final"}
"""What schedules call the factor by which rates fall."""


@cache
def entry(number: str) -> Any:
    """The entry's configuration at full size, interpolations resolved; that it passes the check is tested elsewhere."""
    config = at_size(NUMBERED[number], "full")
    OmegaConf.resolve(config)
    return config


def adversary(config: Any) -> Any:
    return config.adversary.get("d")


def terms(config: Any) -> Mapping[str, Any]:
    return {name: term for name, term in config.loss.terms.items() if term is not None}


def vgg_term(config: Any) -> Any:
    return next((term for name, term in terms(config).items() if name.startswith("vgg")), None)


def last(target: str) -> str:
    return str(target).rpartition(".")[2]


def parameters(name: str, config: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, config[name]).parameters())


def parent(place: str | None) -> str | None:
    """Number of the entry that is meant by ``log/20`` or ``log/20_name``."""
    return None if place is None else place.removeprefix("log/")[:2]


def network_of(config: Any) -> dict[str, Any]:
    rdn = last(config.model._target_) == "Rdn"
    with_d = adversary(config) is not None
    between = {"none": "conv", "dropout": "dropout", "batch": "batch"}
    return {
        "generator": "rdn" if rdn else "resnet",
        "scale": config.scale,
        "upsampler": config.model.upsampler if rdn else None,
        "parameters": parameters("model", config),
        "discriminator": between[config.discriminator.between] if with_d else None,
        "d_parameters": parameters("discriminator", config) if with_d else None,
        "from": parent(config.init_from.g),
        "d": parent(config.init_from.d),
    }


def losses_of(config: Any) -> dict[str, Any]:
    """Weights as they are on pictures in [-1, 1], where an absolute difference is twice that on [0, 1]."""
    weights = {name: float(term.weight) for name, term in terms(config).items()}
    vgg, d = vgg_term(config), adversary(config)
    features = None if vgg is None else float(vgg.weight)
    l1 = weights.get("l1", 0) / 2 or None
    if len(weights) == 1 and d is None:  # alone, a factor says nothing: Adam does not see it
        l1, features = (1.0 if one else None for one in (l1, features))
    stepper = None if d is None else d.policy.get("stepper")
    return {
        "l1": l1,
        "features": features,
        "edge": weights.get("edge", 0) / 2 or None,
        "gan": None if d is None else float(d.weight),
        "vgg": None if vgg is None else ",".join(vgg.loss.layers),
        "rest": stepper and stepper.rest_below,
        "learn": stepper and stepper.learn_above,
    }


def training_of(config: Any) -> dict[str, Any]:
    schedule = config.schedule
    kind = {"Step": "step", "PlateauWindows": "plateau", "Exponential": "exp"}.get(last(schedule._target_), "another")
    images = IMAGES.get(config.data.get("shows"), 1)
    batch = 800 if config.trainer.max_updates == 40 else config.data.batch_size  # #00: one update per epoch
    epoch = math.ceil(images / batch)
    monitor = config.trainer.monitor
    guard = config.trainer.guard
    return {
        "rate": config.optimizer.lr,
        "beta": config.optimizer.betas[0],
        "schedule": kind,
        "factor": schedule.get(FACTOR.get(kind, "factor")),
        "at": schedule.milestones[0] if kind == "step" else schedule.get("threshold"),
        "warmup": schedule.warmup / epoch,
        "epochs": config.trainer.max_updates / epoch,
        "images": images,
        "batch": config.data.batch_size,
        "best": (monitor if isinstance(monitor, str) else monitor[0]).removesuffix("_y"),
        "detector": guard.limit if guard.recover else "none",
    }


def pictures_of(config: Any) -> dict[str, Any]:
    stages = config.degradation.stages
    if "kernel" in stages:
        low = "kernel"
    elif "damage" in stages or "jpeg" in stages:
        low = next((name for name in facts.LR_STAGES if not stage_faults(name, stages)), "another set")
    else:
        low = "blurred" if "blur" in stages else str(stages.resize.modes)
    steps = config.augmentation.steps
    down = [node.factor for node in (steps.get("down_hr"), stages.get("down_up")) if node is not None]
    contrast = steps.get("contrast")
    drawn = contrast_of(contrast) if contrast is not None else None
    return {
        "lr": low,
        "prescale": config.data.hr_scale,
        "hr": next((name for name, one in facts.CONTRAST.items() if one == drawn), "other")
        if drawn
        else ("february" if len(set(steps) - {"flips", "down_hr"}) else None),
        "down_hr": "-".join(f"{f:g}" for f in down[0]) if down and low in ("kernel", "bicubic") else None,
    }


def contrast_of(node: Any) -> Any:
    return node.probability, {(tuple(b.brightness), tuple(b.contrast)) for b in node.branches.values()}


def stage_faults(name: str, stages: Any) -> list[str]:
    """Constants of an augmentation set that are not so."""
    faults = []
    for place, constants in facts.LR_STAGES[name].items():
        node = OmegaConf.select(stages, place)
        for key, value in constants.items():
            found = None if node is None else node.get(key)
            found = tuple(found) if OmegaConf.is_list(found) else found
            same = (
                found == value if isinstance(value, str) or found is None else found == pytest.approx(value, rel=1e-3)
            )
            faults += [] if same else [f"{place}.{key}: {found}, {value} is said"]
    return faults


def targets_of(config: Any) -> dict[str, Any]:
    stages, data = config.degradation.stages, config.data
    codes = re.fullmatch(r"S(\d)(?:W(\d))?K(\d)", str(data.noise))
    assert codes is not None, f"data.noise={data.noise} is no code such as S3W5K5"
    geometry, noise = stages.geometry, stages.noise
    return {
        "release": data.release,
        "S": int(codes[1]),
        "W": int(codes[2] or 7),
        "K": int(codes[3]),
        "kernels": stages.kernel.count or "all",
        "patches": noise.count or "all",
        "clamp": noise.clamp,
        "amp": noise.amplitude,
        "flips": noise.flips,
        "height": geometry.height,
        "width": geometry.width,
        "rounding": geometry.rounding if geometry.height != 1 else None,
        "reference": "photographs" if data.shows == "foreign" else "anime",
    }


def agrees(found: Any, cell: str) -> bool:
    """Whether a value is what a cell of a table says."""
    if cell == "?":
        return True
    if "|" in cell:
        return any(agrees(found, one) for one in cell.split("|"))
    if found is None or cell == "-":
        return found is None and cell == "-"
    if isinstance(found, str):
        return found == cell
    return float(found) == pytest.approx(float(cell), rel=5e-4) if cell != "all" and cell != "none" else False


TABLES: list[tuple[str, Callable[[Any], dict[str, Any]]]] = [
    (facts.NETWORKS, network_of),
    (facts.LOSSES, losses_of),
    (facts.TRAINING, training_of),
    (facts.PICTURES, pictures_of),
    (facts.TARGETS, targets_of),
]


def test_the_log_is_whole():
    assert sorted(NUMBERED) == sorted(ENTRIES)


@pytest.mark.parametrize("number", ENTRIES)
def test_an_entry_is_what_the_log_and_its_code_say(number: str):
    config, wrong = entry(number), []
    for text, described in TABLES:
        said = facts.table(text).get(number)
        found = described(config) if said else {}
        wrong += [
            f"{key}: {found[key]}, {cell} is said" for key, cell in (said or {}).items() if not agrees(found[key], cell)
        ]
    assert wrong == []


@pytest.mark.parametrize("number", ENTRIES)
def test_what_all_entries_share(number: str):
    """Adam, the mirror alone, no averages, no ICNR, HR crops of 64 (128 at x4), no rounding beside real noise."""
    config = entry(number)
    assert config.optimizer._target_ == "torch.optim.Adam"
    assert (config.optimizer.betas[1], config.optimizer.weight_decay) == (0.999, 0)
    assert config.augmentation.steps.flips.symmetries == "horizontal"
    assert config.trainer.ema is None
    assert not config.model.get("icnr", False)
    assert config.data.crop * config.scale == (128 if number == "07" else 64)
    assert config.degradation.eight_bits == ("kernel" not in config.degradation.stages)
    assert config.trainer.guard.threshold == 50
    assert config.seed == 0


@pytest.mark.parametrize("number", ENTRIES)
def test_vgg_and_edges_are_compared_as_in_the_log(number: str):
    """VGG16 of pictures in [-1, 1] without ImageNet's normalisation, averaged to 7x7; edges with a safe root."""
    config = entry(number)
    vgg, edge = vgg_term(config), terms(config).get("edge")
    if vgg is not None:
        settings = vgg.loss.net, vgg.loss.input, vgg.loss.pool, vgg.loss.distance, list(vgg.loss.resolutions)
        assert settings == ("vgg16", "minus_one_one", 7, "l1", [1])
        assert (vgg.views, vgg.shift, vgg.loss.trim, vgg.loss.weights) == ("sr,hr", 0, 0, "imagenet")
    if edge is not None:
        assert edge.loss.epsilon == 1e-6


@pytest.mark.parametrize("number", [n for n in ENTRIES if n >= "07.5"])
def test_the_adversary_is_the_logs(number: str):
    """LSGAN; D sees LR enlarged with aligned corners, is in eval mode in G's step, and learns once, after G."""
    d = adversary(entry(number))
    assert (last(d.objective._target_), d.judge, d.shows.condition) == ("LeastSquares", "eval", "bicubic_aligned")
    assert (d.shows.shift, d.shows.gradients, d.r1_gamma, d.clip) == (0, False, 0, None)
    assert (d.policy.d_steps, d.policy.g_every, d.policy.start, d.policy.stop) == (1, 1, 0, None)
    assert not d.policy.regenerate
    assert d.policy.get("order", "g_first") in ("g_first", "g")
    assert (d.optimizer.lr, list(d.optimizer.betas)) == (1e-4, [0.5, 0.999])
    assert (last(d.schedule._target_), d.schedule.warmup) == ("Constant", 0)


@pytest.mark.parametrize(("number", "size"), [("16", (64, 64)), ("23", (56, 47)), ("25", (56, 48)), ("33", (56, 48))])
def test_crops_have_the_logs_size_before_the_kernel(number: str, size: tuple[int, int]):
    """AR and ES: 64x64 becomes 56x48, which the kernel halves; in #23 sizes were not raised to even ones."""
    geometry = build("geometry", entry(number).degradation.stages.geometry)
    crops = Pictures.of(torch.zeros(1, 3, 64, 64), (64, 64))
    made = geometry(crops, Draws(0, np.arange(1)))
    assert (made.heights[0], made.widths[0]) == size


@pytest.mark.parametrize(
    ("number", "name"), [("10", "set_10"), ("11", "set_11"), ("12", "set_10"), ("13", "set_13"), ("14", "set_10")]
)
def test_augmentations_of_the_low_resolution(number: str, name: str):
    assert stage_faults(name, entry(number).degradation.stages) == []
