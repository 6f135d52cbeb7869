"""Measures of the runs that count: as they were kept, or taken now."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sr.config.building import build
from sr.config.composing import configured
from sr.config.stored import opened
from sr.console import tracked
from sr.errors import UserError
from sr.experiments import measuring
from sr.experiments.runs import Run
from sr.experiments.world.source import WorldPools
from sr.training.perceptual import build_distance
from sr.verbs.computing import inference
from sr.verbs.screen.tables import say

Measures = Mapping[str, Any]
"""What `sr.experiments.measuring.take` gives."""


def measures_of(runs: Iterable[Run], accelerator: str, console: Console) -> dict[Path, Measures]:
    """Measures by the run's folder; runs that cannot be measured are left out, and told.

    Args:
        runs: that have ended.
        accelerator: for those that are measured now: cpu, gpu, mps or auto.
        console: where to say so, and to draw a bar.

    Raises:
        UserError: there is no such accelerator.
    """
    device, missing = inference(accelerator).device, list[Run]()
    found: dict[Path, Measures] = {}
    for run in runs:
        try:
            kept = measuring.kept(run)
        except UserError as error:
            say(console, f"{run.folder.path} does not count: {error}")
            continue
        if kept is None:
            missing.append(run)
        else:
            found[run.folder.path] = kept
    bicubic: dict[str, Any] = {}
    for run in tracked(missing, "measuring runs", console):
        try:
            taken = _taken(run, device, bicubic.get(_sets(run)))
            found[run.folder.path] = taken
            bicubic[_sets(run)] = taken["bicubic"]
        except UserError as error:
            say(console, f"{run.folder.path} does not count: {error}")
    return found


def _sets(run: Run) -> str:
    """The same for runs whose validation pictures are: of the same data, degraded and measured alike."""
    lpips = run.config.get("trainer", {}).get("lpips")
    return json.dumps([lpips, *(run.config.get(name) for name in ("data", "degradation", "scale"))], default=str)


def _taken(run: Run, device: torch.device, bicubic: Measures | None) -> Measures:
    config = configured(opened(dict(run.config), run.folder.config))
    data, degradation = build("data", config.data), build("degradation", config.degradation)
    sets = data.validation_sets(degradation, lambda *_: None, lambda _: None)
    lpips = build_distance("lpips", config.trainer.lpips, device)
    return measuring.take(run, sets, device, lpips, _noise(data, degradation), bicubic)


def _noise(data: Any, degradation: Any) -> Sequence[tuple[Path, Path]]:
    """Patches of the world's noise that the run was trained with, each with the frame that it was taken from."""
    if not isinstance(data.pools, WorldPools) or not getattr(degradation, "pools", ()):
        return []
    pool = data.pools.pool
    frames = {path.stem: path for path in sorted(pool.world.frames(pool.release).iterdir())}
    patches = sorted((pool.folder / "noise" / "patches").glob("*.png"))
    return [(patch, frames[name]) for patch in patches if (name := patch.stem.removesuffix("_noise")) in frames]
