"""The machine: its name, which every figure needs beside it, and its cores."""

import os
import platform
from pathlib import Path

import psutil
import torch

_CPUINFO = Path("/proc/cpuinfo")


def machine() -> str:
    """Chip and version of PyTorch."""
    cpu = f"{_processor()}, {psutil.cpu_count()} cores"
    chip = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return f"{chip}, torch {torch.__version__}"


def _processor() -> str:
    """What the system calls it; Linux tells in a file, and Python does not look there."""
    if _CPUINFO.is_file():
        lines = _CPUINFO.read_text(errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names and names[0] not in ("", "unknown"):
            return names[0]
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
