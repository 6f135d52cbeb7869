"""What the benchmarks share: data that is ready, a clock that waits for the device."""

from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from sr.config.building import build, build_device
from sr.data.crops import Batch
from sr.data.module import CropData
from sr.errors import UserError
from sr.verbs.screen.progress import StoreProgress


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def high(batch: Batch) -> Tensor:
    """High resolution of a batch of pairs."""
    assert batch.hr is not None  # `prepared` refuses data without
    return batch.hr


def prepared(config: Any, console: Console) -> CropData:
    """The data module with its stores open.

    Raises:
        UserError: its low resolution has no truth.
    """
    data: CropData = build("data", config.data)
    degradation = build("degradation", config.degradation)
    with StoreProgress(console) as progress:
        side = config.model.get("reference")  # of networks that look at the whole photograph
        data.prepare(degradation, build_device(config), progress.update, console.print, photograph=side)
    if not data.paired:
        raise UserError("sr bench measures pairs, and data=unpaired has none; name another data set, as data=generated")
    return data
