"""Run training steps over given batches, without an app around them."""

import warnings

import lightning


class Given:
    """An iterable that is no list: Lightning would take a list for several loaders."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(self.data)


class Stop(lightning.Callback):
    """At the limit of the module's clock."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = pl_module.clock.reached() is not None


def fit(module, data, callbacks=()):
    """Train ``module`` on the batches of ``data``, from the start again where they end, until its clock says stop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        lightning.Trainer(
            accelerator="cpu",
            max_epochs=-1,
            logger=False,
            callbacks=[*callbacks, Stop()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(module, train_dataloaders=Given(data))
