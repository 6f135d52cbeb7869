"""The shape of the configuration. Imports nothing heavy: `train.py --help` must be quick."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from sr.config.folder import config_groups
from sr.training.sides import side_of

SHOWN_BY_DEFAULT = {"condition": "none", "shift": 0, "views": "sr,real"}
"""Defaults of `sr.training.adversary.shows.Shows`, which imports torch."""


@dataclass
class GuardConfig:
    """Against explosions."""

    recover: bool = MISSING
    threshold: float = MISSING
    rate_factor: float = MISSING
    limit: int = MISSING


@dataclass
class TrainerConfig:
    """Limits, clocks and hardware; conf/trainer/default.yaml explains each."""

    max_updates: int | None = MISSING
    max_time: str | None = MISSING
    default_time: str = MISSING
    val_every: int = MISSING
    log_every: int = MISSING
    checkpoint_every: int = MISSING
    monitor: Any = MISSING  # a metric, or several
    lpips: str | None = MISSING
    val_images: int = MISSING
    colour_alarm: float | None = MISSING
    precision: str = MISSING
    channels_last: str = MISSING
    accelerator: str = MISSING
    accumulate: int = MISSING
    clip: float | None = MISSING
    ema: float | None = MISSING
    devices: int = MISSING
    guard: GuardConfig = field(default_factory=GuardConfig)


@dataclass
class PartsConfig:
    """Parts of the generator that learn otherwise than the rest: see `sr.training.parts.Parts`."""

    rates: list[Any] = field(default_factory=list)
    freeze: list[Any] = field(default_factory=list)
    restart: list[Any] = field(default_factory=list)


@dataclass
class TrainConfig:
    """The whole configuration. A dictionary here belongs to a constructor, whose signature checks it."""

    model: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    discriminator: dict[str, Any] = field(default_factory=dict)
    adversary: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    degradation: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    parts: PartsConfig = field(default_factory=PartsConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)
    size: dict[str, Any] = field(default_factory=dict)  # numbers that experiments read by interpolation
    experiment: str | None = None  # the choice's name: for the run's records, set by the program
    seed: int = MISSING
    scale: int = MISSING
    init_from: Any = MISSING  # null, a place, or places by network: sr/config/starting.py
    grow_from: str | None = MISSING  # a place: sr/config/growing.py
    started_from: dict[str, Any] = field(default_factory=dict)  # the runs that this was, set by the program
    run_dir: str | None = MISSING
    resume: str | None = MISSING
    report: bool = MISSING
    trust: bool = MISSING


def setting_names() -> list[str]:
    """Names at the top, below ``trainer`` and below ``parts``; the rest belongs to constructors."""
    top = [f.name for f in fields(TrainConfig)]
    trainer = [f"trainer.{f.name}" for f in fields(TrainerConfig)]
    parts = [f"parts.{f.name}" for f in fields(PartsConfig)]
    return top + trainer + parts + [f"trainer.guard.{f.name}" for f in fields(GuardConfig)]


def register_schema() -> None:
    """Make the schema known to Hydra under the name that conf/train.yaml lists first, and its resolvers."""
    store = ConfigStore.instance()
    store.store(name="schema", node=TrainConfig)
    # Hydra copies the store, which gives away only copies, for each composition, and for `--help` once per folder
    vars(store)["__deepcopy__"] = lambda memo: store
    OmegaConf.register_new_resolver("shown_channels", _shown_channels, replace=True)
    OmegaConf.register_new_resolver("shown_side", _shown_side, replace=True)
    OmegaConf.register_new_resolver("listed_choices", _listed_choices, replace=True)
    OmegaConf.register_new_resolver("world_target", _world_target, replace=True)


def _shown_channels(*, _root_: Any, _parent_: Any) -> int:
    """Channels of what is shown to the discriminator that asks: 3, or 6 with a condition."""
    return 6 if any(shown_of(show, "condition") != "none" for show in _shows_for(_root_, _parent_)) else 3


def _shown_side(*, _root_: Any, _parent_: Any) -> int:
    """Side of what is shown to the discriminator that asks: an HR crop or an LR one, smaller where it is shifted."""
    crop, scale = _root_.data.crop, _root_.scale
    sides = [shown_side(show, crop, scale) for show in _shows_for(_root_, _parent_)]
    return int(min(sides, default=scale * crop))


def shown_side(shows: Mapping[str, Any], crop: int, scale: int) -> int:
    """Side in pixels of what an adversary shows.

    Args:
        shows: of the adversary.
        crop: side of a low-resolution crop.
        scale: between LR and HR.
    """
    view = str(shown_of(shows, "views")).split(",")[0].strip()
    return side_of(view, crop, scale) - int(shown_of(shows, "shift"))


def shown_of(shows: Mapping[str, Any], name: str) -> Any:
    """What an adversary shows, where a file that writes one out may leave it to the class.

    Args:
        shows: of the adversary.
        name: ``condition``, ``shift`` or ``views``.
    """
    return shows.get(name, SHOWN_BY_DEFAULT[name])


def _world_target(*, _root_: Any) -> str:
    """Folder of what the miniature world found in its target, for ``data.target``; it need not be there yet."""
    from sr.experiments.world.folder import target_folder

    data = _root_.data
    world = {str(key): value for key, value in data.world.items() if key != "_target_"}
    return str(target_folder(world, data.release, data.noise, data.cache))


def _listed_choices(*, _root_: Any) -> str:
    """A line per folder of choices, for ``--help``: Hydra's own list has the files too that are parts of choices."""
    sources = _root_.hydra.runtime.config_sources
    groups = config_groups(*(Path(source.path) for source in sources if source.schema == "file"))
    lines: dict[str, list[str]] = {}
    for group, choices in groups.items():
        for choice in choices:
            folder, _, name = f"{group}/{choice}".rpartition("/")
            lines.setdefault(folder, []).append(name)
    return "".join(f"{folder}: {', '.join(sorted(names))}\n" for folder, names in sorted(lines.items()))


def _shows_for(root: Any, asking: Any) -> list[Any]:
    """What the adversaries of one discriminator show; those that somebody has emptied are told elsewhere.

    Args:
        root: the whole configuration.
        asking: node of the discriminator: an adversary's own, a loss's, or ``discriminator``, which the others have in
            common.
    """
    group, _, name = str(asking._get_full_key(None)).partition(".")
    if group == "loss":  # what its term compares
        return [root.loss.terms[name.split(".")[1]]]
    whose = name.split(".")[0] if group == "adversary" else None
    own = [key for key, node in root.adversary.items() if node and OmegaConf.is_dict(node._get_node("network"))]
    asked = [key for key in root.adversary if (key not in own if whose is None else key == whose)]
    nodes = [root.adversary[key] for key in asked]
    return [node.shows for node in nodes if node and node.get("shows")]
