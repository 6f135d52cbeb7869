"""The classic test sets, for those who have them: the folder that holds Set14/, BSD100/ ... is SR_BENCHMARKS."""

import os
from pathlib import Path

import pytest

FOLDERS = {"Set14": "Set14/HR", "BSD100": "BSD100"}

PUBLISHED = {  # bicubic, PSNR and SSIM on Y, in every table of the field (VDSR, LapSRN, EDSR papers)
    ("Set14", 2): (30.24, 0.8688),
    ("Set14", 3): (27.54, 0.7742),
    ("Set14", 4): (26.00, 0.7027),
    ("BSD100", 2): (29.56, 0.8431),
    ("BSD100", 3): (27.21, 0.7385),
    ("BSD100", 4): (25.96, 0.6675),
}


def benchmark_folder() -> Path:
    """The folder of all sets; skips the test where there is none."""
    if "SR_BENCHMARKS" not in os.environ:
        pytest.skip("set SR_BENCHMARKS to the folder that holds Set14/HR and BSD100 to check published numbers")
    return Path(os.environ["SR_BENCHMARKS"])


def benchmark_pictures(name: str) -> list[Path]:
    """Ground-truth files of a set, sorted; skips the test where the set is missing."""
    folder = benchmark_folder() / FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"SR_BENCHMARKS has no folder {FOLDERS[name]}")
    return sorted(folder.glob("*.png"))
