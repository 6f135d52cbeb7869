"""What the benchmarks share: data that is ready, a clock that waits for the device."""

from typing import Any

import torch
from rich.console import Console

from sr.config.building import build, build_device
from sr.data.module import CropData
from sr.verbs.screen.progress import StoreProgress


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def prepared(config: Any, console: Console) -> CropData:
    """The data module with its stores open."""
    data: CropData = build("data", config.data)
    degradation = build("degradation", config.degradation)
    with StoreProgress(console) as progress:
        data.prepare(degradation, build_device(config), progress.update, console.print)
    return data
