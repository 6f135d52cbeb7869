"""What is written by hand here beside what kornia, torchmetrics, torchvision and PyTorch offer, measured.

For each pair: the largest difference of the results, whether each sample of a batch can have parameters of its own,
the time of the library's function over ours (above 1: ours is faster), and what follows. Batch 16 of 192x192 on one
thread of the CPU; the table in docs/degradations.md is this program's.

    uv run python tools/compare_with_kornia.py
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import kornia
import numpy as np
import torch
from kornia import color, enhance, filters, losses
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchvision.transforms.v2 import functional as vision

from sr.augmentations.flips import Flips
from sr.degradations.blur import Blur
from sr.degradations.filters import filtered, filtered_twice
from sr.degradations.jpeg import jpeg
from sr.degradations.noise import GaussianNoise
from sr.degradations.pictures import Pictures
from sr.degradations.sharpen import unsharp_taps
from sr.draws import Draws
from sr.image import adjust
from sr.image.color import rgb_to_ycbcr
from sr.image.separable import resized
from sr.image.ssim import similarity
from sr.losses.edge import edge_map
from sr.losses.gradient_map import gradient_map
from sr.losses.ssim import ms_ssim
from sr.losses.total_variation import total_variation
from sr.metrics.functional import psnr_rgb
from sr.models.rdn import Rdn
from sr.training.ema import Ema
from sr.types import Crops

BATCH, SIDE, ROUNDS = 16, 192, 12
PIXELS = (BATCH, 3, SIDE, SIDE)


@dataclass(frozen=True)
class Pair:
    """One operation, ours and a library's.

    Attributes:
        name: of the operation.
        function: of the library, by its name.
        ours: gives our result.
        theirs: gives the library's, of the same shape, or None where there is nothing to compare but time.
        per_sample: the library takes parameters for each sample: yes, no, or which.
        verdict: what follows.
    """

    name: str
    function: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    per_sample: str
    verdict: str


def pictures() -> Tensor:
    """Smooth coloured waves with a little noise, from 0 to 1, which clips a few pixels."""
    generator = torch.Generator().manual_seed(0)
    place = torch.arange(SIDE) / SIDE
    phase = torch.rand(BATCH, 3, 1, 1, generator=generator) * 7
    waves = torch.sin(9 * place[:, None] * (1 + phase) + phase) + torch.cos(11 * place[None, :] - phase)
    return (0.5 + 0.25 * waves + 0.03 * torch.randn(PIXELS, generator=generator)).clamp(0, 1)


def each(low: float, high: float) -> Tensor:
    """A number for each sample."""
    return torch.linspace(low, high, BATCH)


def blurs(x: Tensor) -> Iterator[Pair]:
    """Filters with a kernel for each sample."""
    whole, sigma, kernels = Pictures.of(x, (SIDE, SIDE)), each(0.5, 3), torch.rand(BATCH, 13, 13) / 80
    taps = torch.exp(-0.5 * (torch.arange(-10, 11)[None] / sigma[:, None]) ** 2)
    taps = taps / taps.sum(1, keepdim=True)
    yield Pair(
        "any kernel, 13x13", "kornia.filters.filter2d", lambda: filtered(whole.mirrored(6), kernels),
        lambda: filters.filter2d(x, kernels), "yes",
        "ours: strides, Fourier transforms for large kernels, no TF32 on a GPU",
    )  # fmt: skip
    yield Pair(
        "Gaussian blur, 21 taps", "kornia.filters.gaussian_blur2d", lambda: filtered_twice(whole.mirrored(10), taps),
        lambda: filters.gaussian_blur2d(x, 21, torch.stack((sigma, sigma), 1)), "sigma yes, size no",
        "ours: sizes per sample, anisotropic and generalised ones, pictures of several sizes",
    )  # fmt: skip
    box, draws = Blur(kinds={"box": 1}, box=(5, 5)), Draws(0, np.arange(BATCH))
    yield Pair(
        "box blur, 5x5", "kornia.filters.box_blur", lambda: box(whole, draws).pixels,
        lambda: filters.box_blur(x, 5), "no", "ours: sizes per sample; kornia's is RandomBoxBlur",
    )  # fmt: skip
    motion = Blur(kinds={"motion": 1}, length=(9, 9), size=(9, 9), rotation=(0, 0))
    zero = torch.zeros(BATCH)
    yield Pair(
        "motion blur, 9 pixels", "kornia.filters.motion_blur", lambda: motion(whole, draws).pixels,
        lambda: filters.motion_blur(x, 9, zero, zero, border_type="reflect", mode="bilinear"),
        "angle and direction yes, size no", "both: kornia's is uneven along the way, ours has any length",
    )  # fmt: skip
    reach = unsharp_taps(np.full(BATCH, 9), 9)
    theirs = torch.from_numpy(reach[:1])
    yield Pair(
        "unsharp masking, no threshold", "kornia.filters.unsharp_mask",
        lambda: 2 * x - filtered_twice(whole.mirrored(4), torch.from_numpy(reach)),
        lambda: filters.unsharp_mask(x, 9, (_sigma(theirs), _sigma(theirs))), "no",
        "ours: radius, amount and threshold per sample",
    )  # fmt: skip


def _sigma(taps: Tensor) -> float:
    return 0.3 * ((taps.shape[1] - 1) / 2 - 1) + 0.8


def damages(x: Tensor) -> Iterator[Pair]:
    """Noise, JPEG, resizing."""
    whole, draws, size = Pictures.of(x, (SIDE, SIDE)), Draws(0, np.arange(BATCH)), (SIDE // 4, SIDE // 4)
    noise, theirs = (
        GaussianNoise(sigma=(25.5, 25.5), clamp=False),
        kornia.augmentation.RandomGaussianNoise(std=0.1, p=1),
    )
    quality = np.linspace(30, 95, BATCH).round().astype(int)
    yield Pair(
        "Gaussian noise", "kornia.augmentation.RandomGaussianNoise", lambda: noise(whole, draws).pixels.std(),
        lambda: theirs(x).std(), "field yes, strength no", "ours: strength per sample, gray or colour, on the device",
    )  # fmt: skip
    yield Pair(
        "JPEG", "kornia.enhance.jpeg_codec_differentiable", lambda: jpeg(x, quality),
        lambda: enhance.jpeg_codec_differentiable(x, torch.from_numpy(quality).float()), "yes",
        "ours: equals libjpeg, several subsamplings; kornia's has a gradient, which nobody needs here",
    )  # fmt: skip
    for mode, interpolation in (("bilinear_aa", vision.InterpolationMode.BILINEAR),
                                ("bicubic_aa", vision.InterpolationMode.BICUBIC)):  # fmt: skip
        yield Pair(
            f"resize, {mode}, to a quarter", "torchvision.transforms.v2.functional.resize",
            lambda mode=mode: resized(x, size, mode),  # type: ignore[misc]
            lambda how=interpolation: vision.resize(x, list(size), how, antialias=True),  # type: ignore[misc]
            "no", "ours: MATLAB's and Lanczos' kernels by the same code, sizes per sample, linear light",
        )  # fmt: skip
    yield Pair(
        "resize, bilinear_aa, to a quarter", "kornia.geometry.resize", lambda: resized(x, size, "bilinear_aa"),
        lambda: kornia.geometry.resize(x, size, antialias=True, align_corners=False), "no",
        "ours: kornia blurs by a Gaussian first, which is another filter",
    )  # fmt: skip


def colours(x: Tensor) -> Iterator[Pair]:
    """Colour spaces and changes of colour, and flips."""
    up, add, turn = each(0.7, 1.3), each(-0.1, 0.1), each(-0.1, 0.1)
    factor, plus, slope = up[:, None, None, None], add[:, None, None, None], (up - 1)[:, None, None, None]
    yield Pair(
        "Y, Cb, Cr", "kornia.color.rgb_to_ycbcr", lambda: rgb_to_ycbcr(x), lambda: color.rgb_to_ycbcr(x), "none needed",
        "ours: studio range, in which the literature measures; kornia's is the full range of JPEG",
    )  # fmt: skip
    yield Pair(
        "contrast and brightness", "kornia.enhance.adjust_contrast, adjust_brightness",
        lambda: adjust.contrast(x, plus, slope),
        lambda: enhance.adjust_brightness(enhance.adjust_contrast(x, up, clip_output=False), add), "yes",
        "ours: one line, without the second and a half of importing kornia",
    )  # fmt: skip
    yield Pair(
        "saturation", "kornia.enhance.adjust_saturation_with_gray_subtraction", lambda: adjust.saturation(x, factor),
        lambda: enhance.adjust_saturation_with_gray_subtraction(x, up), "yes", "ours: three lines; as above",
    )  # fmt: skip
    yield Pair(
        "gamma", "kornia.enhance.adjust_gamma", lambda: adjust.gamma(x, factor),
        lambda: enhance.adjust_gamma(x, up), "yes", "ours: one line",
    )  # fmt: skip
    yield Pair(
        "hue", "kornia.enhance.adjust_hue", lambda: adjust.hue(x, 360 * turn[:, None, None, None]),
        lambda: enhance.adjust_hue(x, 2 * math.pi * turn), "yes", "ours: no detour by HSV",
    )  # fmt: skip
    bytes_, flips, draws = (x * 255).byte(), Flips("horizontal"), Draws(0, np.arange(BATCH))
    flip = kornia.augmentation.RandomHorizontalFlip(p=0.5)
    yield Pair(
        "mirroring half of the pairs", "kornia.augmentation.RandomHorizontalFlip",
        lambda: flips(Crops(None, bytes_), draws).hr.float().mean(),
        lambda: (flip(bytes_.float() / 255) * 255).round().byte().float().mean(), "yes",
        "ours: on bytes, and quarter turns without interpolation",
    )  # fmt: skip


def measures(x: Tensor) -> Iterator[Pair]:
    """Losses, metrics and the average of weights."""
    y = (x + 0.05 * torch.randn(PIXELS, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    yield Pair(
        "SSIM", "torchmetrics structural_similarity_index_measure", lambda: similarity(x, y, 1.0)[0].mean(1),
        lambda: structural_similarity_index_measure(x, y, data_range=1.0, reduction="none"), "yes",
        "ours: only where the window fits, as MATLAB's and the literature's; torchmetrics pads by mirroring",
    )  # fmt: skip
    yield Pair(
        "MS-SSIM", "torchmetrics multiscale_structural_similarity_index_measure",
        lambda: ms_ssim(x, y, weights).mean(1),
        lambda: multiscale_structural_similarity_index_measure(x, y, data_range=1.0, reduction="none"), "yes",
        "ours: as SSIM, and with a gradient where structure is negative",
    )  # fmt: skip
    bytes_x, bytes_y = ((z * 255).round() for z in (x, y))
    yield Pair(
        "PSNR on RGB", "torchmetrics peak_signal_noise_ratio", lambda: psnr_rgb(x, y, 0),
        lambda: peak_signal_noise_ratio(bytes_x, bytes_y, data_range=255.0, dim=(1, 2, 3), reduction="none"), "yes",
        "ours: one line; cropping, rounding and Y are the protocol",
    )  # fmt: skip
    yield Pair(
        "total variation", "kornia.losses.total_variation", lambda: total_variation(x, 1),
        lambda: losses.total_variation(x, reduction="mean").mean(), "none needed", "ours: two lines, and squares too",
    )  # fmt: skip
    yield Pair(
        "edges: Gaussian, then Sobel", "kornia.filters.gaussian_blur2d, sobel",
        lambda: edge_map(x, 1e-6),
        lambda: 8 * filters.sobel(filters.gaussian_blur2d(x, 3, (1.0, 1.0)), eps=1e-6)[..., 2:-2, 2:-2], "none needed",
        "ours: another small Gaussian, and sums of shifted pictures, which no TF32 convolution rounds",
    )  # fmt: skip
    yield Pair(
        "gradient map", "kornia.filters.spatial_gradient", lambda: gradient_map(x), lambda: _lengths(x), "none needed",
        "ours: as above; its gradient sums in a fixed order on a GPU",
    )  # fmt: skip
    network = Rdn(2, features=16, growth=16, blocks=4, layers=4)
    ours, theirs = (
        Ema(0.999, warmup=False),
        AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.999), use_buffers=True),
    )
    ours.start(network)
    moved = copy.deepcopy(network)

    def averaged() -> Tensor:
        ours.update(moved)
        return next(ours.averaged().parameters())

    def averaged_by_torch() -> Tensor:
        theirs.update_parameters(moved)
        return next(theirs.module.parameters())

    yield Pair(
        "average of weights", "torch.optim.swa_utils.AveragedModel", averaged, averaged_by_torch, "none needed",
        "ours: the decay's ramp without reading a counter from the device, and what checkpoints hold",
    )  # fmt: skip


def _lengths(x: Tensor) -> Tensor:
    across, down = filters.spatial_gradient(x, mode="diff", normalized=False).unbind(2)
    return (across.square() + down.square() + 1e-6).sqrt()


def milliseconds(*calls: Callable[[], Any]) -> list[float]:
    """The quickest of several times of each, taken in turns: other programs only ever add."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, found in zip(calls, times, strict=True):
            before = perf_counter()
            call()
            found.append(1000 * (perf_counter() - before))
    return [min(found) for found in times]


def main() -> None:
    """Print the table, in Markdown."""
    torch.set_num_threads(1)
    x = pictures()
    print("| operation | library | largest difference | per sample there | ms: ours, theirs (ratio) | what follows |")
    print("|---|---|---|---|---|---|")
    for pair in (pair for group in (blurs, damages, colours, measures) for pair in group(x)):
        one, other = torch.as_tensor(pair.ours()).double(), torch.as_tensor(pair.theirs()).double()
        apart = float((one - other).abs().max())
        mine, others = milliseconds(pair.ours, pair.theirs)
        speed = f"{mine:.1f}, {others:.1f} ({others / mine:.1f})"
        print(
            f"| {pair.name} | `{pair.function}` | {apart:.1e} | {pair.per_sample} | {speed} | {pair.verdict} |",
            flush=True,
        )


if __name__ == "__main__":
    with torch.no_grad():
        main()
