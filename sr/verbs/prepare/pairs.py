"""`sr prepare pairs`: the low-resolution pictures that training would see, as files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage

from sr.config.building import build
from sr.config.composing import composed
from sr.console import plain_console
from sr.data.module import CropData, Part
from sr.errors import UserError
from sr.files import write_atomically
from sr.verbs.prepare.output import Steps, counted, journal
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.tables import say
from sr.verbs.train.preflight import try_degradation


def prepare_pairs(overrides: Sequence[str], output: Path, part: str, config_dir: Path | None = None) -> None:
    """Write ``HR/NAME.png`` and ``LR/NAME.png`` for every picture; a stopped run goes on.

    Whole pictures are degraded once, each with draws of its own, as validation pictures are; training with
    ``data=paired`` on the result repeats them in every epoch, where the degradation on the device draws anew.

    Args:
        overrides: as for train.py.
        output: folder to fill.
        part: ``train`` or ``val``.
        config_dir: a folder of choices of the user's.

    Raises:
        UserError: a mistake in the overrides or the data, or a folder that cannot be written.
    """
    chosen: Part
    if part == "train":
        chosen = "train"
    elif part == "val":
        chosen = "val"
    else:
        raise UserError(f"--part {part} is not train or val")
    console = plain_console()
    config = composed(overrides, config_dir)
    data: CropData = build("data", config.data)
    degradation = build("degradation", config.degradation)
    with StoreProgress(console) as progress:
        data.make_pools(degradation, progress.update, lambda text: say(console, text))
    try_degradation(degradation, config.data.crop, torch.device("cpu"))
    with StoreProgress(console) as progress:
        pairs = data.whole_pairs(chosen, degradation, progress.update, lambda text: say(console, text))
    settings: dict[str, Any] = {"part": part, "scale": config.scale, "store": pairs.key}
    with journal(output, "pairs", settings) as kept, Steps(console, "pairs", len(pairs)) as steps:
        for number in range(len(pairs)):
            name = f"{number + 1:06d}"
            if name not in kept.done:
                pair = pairs[number]
                for folder, pixels in (("HR", pair.hr), ("LR", pair.lr)):
                    write_atomically(output / folder / f"{name}.png", _png(pixels))
                kept.finish(name, {"picture": pair.name})
            steps.done(number + 1)
    say(console, f"{counted(len(pairs), 'pair')} in {output}; train on them with")
    say(console, f"  data=paired data.hr={output / 'HR'} data.lr={output / 'LR'} scale={config.scale}")


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(file, format="png")
    return file.getvalue()
