"""What a dashboard of training runs shows, as plain data: sections of panels, by the columns that runs log."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sr.training.columns import CYCLE, IDENTITY, METRICS, OTHERS, PERCEPTUAL, SHIFT, WATCHED
from sr.training.keeping.run_folder import RunFolder

Kind = Literal["lines", "pictures", "bars"]
MOST_PICTURES = 24
"""Panels of pictures; a browser would wait for more."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: above it.
        kind: lines over updates, pictures over updates, or a bar per run.
        columns: that it shows, by name.
        pattern: a regular expression for columns whose names depend on the run: names of losses and adversaries.
    """

    title: str
    kind: Kind
    columns: tuple[str, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True)
class Section:
    """Panels under one heading.

    Attributes:
        title: of the section.
        panels: in order.
        is_open: it is unfolded when the dashboard opens.
    """

    title: str
    panels: tuple[Panel, ...]
    is_open: bool = True


_TRANSLATED = (*CYCLE, IDENTITY, SHIFT)
"""Of networks that translate between two sides."""


def sections(pictures: Sequence[str] = ()) -> list[Section]:
    """The dashboard of any runs of this program; a panel that no run has a column for stays empty.

    Args:
        pictures: names of validation pictures, as `picture_names` finds them.
    """
    shown = tuple(Panel(name, "pictures", (f"val/pictures/{name}",)) for name in pictures[:MOST_PICTURES])
    both = (*METRICS, *OTHERS, *PERCEPTUAL)
    found = [
        Section("Validation, beside bicubic", tuple(_beside_bicubic(metric) for metric in both)),
        Section("Pictures", shown),
        Section("Best of each run", tuple(Panel(f"best {m}", "bars", (f"best/{m}",)) for m in ("psnr_y", *PERCEPTUAL))),
        Section("Losses of the generator", _generator()),
        Section("Losses of the discriminator", _of_adversaries("total", "real", "fake", "penalty")),
        Section("The discriminator's opinions", _of_adversaries("output_real", "output_fake", "throttled")),
        Section("Gradients and learning rates", _rates()),
        Section("Colours and checkerboards", _watched(), is_open=False),
        Section(
            "Translated there and back", tuple(Panel(m, "lines", (f"val/{m}",)) for m in _TRANSLATED), is_open=False
        ),
        Section("Validation sets with names", _of_sets(), is_open=False),
        Section("Speed", _speed(), is_open=False),
    ]
    return [section for section in found if section.panels]


def as_data(found: Iterable[Section]) -> list[dict[str, Any]]:
    """The same as lists and dictionaries, for JSON."""
    return [asdict(section) for section in found]


def picture_names(folders: Iterable[Path]) -> list[str]:
    """Names under which runs show their validation pictures, each once, in order.

    Args:
        folders: of runs.
    """
    names = set()
    for folder in folders:
        place = RunFolder(folder).pictures
        names |= {file.relative_to(place).with_suffix("").as_posix() for file in place.glob("**/*.png")}
    return sorted(name for name in names if re.fullmatch(r"(?:[^/]+/)?\d\d+_[^/]*", name))


def _beside_bicubic(metric: str) -> Panel:
    return Panel(metric, "lines", (f"val/{metric}", f"val/bicubic/{metric}"))


def _generator() -> tuple[Panel, ...]:
    return (
        Panel("total", "lines", ("train/g/total",)),
        Panel("terms, as the generator feels them", "lines", pattern=r"^train/g/.+_weighted$"),
        Panel("what the discriminator costs it", "lines", pattern=r"^train/g/gan[^/]*$"),
        Panel("terms", "lines", pattern=r"^train/g/.*$"),
    )


def _of_adversaries(*columns: str) -> tuple[Panel, ...]:
    """Adversaries have names, ``d`` where there is one; the generator is not among them."""
    return tuple(Panel(column, "lines", pattern=rf"^train/([^g/]|[^/]{{2,}})/{column}$") for column in columns)


def _rates() -> tuple[Panel, ...]:
    return (
        Panel("gradient norms", "lines", pattern=r"^train/[^/]+/gradient$"),
        Panel("learning rates", "lines", pattern=r"^train/([^/]+/)?lr$"),
    )


def _watched() -> tuple[Panel, ...]:
    training = (Panel(f"{name} in training", "lines", (f"train/sr/{name}",)) for name in WATCHED[:2])
    return (*(_beside_bicubic(name) for name in WATCHED), *training)


def _of_sets() -> tuple[Panel, ...]:
    return tuple(Panel(f"{m} of every set", "lines", pattern=rf"^val/[^/]+/{m}$") for m in ("psnr_y", *PERCEPTUAL))


def _speed() -> tuple[Panel, ...]:
    return tuple(
        Panel(name.replace("_", " "), "lines", (f"train/{name}",))
        for name in ("updates_per_second", "pictures_per_second", "waiting_share", "seconds")
    )
