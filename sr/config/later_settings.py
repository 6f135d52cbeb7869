"""Settings that came after runs were written: two configurations are the same where only these are missing."""

from collections.abc import Mapping
from typing import Any

_LATER: dict[str, dict[str, Any]] = {
    "sr.models.espcn.Espcn": {"padding": "zeros", "gain": 1.0},
    "sr.models.compact.Compact": {"checkpointing": False},
    "sr.models.edsr.Edsr": {"checkpointing": False, "norm": "none"},
    "sr.models.imdn.Imdn": {"checkpointing": False},
    "sr.models.internship_srresnet.InternshipSrResNet": {"checkpointing": False},
    "sr.models.msrresnet.MsrResNet": {"checkpointing": False},
    "sr.models.rdn.Rdn": {"padding": "zeros", "checkpointing": False},
    "sr.models.rrdb.RrdbNet": {"checkpointing": False},
    "sr.models.sr_resnet18.SrResnet18": {
        "padding": "zeros",
        "widths": [64, 128, 256, 512],
        "checkpointing": False,
    },
    "sr.models.spsr.Spsr": {"gain": 0.1},
    "sr.models.srresnet.SrResNet": {"checkpointing": False, "joining": True},
    "sr.discriminators.patch.Patch": {"downsample": "pool"},
    "sr.training.adversary.adversary.Adversary": {"consistency": 0.0, "mismatched": False, "min_loss": None},
    "sr.training.adversary.shows.Shows": {"views": "sr,real"},
    "sr.training.adversary.swap.RegionSwap": {"fewest": 0, "grid": 1, "labels": "area"},
    "sr.training.adversary.policy.UpdatePolicy": {"order": "g_first"},
    "sr.data.module.CropData": {
        "hr_scale": 1.0,
        "hr_filter": "area",
        "shown": None,
        "real": None,
    },
    "sr.degradations.corruptor.Corruptor": {"training_only": False},
    "sr.degradations.noise_pool.PooledNoise": {"count": None},
    "sr.training.keeping.loggers.wandb.Wandb": {
        "system_metrics": False,
        "artifact": False,
        "alert": False,
        "finish_seconds": 300.0,
    },
}
"""Arguments that conf/ names only since runs were written, by the class that takes them."""


_OF_SIDES = ("a", "b", "val_share", "shorter_side")
"""Settings of data=unpaired that only a translation has."""


def with_later_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration with the settings that came after it was written, at the values that change nothing.

    So that ``resume=auto`` finds runs of earlier versions.

    Args:
        config: plain values, resolved.
    """
    start = config.get("init_from")
    places = dict(start) if isinstance(start, Mapping) else {"g": start}
    groups = ("model", "data", "degradation", "discriminator", "adversary", "logger")
    later = {name: _with_later(config[name]) for name in groups if name in config}
    if "data" in later:
        later["data"] = _without_sides(later["data"])
    later["grow_from"] = config.get("grow_from")
    later |= {"init_from": {"g": None, "d": None, "partial": False, **places}}
    parts: dict[str, Any] = {"rates": [], "freeze": [], "restart": []}
    return {**config, **later, "parts": parts | dict(config.get("parts", {}))}


def _without_sides(data: Any) -> Any:
    """Unpaired data without the two sides of a translation, as it was before there were any."""
    if not isinstance(data, Mapping) or "side" not in _mapping(data.get("train_lr")):
        return data
    if data.get("a") is not None or data.get("b") is not None:
        return data
    given = {name: _mapping(data.get(name)).get("given", data.get(name)) for name in ("train_lr", "real", "shown")}
    return {name: value for name, value in {**data, **given}.items() if name not in _OF_SIDES}


def _mapping(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _with_later(node: Any) -> Any:
    """The node and all below it, with what `_LATER` names."""
    if not isinstance(node, Mapping):
        return node
    children = {key: _with_later(child) for key, child in node.items()}
    return {**children, **{k: v for k, v in _LATER.get(str(node.get("_target_")), {}).items() if k not in children}}
