"""Published weights give published figures: Set14, PSNR on Y."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sr.image.io import read_picture, to_image, to_pixels
from sr.inference.opening import open_network
from sr.metrics.functional import psnr_y
from tests.benchmarks import benchmark_folder, benchmark_pictures


def batch(pixels, like):
    """(1, 3, h, w) of the size that the network makes of the low resolution."""
    return torch.from_numpy(pixels[: like.shape[0], : like.shape[1]].copy()).permute(2, 0, 1)[None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "expected", "as_rgb"),
    [
        ("IMDN_x2.pth", 33.53, 33.63),  # the second is published (Hui et al. 2019, table 2)
        ("SRGAN_x4_leftthomas.pth", 27.60, 27.69),  # measured here; its author gives 30.65 on Set5
    ],
)
def test_set14(file, expected, as_rgb):
    """Papers disagree on the gray picture of Set14: here it is its own Y; as RGB first, it counts 1.3 dB more."""
    path = Path(os.environ.get("SR_WEIGHTS", "/nowhere")) / file
    if not path.is_file():
        pytest.skip(f"needs {file} in the folder SR_WEIGHTS")
    network, info = open_network(path)
    low = benchmark_folder() / "Set14" / "LR_bicubic" / f"X{info.scale}"
    figures = []
    for truth in benchmark_pictures("Set14"):
        hr, lr = read_picture(truth), read_picture(next(low.glob(f"{truth.stem}*")))
        with torch.inference_mode():
            sr = to_pixels(network(to_image(lr.pixels)))
        pair = batch(sr, sr), batch(hr.pixels, sr)
        gray = np.repeat(np.rint(sr.mean(axis=2, keepdims=True)), 3, axis=2).astype(np.uint8) if hr.gray else sr
        figures.append((psnr_y(batch(gray, sr), pair[1], info.scale, hr.gray).item(), psnr_y(*pair, info.scale).item()))
    assert np.mean(figures, axis=0) == pytest.approx([expected, as_rgb], abs=0.006)
