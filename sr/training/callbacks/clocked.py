"""The base of callbacks that follow the updates clock instead of Lightning's batches."""

from typing import Any, cast

import lightning

from sr.training.contract import Trainable


class UpdateCallback(lightning.Callback):
    """Calls `after_update` when an update is complete: never inside an accumulation."""

    after_rollback = False
    """Also where the update has just been undone."""

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Pass on batches that complete an update which counts."""
        module = training_module(pl_module)
        if module.at_update and (self.after_rollback or not module.rolled_back):
            self.after_update(trainer, module)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """What the callback does after ``module.updates`` updates."""


def training_module(pl_module: lightning.LightningModule) -> Trainable:
    """The module as what callbacks need, which Lightning's hooks do not know."""
    return cast(Trainable, pl_module)
