"""What is wrong with the place that ``resume=`` names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sr.config.nearest import did_you_mean
from sr.pasted import setting
from sr.training.keeping.run_folder import RunFolder

_WITH_PADDING = ("sr.models.espcn.Espcn", "sr.models.rdn.Rdn", "sr.models.sr_resnet18.SrResnet18")


def folder_fault(place: str) -> str | None:
    """What is wrong with the folder of ``resume=place``, with the nearest that is a run's; None where it exists."""
    path = Path(place)
    if path.is_file():
        near = next((p for p in path.parents if RunFolder(p).checkpoint.exists()), None)
        hint = "" if near is None else f": {setting('resume', near)}"
        return f"resume={place} is a file; take the run's folder{hint}"
    return None if path.is_dir() else f"resume={place}: there is no such folder{_runs_near(path)}"


def _runs_near(path: Path) -> str:
    root = path.parent if path.parent.is_dir() else Path("outputs")
    runs = [str(p.parent.parent) for p in root.glob("*/checkpoints/last.ckpt")]
    return did_you_mean(str(path), runs)


def with_later_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration with the settings that came after it was written, at the values that change nothing.

    So that ``resume=auto`` finds runs of earlier versions.

    Args:
        config: plain values, resolved.
    """
    model, start = dict(config["model"]), config.get("init_from")
    if model.get("_target_") in _WITH_PADDING:
        model.setdefault("padding", "zeros")
    opponents = {name: _with_views(node) for name, node in dict(config.get("adversary") or {}).items()}
    places = dict(start) if isinstance(start, Mapping) else {"g": start}
    later = {"model": model, "init_from": {"g": None, "d": None, "partial": False, **places}}
    return {**config, **later} | ({"adversary": opponents} if "adversary" in config else {})


def _with_views(adversary: Any) -> Any:
    shows = adversary.get("shows") if isinstance(adversary, Mapping) else None
    return {**adversary, "shows": {"views": "sr,real", **shows}} if isinstance(shows, Mapping) else adversary
