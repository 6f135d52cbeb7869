"""Training pictures that belong to no others: real ones for discriminators, low resolution without a truth."""

from pathlib import Path
from typing import Literal

import numpy as np

from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.crops import CropPlan, Others, Small
from sr.data.kinds.sized import Sized
from sr.data.kinds.split import Split
from sr.data.sets import Pictures, Sides, given_sides, pictures_of
from sr.data.store.store import Store
from sr.data.stores import Stores
from sr.data.telling import about_small, files_of, warn_of_test_sets
from sr.types import UserError

HALF: Literal["half"] = "half"
"""``real=half``: the second half of the training pictures is real for discriminators, pairs come from the first."""

SIDES = ("data.a", "data.b")
"""Settings of the two sides of a translation."""

Real = PictureSource | Literal["half"] | None
"""Where real pictures come from that belong to no others."""


def training_sides(train: Pictures | None, train_lr: Pictures | None, scale: int, real: bool = False) -> Sides:
    """What the generator learns from; where there is no ``train``, low-resolution pictures that have no truth.

    Args:
        train: high-resolution pictures, or None.
        train_lr: their low-resolution twins, or pictures of their own where ``train`` is None.
        scale: between them.
        real: there are real pictures that belong to no low resolution.

    Raises:
        ValueError: neither is given.
        UserError: a folder is missing or empty, or there are real pictures alone.
    """
    if train is not None:
        return given_sides("train", train, train_lr, scale)
    if train_lr is None and real:
        raise UserError(
            "data.lr is not set; add data.lr=… to the command line, pictures without a truth beside the real ones"
        )
    if train_lr is None:
        raise ValueError(
            "train=null is no folder of pictures; give its path, or low resolution without a truth with "
            "data=unpaired data.hr=DIR data.lr=DIR, or two sides to be translated into each other with data=unpaired "
            "data.a=DIR data.b=DIR"
        )
    return Sides(pictures_of("train_lr", train_lr), None)


def real_source(real: Pictures | None, train: Pictures | None) -> Real:
    """Where the real pictures come from that belong to no others.

    Args:
        real: pictures, ``half``, or None for none.
        train: high-resolution pictures with a low-resolution twin each, or None.

    Raises:
        UserError: a folder is missing or empty, or half of nothing is asked for.
    """
    if real is None:
        return None
    if real == HALF:
        if train is None:
            raise UserError("data.real=half takes half of data.train, and data.train=null has none; give data.hr=DIR")
        return HALF
    return pictures_of("real", real)


def check_apart(lr: PictureSource, real: PictureSource, settings: tuple[str, str], on_message: OnMessage) -> None:
    """Low resolution without a truth and the real pictures, or two sides, must be of two sets.

    Args:
        lr: the one.
        real: the other.
        settings: by which they are given.
        on_message: told how many are on both sides.

    Raises:
        UserError: they are the same files.
    """
    low, high = (files_of(_whole(source)) for source in (lr, real))
    if low and low == high:
        first, second = settings
        instead = "low resolution in data.lr, or one set in two halves with data=folder data.train=DIR data.real=half"
        instead = "two folders of two sides" if first == SIDES[0] else instead
        raise UserError(
            f"{first} and {second} are the same {_counted(low)} ({min(low).parent}), so nothing says what is to be "
            f"made of them; give {instead}"
        )
    if low & high:
        first, second = settings
        on_message(f"{len(low & high)} pictures of {first} are in {second} too ({min(low & high)})")


def _counted(paths: set[Path]) -> str:
    return f"{len(paths)} picture{'s' if len(paths) > 1 else ''}"


def _whole(source: PictureSource) -> PictureSource:
    """The source that a share was held out of: which share depends on the folder's name."""
    while isinstance(source, Sized | Split):
        source = source.source
    return source


def warn_of_pairs(train: PictureSource, real: PictureSource, on_message: OnMessage) -> None:
    """Say how many real pictures are the truth of training pictures too."""
    both = files_of(train) & files_of(real)
    if both:
        on_message(
            f"{len(both)} pictures of data.real are in data.train too ({min(both)}): their low resolution is learned "
            "from as well; data.real=half keeps the two apart"
        )


def first_half(store: Store) -> np.ndarray:
    """(pictures,) bool: the pictures that pairs come from with ``real=half``; of an odd number the smaller half.

    Raises:
        UserError: there is one picture alone.
    """
    if len(store) < 2:
        raise UserError(f"data.real=half needs two training pictures at least, and there is {len(store)}")
    return np.arange(len(store)) < len(store) // 2


def others_of(
    real: Real,
    hr: Store,
    stores: Stores,
    crop: int,
    small: Small,
    seed: int,
    report: tuple[OnProgress, OnMessage],
    setting: str,
) -> Others | None:
    """The real pictures of a run and the plan of their crops, drawn by sample number apart from the pairs'.

    Args:
        real: from `real_source`, fetched.
        hr: training pictures, of which ``half`` takes the second half.
        stores: opens the pictures' own store.
        crop: side of a crop in low-resolution pixels.
        small: what to do with pictures smaller than the crop.
        seed: of the run.
        report: told how far it is, and given one line for each thing that the user should know.
        setting: that names the pictures, for messages.

    Raises:
        UserError: too many pictures cannot be used, or none is large enough.
    """
    if real is None:
        return None
    on_progress, on_message = report
    if isinstance(real, str):
        mask = ~first_half(hr)
        on_message(f"real pictures: the other {mask.sum()} of {len(hr)} training pictures")
        return Others(CropPlan(hr, stores.scale, crop, small, seed, mask, "real", setting), hr)
    warn_of_test_sets(real, on_message)
    what = "side B" if setting == SIDES[1] else "real"
    store = stores.originals(what, Sides(real, None), on_progress, on_message)
    plan = CropPlan(store, stores.scale, crop, small, seed, scope="real", setting=setting)
    if plan.small_names:
        on_message(f"{what} pictures: {about_small(plan.small_names, small, len(store))}")
    if what == "real":
        on_message(f"real pictures: {len(store)} of their own, which belong to no low resolution")
    return Others(plan, store)
