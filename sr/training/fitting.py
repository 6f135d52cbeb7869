"""Lightning's Trainer as this toolkit uses it: the clock ends the run, and our callbacks save, validate and log."""

import logging
import warnings
from collections.abc import Iterable

import lightning
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import LightningEnvironment

from sr.data.crops import Batch
from sr.data.module import CropData
from sr.image.autocast import full_float32
from sr.training.precision import Compute


def make_trainer(
    compute: Compute,
    callbacks: list[lightning.Callback],
    loggers: list[Logger],
    devices: int = 1,
    resting: bool = False,
) -> lightning.Trainer:
    """A Trainer without its own checkpoints, bar, limits and validation.

    Args:
        compute: device.
        callbacks: in the order in which they act.
        loggers: what values are published to.
        devices: processes that train together, on one device each.
        resting: there are weights that some of the backward passes leave out.
    """
    strategy = "ddp_find_unused_parameters_true" if resting else "ddp"
    # Lightning tells about GPUs and its own products; the run's first lines say what was chosen.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(compute.device.type, compute.device.type),
        devices=devices,
        strategy=strategy if devices > 1 else "auto",
        plugins=[LightningEnvironment()] if devices > 1 else None,  # `company` starts the processes, no cluster does
        max_epochs=-1,
        logger=loggers,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
        benchmark=compute.device.type == "cuda",  # crops have one size, so cuDNN may pick its fastest kernels
    )


def fit(trainer: lightning.Trainer, module: lightning.LightningModule, data: CropData | Iterable[Batch]) -> None:
    """Train until a callback stops the run; what is float32 is not rounded to TF32.

    Args:
        trainer: see `make_trainer`.
        module: what learns.
        data: what it learns from: of a run, or the batches themselves, which are taken once.
    """
    with warnings.catch_warnings(), full_float32():
        # Lightning would like a number of epochs and its own data loaders; the clock and the store replace both.
        warnings.filterwarnings("ignore", module="lightning")
        if isinstance(data, CropData):
            trainer.fit(module, datamodule=data)
        else:
            trainer.fit_loop.max_epochs = 1
            trainer.fit(module, train_dataloaders=data)
