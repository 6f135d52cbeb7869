"""Run folders written by hand: finished, running, cut off, exploded, failed, foreign; nothing is trained."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sr.experiments.failure import write_failure
from sr.experiments.table import Row, rows_of
from sr.training.keeping.command import Command, write_command
from sr.training.keeping.pictures import KeptPictures, Views
from sr.training.keeping.run_folder import RunFolder
from tests.conftest import smooth_picture

ESPCN: dict[str, Any] = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 48}
RDN: dict[str, Any] = {"_target_": "sr.models.rdn.Rdn", "scale": 2, "blocks": 4}


@dataclass(frozen=True)
class Made:
    """A run to write.

    Attributes:
        seed: of it.
        model: its network's configuration.
        settings: more of its configuration, by top-level key.
        choices: by group; none where the run is of an earlier version.
        updates: of its validations.
        gain: of psnr_y over bicubic in the last one.
        pictures: names of the set's, and of sets with names.
        ended: its exit reason; None where it was cut off.
        size: (height, width) of the low-resolution pictures.
    """

    seed: int = 1
    model: Mapping[str, Any] = field(default_factory=lambda: ESPCN)
    settings: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    updates: Sequence[int] = (10, 20, 30)
    gain: float = 1.0
    pictures: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ["a.png", "b.png"]})
    ended: str | None = "max_updates"
    size: tuple[int, int] = (12, 15)


def write_run(folder: Path, made: Made) -> RunFolder:
    """Write it, as a training would have left it."""
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    config = {
        "model": dict(made.model),
        "data": {"seed": made.seed, "cache": str(folder), "workers": 2},
        "optimizer": {"lr": 0.001},
        "trainer": {"monitor": "psnr_y"},
        "size": {"name": "full", "number": made.seed},
        "seed": made.seed,
        "scale": 2,
        "run_dir": str(folder),
        **made.settings,
    }
    run.config.write_text(yaml.safe_dump(config, sort_keys=False))
    if made.choices:
        write_command(folder, Command(f"python train.py seed={made.seed}", [], made.choices, "sweep"))
    write_tables(run, made)
    write_pictures(run, made)
    write_bicubic(run, made)
    if made.ended is not None:
        values = {"psnr_y": 30.0 + made.gain, "ssim_y": 0.9}
        run.write_summary(
            {
                "exit_reason": made.ended,
                "updates": made.updates[-1],
                "seconds": 12.5,
                "updates_per_second": 2.0,
                "pictures_per_second": 32.0,
                "parameters": 71196,
                "recoveries": 0,
                "bicubic": {"psnr_y": 30.0, "ssim_y": 0.8},
                "final": values,
                "best": values | {"updates": made.updates[-1]},
            }
        )
    return run


def write_tables(run: RunFolder, made: Made) -> None:
    """metrics.csv, and that of the pictures."""
    run.pictures.mkdir(exist_ok=True)
    with run.metrics.open("w", newline="") as file:
        table = csv.writer(file)
        names = ["train/g/total", "train/seconds", "val/psnr_y", "val/bicubic/psnr_y"]
        table.writerow(["updates", *names])
        for updates in range(5, made.updates[-1] + 1, 5):
            share = updates / made.updates[-1]
            values = [30 + made.gain * share, 30] if updates in made.updates else ["", ""]
            table.writerow([updates, 1 / updates, updates / 2, *values])
    with run.by_picture.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["updates", "set", "picture", "psnr_y", "ssim_y"])
        for updates in made.updates:
            for name, pictures in made.pictures.items():
                for number, picture in enumerate(pictures):
                    psnr = 30 + made.gain * updates / made.updates[-1] + number + 0.01 * made.seed
                    table.writerow([updates, name, picture, psnr, 0.9])


def write_bicubic(run: RunFolder, made: Made) -> None:
    """What bicubic reaches on each picture."""
    with run.bicubic_by_picture.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["updates", "set", "picture", "psnr_y"])
        for name, pictures in made.pictures.items():
            for number, picture in enumerate(pictures):
                table.writerow([0, name, picture, 30 + number])


def write_pictures(run: RunFolder, made: Made) -> None:
    """Strips, and what is kept pixel for pixel."""
    kept = KeptPictures(run, made.updates[0])
    height, width = made.size
    for updates in made.updates:
        shown = {}
        for name, pictures in made.pictures.items():
            for number, picture in enumerate(pictures):
                lr, hr = smooth_picture(height, width, number), smooth_picture(2 * height, 2 * width, number)
                bicubic = np.repeat(np.repeat(lr, 2, axis=0), 2, axis=1)
                sr = (hr // 2 + made.seed + updates % 100).astype(np.uint8)
                own = f"{number:02d}_{Path(picture).stem}"
                shown[f"{name}/{own}" if name else own] = Views(lr, bicubic, sr, None if name == "shown" else hr)
        kept.write(shown, {name: views.strip() for name, views in shown.items()}, updates)


def rows_below(folder: Path, *runs: Made) -> list[Row]:
    """Rows of runs that are written there first."""
    for number, made in enumerate(runs):
        write_run(folder / f"{number}_run", made)
    return rows_of([folder])


def write_zoo(folder: Path) -> None:
    """A run of every state but running, which needs a process: see `sr.locks`."""
    write_run(folder / "finished", Made())
    write_run(folder / "interrupted", Made(seed=2, ended="interrupted"))
    write_run(folder / "cut_off", Made(seed=3, ended=None))
    exploded = write_run(folder / "exploded", Made(seed=4, ended="exploded"))
    exploded.bugs.mkdir()
    (exploded.bugs / "update_25_batch_50.bug").write_bytes(b"")
    write_failure(folder / "failed", "data.train=nowhere does not exist")
    (folder / "foreign").mkdir()
    (folder / "foreign" / "config.yaml").write_text("colours: [red]\n")
    damaged = write_run(folder / "damaged", Made(seed=5))
    damaged.metrics.write_text(damaged.metrics.read_text() + "1,2,3,4,5,6,7\n")
    for path in (damaged.summary, damaged.by_picture):
        path.write_bytes(path.read_bytes()[:40])


def report_of(folder: Path) -> dict[str, Any]:
    """The object in a report's data.js."""
    text = (folder / "data.js").read_text("ascii")
    assert text.startswith("window.REPORT = ")
    assert text.endswith(";\n")
    return json.loads(text.removeprefix("window.REPORT = ").removesuffix(";\n"))
