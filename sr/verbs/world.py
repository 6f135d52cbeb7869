"""`sr world`: make the miniature world of the experiment log and show it on a sheet."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sr.config.building import build
from sr.config.composing import composed
from sr.console import plain_console
from sr.experiments.world.folder import World
from sr.experiments.world.pools import LOG_POOLS, Pool
from sr.experiments.world.sheet import kernel_errors, sheet
from sr.image.details import Details
from sr.image.io import write_picture
from sr.types import Picture
from sr.verbs.screen.own_sheet import CHUNK, check_sheet
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.tables import say


def show_world(overrides: Sequence[str], output: Path | None) -> None:
    """Draw the world, extract its pools and write the sheet; what is there already is not made again.

    Args:
        overrides: of ``data=miniature``, such as ``data.world.seed=1``.
        output: PNG file of the sheet; None writes ``sheet.png`` into the world's folder.

    Raises:
        UserError: a mistake in the overrides, a target without noise or kernels, or a file that cannot be written.
    """
    if output is not None:
        check_sheet(output)
    console = plain_console(soft_wrap=True)
    data = composed(["data=miniature", *overrides]).data
    world = World(build("data.world", data.world), data.cache)
    pools = [Pool(world, release, code) for release, codes in LOG_POOLS.items() for code in codes]
    tell = partial(say, console)
    with StoreProgress(console) as progress:
        world.draw(progress.update, tell)
        for pool in pools:
            pool.make(progress.update, tell)
            tell(f"{pool.release} {pool.code}: {pool.folder}")
    if world.settings.drawn_target:
        for release in LOG_POOLS:
            tell(_about_kernels(world, release))
    path = output or world.folder / "sheet.png"
    write_picture(path, Picture(sheet(world, pools)), Details(colours=(CHUNK,)))
    tell(f"sheet: {path}")


def _about_kernels(world: World, release: str) -> str:
    errors = kernel_errors(world, release)
    wide, narrow = np.mean([widths for *_, widths in errors], axis=0)
    return (
        f"{release}: {len(errors)} kernels, sigma {wide:.2f} by {narrow:.2f} on average; "
        f"{np.mean([error for _, error, _ in errors]):.0%} of their weight lies elsewhere than the hidden kernel's"
    )
