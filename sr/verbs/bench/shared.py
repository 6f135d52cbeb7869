"""What the benchmarks share: data that is ready, a clock that waits for the device, the machine's name."""

import platform
from typing import Any

import psutil
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
        data.prepare(
            degradation,
            build_device(config),
            progress.update,
            lambda text: console.print(text, highlight=False, markup=False),
        )
    return data


def machine() -> str:
    """Chip and version of PyTorch, which every figure needs beside it."""
    if torch.cuda.is_available():
        chip = torch.cuda.get_device_name()
    else:
        chip = f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores"
    return f"{chip}, torch {torch.__version__}"
