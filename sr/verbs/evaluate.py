"""`sr evaluate`: the literature's metrics of a network, or of bicubic, on any folders."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sr.config.building import build_lpips
from sr.console import tracked
from sr.data.contract import PictureSource
from sr.data.kinds.sources import Folder, Photographs
from sr.data.module import ValidationPair, validation_pair
from sr.degradations.bicubic import Bicubic as BicubicDegradation
from sr.errors import UserError
from sr.files import write_atomically
from sr.image.depth import to_uint8
from sr.models.bicubic import Bicubic
from sr.printable import cell
from sr.training.memory import out_of_memory
from sr.training.validation import METRICS, OTHERS, PERCEPTUAL, Perceptual, evaluate, means, network_upscaler
from sr.types import Picture
from sr.verbs.border import COLUMNS, BorderTable
from sr.verbs.networks import benchmark_paths, inference, ready
from sr.verbs.screen.tables import console_for_tables, print_numbers


def evaluate_sets(
    model: str,
    sets: Sequence[str],
    scale: int | None,
    csv_path: Path | None,
    accelerator: str,
    lpips: str,
    border: bool = False,
    trust: bool = False,
) -> None:
    """Print one row per set, and write it to a CSV file on request.

    Args:
        model: a network's file, or ``bicubic``.
        sets: folders, names below ``SR_BENCHMARKS``, or ``photographs``.
        scale: for bicubic; a network's own must agree.
        csv_path: file to write, or None.
        accelerator: cpu, gpu, mps or auto.
        lpips: auto, none, imagenet, or a file with AlexNet's weights.
        border: tell PSNR by distance to the border too.
        trust: a network from outside this toolkit may be imported.

    Raises:
        UserError: a set or the network cannot be read, or the scale does not fit.
    """
    console = console_for_tables()
    upscale, factor = _upscaler(model, scale, accelerator, trust)
    distance = build_lpips(None if lpips == "none" else lpips, inference(accelerator).device, "--lpips ")
    metrics = [*METRICS, *OTHERS, *(PERCEPTUAL if distance is not None else ())]
    sources = {name: _source(name, factor) for name in sets}
    by_border = BorderTable(factor) if border else None
    rows = [
        _row(model, name, source, upscale, factor, console, distance, by_border) for name, source in sources.items()
    ]
    console.print(
        f"{model} x{factor}; PSNR in dB, border of {factor} px cropped", highlight=False, markup=False, soft_wrap=True
    )
    shown = ("images", *metrics, "seconds")
    print_numbers(console, "set", shown, [(row["set"], [_shown(c, row[c]) for c in shown]) for row in rows])
    if by_border is not None:
        by_border.print(console)
    if csv_path is not None:
        text = io.StringIO(newline="")
        columns = ("model", "set", "scale", "images", *metrics, *(COLUMNS if border else ()), "seconds")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows({column: _exact(row[column]) for column in columns} for row in rows)
        write_atomically(csv_path, text.getvalue().encode())


def _upscaler(model: str, scale: int | None, accelerator: str, trust: bool) -> tuple[Any, int]:
    if model == "bicubic":
        if scale is None:
            raise UserError("bicubic needs --scale, for instance --scale 2")
        try:
            network: Any = Bicubic(scale)
        except ValueError as error:
            raise UserError(f"--scale {scale}: {error}") from error
        compute = inference(accelerator)
        network = network.to(compute.device)
    else:
        network, compute = ready(Path(model), accelerator, trust)
        if scale is not None and scale != network.scale:
            raise UserError(f"--scale {scale}, but {model} upscales x{network.scale}; leave --scale out")
    return network_upscaler(network, compute.device, compute.exact()), int(network.scale)


def _source(name: str, scale: int) -> PictureSource:
    return Photographs() if name == "photographs" else Folder([str(path) for path in benchmark_paths(name, scale)])


def _row(
    model: str,
    name: str,
    source: PictureSource,
    upscale: Any,
    scale: int,
    console: Console,
    lpips: Perceptual | None,
    border: BorderTable | None,
) -> dict[str, Any]:
    degradation = BicubicDegradation(scale)
    rows, seconds = [], 0.0
    made: list[np.ndarray] = []
    for number in tracked(range(len(source)), name, console):
        pair = _pair(source, number, degradation)
        try:
            metrics, spent = evaluate(upscale, [pair], scale, lambda _, sr: made.append(sr), lpips)
            if border is not None and made:
                border.take(name, made[-1], pair)
            made.clear()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise UserError(f"{pair.name} is too large for the memory that is free") from error
        rows.append(metrics)
        seconds += spent
    lost = sum(math.isnan(metrics["psnr_y"]) for metrics in rows)
    if lost:
        text = f"{name}: what the network makes of {lost} of {len(rows)} pictures is infinite or not a number"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    row = {"model": model, "set": name, "scale": scale, "images": len(rows)}
    return row | means(rows) | ({} if border is None else border.row(name)) | {"seconds": seconds}


def _pair(source: PictureSource, number: int, degradation: BicubicDegradation) -> ValidationPair:
    picture = source.read(number)
    assert isinstance(picture, Picture)
    name, hr, scale = source.name(number), to_uint8(np.asarray(picture.pixels)), degradation.scale
    if min(hr.shape[:2]) < scale:
        raise UserError(f"{name} is {hr.shape[1]}x{hr.shape[0]} pixels: too small for scale={scale}")
    return validation_pair(name, hr, degradation.picture(hr), picture.gray, scale)


def _shown(column: str, value: Any) -> str:
    if column.startswith("psnr"):
        return f"{value:.2f}"
    if column.startswith("ssim") or column in PERCEPTUAL:
        return f"{value:.4f}"
    return f"{value:.2f}" if column in ("seconds", *OTHERS) else str(value)


def _exact(value: Any) -> Any:
    """As a CSV file holds it: a number that is none leaves its cell empty."""
    if isinstance(value, float):
        return f"{value:.6f}" if math.isfinite(value) else ""
    return cell(value)
