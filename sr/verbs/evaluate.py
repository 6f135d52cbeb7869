"""`sr evaluate`: the literature's metrics of a network, or of bicubic, on any folders."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from sr.config.building import build_lpips
from sr.console import tracked
from sr.data.contract import PictureSource
from sr.data.kinds.matching import check_sizes, matched
from sr.data.kinds.sources import Folder, Photographs
from sr.data.pairs import ValidationPair, validation_pair
from sr.degradations.bicubic import Bicubic as BicubicDegradation
from sr.devices import out_of_memory
from sr.errors import PARTLY_FAILED, UserError
from sr.files import write_atomically
from sr.image.depth import to_uint8
from sr.image.io import check_no_picture
from sr.models.bicubic import Bicubic
from sr.printable import cell
from sr.training.columns import METRICS, OTHERS, PERCEPTUAL, means
from sr.training.validation import Perceptual, measured, network_upscaler
from sr.types import Picture
from sr.verbs.border import COLUMNS, BorderTable
from sr.verbs.networks import benchmark_paths, inference, ready
from sr.verbs.screen.errors import print_error
from sr.verbs.screen.tables import console_for_tables, print_numbers, say


def evaluate_sets(
    model: str,
    sets: Sequence[str],
    scale: int | None,
    csv_path: Path | None,
    accelerator: str,
    lpips: str,
    border: bool = False,
    trust: bool = False,
    hr: Path | None = None,
    lr: Path | None = None,
) -> int:
    """Print one row per set, and write it to a CSV file on request. A picture that fails does not stop the others.

    Args:
        model: a network's file, or ``bicubic``.
        sets: folders, names below ``SR_BENCHMARKS``, or ``photographs``.
        scale: for bicubic; a network's own must agree.
        csv_path: file to write, or None.
        accelerator: cpu, gpu, mps or auto.
        lpips: auto, none, imagenet, or a file with AlexNet's weights.
        border: tell PSNR by distance to the border too.
        trust: a network from outside this toolkit may be imported.
        hr: folder of another set, whose low-resolution pictures are given.
        lr: folder of these, matched by name.

    Returns:
        0, or `PARTLY_FAILED` where some pictures could not be measured; what was wrong is printed at the end.

    Raises:
        UserError: a set or the network cannot be read, the scale or given twins do not fit, or nothing was measured.
    """
    console = console_for_tables()
    _check_asked(sets, hr, lr)
    check_no_picture("--csv", csv_path)
    upscale, factor = _upscaler(model, scale, accelerator, trust)
    distance = build_lpips(None if lpips == "none" else lpips, inference(accelerator).device, "--lpips ")
    metrics = [*METRICS, *OTHERS, *(PERCEPTUAL if distance is not None else ())]
    asked: dict[str, Pairs] = {name: Degraded(_source(name, factor), BicubicDegradation(factor)) for name in sets}
    if hr is not None and lr is not None:
        asked[f"{hr} + {lr}"] = Given(hr, lr, factor)
    by_border = BorderTable(factor) if border else None
    failures: list[str] = []
    every = [
        _row(model, name, pairs, upscale, factor, console, distance, lpips != "auto", by_border, failures)
        for name, pairs in asked.items()
    ]
    rows = [row for row in every if row is not None]
    if not rows:
        raise UserError(*failures)
    say(console, f"{model} x{factor}; PSNR in dB, border of {factor} px cropped")
    shown = ("images", *metrics, "seconds")
    print_numbers(console, "set", shown, [(row["set"], [_shown(c, row[c]) for c in shown]) for row in rows])
    if by_border is not None:
        by_border.print(console)
    if csv_path is not None:
        _write(csv_path, rows, ("model", "set", "scale", "images", *metrics, *(COLUMNS if border else ()), "seconds"))
    for failure in failures:
        print_error(failure)
    return PARTLY_FAILED if failures else 0


def _check_asked(sets: Sequence[str], hr: Path | None, lr: Path | None) -> None:
    if (hr is None) != (lr is None):
        given, absent = ("--hr", "--lr") if lr is None else ("--lr", "--hr")
        raise UserError(f"{given} {hr or lr} is one side of pairs; give the other with {absent} DIR")
    if not sets and hr is None:
        raise UserError("nothing to measure on; give --set DIR, or --hr DIR --lr DIR")


class Pairs(Protocol):
    """Pictures and their low-resolution twins, read one after another."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, number: int) -> ValidationPair:
        """One of them.

        Raises:
            UserError: it cannot be read, or is too small.
        """


class Degraded:
    """Pictures whose twins are made.

    Args:
        source: the pictures.
        degradation: makes the twins.
    """

    def __init__(self, source: PictureSource, degradation: BicubicDegradation) -> None:
        self.source, self.degradation = source, degradation

    def __len__(self) -> int:
        return len(self.source)

    def read(self, number: int) -> ValidationPair:
        """One picture and what the degradation makes of it."""
        name, scale = self.source.name(number), self.degradation.scale
        hr, gray = _read(self.source, number)
        if min(hr.shape[:2]) < scale:
            raise UserError(f"{name} is {hr.shape[1]}x{hr.shape[0]} pixels: too small for scale={scale}")
        return validation_pair(name, hr, self.degradation.picture(hr), gray, scale)


class Given:
    """Two folders, matched by name.

    Args:
        hr: of the pictures.
        lr: of their twins.
        scale: between them.

    Raises:
        UserError: a picture has no twin, or one of another scale.
    """

    def __init__(self, hr: Path, lr: Path, scale: int) -> None:
        pairs = matched(hr, lr, scale, "--hr and --lr")
        cure = "cut both to what they share"
        check_sizes(pairs, scale, crop=False, what="--hr and --lr", on_progress=lambda *_: None, cure=cure)
        self.hr, self.lr = Folder([str(pair.hr) for pair in pairs]), Folder([str(pair.lr) for pair in pairs])
        self.scale = scale

    def __len__(self) -> int:
        return len(self.hr)

    def read(self, number: int) -> ValidationPair:
        """One pair."""
        (hr, gray), (lr, _) = _read(self.hr, number), _read(self.lr, number)
        if lr.shape[:2] != (hr.shape[0] // self.scale, hr.shape[1] // self.scale):
            raise UserError(f"{self.lr.name(number)} and {self.hr.name(number)} do not fit scale={self.scale}")
        return validation_pair(self.hr.name(number), hr, lr, gray, self.scale)


def _read(source: PictureSource, number: int) -> tuple[np.ndarray, bool]:
    picture = source.read(number)
    assert isinstance(picture, Picture)
    return to_uint8(np.asarray(picture.pixels)), picture.gray


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
        network, compute = ready(Path(model), accelerator, trust, ["bicubic"])
        if scale is not None and scale != network.scale:
            raise UserError(f"--scale {scale}, but {model} upscales x{network.scale}; leave --scale out")
    return network_upscaler(network, compute.device, compute.exact()), int(network.scale)


def _source(name: str, scale: int) -> PictureSource:
    return Photographs() if name == "photographs" else Folder([str(path) for path in benchmark_paths(name, scale)])


def _row(
    model: str,
    name: str,
    pairs: Pairs,
    upscale: Any,
    scale: int,
    console: Console,
    lpips: Perceptual | None,
    needs_lpips: bool,
    border: BorderTable | None,
    failures: list[str],
) -> dict[str, Any] | None:
    """Means over a set; None where none of its pictures could be measured. Reasons are added to ``failures``."""
    rows, sizes, seconds = [], [], 0.0
    made: list[np.ndarray] = []
    for number in tracked(range(len(pairs)), name, console):
        made.clear()
        try:
            pair = pairs.read(number)
            if lpips is not None and needs_lpips:
                _check_large_enough(pair, lpips.smallest)
            metrics, spent = _measured(upscale, pair, scale, made, lpips)
        except UserError as error:
            failures += error.args  # a line for each fault
            continue
        if border is not None and made:
            border.take(name, made[-1], pair)
        rows.append(metrics)
        sizes.append(pair.hr.shape[:2])
        seconds += spent
    lost = sum(math.isnan(metrics["psnr_y"]) for metrics in rows)
    if lost:
        text = f"{name}: what the network makes of {lost} of {len(rows)} pictures is infinite or not a number"
        say(console, text)
    if not rows:
        return None
    small = None if lpips is None else lpips.about_small(sizes)
    if small is not None:
        say(console, f"{name}: {small}")
    row = {"model": model, "set": name, "scale": scale, "images": len(rows)}
    return row | means(rows) | ({} if border is None else border.row(name)) | {"seconds": seconds}


def _check_large_enough(pair: ValidationPair, side: int) -> None:
    height, width = pair.hr.shape[:2]
    if min(height, width) < side:
        raise UserError(
            f"{pair.name} is {width}x{height} pixels, and LPIPS needs {side}x{side}; --lpips auto leaves LPIPS out for "
            "such pictures, --lpips none for all"
        )


def _measured(
    upscale: Any, pair: ValidationPair, scale: int, made: list[np.ndarray], lpips: Perceptual | None
) -> tuple[dict[str, float], float]:
    """One picture's metrics and seconds; what was made of it is added to ``made``."""
    try:
        (metrics,), seconds = measured(upscale, [pair], scale, lambda _, sr: made.append(sr), lpips)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(f"{pair.name} is too large for the memory that is free") from error
    return metrics, seconds


def _write(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({column: _exact(row[column]) for column in columns} for row in rows)
    write_atomically(path, text.getvalue().encode())


def _shown(column: str, value: Any) -> str:
    if column.startswith("psnr"):
        return f"{value:.2f}"
    if column in PERCEPTUAL and math.isnan(value):
        return ""  # no picture is large enough for it
    if column.startswith("ssim") or column in PERCEPTUAL:
        return f"{value:.4f}"
    return f"{value:.2f}" if column in ("seconds", *OTHERS) else str(value)


def _exact(value: Any) -> Any:
    """As a CSV file holds it: a number that is none leaves its cell empty."""
    if isinstance(value, float):
        return f"{value:.6f}" if math.isfinite(value) else ""
    return cell(value)
