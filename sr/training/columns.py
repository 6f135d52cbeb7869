"""What validations measure, by the columns of the log: which columns there are, and which value is the best."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sr.errors import UserError

METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")
"""Measured always; more is better."""
OTHERS = ("sharpness",)
"""Measured always; told, but neither more nor less is better."""
PERCEPTUAL = ("lpips",)
"""Measured where the weights are there; less is better."""
DISTANCES = (*PERCEPTUAL, "dists")
"""Of them and of what `sr evaluate` measures beside them, likewise; NaN of pictures that are too small for one."""
WATCHED = ("colour_error", "checkerboard", "checkerboard_local")
"""Measured always (checkerboards: above x1), for the log: less is better; see `sr.training.watch` and, for the pattern
place by place, `sr.metrics.checkerboard`."""
CONSISTENCY = "lr_consistency"
"""Measured of pictures without a truth alone: the mean absolute difference, in [0, 1], between the network's input and
its output made small by MATLAB's bicubic; less is better, and blurred pictures are as good at it as sharp ones."""
CYCLE = ("cycle_psnr", "cycle_ssim")
"""Measured of networks that translate: pictures of both sides there and back against what they were, on RGB and on Y;
more is better."""
INPUT = ("input_psnr", "input_ssim")
"""Likewise: what is made of pictures against the pictures themselves, on RGB and on Y: how much is changed. Neither
more nor less is better."""
IDENTITY = "identity_error"
"""Likewise: the mean absolute difference, in [0, 1], between pictures and what the generator that makes their own side
makes of them; less is better."""
SHIFT = "colour_shift"
"""Likewise: the mean difference, in [0, 1], of the mean colours of pictures and of what is made of them; a tint that no
one asked for shows here, and so does one that the other side has."""
SHOWN = "shown"
"""Instead of a set's name: pictures without a truth."""


def metric_of(column: str) -> str:
    """The metric of a column: ``psnr_y`` of the main set, or ``NAME/psnr_y`` of a set with a name."""
    return column.rpartition("/")[2]


def gain(column: str, value: float) -> float:
    """The value so that more is better: LPIPS and the consistency change their sign."""
    return -value if metric_of(column) in (*PERCEPTUAL, CONSISTENCY, IDENTITY) else value


def check_set_names(names: Iterable[str], translates: bool = False) -> None:
    """Names of validation sets stand beside metrics in the columns of the log.

    Args:
        names: of the sets.
        translates: the network does, so that sides have folders of pictures too.

    Raises:
        UserError: one is a metric, or another word of these columns, or the name of a side.
    """
    taken = (
        *METRICS,
        *OTHERS,
        *PERCEPTUAL,
        *WATCHED,
        CONSISTENCY,
        *CYCLE,
        IDENTITY,
        SHIFT,
        *INPUT,
        "bicubic",
        "pictures",
        SHOWN,
        *(("a", "b") if translates else ()),
    )
    for name in names:
        if name.lower() in taken:
            raise UserError(f"data.val names a set {name}, which val/{name} means already; call it {name}_set, say")


def monitored(
    monitor: Any, with_lpips: bool, sets: Iterable[str] = (), without_truth: bool = False, translates: bool = False
) -> tuple[str, ...]:
    """The columns of ``trainer.monitor``, a name or several.

    Args:
        monitor: as configured.
        with_lpips: LPIPS can be measured.
        sets: names of the validation sets, whose metrics may be meant as ``NAME/psnr_y``.
        without_truth: what is validated has none: `CONSISTENCY` stands for the default, and nothing else is measured.
        translates: pictures are translated there and back: without a truth the first of `CYCLE` takes that place.

    Raises:
        UserError: no name, one twice, one that is no metric, or one that cannot be measured here.
    """
    names = (monitor,) if isinstance(monitor, str) or not isinstance(monitor, Sequence) else tuple(monitor)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"trainer.monitor=[{','.join(map(str, names))}] names {twice} twice; once is enough")
    alone = CYCLE if translates else (CONSISTENCY,)
    if without_truth and (names == METRICS[:1] or all(name in alone for name in names)) and names:
        return alone[:1] if names == METRICS[:1] else names
    if without_truth:
        told = monitor if isinstance(monitor, str) else f"[{','.join(map(str, names))}]"
        raise UserError(
            f"trainer.monitor={told} cannot be measured: there are no validation pictures with a truth; set "
            f"trainer.monitor={alone[0]}, or give pairs (data.hr_val=DIR data.lr_val=DIR with data=unpaired)"
        )
    known: tuple[str, ...] = METRICS + PERCEPTUAL
    known += tuple(f"{name}/{metric}" for name in sets if name for metric in known) + (CYCLE if translates else ())
    if not names:
        raise UserError(f"trainer.monitor=[] names no metric; choose from {', '.join(known)}")
    for name in names:
        if name in CYCLE and not translates:
            raise UserError(
                f"trainer.monitor={name} cannot be measured: it is of pictures that a network translates there and "
                "back, and this run has no such network, or data.shown=null has none to show it; take psnr_y, say"
            )
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}"
            raise UserError(f"trainer.monitor={'null' if name is None else name} is not a metric; {hint}")
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

    def take(self, values: Mapping[str, float], updates: int) -> bool:
        """Compare with a new validation, which is taken where it is better; nothing that is not finite is.

        One that is the same in every column is taken too: of networks whose pictures are the same, such as a feature
        net's, the one that has learnt longest is the one to use.

        Returns:
            Whether it is better than all before.
        """
        before = self.values.get(self.metric, math.nan)
        if not math.isfinite(values[self.metric]):
            return False
        improved = not math.isfinite(before) or gain(self.metric, values[self.metric]) > gain(self.metric, before)
        if improved or _finite(values) == _finite(self.values):
            self.values, self.updates = dict(values), updates
        return improved


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """What can be compared: LPIPS of pictures that are too small is NaN, which equals nothing."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def means(values: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean of per-picture values, metric by metric; at least one picture.

    LPIPS is the mean over the pictures that are large enough for it, and NaN where none is. A picture of which nothing
    is finite leaves no mean at all.
    """
    rows = list(values)
    return {name: _mean([row[name] for row in rows if not _too_small(row, name)]) for name in rows[0]}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _too_small(row: Mapping[str, float], name: str) -> bool:
    return name in DISTANCES and math.isnan(row[name]) and math.isfinite(row.get("psnr_y", math.nan))


def named_means(rows: Mapping[str, Sequence[dict[str, float]]]) -> dict[str, float]:
    """Means by column: ``psnr_y`` of the first set, and ``NAME/psnr_y`` of every set that has a name.

    Args:
        rows: per-picture values by the name of the set, at least one set.
    """
    by_set = {name: means(values) for name, values in rows.items()}
    named = {f"{name}/{metric}": v for name, values in by_set.items() if name for metric, v in values.items()}
    return next(iter(by_set.values())) | named


def better(column: str) -> Literal["max", "min"] | None:
    """Which values of a column are the better ones; None where neither more nor less is.

    Args:
        column: ``psnr_y``, or ``NAME/psnr_y`` of a set with a name.
    """
    metric = metric_of(column)
    if metric in (*METRICS, *CYCLE):
        return "max"
    return "min" if metric in (*PERCEPTUAL, *WATCHED, CONSISTENCY, IDENTITY) else None
