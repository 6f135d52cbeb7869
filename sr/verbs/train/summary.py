"""What is kept of a run when it has ended."""

from datetime import date
from typing import Any

from sr.models.parameters import parameters_of
from sr.training.adversary.adversary import Adversary
from sr.training.callbacks.best_networks import best_file
from sr.training.callbacks.guard import Guard
from sr.training.callbacks.logging import Speed
from sr.training.callbacks.validation import Validation
from sr.training.columns import Best
from sr.training.keeping.run_folder import RunFolder
from sr.training.machine import machine
from sr.training.module import SuperResolution


def summary_of(
    config: Any,
    folder: RunFolder,
    module: SuperResolution,
    validation: Validation,
    guard: Guard,
    speed: Speed,
) -> dict[str, Any]:
    """The summary of a run, as `RunFolder.write_summary` takes it.

    Args:
        config: the run's.
        folder: where it lies.
        module: as it is at the end.
        validation: tells the metrics.
        guard: tells how often the run had to recover.
        speed: over all of the run.
    """
    return {
        "exit_reason": module.exit_reason,
        "updates": module.updates,
        "seconds": round(module.clock.elapsed, 2),
        "updates_per_second": round(speed.updates_per_second, 3),
        "pictures_per_second": round(speed.pictures_per_second, 2),
        "waiting_share": round(speed.waiting, 5),
        "experiment": config.experiment,
        "scale": config.scale,
        "parameters": parameters_of(module.network),
        "recoveries": guard.recoveries,
        "adversaries": {name: about_adversary(adversary) for name, adversary in module.adversaries.items()},
        "monitor": validation.monitor,
        "bicubic": validation.baseline,
        "final": validation.latest,
        "best": validation.best | {"updates": validation.best_updates} if validation.best else {},
        "best_by": {best.metric: _kept(best, folder) for best in validation.others if best.values},
        "run_dir": str(folder.path),
        "ended": date.today().isoformat(),
        "machine": machine(),
    }


def about_adversary(adversary: Adversary) -> dict[str, Any]:
    """Its discriminator's class, how many parameters that has, and its objective's class."""
    return {
        "discriminator": type(adversary.network).__name__,
        "parameters": parameters_of(adversary.network),
        "objective": type(adversary.objective).__name__,
    }


def _kept(best: Best, folder: RunFolder) -> dict[str, Any]:
    return best.values | {"updates": best.updates, "file": best_file(folder, best.metric).name}
