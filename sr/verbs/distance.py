"""`sr distance`: FID and KID of two folders of pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sr.console import plain_console
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.image.io import as_batch, find_pictures, read_visible
from sr.metrics.distance import FEATURES, distance, inception
from sr.metrics.functional import Pictures
from sr.printable import printable
from sr.verbs.computing import inference


def print_distance(made: Path, real: Path, accelerator: str) -> None:
    """Measure two folders, and print both numbers.

    Args:
        made: pictures that a network made.
        real: those that they should be like.
        accelerator: where to compute.

    Raises:
        UserError: a folder is missing or has fewer than two pictures, one cannot be read, torch-fidelity or its weights
            are missing, or there is no such device.
    """
    device = inference(accelerator).device
    sides = [find_pictures(folder) for folder in (made, real)]
    for folder, paths in zip((made, real), sides, strict=True):
        if len(paths) < 2:
            raise UserError(f"{printable(folder)} has one picture; FID and KID compare sets, of hundreds at best")
    found = distance(_read(sides[0]), _read(sides[1]), inception(device), device)
    console = plain_console(soft_wrap=True)
    console.print(f"FID {found.fid:.2f}, KID {found.kid:.5f} ± {found.kid_deviation:.5f}; less is nearer")
    console.print(f"{found.made} pictures of {printable(made)}, {found.real} of {printable(real)}")
    if min(found.made, found.real) < FEATURES:
        console.print(
            f"FID of fewer than {FEATURES} pictures is too large, and the more so the fewer; compare it with that of "
            "other folders of as many pictures alone. KID has no such bias"
        )


def _read(paths: Sequence[Path]) -> Iterator[Pictures]:
    for path in paths:
        picture = read_visible(path)
        yield as_batch(to_uint8(np.asarray(picture.pixels)))
