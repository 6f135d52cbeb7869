"""What a shipped network says of how it was made and what it reaches, in its file's metadata under ``trained``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date as calendar
from typing import Any

from sr.errors import UserError
from sr.models.files import NetworkInfo
from sr.printable import printable

KEY = "trained"
"""Of `NetworkInfo.extra`."""
METRICS = ("psnr_y", "ssim_y", "lpips", "dists")
"""What figures may be of."""
BICUBIC = "bicubic_"
"""Before a metric's name: what bicubic reaches on the same pictures."""

_LARGEST = 1000.0  # no metric has more, and no table can show a number of 300 digits
_TEXTS = ("command", "machine", "date", "on")


@dataclass(frozen=True)
class Trained:
    """How a network was made.

    Attributes:
        command: that anybody can repeat.
        seed: of the run.
        machine: chip and version of PyTorch.
        date: when it was trained, ``2026-11-30``.
        on: the pictures and how they were made small.
        figures: by test set, what was measured: ``{"Set14": {"psnr_y": 32.7, "bicubic_psnr_y": 30.23}}``.

    Raises:
        ValueError: a value is empty or of another kind.
    """

    command: str
    seed: int
    machine: str
    date: str
    on: str
    figures: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        for name in _TEXTS:
            if not isinstance(value := getattr(self, name), str) or not value.strip():
                raise ValueError(f"{name}={value!r:.80} is no text")
        calendar.fromisoformat(self.date)  # says itself what is wrong
        if type(self.seed) is not int:
            raise ValueError(f"seed={self.seed!r:.80} is no whole number")
        if not isinstance(self.figures, Mapping) or not self.figures:
            raise ValueError("figures has no test set")
        for name, numbers in self.figures.items():
            _check_figures(name, numbers)

    def plain(self) -> dict[str, Any]:
        """Plain values, for `sr.models.files.save_network`."""
        return asdict(self)


def trained_of(info: NetworkInfo) -> Trained | None:
    """How a network file says it was made; None where it says nothing, as runs' own files.

    Raises:
        UserError: what it says is damaged.
    """
    told = info.extra.get(KEY)
    if told is None:
        return None
    try:
        return Trained(**told)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{printable(info.path)} has damaged metadata under 'extra.{KEY}' ({printable(error)[:200]}); "
            "write it again with tools/ship_network.py"
        ) from error


def in_words(figures: Mapping[str, Mapping[str, float]]) -> str:
    """``Set14 32.70 dB (+2.47)``, for each set; LPIPS beside it where it was measured."""
    return "; ".join(f"{printable(name)} {_numbers(numbers)}" for name, numbers in figures.items())


def _numbers(numbers: Mapping[str, float]) -> str:
    psnr, bicubic = numbers["psnr_y"], numbers.get(f"{BICUBIC}psnr_y")
    text = f"{psnr:.2f} dB" + ("" if bicubic is None else f" ({psnr - bicubic:+.2f})")
    if "lpips" in numbers:
        bicubic = numbers.get(f"{BICUBIC}lpips")
        text += f", LPIPS {numbers['lpips']:.3f}" + ("" if bicubic is None else f" (bicubic {bicubic:.3f})")
    return text


def _check_figures(name: str, numbers: object) -> None:
    if not isinstance(numbers, Mapping) or "psnr_y" not in numbers:
        raise ValueError(f"figures of {name!r:.80} have no psnr_y")
    for metric, value in numbers.items():
        known = isinstance(metric, str) and metric.removeprefix(BICUBIC) in METRICS
        if not known or type(value) not in (int, float) or not abs(value) <= _LARGEST:
            raise ValueError(f"figures of {name!r:.80}: {metric!r:.40} is {value!r:.40}")
