"""Validation: whole pictures, the literature's protocol, beside bicubic; which result is the best, which alarming."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sr.data.pairs import ValidationPair
from sr.losses.lpips import Lpips
from sr.metrics.border import border_psnr
from sr.metrics.checkerboard import checkerboard_local
from sr.metrics.functional import measure, sharpness
from sr.models.upscale import NotFiniteError, gray_again, upscale_pixels
from sr.training.copies import copied
from sr.training.watch import checkerboard, colour_error
from sr.types import UserError

METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")
"""Measured always; more is better."""
OTHERS = ("sharpness",)
"""Measured always; told, but neither more nor less is better."""
PERCEPTUAL = ("lpips",)
"""Measured where the weights are there; less is better."""
WATCHED = ("colour_error", "checkerboard", "checkerboard_local")
"""Measured always (checkerboards: above x1), for the log: less is better; see `sr.training.watch` and, for the pattern
place by place, `sr.metrics.checkerboard`."""
SHOWN = "shown"
"""Instead of a set's name: pictures without a truth."""
Upscale = Callable[[np.ndarray], np.ndarray]
"""(height, width, 3) uint8 to (scale*height, scale*width, 3) uint8."""

Perceptual = Callable[[np.ndarray, np.ndarray], float]
"""LPIPS of two pictures, (height, width, 3) uint8."""


def metric_of(column: str) -> str:
    """The metric of a column: ``psnr_y`` of the main set, or ``NAME/psnr_y`` of a set with a name."""
    return column.rpartition("/")[2]


def gain(column: str, value: float) -> float:
    """The value so that more is better: LPIPS changes its sign."""
    return -value if metric_of(column) in PERCEPTUAL else value


def check_set_names(names: Iterable[str]) -> None:
    """Names of validation sets stand beside metrics in the columns of the log.

    Raises:
        UserError: one is a metric, or another word of these columns.
    """
    taken = (*METRICS, *OTHERS, *PERCEPTUAL, *WATCHED, "bicubic", "pictures", SHOWN)
    for name in names:
        if name.lower() in taken:
            raise UserError(f"data.val names a set {name}, which val/{name} means already; call it {name}_set, say")


def monitored(monitor: Any, with_lpips: bool, sets: Iterable[str] = ()) -> tuple[str, ...]:
    """The columns of ``trainer.monitor``, a name or several.

    Args:
        monitor: as configured.
        with_lpips: LPIPS can be measured.
        sets: names of the validation sets, whose metrics may be meant as ``NAME/psnr_y``.

    Raises:
        UserError: no name, one twice, one that is no metric, or one that cannot be measured here.
    """
    names = (monitor,) if isinstance(monitor, str) or not isinstance(monitor, Sequence) else tuple(monitor)
    known: tuple[str, ...] = METRICS + PERCEPTUAL
    known += tuple(f"{name}/{metric}" for name in sets if name for metric in known)
    if not names:
        raise UserError(f"trainer.monitor=[] names no metric; choose from {', '.join(known)}")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}"
            raise UserError(f"trainer.monitor={'null' if name is None else name} is not a metric; {hint}")
        if names.count(name) > 1:
            raise UserError(f"trainer.monitor=[{','.join(names)}] names {name} twice; once is enough")
        if metric_of(name) in PERCEPTUAL and not with_lpips:
            raise UserError(
                f"trainer.monitor={name} cannot be measured: trainer.lpips is null, or the weights of AlexNet are not "
                "on this machine; trainer.lpips=imagenet downloads them, trainer.lpips=FILE reads them"
            )
    return names


@dataclass
class Best:
    """The best validation so far by one metric.

    Attributes:
        metric: by which column.
        values: all that was measured then; empty before the first validation.
        updates: when that was; -1 before.
    """

    metric: str
    values: dict[str, float] = field(default_factory=dict)
    updates: int = -1

    def take(self, values: Mapping[str, float], updates: int) -> None:
        """Compare with a new validation; one that is as good changes nothing, nor does one that is not finite."""
        before = self.values.get(self.metric, math.nan)
        if not math.isfinite(values[self.metric]):
            return
        if not math.isfinite(before) or gain(self.metric, values[self.metric]) > gain(self.metric, before):
            self.values, self.updates = dict(values), updates


class ColourAlarm:
    """Tells, once per run, that the colours of the pictures have drifted.

    Judged once a validation was within the bound, or from the middle of the run on: before that a network may just not
    have learnt yet. What the truth itself differs from its input by is not counted: some degradations change colours
    (``gamma_area`` and ``video_codec`` by 0.004 on Set14).

    Args:
        bound: largest mean colour error in [0, 1]; None for no alarm.
        say: told the line.

    Raises:
        UserError: the bound is out of range.
    """

    def __init__(self, bound: float | None, say: Callable[[str], None]) -> None:
        if bound is not None and not 0 <= bound <= 1:
            raise UserError(f"trainer.colour_alarm={bound:g} must be from 0 to 1 (0.008 is 2 of 255), or null for none")
        self.bound, self._say = bound, say
        self.truth = 0.0
        """Colour error of the high-resolution pictures themselves."""
        self.within = self.told = False

    def judge(self, error: float, updates: int, progress: float, opponents: Iterable[str]) -> None:
        """Look at a validation.

        Args:
            error: its mean colour error.
            updates: so far.
            progress: of the run, 0..1.
            opponents: names of the adversaries, whose weights may be to blame.
        """
        if self.bound is None or self.told or not math.isfinite(error):
            return
        over = error - self.truth > self.bound
        if over and (self.within or progress >= 0.5):
            self.told = True
            lower = [f"lower adversary.{name}.weight" for name in opponents]
            cures = [*lower, "raise the weight of the pixel loss", "add lr_consistency to loss"]
            self._say(
                f"update {updates}: the mean colours of the validation pictures are off by {error:.4f}, "
                f"{255 * error:.1f} of 255 levels (trainer.colour_alarm={self.bound:g}); {', or '.join(cures)}"
            )
        self.within = self.within or not over

    def state_dict(self) -> dict[str, bool]:
        """Whether it has been within the bound, and whether the line was told."""
        return {"within": self.within, "told": self.told}

    def load_state_dict(self, state: Mapping[str, bool]) -> None:
        """Take back what ``state_dict`` gave."""
        self.within, self.told = bool(state["within"]), bool(state["told"])


def lpips_of(network: Lpips, device: torch.device) -> Perceptual:
    """LPIPS of whole 8-bit RGB pictures in float32, nothing cropped."""
    network = network.to(device)

    def distance(sr: np.ndarray, hr: np.ndarray) -> float:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            one, two = (_batch(pixels).to(device).float() / 255 for pixels in (sr, hr))
            return float(network.per_picture(one, two)[0])

    return distance


def as_exported(network: nn.Module) -> nn.Module:
    """A copy as the network's file would bring it back: usual layout, evaluation mode, whatever training needs.

    So that a validation chooses the best by the digits that `sr evaluate` gives for the exported network.
    """
    return copied(network).to(memory_format=torch.contiguous_format)


def network_upscaler(network: nn.Module, device: torch.device, autocast: torch.autocast) -> Upscale:
    """A network in evaluation mode as a function on uint8 pictures."""

    def upscale(pixels: np.ndarray) -> np.ndarray:
        with autocast:
            return upscale_pixels(network, pixels, device)

    return upscale


def measure_pair(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """All but LPIPS of one picture; a gray picture's upscaling is averaged over its channels first.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    shown = gray_again(sr) if pair.gray else sr
    try:
        two = _batch(shown), _batch(pair.hr)
        values = measure(*two, scale, gray=pair.gray)
        values |= {"sharpness": float(sharpness(*two, scale, gray=pair.gray)[0])}
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error
    return values | watched(shown, pair.lr, scale)


def measure_border(sr: np.ndarray, pair: ValidationPair) -> list[float]:
    """PSNR on Y of one picture by distance to its border, see `sr.metrics.border`."""
    shown = gray_again(sr) if pair.gray else sr
    return border_psnr(_batch(shown), _batch(pair.hr), pair.gray)


def watched(sr: np.ndarray, lr: np.ndarray, scale: int) -> dict[str, float]:
    """Colour error and checkerboards of one picture, see `WATCHED`.

    Args:
        sr: (scale*height, scale*width, 3) uint8.
        lr: (height, width, 3) uint8, what it was made from.
        scale: between them; x1 has no checkerboards.
    """
    large, small = (_batch(pixels).float() / 255 for pixels in (sr, lr))
    values = {"colour_error": float(colour_error(large, small))}
    if scale > 1:
        values |= {"checkerboard": float(checkerboard(large, scale))}
        values |= {"checkerboard_local": float(checkerboard_local(large, scale))}
    return values


def _batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


def means(values: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean of per-picture values, metric by metric; at least one picture."""
    rows = list(values)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _nothing(scale: int, with_lpips: bool) -> dict[str, float]:
    """The row of a picture that cannot be measured."""
    watched_here = WATCHED if scale > 1 else WATCHED[:1]
    return dict.fromkeys(METRICS + OTHERS + watched_here + (PERCEPTUAL if with_lpips else ()), math.nan)


def named_means(rows: Mapping[str, Sequence[dict[str, float]]]) -> dict[str, float]:
    """Means by column: ``psnr_y`` of the first set, and ``NAME/psnr_y`` of every set that has a name.

    Args:
        rows: per-picture values by the name of the set, at least one set.
    """
    by_set = {name: means(values) for name, values in rows.items()}
    named = {f"{name}/{metric}": v for name, values in by_set.items() if name for metric, v in values.items()}
    return next(iter(by_set.values())) | named


def measured(
    upscale: Upscale,
    pairs: Sequence[ValidationPair],
    scale: int,
    on_picture: Callable[[int, np.ndarray], None] = lambda *_: None,
    lpips: Perceptual | None = None,
) -> tuple[list[dict[str, float]], float]:
    """Metrics of each picture, and the seconds that upscaling took.

    Args:
        upscale: what is judged.
        pairs: pictures.
        scale: pixels cropped at each border.
        on_picture: given (number, super-resolved picture) as they come.
        lpips: measures that too, or None.

    A picture of which the network makes something that is not finite has no measures: all are NaN then, so that the
    mean is, which is never the best, and ``on_picture`` is not told of it.
    """
    rows, seconds = [], 0.0
    for number, pair in enumerate(pairs):
        before = perf_counter()
        try:
            sr = upscale(pair.lr)
        except NotFiniteError:
            rows.append(_nothing(scale, lpips is not None))
            continue
        seconds += perf_counter() - before
        extra = {} if lpips is None else {"lpips": lpips(sr, pair.hr)}
        rows.append(measure_pair(sr, pair, scale) | extra)
        on_picture(number, sr)
    return rows, seconds


def evaluate(
    upscale: Upscale,
    pairs: Sequence[ValidationPair],
    scale: int,
    on_picture: Callable[[int, np.ndarray], None] = lambda *_: None,
    lpips: Perceptual | None = None,
) -> tuple[dict[str, float], float]:
    """Mean metrics over at least one picture, and the seconds that upscaling took; arguments as of `measured`."""
    rows, seconds = measured(upscale, pairs, scale, on_picture, lpips)
    return means(rows), seconds
