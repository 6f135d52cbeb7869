"""The shape of the configuration. Imports nothing heavy: `train.py --help` must be quick."""

from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class TrainerConfig:
    """Limits, clocks and hardware; conf/trainer/default.yaml explains each."""

    max_updates: int | None = MISSING
    max_time: str | None = MISSING
    default_time: str = MISSING
    val_every: int = MISSING
    log_every: int = MISSING
    checkpoint_every: int = MISSING
    monitor: str = MISSING
    val_images: int = MISSING
    precision: str = MISSING
    channels_last: str = MISSING
    accelerator: str = MISSING
    accumulate: int = MISSING
    clip: float | None = MISSING
    ema: float | None = MISSING


@dataclass
class TrainConfig:
    """The whole configuration. A dictionary here belongs to a constructor, whose signature checks it."""

    model: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    degradation: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)
    seed: int = MISSING
    scale: int = MISSING
    run_dir: str | None = MISSING
    resume: str | None = MISSING


def setting_names() -> list[str]:
    """Names at the top and below ``trainer``; the rest belongs to constructors."""
    top = [f.name for f in fields(TrainConfig)]
    return top + [f"trainer.{f.name}" for f in fields(TrainerConfig)]


def register_schema() -> None:
    """Make the schema known to Hydra under the name that conf/train.yaml lists first."""
    ConfigStore.instance().store(name="schema", node=TrainConfig)
