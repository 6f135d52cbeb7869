"""Keep the best network by each further metric of ``trainer.monitor``."""

from pathlib import Path
from typing import Any

import lightning

from sr.models.files import save_network
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.callbacks.validation import Validation
from sr.training.contract import Trainable
from sr.training.keeping.run_folder import RunFolder


class BestNetworks(UpdateCallback):
    """Keeps ``best_METRIC.safetensors`` up to date for each further metric of ``trainer.monitor``.

    Place it behind `Validation`, whose result it stores, and before `Saving`: whatever a checkpoint says is the best
    must be on the disk.

    Args:
        validation: tells which network is the best.
        model: the network's configuration, resolved.
    """

    def __init__(self, validation: Validation, model: Any) -> None:
        self.validation, self.model = validation, model

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Save after a validation that was the best."""
        self._save(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save after the last validation."""
        self._save(trainer, training_module(pl_module))

    def _save(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Write what the newest validation found to be the best.

        Raises:
            UserError: the disk is full or not writable; the files of the last save are kept.
        """
        validation = self.validation
        new = [best for best in validation.others if best.updates == validation.validated_at == module.updates]
        if not new or not trainer.is_global_zero:
            return
        with module.stopwatch.paused():
            for best in new:
                about = {
                    "updates": module.updates,
                    "run": validation.folder.path.resolve().name,
                    "metrics": best.values,
                    "bicubic": validation.baseline,
                }
                save_network(best_file(validation.folder, best.metric), module.deliverable, self.model, about)


def best_file(folder: RunFolder, metric: str) -> Path:
    """Of the best network by a further metric, perhaps of a set with a name."""
    return folder.path / f"best_{metric.replace('/', '_')}.safetensors"
